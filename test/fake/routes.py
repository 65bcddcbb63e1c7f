"""How a request finds its endpoint, and the endpoints that belong to no repository."""

import dataclasses
import json
import re
import urllib.parse

from . import shapes
from .limits import RESOURCES

DOCS = "https://docs.github.com/rest"
ROUTES = []


@dataclasses.dataclass
class Call:
    """One request, with everything a route may want to know."""

    method: str
    path: str
    query: dict
    model: object
    base: str
    assets: str
    accept: str = ""
    user: str | None = None
    token: str | None = None
    raw: bytes = b""
    raw_query: str = ""
    limits: object = None
    repo: object = None

    @property
    def json(self):
        try:
            return json.loads(self.raw or b"{}")
        except ValueError:
            raise Refused(400, "Problems parsing JSON") from None


@dataclasses.dataclass
class Answer:
    status: int = 200
    body: object = None
    headers: list = dataclasses.field(default_factory=list)
    kind: str = "application/json; charset=utf-8"
    etag: bool = True
    free: bool = False
    media: str = "github.v3; format=json"


class Refused(Exception):
    def __init__(self, status, message, headers=(), **more):
        super().__init__(message)
        body = {"message": message, **more, "documentation_url": DOCS, "status": str(status)}
        self.answer = Answer(status, body, list(headers), etag=False)


def route(methods, pattern):
    expression = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern).replace(
        "(?P<repo>[^/]+)", "(?P<repo>[^/]+/[^/]+)"
    )
    expression = re.compile(expression.replace("{+path}", "(?P<path>.*)"))

    def keep(function):
        ROUTES.append((methods.split(), expression, function))
        return function

    return keep


def dispatch(call):
    """Find the route; /repositories/{id} is the same as /repos/{owner}/{name}; old names redirect."""
    path, numbered = call.path, re.match(r"/repositories/(\d+)(/.*)?$", call.path)
    if numbered:
        repo = call.model.repo(int(numbered[1]))
        if repo is None or not repo.seen_by(call.user):
            raise Refused(404, "Not Found")
        path = f"/repos/{repo.full_name}{numbered[2] or ''}"
    named = re.match(r"/repos/([^/]+/[^/]+)(/.*)?$", path)
    if named:
        call.repo = call.model.repo(urllib.parse.unquote(named[1]))
        if call.repo is None or not call.repo.seen_by(call.user):
            raise Refused(404, "Not Found")
        if call.repo.full_name.lower() != named[1].lower():
            return moved(call, named[2] or "")
    allowed = False
    for methods, expression, function in ROUTES:
        found = expression.fullmatch(path)
        if found:
            allowed = True
            if call.method in methods or (call.method == "HEAD" and "GET" in methods):
                found = found.groupdict()
                found.pop("repo", None)
                answer = function(call, **found)
                return answer if isinstance(answer, Answer) else Answer(body=answer)
    raise Refused(404 if not allowed else 405, "Not Found" if not allowed else "Method Not Allowed")


def moved(call, rest):
    place = f"{call.base}/repositories/{call.repo.id}{rest}" + (
        f"?{call.raw_query}" if call.raw_query else ""
    )
    status = 301 if call.method in ("GET", "HEAD") else 307
    message = "Moved Permanently" if status == 301 else "Temporary Redirect"
    return Answer(
        status,
        {"message": message, "url": place, "documentation_url": DOCS},
        [("Location", place)],
        etag=False,
    )


def writer(call):
    """Whoever writes needs a token; whoever may read may write here."""
    if call.user is None:
        raise Refused(401, "Requires authentication")
    if call.method != "GET" and call.model.tokens[call.token].read_only:
        raise Refused(403, "Resource not accessible by integration")


def number(text):
    if not text.isdigit():
        raise Refused(404, "Not Found")
    return int(text)


def pick(items, key, value):
    for item in items:
        if item[key] == value:
            return item
    raise Refused(404, "Not Found")


