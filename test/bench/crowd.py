"""Many keep-alive connections to one port at once, without a thread for each."""

import dataclasses
import selectors
import socket
import time


@dataclasses.dataclass
class Answer:
    status: int
    body: bytes


class Crowd:
    """`count` connections, all open from here to the end of the `with`."""

    def __init__(self, port, count):
        self.socks = []
        try:
            for _ in range(count):
                self.socks.append(socket.create_connection(("127.0.0.1", port), timeout=20))
        except BaseException:
            self.close()
            raise
        for sock in self.socks:
            sock.setblocking(False)

    def ask(self, request, seconds=60):
        """The same request on all of them, all sent before any answer is read; the answers in their order."""
        for sock in self.socks:
            try:
                if sock.send(request) != len(request):
                    raise OSError("a request did not go out at once")
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused at once; what it was told may still be read
        parts = {sock: b"" for sock in self.socks}
        answers, until = {}, time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            for sock in self.socks:
                selector.register(sock, selectors.EVENT_READ)
            while len(answers) < len(parts):
                ready = selector.select(max(0, until - time.monotonic()))
                if not ready:
                    raise OSError(f"{len(answers)} of {len(parts)} clients have an answer after {seconds} s")
                for key, _ in ready:
                    sock = key.fileobj
                    try:
                        more = sock.recv(1 << 17)
                    except ConnectionResetError:
                        more = b""
                    parts[sock] += more
                    found = whole(parts[sock]) or (None if more else Answer(0, b""))
                    if found:
                        answers[sock] = found
                        selector.unregister(sock)
        return [answers[sock] for sock in self.socks]

    def close(self):
        for sock in self.socks:
            sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def whole(data):
    """The answer, None while it is not all there."""
    head, gap, body = data.partition(b"\r\n\r\n")
    if not gap:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(":", 1) for line in lines)
    size = int(fields.get("content-length", 0))
    return Answer(int(first.split()[1]), body[:size]) if len(body) >= size else None
