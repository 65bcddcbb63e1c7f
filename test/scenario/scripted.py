"""An upstream that does what a function says: for how many are under way, for limits and for odd answers."""

import dataclasses
import http.server
import threading


@dataclasses.dataclass
class Asked:
    method: str
    target: str
    headers: dict
    body: bytes


class Scripted:
    """`say(asked)` gives (status, headers, body); `log` has what was asked, `peak` the most at once."""

    def __init__(self, say):
        self.say, self.log, self.running, self.peak = say, [], 0, 0
        self.lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_one_request(self):
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline:
                    self.close_connection = True
                elif self.parse_request():
                    outer.answer(self)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 1024

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, handler):
        size = int(handler.headers.get("Content-Length", 0))
        fields = {k.lower(): v for k, v in handler.headers.items()}
        asked = Asked(handler.command, handler.path, fields, handler.rfile.read(size))
        with self.lock:
            self.log.append(asked)
            self.running += 1
            self.peak = max(self.peak, self.running)
        try:
            status, headers, body = self.say(asked)
        finally:
            with self.lock:
                self.running -= 1
        handler.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(b"" if asked.method == "HEAD" else body)

    def count(self, target=None, method=None):
        return sum(
            1 for a in self.log if target in (None, a.target) and method in (None, a.method)
        )

    def close(self):
        self.server.shutdown()
        self.server.server_close()
