"""From a request to the bytes of GitHub's answer: authentication, limits, ETags, conditions, headers."""

import base64
import dataclasses
import email.utils
import gzip
import hashlib
import http
import json
import re
import secrets

from . import caches, graph, limits, routes, routes_actions, routes_repos, routes_scanning

# imported because they register their routes
ENDPOINTS = (caches, routes_repos, routes_actions, routes_scanning)
PRETTY = re.compile(r"curl|Wget|Safari|Firefox", re.I)
VERSIONS = ("2022-11-28", "2026-03-10")
EXPOSED = (
    "ETag, Link, Location, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, "
    "X-RateLimit-Used, X-RateLimit-Reset"
)
SECONDARY = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. "
    "If you reach out to GitHub Support for help, please include the request ID."
)


@dataclasses.dataclass
class Wire:
    status: int
    headers: list
    body: bytes
    cost: int = 0

    @property
    def reason(self):
        try:
            return http.HTTPStatus(self.status).phrase
        except ValueError:
            return "Unknown"


def token_of(authorization):
    """The token in an Authorization header: `token X`, `Bearer X`, or Basic with the token as password."""
    if not authorization:
        return None
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(rest).decode().partition(":")
        except ValueError:
            return rest
        return password if password not in ("", "x-oauth-basic") else user
    return rest.strip()


def derive(mode, vary, headers, body):
    """GitHub's ETag: SHA-256 over the varying request headers that are there, then the uncompressed body."""
    if mode == "none":
        return None
    digest = hashlib.sha256(b"another way" if mode == "other" else b"")
    for name in ("Accept", "Authorization", "Cookie"):
        if name in vary and name in headers:
            digest.update(headers[name].encode("latin-1") + b":")
    digest.update(body)
    return f'"{digest.hexdigest()}"'


def matches(header, etag):
    """If-None-Match compares weakly."""
    names = [part.strip().removeprefix("W/") for part in (header or "").split(",")]
    return etag is not None and (etag in names or header == "*")


class Answerer:
    """Holds no connection: what it needs of the stand-in is its state."""

    def __init__(self, state):
        self.state = state

    def answer(self, call, headers):
        """The whole answer to a call; headers are the request's, case-insensitive."""
        state, model = self.state, self.state.model
        call.token = token_of(headers.get("Authorization"))
        record = model.tokens.get(call.token)
        resource = limits.resource_of(call.path)
        known = call.token is None or (record is not None and not record.revoked)
        call.user = record.user if known and record else None
        window = state.limits.window(call.token if known else None, record if known else None, resource)
        call.limits = state.limits
        secondary = None
        try:
            self._admit(call, headers, known)
            secondary = state.limits.take_secondary()
            if secondary:
                retry = [] if secondary["text_only"] else [("Retry-After", str(secondary["retry_after"]))]
                raise routes.Refused(secondary["status"], SECONDARY, retry)
            if window.remaining <= 0 and call.path != "/rate_limit":
                who = f"user ID {model.users[call.user]['id']}" if call.user else "127.0.0.1"
                raise routes.Refused(window.status, f"API rate limit exceeded for {who}.")
            answer = self._route(call)
        except routes.Refused as refusal:
            answer = refusal.answer
            answer.free = answer.status in (401, 403, 429) and not (known and answer.status == 401)
        return self._finish(call, headers, answer, record, window, resource, known)

    @staticmethod
    def _admit(call, headers, known):
        if not headers.get("User-Agent"):
            raise routes.Refused(
                403,
                "Request forbidden by administrative rules. Please make sure your request has a "
                "User-Agent header.",
            )
        if not known:
            raise routes.Refused(401, "Bad credentials")
        version = headers.get("X-GitHub-Api-Version")
        if version is not None and version not in VERSIONS:
            raise routes.Refused(400, f'The version "{version}" of the API is not supported.')

    def _route(self, call):
        if call.path == "/graphql":
            return graph.answer(call)
        if self.state.recorded is not None:
            target = call.path + (f"?{call.raw_query}" if call.raw_query else "")
            answer = self.state.recorded.answer(call, target)
            if answer:
                return answer
        return routes.dispatch(call)

    def _finish(self, call, headers, answer, record, window, resource, known):
        body, plain = self._body(answer, headers)
        signed = "Authorization" in headers
        vary = "Accept, Authorization, Cookie, X-GitHub-OTP" if signed else "Accept"
        out = [("Server", "github.com"), ("Date", email.utils.formatdate(usegmt=True))]
        status, etag = answer.status, None
        if call.method in ("GET", "HEAD") and status == 200 and answer.etag:
            etag = derive(self.state.etag_mode, vary, headers, plain)
        unchanged = matches(headers.get("If-None-Match"), etag)
        if unchanged:
            status = 304
        cost = 0 if answer.free or (unchanged and call.user is not None) else 1
        if call.path != "/rate_limit":
            window.used += cost
        if status not in (204, 304):
            out.append(("Content-Type", answer.kind))
        if status in (200, 304):
            out.append(("Cache-Control", ("private" if signed else "public") + ", max-age=60, s-maxage=60"))
        out.append(("Vary", f"{vary},Accept-Encoding, Accept, X-Requested-With"))
        zipped = "gzip" in headers.get("Accept-Encoding", "") and status == 200 and len(body) > 0
        if etag:
            out.append(("ETag", f"W/{etag}" if zipped else etag))
        if record and known and record.scopes is not None:
            out += [("X-OAuth-Scopes", record.scopes), ("X-Accepted-OAuth-Scopes", "")]
        out.append(("X-GitHub-Media-Type", answer.media))
        out.append(("X-GitHub-Api-Version-Selected", headers.get("X-GitHub-Api-Version", VERSIONS[0])))
        out += limits.Limits.headers(window, resource)
        out += [
            (k, v)
            for k, v in answer.headers
            if not unchanged or k not in ("Link", "Last-Modified") or (k == "Link" and self.state.link_on_304)
        ]
        out += [
            ("Access-Control-Expose-Headers", EXPOSED),
            ("Access-Control-Allow-Origin", "*"),
            ("Strict-Transport-Security", "max-age=31536000; includeSubdomains; preload"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "origin-when-cross-origin, strict-origin-when-cross-origin"),
            ("X-GitHub-Request-Id", ":".join(secrets.token_hex(2).upper() for _ in range(5))),
        ]
        if status in (204, 304):
            return Wire(status, out, b"", cost)
        if zipped:
            body = gzip.compress(body, mtime=0)
            out.append(("Content-Encoding", "gzip"))
        out.append(("Content-Length", str(len(body))))
        return Wire(status, out, body, cost)

    @staticmethod
    def _body(answer, headers):
        """(the body as sent, the body that the ETag speaks of): they differ for browsers and curl."""
        if isinstance(answer.body, bytes) or answer.body is None:
            return answer.body or b"", answer.body or b""
        plain = json.dumps(answer.body, separators=(",", ":"), ensure_ascii=False).encode()
        if PRETTY.search(headers.get("User-Agent", "")):
            return json.dumps(answer.body, indent=2, ensure_ascii=False).encode() + b"\n", plain
        return plain, plain
