"""Code scanning: what is uploaded is really unpacked and looked at, as GitHub does it."""

import base64
import binascii
import gzip
import itertools
import json
import re
import zlib

from .routes import Answer, Refused, route, writer

REF = re.compile(r"refs/(heads/.+|tags/.+|pull/\d+/(merge|head))")
LOOKS = 2  # how often an upload is pending before it is done


def unpack(text):
    """base64 of gzip: the bytes of the file, or the refusal that GitHub gives."""
    try:
        packed = base64.b64decode(text, validate=True)
        if len(packed) > 10 << 20:
            raise Refused(413, "The SARIF file is too large")
        return gzip.decompress(packed)
    except (binascii.Error, ValueError, TypeError, OSError, EOFError, zlib.error):
        raise Refused(400, "Invalid SARIF. sarif is not gzip in base64") from None


def faults(data):
    """Why a file is not processed: GitHub tells it only when asked for the state."""
    try:
        sarif = json.loads(data)
    except ValueError:
        return ["the file is not JSON"]
    found = [] if sarif.get("version") == "2.1.0" else ["only version 2.1.0 is supported"]
    seen = set()
    for run in sarif.get("runs") or []:
        name = run["tool"]["driver"]["name"], (run.get("automationDetails") or {}).get("id", "")
        if name in seen:
            found.append(f"multiple runs with the same category: {name}")
        seen.add(name)
        if len(run.get("results") or []) > 25000:
            found.append("too many results")
        for rule in run["tool"]["driver"].get("rules") or []:
            severity = (rule.get("properties") or {}).get("security-severity")
            if severity is not None and not re.fullmatch(r"\d+(\.\d+)?", severity):
                found.append("invalid security severity value, is not a number")
    return found


@route("POST", "/repos/{repo}/code-scanning/sarifs")
def upload(call):
    writer(call)
    repo = call.repo
    if repo.fields.get("code_scanning") is False:
        raise Refused(403, "Advanced Security must be enabled for this repository to use code scanning.")
    asked = call.json
    if not re.fullmatch(r"[0-9a-f]{40}", asked.get("commit_sha", "")):
        raise Refused(422, "commit_sha is not a commit")
    if not REF.fullmatch(asked.get("ref", "")):
        raise Refused(422, "ref is malformed")
    data = unpack(asked.get("sarif"))
    if not json.loads(data or b"{}").get("runs"):
        raise Refused(422, "Invalid SARIF: no runs")
    uploads = repo.__dict__.setdefault("uploads", [])
    numbers = repo.__dict__.setdefault("upload_numbers", itertools.count(1))
    name = f"47177e22-5596-11eb-80a1-c1e54ef9{next(numbers):04x}"
    wrong = faults(data) + repo.fields.get("upload_faults", [])
    uploads.append({**asked, "sarif": data, "id": name, "faults": wrong, "looks": 0})
    return Answer(202, {"id": name, "url": f"{call.base}/repos/{repo.full_name}/code-scanning/sarifs/{name}"})


@route("GET", "/repos/{repo}/code-scanning/sarifs/{key}")
def state(call, key):
    writer(call)
    for one in getattr(call.repo, "uploads", []):
        if one["id"] == key:
            break
    else:
        raise Refused(404, "Not Found")
    one["looks"] += 1
    if one["looks"] < LOOKS:
        return {"processing_status": "pending"}
    url = f"{call.base}/repos/{call.repo.full_name}/code-scanning/analyses?sarif_id={key}"
    if one["faults"]:
        return {"processing_status": "failed", "analyses_url": url, "errors": one["faults"]}
    return {"processing_status": "complete", "analyses_url": url}
