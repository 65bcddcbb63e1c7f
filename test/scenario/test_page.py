"""The daemon's own paths: who may see what, the JSON, the metrics, and the page in a real browser."""

import calendar
import html.parser
import json
import re
import shutil
import socket
import struct
import subprocess
import time

import pytest
from rig import ISSUES, REPO

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
BROWSER_FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run
    --disable-background-networking --disable-component-update --disable-sync --disable-dev-shm-usage
    --no-default-browser-check --hide-scrollbars --virtual-time-budget=6000""".split()
needs_browser = pytest.mark.skipif(not CHROMIUM, reason="no chromium: apt-get install chromium")


@pytest.fixture
def status(ghoard, daemon):
    return ghoard("--json", "status", "--socket", daemon.socket, rc=0).json


@pytest.fixture
def key(status):
    return status["key"]


def stats(daemon):
    return daemon.get("/_ghoard/stats", token=None, unix=True).json


# -- who may see what
def test_status_tells_the_address_with_the_key(ghoard, daemon, status):
    assert status["running"] is True and status["pid"] == daemon.pid
    assert status["socket"] == str(daemon.socket) and status["url"] == daemon.url
    assert re.fullmatch(r"[0-9a-f]{32}", status["key"])
    assert status["uptime"] >= 0 and status["clients"] >= 1
    lines = ghoard("status", "--socket", daemon.socket, rc=0).out.decode().splitlines()
    assert lines[0].startswith(f"running on {daemon.socket} ")
    assert lines[1] == f"page {daemon.url}/_ghoard/?key={status['key']}" == f"page {status['page']}"


def test_each_daemon_has_its_own_key(make_daemon, tmp_path):
    keys = set()
    for name in ("a.sock", "b.sock"):
        daemon = make_daemon(path=tmp_path / name)
        keys.add(daemon.get("/_ghoard/status", token=None, unix=True).json["key"])
    assert len(keys) == 2


def test_without_tcp_there_is_no_address(ghoard, make_daemon):
    daemon = make_daemon(listen="none")
    told = ghoard("--json", "status", "--socket", daemon.socket, rc=0).json
    assert told["url"] is None and "page" not in told
    assert b"page" not in ghoard("status", "--socket", daemon.socket, rc=0).out


def test_status_of_nobody(ghoard):
    run = ghoard("--json", "status", rc=1)
    assert run.json["running"] is False and "key" not in run.json


@pytest.mark.parametrize("path", ["/_ghoard/", "/_ghoard/stats"])
def test_the_key_opens_page_and_stats_on_tcp(daemon, key, path):
    wrong = ("0" if key[0] != "0" else "1") + key[1:]
    bad = ("", "?", "?key", "?key=", f"?key={wrong}", f"?key={key[:-1]}", f"?key={key}0", f"?yek={key}")
    for query in (*bad, f"?{key}", "?key=%00", f"?key={'0' * 32}"):
        got = daemon.get(path + query, token=None)
        assert got.status == 403 and key.encode() not in got.body, query
    for query in (f"?key={key}", f"?a=b&key={key}", f"?key=&key={key}&x"):
        assert daemon.get(path + query, token=None).status == 200, query
    assert daemon.get(path, token=None, unix=True).status == 200, "the socket's mode is its key"


@pytest.mark.parametrize("path", ["health", "metrics"])
def test_health_and_metrics_are_for_anybody(daemon, unix, path):
    got = daemon.get(f"/_ghoard/{path}", token=None, unix=unix)
    assert got.status == 200 and got.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("path", ["status", "stop", "cache/forget", "cache", "nothing", "stats/", "health/x"])
def test_the_rest_is_the_sockets_alone(daemon, key, path):
    for method in ("GET", "POST"):
        got = daemon.get(f"/_ghoard/{path}?key={key}", token=None, method=method)
        assert got.status == 403 and key.encode() not in got.body
    assert daemon.get("/_ghoard/health", token=None).status == 200, "it was not stopped"


def test_only_a_post_changes_anything(daemon):
    for path in ("stop", "cache/forget"):
        assert daemon.get(f"/_ghoard/{path}", token=None, unix=True).status == 405
    assert daemon.get("/_ghoard/cache/forget", token=None, unix=True, method="POST").status == 200
    assert daemon.get("/_ghoard/nothing", token=None, unix=True).status == 404


@pytest.mark.parametrize("header", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_page_of_elsewhere_gets_nothing_even_with_the_key(daemon, key, header):
    for path in ("", "stats", "health"):
        got = daemon.get(f"/_ghoard/{path}?key={key}", token=None, headers=header)
        assert got.status == 403 and "access-control-allow-origin" not in got.headers


def test_the_key_is_in_no_log_and_no_file(ghoard, make_daemon):
    daemon = make_daemon("--log-level", "debug")
    key = ghoard("--json", "status", "--socket", daemon.socket, rc=0).json["key"]
    for path in (f"/_ghoard/?key={key}", f"/_ghoard/stats?key={key}", f"/_ghoard/x?key={key}"):
        daemon.get(path, token=None)
    daemon.get(ISSUES)
    daemon.stop()
    assert daemon.errors and key not in daemon.errors and key not in daemon.line
    for file in ghoard.folder.rglob("*"):
        if file.is_file():
            assert key.encode() not in file.read_bytes(), file


# -- what they say
def test_heads_keep_the_page_to_itself(daemon, key):
    for path in ("", "stats"):
        fields = daemon.get(f"/_ghoard/{path}?key={key}", token=None).headers
        policy = dict(p.strip().split(" ", 1) for p in fields["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'" and policy["frame-ancestors"] == "'none'"
        assert policy["style-src"] == policy["script-src"] == "'unsafe-inline'"
        assert policy["connect-src"] == "'self'"
        assert fields["cache-control"] == "no-store" and fields["x-content-type-options"] == "nosniff"
        assert fields["referrer-policy"] == "no-referrer"


class Document(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_the_document_is_one_and_small(daemon):
    got = daemon.get("/_ghoard/", token=None, unix=True)
    assert got.headers["content-type"] == "text/html; charset=utf-8" and len(got.body) < 24 * 1024
    tags = Document(got.body.decode()).tags
    assert ("html", {"lang": "en"}) in tags
    assert any(t == "meta" and a.get("name") == "viewport" for t, a in tags)
    assert not [t for t, a in tags if {"src", "href", "action", "onclick"} & set(a) or t == "link"]
    head = daemon.get("/_ghoard/", token=None, unix=True, method="HEAD")
    assert head.status == 200 and head.body == b"" and int(head.headers["content-length"]) == len(got.body)


def test_stats_json(ghoard, daemon):
    daemon.get(ISSUES + "?per_page=5&secret=hush")
    daemon.get(ISSUES + "?per_page=5&secret=hush")
    daemon.get(REPO, token=None)
    daemon.get("/repos/octocat/none")
    got = daemon.get("/_ghoard/stats", token=None, unix=True)
    s = got.json
    assert got.headers["content-type"].startswith("application/json")
    plain = ghoard("stats", "--json", rc=0).json
    assert set(plain) <= set(s) and "recent" not in plain
    assert s["uptime_seconds"] >= 0 and s["clients"] >= 1 and s["exchanges"] >= 5
    assert s["memory_entries"] >= 2 and s["memory_bytes"] > 0 and s["history"] == []
    new, public, hit, miss = s["recent"]
    assert [r["path"] for r in s["recent"]] == ["/repos/octocat/none", REPO, ISSUES, ISSUES]
    assert set(miss) == {"time", "method", "path", "operation", "status", "cache", "ms", "token"}
    assert miss["method"] == "GET" and miss["status"] == 200 and miss["cache"].startswith("fwd=uri-miss; ")
    assert hit["cache"].startswith("hit; ttl=") and hit["cache"].endswith("detail=memory")
    assert re.fullmatch(r"[0-9a-f]{8}", hit["token"]) and hit["token"] == miss["token"]
    assert public["token"] == "public" and public["operation"] == "get_repo_info"
    assert new["status"] == 404 and new["ms"] >= 0
    assert abs(time.time() - calendar.timegm(time.strptime(new["time"], "%Y-%m-%dT%H:%M:%SZ"))) < 60
    counts = {r["operation"]: r["count"] for r in s["routes"]}
    assert sum(counts.values()) == 4 and counts["get_repo_info"] == 2
    assert all(r["max_ms"] >= r["mean_ms"] >= 0 for r in s["routes"])
    assert [r["max_ms"] for r in s["routes"]] == sorted((r["max_ms"] for r in s["routes"]), reverse=True)
    text = got.body.decode()
    assert "hush" not in text and "alice-token" not in text and "per_page" not in text


def test_limits_by_token_and_resource(daemon, fake):
    assert daemon.get("/_ghoard/stats", token=None, unix=True).json["rate_limits"] == []
    daemon.get(REPO)
    daemon.get(REPO, token=None)
    answer = daemon.get("/search/issues?q=x")
    s = daemon.get("/_ghoard/stats", token=None, unix=True).json
    alice = s["recent"][0]["token"]
    rows = {(r["token"], r["resource"]): r for r in s["rate_limits"]}
    assert set(rows) == {(alice, "core"), (alice, "search"), ("public", "core")}
    search = rows[alice, "search"]
    for name in ("remaining", "limit", "reset"):
        assert search[name] == int(answer.headers[f"x-ratelimit-{name}"])
    assert "alice-token" not in str(s)


def test_what_is_held(make_daemon, ghoard, fake):
    daemon = make_daemon()
    for path in (REPO + "?hush=1", ISSUES, f"{ISSUES}/1", f"{ISSUES}/2"):
        daemon.get(path)
    daemon.get(ISSUES)
    got = daemon.get("/_ghoard/cache", token=None, unix=True)
    held = got.json
    files = [p.stat().st_size for p, _ in ghoard.entries()]
    assert held["disk"] == {"entries": 4, "bytes": sum(files)}
    assert held["memory"]["entries"] == 4 and held["memory"]["bytes"] > 0
    keys = [e["key"] for kind in held["newest"].values() for e in kind]
    assert len(keys) == 4 and sum(REPO in k for k in keys) == 4
    assert all(e["age"] >= 0 and e["ttl"] > 0 and e["bytes"] > 0 for k in held["newest"].values() for e in k)
    assert b"hush" not in got.body and b"alice-token" not in got.body
    assert daemon.get("/_ghoard/peers", token=None, unix=True).json["state"] == "off"
    daemon.stop()
    stats = make_daemon().get("/_ghoard/stats", token=None, unix=True).json
    assert stats["cache_size"] == 4 and stats["cache_bytes"] == sum(files), "the store's, not memory's"
    assert stats["memory_entries"] == 0


def test_a_large_store_is_counted_in_slices(make_daemon, ghoard):
    ghoard("api", REPO, rc=0)
    (path, _), *_ = ghoard.entries()
    for n in range(2000):
        (ghoard.cache / f"get_repo_info-{n:032x}-00000000.json").hardlink_to(path)
    daemon = make_daemon()
    seen, until = None, time.monotonic() + 10
    while seen is None and time.monotonic() < until:
        seen = daemon.get("/_ghoard/stats", token=None, unix=True).json["cache_size"]
    assert seen == 2001


def test_recent_is_bounded_and_tells_failures(daemon, fake):
    for n in range(80):
        daemon.get(f"/repos/octocat/hello-world/issues/{n % 3 + 1}?n={n}")
    fake.stop()
    daemon.get("/repos/octocat/never-asked")
    s = stats(daemon)
    assert len(s["recent"]) == 64
    assert s["recent"][0]["status"] == 502 and s["recent"][0]["cache"] == "failed"


def test_a_client_that_leaves_is_told_of(daemon, fake):
    fake.trouble(REPO, "slow-head", delay=5)
    with daemon.plug() as sock:
        sock.sendall(f"GET {REPO} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        time.sleep(0.3)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
    until = time.monotonic() + 5
    while not (recent := stats(daemon)["recent"]):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert recent[0]["cache"] == "client left" and recent[0]["status"] == 0


SAMPLE = re.compile(
    r'(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?P<labels>\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)*\})? '
    r"(?P<value>[-+]?(?:\d+(?:\.\d+)?(?:e[-+]?\d+)?|Inf)|NaN)(?: -?\d+)?"
)


def check_metrics(text):
    """What promtool would object to: HELP and TYPE once and first, families together, counters in _total."""
    assert text.endswith("\n")
    helped, types, done, series, last = set(), {}, set(), set(), None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            _, _, name, words = line.split(" ", 3)
            assert name not in helped and words, line
            helped.add(name)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name in helped and name not in types and kind in ("counter", "gauge"), line
            assert (kind == "counter") == name.endswith("_total"), line
            types[name] = kind
        else:
            found = SAMPLE.fullmatch(line)
            assert found, line
            name = found["name"]
            assert name in types and (name == last or name not in done), line
            assert name[0].islower() and name == name.lower() and line.split(" ")[0] not in series, line
            series.add(line.split(" ")[0])
            done.add(name)
            last = name
    assert set(types) == helped == done
    return series


def test_metrics_format(daemon):
    daemon.get(ISSUES)
    daemon.get(REPO + "?q=hush")
    got = daemon.get("/_ghoard/metrics", token=None)
    assert got.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = got.body.decode()
    assert "ghoard_requests_total" in check_metrics(text)
    assert "octocat" not in text and "hush" not in text and str(daemon.socket.parent) not in text


# -- in a browser
def browse(url, folder, *flags):
    command = [CHROMIUM, *BROWSER_FLAGS, f"--user-data-dir={folder / 'chromium'}", *flags, url]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
    done = subprocess.run(command, capture_output=True, timeout=90, env=env)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-3000:]
    return done.stdout.decode()


def shown(dom, term):
    """The number under a heading of the totals."""
    found = re.search(rf"<dt>{term}</dt><dd>([^<]*)</dd>", dom)
    assert found, f"no {term} in {dom[-6000:]}"
    return found[1]


@needs_browser
def test_the_page_shows_the_numbers(daemon, status, tmp_path):
    for _ in range(3):
        daemon.get(ISSUES)
    daemon.get("/repos/octocat/%3Cimg%20src=x%20onerror=alert(1)%3E")
    daemon.get("/users/<b>bold</b>")
    dom = browse(status["page"], tmp_path, "--dump-dom")
    s = stats(daemon)
    assert shown(dom, "Requests") == str(s["total_requests"]) != "0"
    assert shown(dom, "Hits") == str(s["total_hits"]) != "0"
    assert shown(dom, "API calls saved") == str(s["api_calls_saved"])
    assert shown(dom, "Peer hits") == "0" and shown(dom, "Credentials") == "0"
    assert shown(dom, "Hit rate") == f"{s['hit_rate'] * 100:.1f}&nbsp;%"
    dom = re.sub(r"(?s)<(script|style)>.*?</\1>", "", dom)
    assert f"GET {ISSUES}" in dom and re.search(r"<td>hit, ttl=\d+, memory</td>", dom)
    assert "version " in dom and "does not answer" not in dom
    assert "<td>Memory</td>" in dom and 'role="img"' in dom
    assert "<b>bold" not in dom, "text stays text"
    asked = {r["path"] for r in s["recent"]}
    assert not any("favicon" in p for p in asked), "the browser was made to ask for nothing else"


@needs_browser
def test_the_page_says_what_is_wrong(daemon, status, tmp_path):
    """Opened over a key that is no longer valid: what the daemon itself answers."""
    dom = browse(status["url"] + "/_ghoard/?key=" + "0" * 32, tmp_path, "--dump-dom")
    assert "ghoard status" in dom and "<dd>" not in dom


@needs_browser
@pytest.mark.parametrize("size", ["390,1500", "1280,1300"])
def test_a_screenshot_is_not_blank(daemon, status, tmp_path, size):
    daemon.get(ISSUES)
    picture = tmp_path / "page.png"
    browse(status["page"], tmp_path, f"--window-size={size}", f"--screenshot={picture}")
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 10000


@needs_browser
def test_a_web_page_of_elsewhere_reads_nothing(daemon, status, tmp_path):
    """A page from a file: fetch, image, frame and form reach nothing, key or no key."""
    page = tmp_path / "evil.html"
    addresses = [f"{status['url']}/_ghoard/{p}?key={status['key']}" for p in ("stats", "health", "")]
    page.write_text(
        "<!doctype html><ul id=o></ul><script>"
        "const say = t => { const l = document.createElement('li'); l.textContent = t; o.append(l); };"
        f"for (const u of {json.dumps(addresses)})"
        "  fetch(u).then(r => r.text()).then(t => say('READ ' + t), e => say('refused'));"
        "</script>"
    )
    dom = browse(page.as_uri(), tmp_path, "--dump-dom")
    assert dom.count("<li>refused</li>") == 3 and "<li>READ" not in dom
