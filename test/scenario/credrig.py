"""What the credential tests share: the reference's store and the runner's rules, from their descriptions.

Store: a Python program that keeps to the format (nine keys, both layers AES-256-GCM without AAD) and refuses
what the reference refuses. Runner: how add-mask lines, environment files and the log's masks are read.
"""

import base64
import json
import os
import subprocess
import time

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEYS = (
    "name",
    "encrypted_value",
    "scope",
    "scope_filter",
    "created_at",
    "expires_at",
    "last_accessed",
    "access_count",
    "metadata",
)
SCOPES = ("global", "repo", "workflow", "runner")


class Reference:
    """The Python reference on a folder."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / ".master_key"
        if not path.exists():
            path.write_bytes(base64.b64encode(os.urandom(32)))
            path.chmod(0o600)
        self.aes = AESGCM(base64.b64decode(path.read_bytes()))
        self.store = folder / "credentials.json.enc"
        self.all = self.load() if self.store.exists() else {}

    def seal(self, text):
        nonce = os.urandom(12)
        return nonce + self.aes.encrypt(nonce, text, None)

    def open(self, sealed):
        return self.aes.decrypt(sealed[:12], sealed[12:], None)

    def load(self):
        loaded = json.loads(self.open(self.store.read_bytes()))
        for record in loaded.values():
            assert set(record) == set(KEYS), f"the reference would abort its load at {sorted(record)}"
            assert record["scope"] in SCOPES
        return loaded

    def save(self):
        self.store.write_bytes(self.seal(json.dumps(self.all, indent=2).encode()))
        self.store.chmod(0o600)

    def put(self, name, value, scope="global", scope_filter=None, ttl=None, **metadata):
        sealed = base64.b64encode(self.seal(value.encode())).decode()
        now = time.time()
        record = (name, sealed, scope, scope_filter, now, now + ttl if ttl else None, None, 0, metadata)
        self.all[name] = dict(zip(KEYS, record))

    def value(self, key):
        return self.open(base64.b64decode(self.all[key]["encrypted_value"])).decode()

    def get(self, key):
        """As its own get does: counts, and rewrites the whole file."""
        self.all[key]["last_accessed"] = time.time()
        self.all[key]["access_count"] += 1
        self.save()
        return self.value(key)

    def rotate(self, key, value):
        self.all[key]["encrypted_value"] = base64.b64encode(self.seal(value.encode())).decode()
        self.all[key]["created_at"] = time.time()
        self.save()


# ---- the runner ----


def unescape(data):
    return data.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


class Runner:
    """Reads a step's output line by line, as the runner does, and masks what it prints."""

    def __init__(self):
        self.secrets = set()
        self.printed = []

    def add(self, value):
        """The value, and each trimmed line of it."""
        for secret in [value, *(line.strip() for line in value.replace("\r", "\n").split("\n"))]:
            if secret.strip():
                self.secrets.add(secret)
                for skip in range(3):
                    tail = secret.encode()[skip:]
                    if tail:
                        self.secrets.add(base64.b64encode(tail).decode())
                self.secrets.add(json.dumps(secret, ensure_ascii=False)[1:-1])

    def read(self, output):
        for line in output.decode().split("\n"):
            text = line.lstrip()
            if text.startswith("::add-mask::"):
                data = unescape(text.removeprefix("::add-mask::"))
                assert data.strip(), "the runner warns about a mask of white space"
                self.add(data)
            elif line:
                self.printed.append(self.mask(line))

    def mask(self, line):
        for secret in sorted(self.secrets, key=len, reverse=True):
            line = line.replace(secret, "***")
        return line


def read_envfile(text):
    """The runner's parser of GITHUB_ENV, byte for byte."""
    found, lines = {}, text.split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            found[line[:equals]] = line[equals + 1 :]
            continue
        assert heredoc >= 0, f"invalid format {line!r}"
        name, delimiter = line[:heredoc], line[heredoc + 2 :]
        assert name and delimiter
        value = []
        while True:
            assert at < len(lines), f"matching delimiter not found {delimiter!r}"
            line = lines[at]
            at += 1
            if line == delimiter:
                break
            value.append(line)
        found[name] = "\n".join(value)
    return found


class Vault:
    """`ghoard cred` on a folder of its own, as a step of a job."""

    def __init__(self, ghoard, folder, *flags, **env):
        self.ghoard, self.folder, self.flags = ghoard, folder, flags
        self.env = {
            "CREDENTIALS_DIR": folder,
            "CACHE_DIR": None,
            "GITHUB_API_URL": None,
            "SSL_CERT_FILE": None,
        } | env
        self.steps = 0

    def __call__(self, *args, token=None, env=None, **more):
        return self.ghoard(
            "cred", args[0], *self.flags, *args[1:], token=token, env=self.env | (env or {}), **more
        )

    def set(self, name, value, *args):
        self("set", name, *args, input=value.encode() if isinstance(value, str) else value, rc=0)

    def step(self, *args, env=None, **more):
        """`cred inject` in a step: the run, what GITHUB_ENV defines, GITHUB_OUTPUT, the runner behind it."""
        self.steps += 1
        files = {}
        for name in ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
            files[name] = self.folder.parent / f"{name}.{self.steps}"
            files[name].write_text("")
        run = self("inject", *args, env=files | {"GITHUB_ACTIONS": "true"} | (env or {}), **more)
        runner = Runner()
        runner.read(run.out)
        output = dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines())
        env_text = files["GITHUB_ENV"].read_bytes().decode()
        run.files = files
        return run, read_envfile(env_text), output, runner

    def audit(self, **wanted):
        """The log's lines with that action."""
        lines = [json.loads(line) for line in self("audit", "show", rc=0).out.splitlines()]
        return [e for e in lines if all(e[k] == v for k, v in wanted.items())]


def has(command):
    return subprocess.run(["sh", "-c", f"command -v {command}"], stdout=subprocess.DEVNULL).returncode == 0
