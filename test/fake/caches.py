"""The Actions cache service, version 2, and its REST half: one store for both, as GitHub has it.

A token is a JWT of this stand-in's own, whose claim `ac` names scopes in the order in which they are read
(own ref, base, default branch) with their permissions, 1 read and 2 write; what is kept goes into the first
that may be written. Entries never change: creating a key and version again is refused. Signed URLs take no
Authorization, as Azure, which answers 400 to one it does not know.
"""

import base64
import hashlib
import hmac
import itertools
import json
import secrets
import time
import urllib.parse

from .model import stamp
from .routes import Answer, Refused, route, writer

SERVICE = "/twirp/github.actions.results.api.v1.CacheService/"
BLOBS = "/_blobs/"
DEFAULT = "refs/heads/main"


def b64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def said(status, **body):
    data = json.dumps(body).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(data)))]
    return status, headers, data


class Denied(Exception):
    """status, twirp's code, sentence"""


class Caches:
    def __init__(self):
        self.secret, self.numbers = secrets.token_bytes(32), itertools.count(1)
        self.entries = []  # finished ones and those being uploaded
        self.camel = False  # answer in lowerCamelCase

    # -- tokens
    def token(self, repo="octocat/hello-world", scopes=((DEFAULT, 3),), **claims):
        claims = {
            "iss": "https://token.actions.githubusercontent.com",
            "exp": int(time.time()) + 6 * 3600,
            "repo": repo,
            "ac": json.dumps([{"Scope": s, "Permission": p} for s, p in scopes]),
            **claims,
        }
        text = ".".join(b64url(json.dumps(part).encode()) for part in ({"alg": "HS256"}, claims))
        return f"{text}.{self._sign(text)}"

    def _sign(self, text):
        return b64url(hmac.digest(self.secret, text.encode(), "sha256"))

    def _claims(self, authorization):
        scheme, _, token = (authorization or "").partition(" ")
        text, _, signature = token.rpartition(".")
        if scheme != "Bearer" or not hmac.compare_digest(signature, self._sign(text)):
            raise Denied(401, "unauthenticated", "no such token")
        claims = json.loads(base64.urlsafe_b64decode(text.partition(".")[2] + "=="))
        if claims["exp"] < time.time():
            raise Denied(401, "unauthenticated", "the token has expired")
        return claims["repo"].lower(), [(a["Scope"], a["Permission"]) for a in json.loads(claims["ac"])]

    # -- what tests look at
    def keys(self, front=""):
        return [e["key"] for e in self.entries if e["done"] and e["key"].startswith(front)]

    def add(self, key, data=b"x", version="v", repo="octocat/hello-world", ref=DEFAULT):
        """An entry that is there already."""
        self.entries.append(self._make(repo.lower(), ref, key, version) | {"data": data, "done": True})

    def _make(self, repo, ref, key, version):
        return {
            "id": next(self.numbers),
            "repo": repo,
            "ref": ref,
            "key": key,
            "version": version,
            "data": None,
            "done": False,
            "sig": secrets.token_urlsafe(24),
            "created": time.time(),
        }

    # -- the service
    def answer(self, request, base, path, query, body):
        """Status, headers and body; None: the path is not of the service. base: our own address."""
        try:
            if path.startswith(SERVICE):
                return self._call(request, base, path.removeprefix(SERVICE), body)
            if path.startswith(BLOBS):
                return self._blob(request, path.removeprefix(BLOBS), query, body)
        except Denied as denied:
            status, code, message = denied.args
            return said(status, code=code, msg=message)
        except (KeyError, ValueError, TypeError) as wrong:
            return said(400, code="malformed", msg=f"{type(wrong).__name__}: {wrong}")
        return None

    def _call(self, request, base, name, body):
        if request.method != "POST" or request.headers.get("Content-Type") != "application/json":
            raise Denied(404, "bad_route", "only POST of application/json")
        repo, scopes = self._claims(request.headers.get("Authorization"))
        asked = json.loads(body)
        for key in (asked["key"], *asked.get("restore_keys", ())):
            if not 0 < len(key) <= 512 or "," in key:
                raise Denied(400, "invalid_argument", "key validation error")
        if not asked["version"]:
            raise Denied(400, "invalid_argument", "version is missing")
        found = {
            "CreateCacheEntry": self._create,
            "FinalizeCacheEntryUpload": self._finalize,
            "GetCacheEntryDownloadURL": self._find,
        }[name](base, repo, scopes, asked)
        if self.camel:
            found = {
                k.split("_")[0] + "".join(w.title() for w in k.split("_")[1:]): v for k, v in found.items()
            }
        return said(200, **found)

    @staticmethod
    def _scope(scopes):
        for scope, permission in scopes:
            if permission & 2:
                return scope
        raise Denied(403, "permission_denied", "the token has no scope that may be written")

    @staticmethod
    def _url(base, entry):
        return f"{base}{BLOBS}{entry['id']}?sig={entry['sig']}"

    def _create(self, base, repo, scopes, asked):
        scope = self._scope(scopes)
        name = (repo, scope, asked["key"], asked["version"])
        if any((e["repo"], e["ref"], e["key"], e["version"]) == name for e in self.entries):
            return {"ok": False, "message": "cache entry with the same key, version, and scope exists"}
        self.entries.append(self._make(*name))
        return {"ok": True, "signed_upload_url": self._url(base, self.entries[-1])}

    def _finalize(self, base, repo, scopes, asked):
        scope = self._scope(scopes)
        for e in self.entries:
            if (e["repo"], e["ref"], e["key"], e["version"]) != (repo, scope, asked["key"], asked["version"]):
                continue
            if not isinstance(asked["size_bytes"], str) or e["data"] is None:
                raise ValueError("size_bytes is no text, or nothing was uploaded")
            if int(asked["size_bytes"]) != len(e["data"]):
                raise Denied(400, "invalid_argument", "size_bytes is not what was uploaded")
            e["done"] = True
            return {"ok": True, "entry_id": str(e["id"])}
        raise Denied(404, "not_found", "no such upload")

    def _find(self, base, repo, scopes, asked):
        for scope, permission in scopes:
            here = [
                e
                for e in reversed(self.entries)
                if e["done"] and e["repo"] == repo and e["ref"] == scope and permission & 1
                if e["version"] == asked["version"]
            ]
            exact = [e for e in here if e["key"] == asked["key"]]
            fronts = (asked["key"], *asked.get("restore_keys", ()))
            near = [e for front in fronts for e in here if e["key"].startswith(front)]
            for e in exact + near:
                return {"ok": True, "signed_download_url": self._url(base, e), "matched_key": e["key"]}
        return {"ok": False}

    def _blob(self, request, number, query, body):
        sig = dict(urllib.parse.parse_qsl(query)).get("sig")
        entry = next((e for e in self.entries if str(e["id"]) == number), None)
        if request.headers.get("Authorization"):
            raise Denied(400, "InvalidAuthenticationInfo", "two kinds of authentication")
        if entry is None or sig != entry["sig"]:
            raise Denied(403, "AuthenticationFailed", "the signature is not right")
        if request.method == "PUT" and not entry["done"]:
            if request.headers.get("x-ms-blob-type") != "BlockBlob":
                raise Denied(400, "MissingRequiredHeader", "x-ms-blob-type")
            entry["data"] = body
            digest = base64.b64encode(hashlib.md5(body).digest()).decode()
            return 201, [("Content-Length", "0"), ("Content-MD5", digest), ("x-ms-request-id", "1")], b""
        if request.method in ("GET", "HEAD") and entry["done"]:
            size = str(len(entry["data"]))
            kind = ("Content-Type", "application/octet-stream")
            return 200, [kind, ("Content-Length", size)], entry["data"]
        raise Denied(405, "UnsupportedHttpVerb", request.method)


