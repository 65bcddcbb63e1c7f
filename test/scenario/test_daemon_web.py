"""A web page against the daemon's TCP listener, in a real browser: every way a page can send a request."""

import http.client
import http.server
import json
import re
import socket
import threading
import time

import pytest
from browser import needs_browser
from rig import ISSUES, REPO

pytestmark = needs_browser

# What a page can do; each tells "READ …" if it got at an answer, "refused" if not.
PAGE = """<!doctype html><title>evil</title><body><ul id=o></ul><script>
const base = BASE, paths = PATHS, told = [];
const say = t => { const l = document.createElement('li'); l.textContent = t; o.append(l); };
const wait = ms => new Promise(r => setTimeout(r, ms));
const read = (what, p) => p.then(t => say('READ ' + what + ' ' + t), e => say('refused ' + what));
const body = f => f.then(r => r.type === 'opaque' ? Promise.reject() : r.text());
const loaded = (name, attribute, url) => new Promise((good, bad) => {
  const e = document.createElement(name);
  if (name === 'link') e.rel = 'stylesheet';
  e.onload = () => good('loaded'); e.onerror = bad; e[attribute] = url;
  document.body.append(e);
});
const form = (method, url, type) => {
  const frame = document.createElement('iframe'), f = document.createElement('form');
  frame.name = 'f' + Math.random(); f.target = frame.name; f.method = method; f.action = url;
  f.enctype = type || 'application/x-www-form-urlencoded';
  const i = document.createElement('input'); i.name = 'title'; i.value = 'evil'; f.append(i);
  document.body.append(frame, f); f.submit();
};
(async () => {
  for (const p of paths) {
    const u = base + p, c = { credentials: 'include' };
    await read('fetch', body(fetch(u)));
    await read('fetch with credentials', body(fetch(u, c)));
    await read('fetch no-cors', body(fetch(u, { mode: 'no-cors' })));
    await read('fetch only-if-cached', body(fetch(u, { headers: { 'Cache-Control': 'only-if-cached' } })));
    await read('fetch with a token', body(fetch(u, { headers: { Authorization: 'token alice-token' } })));
    const sent = '{"title":"evil"}';
    for (const m of ['POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'])
      await read('fetch ' + m, body(fetch(u, { method: m, body: m === 'HEAD' ? undefined : sent })));
    await read('fetch plain POST', body(fetch(u, { method: 'POST', mode: 'no-cors', body: sent })));
    await read('xhr', new Promise((good, bad) => {
      const x = new XMLHttpRequest(); x.onload = () => good(x.responseText); x.onerror = bad;
      x.open('GET', u); x.send();
    }));
    await read('img', loaded('img', 'src', u));
    await read('script', loaded('script', 'src', u));
    await read('style', loaded('link', 'href', u));
    await read('video', loaded('video', 'src', u));
    await read('events', new Promise((good, bad) => {
      const s = new EventSource(u); s.onopen = () => good('open'); s.onerror = () => { s.close(); bad(); };
    }));
    await read('socket', new Promise((good, bad) => {
      const s = new WebSocket(u.replace('http:', 'ws:')); s.onopen = () => good('open'); s.onerror = bad;
    }));
    await read('worker', new Promise((good, bad) => {
      const w = new Worker(URL.createObjectURL(new Blob(['importScripts("' + u + '");postMessage(1)'])));
      w.onmessage = () => good('ran'); w.onerror = bad;
    }));
    navigator.sendBeacon(u, sent);
    form('get', u); form('post', u); form('post', u, 'text/plain'); form('post', u, 'multipart/form-data');
    const frame = document.createElement('iframe'); frame.src = u; document.body.append(frame);
    await wait(300);
    await read('frame', new Promise((good, bad) => {
      try { good(frame.contentDocument.body.textContent || bad()); } catch (e) { bad(); }
    }));
  }
  document.title = 'over';
})();
</script>"""


# Chromium's own fences around this machine: we must not need them.
FENCES = "LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests"


