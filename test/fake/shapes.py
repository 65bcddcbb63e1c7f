"""The JSON shapes of GitHub's objects, with absolute URLs that name whatever host the caller used."""

import base64
import calendar
import email.utils
import hashlib
import time

REPO_LINKS = {
    "forks_url": "/forks",
    "keys_url": "/keys{/key_id}",
    "collaborators_url": "/collaborators{/collaborator}",
    "hooks_url": "/hooks",
    "issue_events_url": "/issues/events{/number}",
    "events_url": "/events",
    "branches_url": "/branches{/branch}",
    "tags_url": "/tags",
    "blobs_url": "/git/blobs{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "trees_url": "/git/trees{/sha}",
    "statuses_url": "/statuses/{sha}",
    "commits_url": "/commits{/sha}",
    "git_commits_url": "/git/commits{/sha}",
    "contents_url": "/contents/{+path}",
    "compare_url": "/compare/{base}...{head}",
    "archive_url": "/{archive_format}{/ref}",
    "issues_url": "/issues{/number}",
    "pulls_url": "/pulls{/number}",
    "labels_url": "/labels{/name}",
    "releases_url": "/releases{/id}",
    "deployments_url": "/deployments",
}


def home(call, repo):
    return f"{call.base}/repos/{repo.full_name}"


def user(call, login, private=False):
    record = dict(
        call.model.users.get(login) or {"login": login, "id": 0, "type": "User", "site_admin": False}
    )
    plan, name = record.pop("plan", None), record.pop("name", None)
    record |= {
        "url": f"{call.base}/users/{login}",
        "repos_url": f"{call.base}/users/{login}/repos",
        "html_url": f"https://github.com/{login}",
    }
    return record | {"name": name, "plan": plan, "two_factor_authentication": True} if private else record


def repo(call, item, full=False):
    url = home(call, item)
    body = {
        "id": item.id,
        "node_id": base64.b64encode(f"010:Repository{item.id}".encode()).decode(),
        "name": item.name,
        "full_name": item.full_name,
        "private": item.private,
        "owner": user(call, item.owner),
        "html_url": f"https://github.com/{item.full_name}",
        "fork": False,
        "url": url,
    }
    body |= {name: url + path for name, path in REPO_LINKS.items()} | item.fields
    body |= {
        "open_issues_count": sum(i["state"] == "open" for i in item.issues),
        "archived": item.fields.get("archived", False),
        "visibility": "private" if item.private else "public",
        "topics": [],
    }
    if call.user is not None:
        # This part differs by who asks: the same address, another body.
        mine = call.user == item.owner
        body["permissions"] = {"admin": mine, "maintain": mine, "push": mine, "triage": mine, "pull": True}
    return body | {"network_count": 9, "subscribers_count": 42} if full else body


def last_modified(item):
    seconds = calendar.timegm(time.strptime(item.fields["updated_at"], "%Y-%m-%dT%H:%M:%SZ"))
    return email.utils.formatdate(seconds, usegmt=True)


def issue(call, item, one):
    url = f"{home(call, item)}/issues/{one['number']}"
    return {
        "url": url,
        "repository_url": home(call, item),
        "html_url": f"https://github.com/{item.full_name}/issues/{one['number']}",
        **one,
        "user": user(call, one["user"]["login"]),
    }


def run(call, one):
    url = f"{home(call, call.repo)}/actions/runs/{one['id']}"
    return {
        **one,
        "url": url,
        "jobs_url": f"{url}/jobs",
        "logs_url": f"{url}/logs",
        "repository": {"id": call.repo.id, "full_name": call.repo.full_name},
    }


def content(call, path, listing=False):
    data = call.repo.files[path]
    sha = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    body = {
        "name": path.rsplit("/")[-1],
        "path": path,
        "sha": sha,
        "size": len(data),
        "type": "file",
        "url": f"{home(call, call.repo)}/contents/{path}?ref=main",
        "git_url": f"{home(call, call.repo)}/git/blobs/{sha}",
    }
    return (
        body if listing else body | {"encoding": "base64", "content": base64.b64encode(data).decode() + "\n"}
    )


def release(call, one):
    kept = {k: v for k, v in one.items() if k != "asset"}
    asset, url = one["asset"], f"{home(call, call.repo)}/releases"
    page = f"{call.assets}/{call.repo.full_name}/releases/download"
    return kept | {
        "url": f"{url}/{one['id']}",
        "tarball_url": f"{home(call, call.repo)}/tarball/{one['tag_name']}",
        "zipball_url": f"{home(call, call.repo)}/zipball/{one['tag_name']}",
        "assets": [
            {
                "id": asset["id"],
                "name": asset["name"],
                "size": len(asset["data"]),
                "url": f"{url}/assets/{asset['id']}",
                "browser_download_url": f"{page}/{one['tag_name']}/{asset['name']}",
            }
        ],
    }