def page_of(call, items, wrap=None, path=None):
    """GitHub's pages: per_page of at most 100, absolute Links in the /repositories/{id} form."""
    try:
        size, page = int(call.query.get("per_page", 30)), int(call.query.get("page", 1))
    except ValueError:
        size, page = 30, 1
    size, page = min(max(size, 1), 100), max(page, 1)
    last = max(1, -(-len(items) // size))
    if path is None:
        path = (
            re.sub(r"^/repos/[^/]+/[^/]+", f"/repositories/{call.repo.id}", call.path)
            if call.repo
            else call.path
        )
    links = []
    for rel, target, wanted in (
        ("prev", page - 1, page > 1),
        ("next", page + 1, page < last),
        ("last", last, page < last),
        ("first", 1, page > 1),
    ):
        if wanted:
            query = urllib.parse.urlencode({**call.query, "page": target})
            links.append(f'<{call.base}{path}?{query}>; rel="{rel}"')
    part = items[(page - 1) * size : page * size]
    return Answer(
        body={"total_count": len(items), wrap: part} if wrap else part,
        headers=[("Link", ", ".join(links))] if links else [],
    )


def elsewhere(call, path):
    return Answer(302, b"", [("Location", call.assets + path)], kind="text/html;charset=utf-8", etag=False)


# -- the top
@route("GET", "/")
def root(call):
    return {"current_user_url": f"{call.base}/user", "repository_url": call.base + "/repos/{owner}/{repo}"}


@route("GET", "/meta")
def meta(call):
    return {"verifiable_password_authentication": False, "hooks": ["127.0.0.0/8"]}


@route("GET", "/rate_limit")
def rate_limit(call):
    record = call.model.tokens.get(call.token)
    found = {}
    for name in RESOURCES:
        window = call.limits.window(call.token, record, name)
        found[name] = {
            "limit": window.limit,
            "used": window.used,
            "remaining": window.remaining,
            "reset": window.reset,
        }
    return Answer(body={"resources": found, "rate": found["core"]}, etag=False, free=True)


@route("GET", "/user")
def me(call):
    writer(call)
    return shapes.user(call, call.user, private=True)


@route("GET", "/users/{login}")
def some_user(call, login):
    if login not in call.model.users:
        raise Refused(404, "Not Found")
    return shapes.user(call, login)


@route("GET", "/user/repos")
def my_repos(call):
    writer(call)
    return page_of(
        call,
        [
            shapes.repo(call, r)
            for r in call.model.repos.values()
            if call.user == r.owner or call.user in r.readers
        ],
    )


@route("GET", "/(?:users|orgs)/{login}/repos")
def repos_of(call, login):
    if login not in call.model.users:
        raise Refused(404, "Not Found")
    return page_of(
        call,
        [
            shapes.repo(call, r)
            for r in call.model.repos.values()
            if r.owner == login and r.seen_by(call.user)
        ],
    )


@route("GET", "/orgs/{login}")
def some_org(call, login):
    return some_user(call, login)


@route("GET", "/installation/repositories")
def installed(call):
    writer(call)
    return page_of(
        call,
        [shapes.repo(call, r) for r in call.model.repos.values() if r.seen_by(call.user)],
        "repositories",
    )


@route("GET", "/notifications")
def notifications(call):
    writer(call)
    answer = page_of(call, call.model.notifications)
    answer.headers.append(("X-Poll-Interval", "60"))
    return answer


@route("GET", "/issues")
@route("GET", "/gists")
@route("GET", "/orgs/{login}/issues")
@route("GET", "/repos/{repo}/subscription")
def of_who_asks(call, login=None):
    writer(call)
    return page_of(call, [{"for": call.user}])


@route("GET", "/search/issues")
def search_issues(call):
    words = call.query.get("q", "").split()
    found = [
        shapes.issue(call, r, i)
        for r in call.model.repos.values()
        if r.seen_by(call.user)
        for i in r.issues
        if all(w.lower() in i["title"].lower() for w in words if ":" not in w)
    ]
    answer = page_of(call, found, "items")
    answer.body["incomplete_results"] = False
    return answer


@route("GET", "/search/code")
def search_code(call):
    writer(call)
    return Answer(body={"total_count": 0, "incomplete_results": False, "items": []}, etag=False)


@route("POST", "/app/installations/{key}/access_tokens")
def installation_token(call, key):
    value = f"installation-token-{next(call.model.ids)}"
    call.model.add_token(value, f"app-{key}")
    return Answer(
        201, {"token": value, "expires_at": "2030-01-01T00:00:00Z", "permissions": {"contents": "read"}}
    )
