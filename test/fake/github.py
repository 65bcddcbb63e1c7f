"""The stand-in GitHub: TLS and HTTP on loopback, in a thread of its own, with a log of what reached it."""

import asyncio
import fnmatch
import itertools
import pathlib
import socket
import tempfile
import threading
import urllib.parse

from aiohttp import web

from . import trouble
from .answers import Answerer, Wire
from .caches import Caches
from .certs import PROTOCOLS, Authority
from .limits import Limits
from .log import Request, Rule
from .model import Model
from .recorded import TOKENS, Recorded
from .refusing import Refusing
from .routes import Call


class Fake:
    """start() it, point clients at .url, read .requests.

    .model, .limits, .trouble() and .alter() change what it does.
    """

    def __init__(self, folder=None, recorded=False, authority=None):
        self.authority = authority or Authority(folder or tempfile.mkdtemp(prefix="stand-in-"))
        self.with_recorded = recorded
        self.loop = asyncio.new_event_loop()
        self.ports, self.sockets, self.sites = {}, {}, {}
        self.connections, self.numbers = itertools.count(1), {}
        self.extra = []
        self.reset()

    # -- state
    def reset(self):
        self.model, self.limits, self.answerer = Model(), Limits(), Answerer(self)
        self.caches = self.model.caches = Caches()
        self.requests, self.rules = [], []
        self.etag_mode, self.link_on_304 = "github", False
        self.latency = 0  # seconds, of every answer
        self.recorded = None
        if self.with_recorded:
            self.recorded = Recorded()
            for value, user in TOKENS.items():
                self.model.add_token(value, user)

    def forget(self):
        """Empty the log; everything else stays."""
        self.requests = []

    def find(self, path=None, method=None, token=None, status=None, billable=None, listener=None):
        """Logged requests; path may be a pattern, with the query if it holds a `?`."""

        def fits(r):
            return (
                (
                    path is None
                    or fnmatch.fnmatchcase(r.target if "?" in path else r.path, path.replace("?", "[?]"))
                )
                and method in (None, r.method)
                and token in (None, r.token)
                and status in (None, r.status)
                and listener in (None, r.listener)
                and (billable is None or billable == (r.cost > 0))
            )

        return [r for r in list(self.requests) if fits(r)]

    def count(self, path=None, **which):
        return len(self.find(path, **which))

    @property
    def connected(self):
        """How many connections brought a request."""
        return len({r.connection for r in self.requests})

    def trouble(self, path, kind, times=None, method="*", skip=0, **args):
        """From now on answer path (a pattern) in a bad way: a name of trouble.KINDS, or one of `status`
        (code=, headers=, body=), `redirect` (to=, code=), `big-body` (size=), `dead` (close on any but
        the first request of a connection), `alter` (headers=, remove=, body=)."""
        if kind not in trouble.KINDS and kind not in ("status", "redirect", "big-body", "dead", "alter"):
            raise ValueError(f"no trouble is called {kind}")
        rule = Rule(path, kind, args, times, method, skip)
        self.rules.insert(0, rule)
        return rule

    def alter(self, path, headers=(), remove=(), body=None, **more):
        """Add and remove headers of a good answer; the body, when given, replaces its own."""
        return self.trouble(
            path, "alter", headers=list(dict(headers).items()), remove=list(remove), body=body, **more
        )

    def calm(self):
        self.rules = []

    # -- life
    def start(self):
        ready = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(ready,), name="stand-in GitHub", daemon=True)
        self.thread.start()
        if not ready.wait(20) or not self.ports:
            raise RuntimeError("the stand-in GitHub did not start")
        return self

    def stop(self):
        if self.loop.is_running():
            self._call(self._shut())
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join(10)
        for sock in self.extra:
            sock.close()
        if not self.loop.is_running() and not self.loop.is_closed():
            self.loop.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def _run(self, ready):
        asyncio.set_event_loop(self.loop)
        self.loop.set_exception_handler(lambda loop, context: None)  # broken connections are what it is for

        async def begin():
            app = web.Application(client_max_size=160 << 20)
            app.router.add_route("*", "/{tail:.*}", self._handle)
            self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
            await self.runner.setup()
            await self._listen("tls", "good")
            await self._listen("assets", "good")
            await self._listen("http", None)

        try:
            self.loop.run_until_complete(begin())
        finally:
            ready.set()
        self.loop.run_forever()

    async def _shut(self):
        await self.runner.cleanup()

    def _call(self, coroutine, timeout=10):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout)

    async def _listen(self, name, kind, host="127.0.0.1"):
        context = self.authority.context(kind) if kind else None
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, self.ports.get(name, 0)))
        site = web.SockSite(self.runner, sock, ssl_context=context, backlog=512)
        await site.start()
        self.sites[name] = (site, kind, host)
        self.ports[name] = sock.getsockname()[1]

    # -- addresses
    @property
    def url(self):
        return f"https://localhost:{self.ports['tls']}"

    @property
    def http(self):
        return f"http://127.0.0.1:{self.ports['http']}"

    @property
    def assets(self):
        return f"https://localhost:{self.ports['assets']}"

    @property
    def ca(self):
        return str(self.authority.bundle)

    def tls(self, kind, host="localhost"):
        """An address whose server shows such a certificate or speaks TLS so (certs.KINDS, PROTOCOLS)."""
        if kind not in self.ports:
            if kind in PROTOCOLS:
                self.extra.append(Refusing(self.authority.context(kind)))
                self.ports[kind] = self.extra[-1].port
            else:
                self._call(self._listen(kind, kind))
        return f"https://{host}:{self.ports[kind]}"

    def also_on(self, host):
        """Listen with plain HTTP on another address, such as ::1 or 127.0.0.2; returns its port."""
        name = f"http {host}"
        if name not in self.ports:
            self._call(self._listen(name, None, host))
        return self.ports[name]

    def as_github(self, host):
        """Listen on port 443 of a loopback address too, under GitHub's own names; needs the right to."""
        self.ports["github"] = 443
        self._call(self._listen("github", "github", host))

    def silent(self):
        """The port of a listener that accepts and never says a word, for handshakes that hang."""
        sock = socket.create_server(("127.0.0.1", 0))
        self.extra.append(sock)
        return sock.getsockname()[1]

    def down(self, *names):
        """Stop listening: connections are refused until up()."""

        async def close():
            for name in names or ("tls", "assets", "http"):
                await self.sites[name][0].stop()

        self._call(close())

    def up(self, *names):
        async def reopen():
            for name in names or ("tls", "assets", "http"):
                await self._listen(name, self.sites[name][1], self.sites[name][2])

        self._call(reopen())

    def handshakes(self, kind="good"):
        """OpenSSL's own counters of the listeners with that certificate: accept, hits (= resumed), …"""
        return self.authority.context(kind).session_stats()

    # -- requests
    async def _handle(self, request):
        transport = request.transport
        port = transport.get_extra_info("sockname")[1]
        listener = next((n for n, p in self.ports.items() if p == port), "?")
        session = transport.get_extra_info("ssl_object")
        state = self.numbers.setdefault(request.protocol, [next(self.connections), 0])
        state[1] += 1
        target = request.raw_path
        record = Request(
            request.method,
            target,
            [(k.decode("latin-1"), v.decode("latin-1")) for k, v in request.raw_headers],
            listener,
            state[0],
            state[1],
            bool(session and session.session_reused),
            session.version() if session else None,
        )
        if target.startswith("/_fake/"):
            from .control import control

            return await control(self, request)
        self.requests.append(record)
        record.body = await request.read()
        await asyncio.sleep(self.latency)
        path, _, query = target.partition("?")
        rule = next((r for r in self.rules if r.takes(request.method, path, target)), None)
        if rule and rule.what == "dead":
            if state[1] > 1:
                return trouble.Raw([("close",)], 500)
            rule = None
        wire = self._answer(request, record, listener, path, query)
        if rule:
            return self._bad(request, record, rule, wire)
        record.status, record.cost = wire.status, wire.cost
        return self._good(wire)

    def _answer(self, request, record, listener, path, query):
        scheme = "https" if request.transport.get_extra_info("ssl_object") else "http"
        cached = self.caches.answer(request, f"{scheme}://{request.host}", path, query, record.body)
        if cached:
            return Wire(*cached)
        if listener == "assets" or (request.host or "").startswith(("codeload.", "uploads.", "objects.")):
            body = f"asset {path}\n".encode() * 20
            headers = [("Content-Type", "application/octet-stream"), ("Content-Length", str(len(body)))]
            if (request.host or "").startswith("codeload."):
                headers.append(("Content-Disposition", "attachment; filename=archive.tar.gz"))
            return Wire(200, headers, body)
        named = (request.host or "").startswith("api.")
        assets = f"https://codeload.{request.host.removeprefix('api.')}" if named else self.assets
        if request.host == "api.github.com" and "/releases/assets/" in path:
            assets = "https://objects.githubusercontent.com"
        path = (
            path[len("/api/v3") :]
            if path.startswith("/api/v3/")
            else "/graphql" if path == "/api/graphql" else path
        )
        call = Call(
            request.method,
            path,
            dict(urllib.parse.parse_qsl(query)),
            self.model,
            f"{scheme}://{request.host}",
            assets,
            accept=request.headers.get("Accept", ""),
            raw=record.body,
            raw_query=query,
        )
        wire = self.answerer.answer(call, request.headers)
        record.user = call.user
        return wire

    def _good(self, wire):
        response = web.Response(status=wire.status, body=wire.body)
        response.headers.extend((k, v) for k, v in wire.headers if k != "Content-Length")
        if "Content-Encoding" in response.headers:
            response.enable_chunked_encoding()
        return response

    def _bad(self, request, record, rule, wire):
        args, kind = rule.args, rule.what
        if kind == "alter":
            gone = {n.lower() for n in args["remove"]} | {n.lower() for n, _ in args["headers"]}
            wire.headers = [(k, v) for k, v in wire.headers if k.lower() not in gone]
            if args["body"] is not None:
                wire.body = args["body"]
                wire.headers = [(k, v) for k, v in wire.headers if k not in ("Content-Length", "ETag")]
            wire.headers += [
                (k, one) for k, v in args["headers"] for one in (v if isinstance(v, list) else [v])
            ]
        elif kind in ("status", "redirect", "big-body"):
            kept = [(k, v) for k, v in wire.headers if k.startswith(("X-RateLimit", "Date"))]
            status = args.get("code", {"status": 502, "redirect": 302, "big-body": 200}[kind])
            body, more = args.get("body", b'{"message":"Server Error"}'), dict(args.get("headers", {}))
            if kind == "redirect" and args.get("to") is not None:
                more["Location"] = args["to"]
            if kind == "big-body":
                body = b'"' + b"x" * (args.get("size", 1 << 20) - 2) + b'"'
            if status in (204, 304):
                body = b""
            kept += (
                [("Content-Type", "application/json; charset=utf-8")] if "Content-Type" not in more else []
            )
            wire = Wire(
                status, kept + list(more.items()) + [("Content-Length", str(len(body)))], body, wire.cost
            )
        else:
            steps = trouble.KINDS[kind](wire, **args)
            if request.method == "HEAD":
                steps = [("send", wire_head(step[1])) if step[0] == "send" else step for step in steps]
            record.status = wire.status if any(s[0] == "send" for s in steps) else None
            record.cost = wire.cost
            return trouble.Raw(steps, wire.status)
        record.status, record.cost = wire.status, wire.cost
        return self._good(wire)


def wire_head(data):
    return data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


def default_folder():
    return pathlib.Path(__file__).resolve().parent.parent.parent / "build" / "fake"