class Site:
    """The attacker's web server."""

    def __init__(self, page):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(page().encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def end(self):
        self.server.shutdown()
        self.server.server_close()


class Tap:
    """Between the browser and the daemon: passes everything on, and keeps what went each way.

    As a proxy (`turn`) it is the network of a page whose name was resolved anew: what the browser asks of
    any host goes to the daemon, headers unchanged, but for paths that the attacker's own server keeps."""

    def __init__(self, port, page=None):
        self.port_to, self.page, self.talks = port, page, []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, client.makefile("rb") as lines:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = lines.readline()
                if not line:
                    return
                head += line
            size = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            body = lines.read(int(size[0].split(b":")[1])) if size else b""
            method, target, _ = head.split(b" ", 2)
            if target.startswith(b"http://"):
                path = b"/" + target.split(b"/", 3)[3]
                head = head.replace(target, path, 1)
                if path == b"/page":
                    text = self.page().encode()
                    client.sendall(
                        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n" + text
                    )
                    return
            head = re.sub(rb"(?im)^(proxy-)?connection:.*\r\n", b"", head)
            head = head.removesuffix(b"\r\n") + b"Connection: close\r\n\r\n"
            with socket.create_connection(("127.0.0.1", self.port_to), timeout=10) as there:
                there.sendall(head + body)
                got = b""
                while more := there.recv(65536):
                    got += more
            self.talks.append((head, got))
            client.sendall(got)

    def end(self):
        self.listening.close()


SECRET = "/repos/octocat/secret"
PATHS = ["/user", SECRET, ISSUES, "/_ghoard/", "/_ghoard/stats", "/_ghoard/stop", "/_ghoard/health"]


@pytest.fixture
def stage(ghoard, daemon, fake):
    """A daemon with something worth stealing, the tap before it, and the page that goes for it."""
    for path in ("/user", SECRET, ISSUES):
        assert daemon.get(path).status == 200
    fake.forget()
    made = []

    def make(base, key):
        paths = [p + (f"?key={key}" if "_ghoard" in p else "") for p in PATHS]
        return PAGE.replace("BASE", json.dumps(base)).replace("PATHS", json.dumps(paths))

    class Stage:
        key = ghoard("--json", "status", "--socket", daemon.socket, rc=0).json["key"]
        tap = Tap(daemon.port)
        page = staticmethod(make)

        def site(self, page):
            made.append(Site(page))
            return made[-1]

    one = Stage()
    yield one
    one.tap.end()
    for site in made:
        site.end()


def answers(talks):
    """(first line of the request, status, header names in lower case, body) of each."""
    for sent, got in talks:
        head, _, body = got.partition(b"\r\n\r\n")
        first, *fields = head.decode("latin-1").split("\r\n")
        names = {f.split(":")[0].lower() for f in fields}
        yield sent.split(b"\r\n")[0].decode(), int(first.split()[1]), names, body


def nothing_told(talks, statuses, least):
    found = list(answers(talks))
    assert len(found) >= least, f"only {len(found)} requests came to the daemon"
    for first, status, names, body in found:
        assert status in statuses, (first, status)
        assert not [n for n in names if n.startswith("access-control")], first
        for word in (b"alice", b"octocat", b"few eyes", b"total_requests", b"Issue "):
            assert word not in body, (first, word)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "evil.example"])
def test_a_page_of_elsewhere(stage, browser, daemon, fake, host):
    """Another port, another name of this machine, another site: none reads, none causes a request."""
    site = stage.site(lambda: stage.page(f"http://127.0.0.1:{stage.tap.port}", stage.key))
    shown = browser("--host-resolver-rules=MAP evil.example 127.0.0.1", f"--disable-features={FENCES}")
    shown.go(f"http://{host}:{site.port}/")
    shown.wait("document.title === 'over'", 90)
    said = shown.js("[...document.querySelectorAll('li')].map(l => l.textContent)")
    assert [t for t in said if t.startswith("READ")] == []
    assert len(said) == len(PATHS) * 21, said[-3:]
    time.sleep(0.5)
    nothing_told(stage.tap.talks, {403}, least=len(PATHS) * 12)
    methods = {first.split()[0] for first, *_ in answers(stage.tap.talks)}
    assert {"GET", "POST", "OPTIONS"} <= methods, methods
    assert fake.count() == 0, "nobody at GitHub was asked for it"
    assert daemon.process.poll() is None and daemon.get("/_ghoard/health").status == 200
    assert daemon.get(ISSUES).cache["hit"] is True, "and nothing was made stale"
    assert len(fake.model.repo("octocat/hello-world").issues) == 7


