"""The three caches that are compared, each a process of its own on one core, and what they have cost."""

import contextlib
import ctypes
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, CLIENT_CORE = CORES[0], CORES[-1]
LIBC = ctypes.CDLL(None)

# As one who has read the manual would set it up for this job: what is private is kept by who asks, files stay
# open, nothing is logged.
NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log warn; {user}
events {{ worker_connections 2048; }}
http {{
	access_log off; sendfile on; tcp_nopush on;
	keepalive_timeout 75s; keepalive_requests 1000000000;
	open_file_cache max=4096 inactive=1h; open_file_cache_valid 1h;
	proxy_cache_path {folder}/cache levels=1:2 keys_zone=api:16m max_size=256m inactive=2h
		use_temp_path=off;
	client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
	uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
	upstream github {{ server {upstream}; keepalive 8; }}
	server {{
		listen 127.0.0.1:{port} backlog=1024;
		location / {{
			proxy_pass http://github;
			proxy_http_version 1.1;
			proxy_set_header Host {upstream};
			proxy_set_header Connection "";
			proxy_cache api;
			proxy_cache_key $request_uri$http_authorization;
			proxy_ignore_headers Cache-Control Expires Set-Cookie Vary X-Accel-Expires;
			proxy_cache_valid 200 2h;
		}}
	}}
}}
"""

VARNISH = """
vcl 4.1;
backend github {{ .host = "{host}"; .port = "{upstream_port}"; }}
sub vcl_recv {{ return (hash); }}
sub vcl_hash {{ hash_data(req.url); hash_data(req.http.Authorization); return (lookup); }}
sub vcl_backend_fetch {{ set bereq.http.Host = "{upstream}"; return (fetch); }}
sub vcl_backend_response {{ unset beresp.http.Vary; set beresp.ttl = 2h; return (deliver); }}
"""

QUIET = ",".join(f"-{what}" for what in "ReqHeader RespHeader VCL_call Timestamp ReqAcct Hit".split())


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def at_once(core):
    """In a child: on that core, and before other work of the machine, where that is allowed."""
    os.sched_setaffinity(0, {core})
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -20)


def before_all(pids=(0,), real_time=True):
    """Nothing else of the machine runs before these, where that is allowed: for times a client sees.

    Linux halts real-time work that leaves its core to nobody for a twentieth of the time.
    """
    policy = os.SCHED_RR if real_time else os.SCHED_OTHER
    for pid in pids:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(pid, policy, os.sched_param(int(real_time)))


def begin_server():
    """In the child: it ends when the bench ends, in whatever way."""
    at_once(SERVER_CORE)
    LIBC.prctl(1, signal.SIGTERM)


class Server:
    """Started and listening when made; stop() it. `port` is on 127.0.0.1."""

    def __init__(self, folder, argv, env=None):
        self.log = folder / "log"
        self.children = []
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                list(map(str, argv)),
                env=env or {"PATH": os.environ["PATH"] + ":/usr/sbin"},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=begin_server,
            )
        try:
            self.wait()
        except BaseException:
            self.stop()
            raise

    def wait(self, seconds=20):
        until = time.monotonic() + seconds
        while True:
            try:
                return self.ready()
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    last = (self.log.read_text().strip() or "it said nothing").splitlines()[-1]
                    raise OSError(f"{self.process.args[0]} did not start: {last}") from None
                time.sleep(0.02)

    def ready(self):
        socket.create_connection(("127.0.0.1", self.port), timeout=1).close()

    def pids(self, of=None):
        of = of or self.process.pid
        try:
            tasks = list(pathlib.Path(f"/proc/{of}/task").iterdir())
            found = [int(pid) for t in tasks for pid in (t / "children").read_text().split()]
        except OSError:
            return []
        return [of, *(pid for child in found for pid in self.pids(child))]

    def cpu(self):
        """User and system time of all its processes so far, in seconds."""
        ticks = 0
        for pid in self.pids():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    @contextlib.contextmanager
    def before_all(self):
        before_all(self.pids())
        yield
        before_all(self.pids(), False)

    def memory(self, what="VmRSS"):
        """Resident bytes; VmHWM is the most there ever were."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{what}:\s+(\d+) kB", text)[1]) * 1024

    def stop(self):
        pids = self.pids()
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in pids[1:]:
            # its own children end with it; one that does not was ours all the same
            if self.process.pid == parent_of(pid):
                os.kill(pid, signal.SIGKILL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def parent_of(pid):
    try:
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


class Ghoard(Server):
    """`ghoard serve` with its default settings, but where `env` says otherwise."""

    name = "ghoard"

    def __init__(self, binary, folder, upstream, env=None):
        folder.mkdir(exist_ok=True)
        self.binary, self.socket, self.store = binary, folder / "s", folder / "store"
        self.env = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "CACHE_DIR": str(self.store),
            "GITHUB_API_URL": f"http://{upstream}",
            **(env or {}),
        }
        self.command = [binary, "serve", "--listen", "127.0.0.1:0", "--socket", self.socket]
        super().__init__(folder, self.command, self.env)

    def ready(self):
        found = re.search(r"http://\S+:(\d+)", self.log.read_text())
        if not found:
            raise OSError
        self.port = int(found[1])


class Nginx(Server):
    name = "nginx"

    def __init__(self, folder, upstream):
        folder.mkdir()
        self.port = free_port()
        user = "user root;" if os.getuid() == 0 else ""
        text = NGINX.format(folder=folder, upstream=upstream, port=self.port, user=user)
        folder.joinpath("nginx.conf").write_text(text)
        super().__init__(folder, ["nginx", "-p", folder, "-c", folder / "nginx.conf"])


class Varnish(Server):
    name = "Varnish"

    def __init__(self, folder, upstream):
        folder.mkdir()
        self.port = free_port()
        host, _, port = upstream.partition(":")
        text = VARNISH.format(host=host, upstream=upstream, upstream_port=port)
        folder.joinpath("bench.vcl").write_text(text)
        # Nobody here asks for gzip; with it Varnish would keep it so and unpack it for every request.
        # Its log in memory holds next to nothing, as nginx writes none: a sixth of its time otherwise.
        options = ["-p", "http_gzip_support=off", "-p", f"vsl_mask={QUIET}", "-s", "malloc,256m"]
        listen = ["-a", f"127.0.0.1:{self.port}", "-n", folder / "work"]
        vcl = ["-f", folder / "bench.vcl"]
        super().__init__(folder, ["varnishd", "-F", "-j", "none", *vcl, *listen, *options])
