"""Stand-ins on loopback for what ghoard talks to: GitHub over TLS and plain HTTP, and a proxy."""

from .github import Fake
from .proxy import Proxy

__all__ = ["Fake", "Proxy"]