@pytest.mark.timeout(90)
def test_a_link_on_a_page(stage, browser, daemon, fake):
    """Followed by hand it shows 403: whoever types the address has no such page behind him."""
    urls = [f"http://127.0.0.1:{stage.tap.port}{p}" for p in (ISSUES, "/_ghoard/stop", REPO)]
    links = "".join(f"<a id=l{n} href='{u}'>x</a>" for n, u in enumerate(urls))
    site = stage.site(lambda: f"<!doctype html><title>evil</title>{links}")
    shown = browser()
    for n in range(len(urls)):
        shown.go(f"http://localhost:{site.port}/")
        shown.js(f"document.getElementById('l{n}').click(); 0")
        shown.wait(f"location.port == {stage.tap.port} && document.readyState === 'complete'")
        assert "octocat" not in shown.js("document.body.textContent")
    pages = [t for t in stage.tap.talks if b"favicon" not in t[0].split(b"\r\n")[0]]
    nothing_told(pages, {403}, least=len(urls))
    assert {r.path for r in fake.requests} <= {"/favicon.ico"}
    assert daemon.get("/_ghoard/health").status == 200
    shown.go(f"http://127.0.0.1:{daemon.port}{ISSUES}")
    assert "Issue" in shown.js("document.body.textContent"), "typed, it is answered"
    assert fake.count(ISSUES) == 1


@pytest.mark.timeout(90)
@pytest.mark.xfail(
    strict=True,
    reason="the browser asks for /favicon.ico of its own accord, and the daemon asks GitHub for it",
)
def test_a_refused_link_makes_nobody_ask_github(stage, browser, daemon, fake):
    """An anonymous request of the page's making comes out of the 60 an hour of this address."""
    url = f"http://127.0.0.1:{stage.tap.port}/_ghoard/"
    site = stage.site(lambda: f"<!doctype html><title>evil</title><a id=l href='{url}'>x</a>")
    shown = browser()
    shown.go(f"http://localhost:{site.port}/")
    shown.js("document.getElementById('l').click(); 0")
    shown.wait(f"location.port == {stage.tap.port} && document.readyState === 'complete'")
    until = time.monotonic() + 5
    while len(stage.tap.talks) < 2 and time.monotonic() < until:
        time.sleep(0.1)
    assert len(stage.tap.talks) == 2 and fake.count() == 0


@pytest.mark.timeout(120)
def test_a_name_that_is_resolved_anew(stage, browser, daemon, fake):
    """DNS rebinding: the page's own name now leads here, so that to the browser all is of one origin."""
    tap = Tap(daemon.port, lambda: stage.page("", stage.key))
    try:
        shown = browser(f"--proxy-server=http://127.0.0.1:{tap.port}", "--proxy-bypass-list=<-loopback>")
        shown.go(f"http://evil.example:{daemon.port}/page")
        shown.wait("document.title === 'over'", 90)
        said = shown.js("[...document.querySelectorAll('li')].map(l => l.textContent)")
        read = [t for t in said if t.startswith("READ fetch ")]
        assert read, "the browser lets the page read: only the daemon stands between"
        assert not [t for t in said for w in ("alice", "octocat", "few eyes", "total_requests") if w in t]
        nothing_told(tap.talks, {403, 421}, least=len(PATHS) * 12)
        assert 421 in {status for _, status, *_ in answers(tap.talks)}
        assert fake.count() == 0 and daemon.get("/_ghoard/health").status == 200
    finally:
        tap.end()


def test_the_tap_itself(stage, daemon, fake):
    """What the taps pass on is answered when no page stands behind it."""
    connection = http.client.HTTPConnection("127.0.0.1", stage.tap.port, timeout=10)
    connection.request("GET", ISSUES, headers={"Authorization": "token alice-token"})
    assert b"Issue " in connection.getresponse().read()
    ((_, status, _, body),) = answers(stage.tap.talks)
    assert status == 200 and b"Issue " in body
    connection.close()
