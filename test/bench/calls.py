"""The API calls of one leg of a matrix, one after the other on one connection: calls.py URL LEG COMMIT.

Most are what every leg asks about the repository, the commit and the pull request, some more than once, as
tools in one job do that do not know of each other; some are the leg's own; two are writes.
"""

import http.client
import os
import ssl
import sys
import urllib.parse

REPO = "/repos/octocat/hello-world"


def calls(leg, commit):
    """Sixty of them."""
    pages = [f"{REPO}/issues?state=all&per_page=5&page={n}" for n in (1, 2, 3)]
    paths = [REPO, "/user", f"{REPO}/labels", f"{REPO}/actions/workflows", *pages]
    paths += [f"{REPO}/issues/{n}" for n in range(1, 11)]
    paths += [f"{REPO}/readme", f"{REPO}/releases", f"{REPO}/releases/latest", f"{REPO}/releases/tags/v1.0"]
    paths += [f"{REPO}/commits/{commit}", f"{REPO}/git/commits/{commit}", f"{REPO}/commits/{commit}"]
    paths += ["/users/octocat", REPO, f"{REPO}/labels", pages[0], "/user", REPO]
    paths += [f"{REPO}/actions/runs?per_page=20", f"{REPO}/actions/runners", f"{REPO}/actions/artifacts"]
    paths += [f"{REPO}/releases/latest", f"{REPO}/actions/workflows"]
    paths += [f"{REPO}/issues/{n}" for n in (1, 2, 3, 1)]
    paths += [f"{REPO}/commits/{commit}/status", f"{REPO}/commits/{commit}/check-runs"] * 4
    paths += [f"{REPO}/issues?labels=shard-{leg}", f"{REPO}/issues?labels=shard-{leg}", "/rate_limit"]
    paths += [f"{REPO}/issues?creator=leg-{leg}", f"{REPO}/actions/runs?per_page=20", REPO]
    paths += pages[:2]
    paths += [f"{REPO}/issues?assignee=leg-{leg}", "/users/alice", "/meta"]
    found = [("GET", path) for path in paths]
    found.insert(1, ("POST", f"{REPO}/statuses/{commit}"))
    found.append(("POST", f"{REPO}/statuses/{commit}"))
    return found


def main():
    url, leg, commit = urllib.parse.urlsplit(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    if url.scheme == "https":
        context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
        connection = http.client.HTTPSConnection(url.netloc, context=context, timeout=60)
    else:
        connection = http.client.HTTPConnection(url.netloc, timeout=60)
    fields = {"Authorization": f"token {os.environ['TOKEN']}", "User-Agent": "leg"}
    done = 0
    for method, path in calls(leg, commit):
        body = f'{{"state": "success", "context": "leg-{leg}"}}' if method == "POST" else None
        connection.request(method, url.path + path, body, fields)
        answer = connection.getresponse()
        answer.read()
        if answer.status not in (200, 201):
            sys.exit(f"{method} {path}: {answer.status}")
        done += 1
    print(f"calls: {done}")


if __name__ == "__main__":
    main()
