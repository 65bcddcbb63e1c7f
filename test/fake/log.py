"""What reached the stand-in, and the rules of what goes wrong on which path."""

import dataclasses
import fnmatch
import time

from .answers import token_of


@dataclasses.dataclass
class Request:
    """One request as it arrived; status and cost stay None where no answer went out."""

    method: str
    target: str
    headers: list
    listener: str
    connection: int
    number: int
    resumed: bool
    tls: str | None
    body: bytes = b""
    time: float = dataclasses.field(default_factory=time.time)
    user: str | None = None
    status: int | None = None
    cost: int = 0

    @property
    def path(self):
        return self.target.partition("?")[0]

    @property
    def token(self):
        return token_of(self.header("Authorization"))

    def header(self, name, default=None):
        return next((v for k, v in self.headers if k.lower() == name.lower()), default)

    def line(self):
        return {
            "method": self.method,
            "target": self.target,
            "token": self.token,
            "status": self.status,
            "cost": self.cost,
            "connection": self.connection,
            "resumed": self.resumed,
            "listener": self.listener,
            "headers": self.headers,
        }


@dataclasses.dataclass
class Rule:
    """Something to be done to the requests of a path pattern, for ever or a number of times."""

    path: str
    what: str
    args: dict
    times: int | None = None
    method: str = "*"
    skip: int = 0

    def takes(self, method, path, target):
        if not (fnmatch.fnmatchcase(path, self.path) or target == self.path) or self.method not in (
            "*",
            method,
        ):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            if self.times <= 0:
                return False
            self.times -= 1
        return True
