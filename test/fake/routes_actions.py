"""The endpoints of Actions, of git objects and of commit states."""

import base64

from . import shapes
from .routes import Answer, Refused, elsewhere, number, page_of, pick, route, writer


@route("GET", "/repos/{repo}/actions/workflows")
def workflows(call):
    return page_of(call, call.repo.workflows, "workflows")


@route("GET", "/repos/{repo}/actions/workflows/{key}/runs")
def workflow_runs(call, key):
    found = [w["id"] for w in call.repo.workflows if key in (str(w["id"]), w["path"].rsplit("/")[-1])]
    if not found:
        raise Refused(404, "Not Found")
    return page_of(
        call,
        [shapes.run(call, r) for r in reversed(call.repo.runs) if r["workflow_id"] in found],
        "workflow_runs",
    )


@route("GET", "/repos/{repo}/actions/runs")
def runs(call):
    status = call.query.get("status")
    found = [r for r in reversed(call.repo.runs) if status in (None, r["status"], r["conclusion"])]
    return page_of(call, [shapes.run(call, r) for r in found], "workflow_runs")


@route("GET", "/repos/{repo}/actions/runs/{key}")
def one_run(call, key):
    return shapes.run(call, pick(call.repo.runs, "id", number(key)))


@route("GET", "/repos/{repo}/actions/runs/{key}/jobs")
def jobs(call, key):
    run = pick(call.repo.runs, "id", number(key))
    return page_of(
        call,
        [
            {
                "id": run["id"] * 10,
                "run_id": run["id"],
                "name": "build",
                "status": run["status"],
                "conclusion": run["conclusion"],
            }
        ],
        "jobs",
    )


@route("POST", "/repos/{repo}/actions/runs/{key}/rerun")
def rerun(call, key):
    writer(call)
    run = pick(call.repo.runs, "id", number(key))
    run.update(status="queued", conclusion=None, run_attempt=run["run_attempt"] + 1)
    return Answer(201, {})


@route("GET", "/repos/{repo}/actions/runs/{key}/logs")
def logs(call, key):
    return elsewhere(call, f"/logs/{key}?sig=signed")


@route("GET", "/repos/{repo}/actions/artifacts")
def artifacts(call):
    return page_of(call, call.repo.artifacts, "artifacts")


@route("GET", "/repos/{repo}/actions/artifacts/{key}/zip")
def artifact_zip(call, key):
    writer(call)
    pick(call.repo.artifacts, "id", number(key))
    return elsewhere(call, f"/artifacts/{key}?sig=signed")


@route("GET", "/repos/{repo}/actions/runners")
def runners(call):
    return page_of(call, call.repo.runners, "runners")


@route("GET DELETE", "/repos/{repo}/actions/runners/{key}")
def one_runner(call, key):
    item = pick(call.repo.runners, "id", number(key))
    if call.method != "DELETE":
        return item
    writer(call)
    call.repo.runners.remove(item)
    return Answer(204)


# -- git objects: named by their content, so they never change
def git_object(call, sha, kind):
    item = call.repo.objects.get(sha)
    if item is None or item["kind"] != kind:
        raise Refused(404, "Not Found")
    return item


@route("GET", "/repos/{repo}/git/blobs/{sha}")
def blob(call, sha):
    text = git_object(call, sha, "blob")["text"].encode()
    return {
        "sha": sha,
        "size": len(text),
        "encoding": "base64",
        "content": base64.b64encode(text).decode(),
        "url": f"{shapes.home(call, call.repo)}/git/blobs/{sha}",
    }


@route("GET", "/repos/{repo}/git/trees/{sha}")
def tree(call, sha):
    entries = git_object(call, sha, "tree")["entries"]
    return {
        "sha": sha,
        "truncated": False,
        "url": f"{shapes.home(call, call.repo)}/git/trees/{sha}",
        "tree": [{"path": name, "mode": "100644", "type": "blob", "sha": one} for name, one in entries],
    }


@route("GET", "/repos/{repo}/git/commits/{sha}")
def git_commit(call, sha):
    item = git_object(call, sha, "commit")
    return {
        "sha": sha,
        "message": item["message"],
        "tree": {"sha": item["tree"]},
        "parents": [],
        "url": f"{shapes.home(call, call.repo)}/git/commits/{sha}",
    }


@route("GET", "/repos/{repo}/commits/{sha}")
def commit(call, sha):
    item = git_object(call, sha, "commit")
    if "diff" in call.accept or "patch" in call.accept:
        return Answer(
            body=f"diff --git a/README.md b/README.md\n+{item['message']}\n".encode(),
            kind="application/vnd.github.diff; charset=utf-8",
            media="github.v3; param=diff",
        )
    return {
        "sha": sha,
        "commit": {"message": item["message"], "tree": {"sha": item["tree"]}},
        "url": f"{shapes.home(call, call.repo)}/commits/{sha}",
        "parents": [],
    }


@route("GET", "/repos/{repo}/commits/{sha}/statuses")
def statuses(call, sha):
    return page_of(call, [s for s in call.repo.statuses if s["sha"] == sha])


@route("GET", "/repos/{repo}/commits/{sha}/status")
def status(call, sha):
    found = [s for s in call.repo.statuses if s["sha"] == sha]
    worst = next((s["state"] for s in found if s["state"] != "success"), "success" if found else "pending")
    return {"state": worst, "sha": sha, "total_count": len(found), "statuses": found}


@route("POST", "/repos/{repo}/statuses/{sha}")
def new_status(call, sha):
    writer(call)
    return Answer(
        201, call.model.add_status(call.repo, sha, call.json["state"], call.json.get("context", "default"))
    )


@route("GET", "/repos/{repo}/commits/{sha}/check-runs")
def check_runs(call, sha):
    found = [
        {
            "id": r["id"],
            "head_sha": sha,
            "status": r["status"],
            "conclusion": r["conclusion"],
            "name": r["name"],
        }
        for r in call.repo.runs
        if r["head_sha"] == sha
    ]
    return page_of(call, found, "check_runs")
