"""GitHub's rate limits: the primary one by token and resource, the secondary one on request."""

import dataclasses
import re
import time

RESOURCES = {"core": None, "search": 30, "code_search": 10, "graphql": 5000}
ANONYMOUS = {"core": 60, "search": 10, "code_search": 0, "graphql": 0}


def resource_of(path):
    if path == "/search/code":
        return "code_search"
    if path.startswith("/search/"):
        return "search"
    return "graphql" if re.fullmatch(r"/(api/)?graphql", path) else "core"


@dataclasses.dataclass
class Window:
    limit: int
    reset: int
    used: int = 0
    status: int = 403

    @property
    def remaining(self):
        return max(0, self.limit - self.used)

    def renew(self):
        if time.time() >= self.reset:
            self.used, self.reset = 0, int(time.time()) + 3600


class Limits:
    def __init__(self):
        self.windows = {}
        self.secondary = None

    def window(self, token, record, resource):
        """token is None for a caller without one; record is its entry in the model."""
        window = self.windows.get((token, resource))
        if window is None:
            limit = ANONYMOUS[resource] if token is None else RESOURCES[resource] or record.limit
            window = self.windows[token, resource] = Window(limit, int(time.time()) + 3600)
        window.renew()
        return window

    def set(self, token=None, resource="core", limit=5000, remaining=0, reset_in=3600, status=403):
        """Put one window into a wanted state; status is what an exhausted one answers (403 or 429)."""
        self.windows[token, resource] = Window(limit, int(time.time() + reset_in), limit - remaining, status)

    def set_secondary(self, retry_after=60, times=None, status=403, text_only=False):
        """From now on answer with GitHub's secondary limit; text_only leaves Retry-After out."""
        self.secondary = dict(retry_after=retry_after, times=times, status=status, text_only=text_only)

    def take_secondary(self):
        now = self.secondary
        if now and now["times"] is not None:
            now["times"] -= 1
            if now["times"] <= 0:
                self.secondary = None
        return now

    def clear_secondary(self):
        self.secondary = None

    @staticmethod
    def headers(window, resource):
        return [
            ("X-RateLimit-Limit", str(window.limit)),
            ("X-RateLimit-Remaining", str(window.remaining)),
            ("X-RateLimit-Reset", str(window.reset)),
            ("X-RateLimit-Used", str(window.used)),
            ("X-RateLimit-Resource", resource),
        ]
