"""The endpoints of one repository: itself, its issues, labels, contents and releases."""

import base64

from . import shapes
from .routes import Answer, Refused, elsewhere, number, page_of, pick, route, writer


@route("GET", "/repos/{repo}")
def get_repo(call):
    return Answer(
        body=shapes.repo(call, call.repo, full=True),
        headers=[("Last-Modified", shapes.last_modified(call.repo))],
    )


@route("PATCH", "/repos/{repo}")
def patch_repo(call):
    writer(call)
    fields = call.json
    if "name" in fields:
        call.model.rename(call.repo, fields.pop("name"))
    call.model.set(
        call.repo, **{k: v for k, v in fields.items() if k in ("description", "homepage", "archived")}
    )
    return shapes.repo(call, call.repo, full=True)


@route("DELETE", "/repos/{repo}")
def delete_repo(call):
    writer(call)
    call.model.delete_repo(call.repo)
    return Answer(204)


@route("GET", "/repos/{repo}/issues")
def issues(call):
    state = call.query.get("state", "open")
    found = [i for i in reversed(call.repo.issues) if state in ("all", i["state"])]
    return page_of(call, [shapes.issue(call, call.repo, i) for i in found])


@route("POST", "/repos/{repo}/issues")
def new_issue(call):
    writer(call)
    if not call.json.get("title"):
        raise Refused(
            422,
            "Validation Failed",
            errors=[{"resource": "Issue", "field": "title", "code": "missing_field"}],
        )
    made = shapes.issue(call, call.repo, call.model.add_issue(call.repo, call.json["title"], call.user))
    return Answer(201, made, [("Location", made["url"])])


@route("GET", "/repos/{repo}/issues/{key}")
def one_issue(call, key):
    return shapes.issue(call, call.repo, pick(call.repo.issues, "number", number(key)))


@route("PATCH", "/repos/{repo}/issues/{key}")
def patch_issue(call, key):
    writer(call)
    item = pick(call.repo.issues, "number", number(key))
    item.update({k: v for k, v in call.json.items() if k in ("title", "body", "state")})
    return shapes.issue(call, call.repo, item)


@route("GET", "/repos/{repo}/pulls/{key}")
def one_pull(call, key):
    item = pick(call.repo.issues, "number", number(key))
    return {**shapes.issue(call, call.repo, item), "mergeable_state": "clean", "merged": False}


@route("GET", "/repos/{repo}/labels")
def labels(call):
    return page_of(call, call.repo.labels)


@route("POST", "/repos/{repo}/labels")
def new_label(call):
    writer(call)
    item = {
        "id": next(call.model.ids),
        "name": call.json["name"],
        "color": call.json.get("color", "ededed"),
        "default": False,
    }
    call.repo.labels.append(item)
    return Answer(201, item)


@route("GET DELETE", "/repos/{repo}/labels/{name}")
def one_label(call, name):
    item = pick(call.repo.labels, "name", name)
    if call.method != "DELETE":
        return item
    writer(call)
    call.repo.labels.remove(item)
    return Answer(204)


@route("GET", "/repos/{repo}/collaborators/{name}/permission")
def permission(call, name):
    writer(call)
    return {"permission": "admin" if name == call.repo.owner else "read", "user": shapes.user(call, name)}


@route("GET", "/repos/{repo}/readme")
def readme(call):
    return contents(call, "README.md")


@route("GET PUT", "/repos/{repo}/contents/{+path}")
def contents(call, path):
    if call.method == "PUT":
        writer(call)
        call.repo.files[path] = base64.b64decode(call.json["content"])
        return Answer(201, {"content": shapes.content(call, path)})
    if path == "":
        return [shapes.content(call, name, listing=True) for name in sorted(call.repo.files)]
    if path not in call.repo.files:
        raise Refused(404, "Not Found")
    if "raw" in call.accept:
        return Answer(
            body=call.repo.files[path],
            kind="application/vnd.github.raw; charset=utf-8",
            media="github.v3; param=raw",
        )
    return shapes.content(call, path)


@route("GET", "/repos/{repo}/(?P<form>tarball|zipball)(/.*)?")
def archive(call, form):
    return elsewhere(
        call, f"/{call.repo.full_name}/legacy.{'tar.gz' if form == 'tarball' else 'zip'}/refs/heads/main"
    )


@route("GET", "/repos/{repo}/releases")
def releases(call):
    return page_of(call, [shapes.release(call, r) for r in call.repo.releases])


@route("GET", "/repos/{repo}/releases/latest")
def latest(call):
    if not call.repo.releases:
        raise Refused(404, "Not Found")
    return shapes.release(call, call.repo.releases[0])


@route("GET", "/repos/{repo}/releases/tags/{tag}")
def tagged(call, tag):
    return shapes.release(call, pick(call.repo.releases, "tag_name", tag))


@route("GET", "/repos/{repo}/releases/assets/{key}")
def asset(call, key):
    found = pick([r["asset"] for r in call.repo.releases], "id", number(key))
    if "octet-stream" in call.accept:
        return elsewhere(call, f"/assets/{found['id']}?sig=signed")
    return {"id": found["id"], "name": found["name"], "size": len(found["data"])}
