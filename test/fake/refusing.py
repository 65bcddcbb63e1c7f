"""A TLS listener that speaks a protocol or suite nobody here should accept, and says so with a proper alert.

asyncio closes a failed handshake without sending the alert; blocking sockets do not, so these have a thread
of their own.
"""

import socket
import ssl
import threading


class Refusing:
    def __init__(self, context):
        self.context = context
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.completed = 0
        self.thread = threading.Thread(target=self._serve, name="refusing TLS", daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                plain, _ = self.socket.accept()
            except OSError:
                return
            plain.settimeout(5)
            try:
                with self.context.wrap_socket(plain, server_side=True) as session:
                    self.completed += 1
                    session.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            except (OSError, ssl.SSLError):
                # Take what the client still sends, so that the alert is not overtaken by a reset.
                try:
                    plain.shutdown(socket.SHUT_WR)
                    while plain.recv(4096):
                        pass
                except OSError:
                    pass
            finally:
                plain.close()

    def close(self):
        # shutdown wakes the thread out of accept; close alone would not.
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        self.thread.join(6)
