"""An HTTP CONNECT proxy on loopback, for HTTPS_PROXY: it logs, asks for a password or refuses on request."""

import asyncio
import base64
import dataclasses
import threading


@dataclasses.dataclass
class Tunnel:
    method: str
    target: str
    headers: dict
    status: int
    received: int = 0
    sent: int = 0


class Proxy:
    """routes maps "host:port" to (address, port): names that exist nowhere else can be reached through it."""

    def __init__(self, routes=None, user=None, password=None):
        self.routes, self.tunnels = dict(routes or {}), []
        self.wanted = base64.b64encode(f"{user}:{password}".encode()).decode() if user is not None else None
        self.refuse = None  # a status: every CONNECT gets it
        self.raw = None  # bytes: every CONNECT gets these instead of an answer
        self.loop = asyncio.new_event_loop()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        ready = threading.Event()

        def run():
            asyncio.set_event_loop(self.loop)
            self.loop.set_exception_handler(lambda loop, context: None)
            self.server = self.loop.run_until_complete(asyncio.start_server(self._client, "127.0.0.1", 0))
            self.port = self.server.sockets[0].getsockname()[1]
            ready.set()
            self.loop.run_forever()

        self.thread = threading.Thread(target=run, name="stand-in proxy", daemon=True)
        self.thread.start()
        if not ready.wait(10):
            raise RuntimeError("the stand-in proxy did not start")
        return self

    def stop(self):
        async def end():
            self.server.close()
            others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    async def _client(self, reader, writer):
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            first, *lines = head.decode("latin-1").split("\r\n")[:-2]
            method, target, _ = first.split(" ")
            headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
            await self._connect(reader, writer, Tunnel(method, target, headers, 0))
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            writer.close()

    async def _connect(self, reader, writer, tunnel):
        self.tunnels.append(tunnel)
        given = tunnel.headers.get("proxy-authorization", "")
        if self.raw is not None:
            writer.write(self.raw)
            await writer.drain()
            return
        tunnel.status = (
            self.refuse
            or (405 if tunnel.method != "CONNECT" else 0)
            or (407 if self.wanted and given != f"Basic {self.wanted}" else 0)
        )
        if tunnel.status:
            more = 'Proxy-Authenticate: Basic realm="stand-in"\r\n' if tunnel.status == 407 else ""
            writer.write(f"HTTP/1.1 {tunnel.status} Refused\r\n{more}Content-Length: 0\r\n\r\n".encode())
            await writer.drain()
            return
        host, _, port = tunnel.target.rpartition(":")
        address, number = self.routes.get(tunnel.target, (host.strip("[]"), int(port)))
        if not address.startswith("127.") and address not in ("::1", "localhost"):
            tunnel.status = 502
            writer.write(b"HTTP/1.1 502 Loopback only\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(address, number)
        except OSError:
            tunnel.status = 502
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        tunnel.status = 200
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()

        async def copy(source, target, name):
            while data := await source.read(65536):
                setattr(tunnel, name, getattr(tunnel, name) + len(data))
                target.write(data)
                await target.drain()
            if target.can_write_eof():
                target.write_eof()

        try:
            await asyncio.gather(copy(reader, far_writer, "sent"), copy(far_reader, writer, "received"))
        finally:
            far_writer.close()