# ---- the REST API


def rows(call):
    return [e for e in call.model.caches.entries if e["done"] and e["repo"] == call.repo.full_name.lower()]


def shape(entry):
    return {
        "id": entry["id"],
        "ref": entry["ref"],
        "key": entry["key"],
        "version": entry["version"],
        "last_accessed_at": stamp(entry["created"]),
        "created_at": stamp(entry["created"]),
        "size_in_bytes": len(entry["data"]),
    }


@route("GET", "/repos/{repo}/actions/caches")
def listing(call):
    if call.user is None:
        raise Refused(401, "Requires authentication")
    query = call.query
    found = [e for e in rows(call) if e["key"].startswith(query.get("key", ""))]
    found = [e for e in found if query.get("ref") in (None, e["ref"])]
    if query.get("direction", "desc") == "desc":
        found.reverse()
    size, page = min(int(query.get("per_page", 30)), 100), int(query.get("page", 1))
    part = found[(page - 1) * size : page * size]
    return {"total_count": len(found), "actions_caches": [shape(e) for e in part]}


def remove(call, found):
    if not found:
        raise Refused(404, "Not Found")
    gone = {e["id"] for e in found}
    caches = call.model.caches
    caches.entries = [e for e in caches.entries if e["id"] not in gone]


@route("DELETE", "/repos/{repo}/actions/caches")
def delete_by_key(call):
    writer(call)
    query = call.query
    found = [e for e in rows(call) if e["key"] == query["key"] and query.get("ref") in (None, e["ref"])]
    remove(call, found)
    return {"total_count": len(found), "actions_caches": [shape(e) for e in found]}


@route("DELETE", "/repos/{repo}/actions/caches/{key}")
def delete_by_id(call, key):
    writer(call)
    remove(call, [e for e in rows(call) if str(e["id"]) == key])
    return Answer(204, None, etag=False)
