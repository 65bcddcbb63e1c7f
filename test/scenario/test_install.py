"""actions/install.sh: from where it takes a program, and what it refuses. Under dash and busybox sh."""

import hashlib
import http.server
import io
import os
import pathlib
import platform
import shutil
import ssl
import subprocess
import tarfile
import threading

import pytest
from rig import ROOT

ARCH = {"armv7l": "armv7"}.get(platform.machine(), platform.machine())
NAME = f"ghoard-1.2.3-linux-{ARCH}"
PROGRAM = b"#!/bin/sh\necho this is ghoard\n"
TOOLS = ("sh cat cp mv rm mkdir mktemp chmod dirname uname tr sha256sum gzip tar sed openssl env").split()


def sha(data):
    return hashlib.sha256(data).hexdigest()


def packed(program=PROGRAM):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        row = tarfile.TarInfo(f"{NAME}/ghoard")
        row.size, row.mode = len(program), 0o755
        tar.addfile(row, io.BytesIO(program))
    return out.getvalue()


class Place:
    """A runner: the action's folder, a tool cache, a PATH with nothing but what is put there."""

    def __init__(self, tmp, shell):
        self.tmp, self.shell = tmp, shell
        for folder in ("actions", "temp", "tools", "bin", "files"):
            (tmp / folder).mkdir()
        shutil.copy(ROOT / "actions/install.sh", tmp / "actions")
        self.tarball = packed()
        self.sums(f"{sha(PROGRAM)}  {NAME}/ghoard", f"{sha(self.tarball)}  {NAME}.tar.gz")
        for tool in TOOLS:
            (tmp / "bin" / tool).symlink_to(shutil.which(tool))

    def sums(self, *rows):
        (self.tmp / "actions/SHA256SUMS").write_text("# rows\n" + "\n".join(rows) + "\n")

    def tool(self, name, text=None):
        path = self.tmp / "bin" / name
        if text is None:
            path.symlink_to(shutil.which(name))
        else:
            path.write_text(text)
            path.chmod(0o755)

    def run(self, rc=0, **env):
        env = {
            "PATH": str(self.tmp / "bin"),
            "RUNNER_TEMP": str(self.tmp / "temp"),
            "INSTALL_VERSION": "1.2.3",
            "RUNNER_TOOL_CACHE": str(self.tmp / "tools"),
            "INSTALL_REPO": "o/r",
            **env,
        }
        done = subprocess.run(
            [*self.shell, str(self.tmp / "actions/install.sh")],
            env=env,
            capture_output=True,
            text=True,
            timeout=50,
        )
        assert done.returncode == rc, done.stderr
        left = [one.name for one in (self.tmp / "temp").iterdir() if "install" in one.name]
        assert left == []
        if rc == 0:
            self.path = pathlib.Path(done.stdout.splitlines()[-1])
            assert self.path.read_bytes() == PROGRAM and os.access(self.path, os.X_OK)
            assert self.path.is_relative_to(self.tmp / "temp")
            assert self.path.parent.stat().st_mode & 0o77 == 0
        else:
            assert done.stdout == "" and not list((self.tmp / "temp").iterdir())
        assert not list((self.tmp / "tools").rglob(".ghoard*"))
        return done.stderr


    @property
    def kept(self):
        """What the tool cache has."""
        return sorted((self.tmp / "tools").rglob("ghoard"))[-1]

    def forget(self):
        """The next job: the runner has emptied its folder."""
        for one in (self.tmp / "temp").iterdir():
            shutil.rmtree(one)


@pytest.fixture(params=[["dash"], ["busybox", "sh"]], ids=["dash", "busybox"])
def place(request, tmp_path):
    return Place(tmp_path, [shutil.which(request.param[0]), *request.param[1:]])


ATTESTING = ("github.com", "octo.ghe.com")


@pytest.fixture
def web(place):
    """https on loopback, below /o/r/releases/download/v1.2.3/; what was asked is in .asked."""
    tmp = place.tmp
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost,DNS:github.com,DNS:octo.ghe.com",
            "-keyout",
            tmp / "key",
            "-out",
            tmp / "cert",
        ],
        check=True,
        capture_output=True,
    )
    folder = tmp / "files/o/r/releases/download/v1.2.3"
    folder.mkdir(parents=True)
    (folder / f"{NAME}.tar.gz").write_bytes(place.tarball)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp / "files"))

        def log_message(self, *args):
            pass

        def do_GET(self):
            if self.path not in server.hops:
                return super().do_GET()
            self.send_response(302)
            self.send_header("Location", server.hops[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp / "cert", tmp / "key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp / "wgetrc").write_text(f"ca_certificate = {tmp / 'cert'}\n")
    server.folder, server.hops = folder, {}
    server.url = f"https://localhost:{server.server_port}"
    server.env = {
        "GITHUB_SERVER_URL": server.url,
        "CURL_CA_BUNDLE": str(tmp / "cert"),
        "WGETRC": str(tmp / "wgetrc"),
        "HOME": str(tmp),
    }
    # under the names of the real ones, for curl
    here = f":443:localhost:{server.server_port}"
    (tmp / ".curlrc").write_text("".join(f'connect-to = "{name}{here}"\n' for name in ATTESTING))
    server.github = {**server.env, "GITHUB_SERVER_URL": "https://github.com"}
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("client", ["curl", "wget"])
def test_the_release_and_then_the_tool_cache(place, web, client):
    place.tool(client)
    assert "fetching" in place.run(**web.env)
    slot = place.kept.parent
    assert slot.parent == place.tmp / "tools/ghoard/1.2.3" and place.kept.read_bytes() == PROGRAM
    # whoever else uses this tool cache can read what is in it
    modes = [one.stat().st_mode & 0o777 for one in (slot, place.kept, slot.parent / f"{slot.name}.complete")]
    assert modes == [0o755, 0o755, 0o644]
    place.forget()
    web.shutdown()
    assert "fetching" not in place.run(**web.env)


def test_a_later_step_takes_what_an_earlier_one_had(place, web):
    """Also where nothing can be kept in a tool cache: neither fetched nor attested once more."""
    place.tool("curl")
    place.run(**web.env, RUNNER_TOOL_CACHE="")
    place.path.parent.chmod(0o755)
    (place.tmp / "temp/ghoard-bin.other").mkdir()
    (place.tmp / "temp/ghoard-bin.other/ghoard").write_text("planted")
    web.shutdown()
    place.run(RUNNER_TOOL_CACHE="")


RELEASE = f"/o/r/releases/download/v1.2.3/{NAME}.tar.gz"


@pytest.mark.parametrize("client", ["curl", "wget"])
def test_redirects(place, web, client):
    """GitHub's own lead to another host; none may lead to http."""
    place.tool(client)
    (web.folder / f"{NAME}.tar.gz").rename(web.folder / "there")
    there = f"{RELEASE.rsplit('/', 1)[0]}/there"
    web.hops |= {RELEASE: "/hop", "/hop": f"{web.url}{there}"}
    place.run(**web.env)
    place.forget()
    shutil.rmtree(place.tmp / "tools/ghoard")
    asked = []

    class Plain(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + place.tarball)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Plain) as plain:
        threading.Thread(target=plain.serve_forever, daemon=True).start()
        web.hops["/hop"] = f"http://localhost:{plain.server_port}/x"
        assert "could not be fetched" in place.run(1, **web.env)
        web.hops["/hop"] = "/hop"
        assert "could not be fetched" in place.run(1, **web.env)
        plain.shutdown()
    assert asked == []


def test_a_wget_that_would_follow_to_http(place, web):
    (place.tmp / "bin/wget").symlink_to(shutil.which("busybox"))
    assert "neither curl nor GNU wget" in place.run(1, **web.env)


def test_a_program_that_does_not_run(place):
    """It is not named, and nobody else is given it."""
    program = b"#!/no/such/interpreter\n"
    place.sums(f"{sha(program)}  {NAME}/ghoard")
    (place.tmp / "files/ghoard").write_bytes(program)
    assert "does not run" in place.run(1, INSTALL_SOURCE=str(place.tmp / "files"))
    assert not list((place.tmp / "tools").iterdir())


def test_an_address_of_ones_own(place, web):
    place.tool("curl")
    place.run(INSTALL_SOURCE=f"{web.url}/o/r/releases/download/v1.2.3/", **web.env)


def test_a_changed_release_is_refused(place, web):
    place.tool("curl")
    (web.folder / f"{NAME}.tar.gz").write_bytes(packed(b"#!/bin/sh\nevil\n"))
    assert "nothing was run" in place.run(1, **web.env)


def test_a_stranger_s_certificate_is_refused(place, web):
    place.tool("curl")
    assert "could not be fetched" in place.run(
        1, **{**web.env, "CURL_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt"}
    )


@pytest.mark.parametrize("origin", ["http://localhost/x", "ftp://localhost/x", "file:///etc"])
def test_https_alone(place, origin):
    place.tool("curl")
    assert "https" in place.run(1, INSTALL_SOURCE=origin)


@pytest.mark.parametrize("form", ["program", "tarball"])
def test_a_folder_without_network(place, form):
    name, data = ("ghoard", PROGRAM) if form == "program" else (f"{NAME}.tar.gz", place.tarball)
    (place.tmp / "files" / name).write_bytes(data)
    place.run(INSTALL_SOURCE=str(place.tmp / "files"))
    (place.tmp / "files" / name).write_bytes(b"other")
    shutil.rmtree(place.tmp / "tools/ghoard")
    place.forget()
    assert "is not the" in place.run(1, INSTALL_SOURCE=str(place.tmp / "files"))


def test_ones_own_sha256(place):
    place.sums()
    (place.tmp / "files/ghoard").write_bytes(PROGRAM)
    source = str(place.tmp / "files")
    assert "nothing was run" in place.run(1, INSTALL_SOURCE=source)
    assert "nothing was run" in place.run(1, INSTALL_SOURCE=source, INSTALL_SHA256="0" * 64)
    assert "64" in place.run(1, INSTALL_SOURCE=source, INSTALL_SHA256="abc")
    place.run(INSTALL_SOURCE=source, INSTALL_SHA256=sha(PROGRAM).upper())


def test_the_tarball_s_own_sha256(place):
    place.sums()
    (place.tmp / f"files/{NAME}.tar.gz").write_bytes(place.tarball)
    place.run(INSTALL_SOURCE=str(place.tmp / "files"), INSTALL_SHA256=sha(place.tarball))


def test_path_is_searched_only_where_asked(place):
    place.tool("ghoard", PROGRAM.decode())
    assert "neither curl nor GNU wget" in place.run(1)
    place.run(INSTALL_PATH="true")


def test_another_program_in_path_or_cache_is_not_used(place):
    place.tool("ghoard", "#!/bin/sh\necho other\n")
    assert "is not the ghoard 1.2.3" in place.run(1, INSTALL_PATH="true")
    slot = place.tmp / "tools/ghoard/1.2.3" / {"x86_64": "x64", "aarch64": "arm64"}.get(ARCH, ARCH)
    slot.mkdir(parents=True)
    (slot / "ghoard").write_text("planted")
    assert "is not the ghoard 1.2.3" in place.run(1)


def test_a_server_that_attests_nothing_is_not_asked(place, web):
    """GitHub Enterprise Server: neither tool could say yes."""
    place.tool("curl")
    for tool in ("gh", "cosign"):
        place.tool(
            tool,
            '#!/bin/sh\nfor a; do [ "$a" != --help ] && [ "$a" != auth ] || exit 0; done\n'
            f"echo {tool} >>{place.tmp}/asked\nexit 1\n",
        )
    (web.folder / f"{NAME}.tar.gz.sigstore.json").write_text("{}")
    place.run(**web.env, RUNNER_TOOL_CACHE="")
    assert not (place.tmp / "asked").exists()
    place.forget()
    for name in ATTESTING:
        env = {**web.env, "GITHUB_SERVER_URL": f"https://{name}", "RUNNER_TOOL_CACHE": ""}
        assert "gh finds no" in place.run(1, **env)


@pytest.mark.parametrize("says", [0, 1])
def test_what_gh_says_of_the_attestation_is_final(place, web, says):
    place.tool("curl")
    log = place.tmp / "gh.log"
    place.tool(
        "gh",
        '#!/bin/sh\nfor a; do [ "$a" != --help ] && [ "$a" != auth ] || exit 0; done\n'
        f'echo "$*" >>{log}\nexit {says}\n',
    )
    err = place.run(says, **web.github)
    asked = log.read_text()
    assert "--repo o/r --signer-workflow o/r/.github/workflows/release.yml" in asked
    assert ("no attestation" in err) == bool(says)


def test_a_gh_without_a_token_says_nothing(place, web):
    """As in `save` and `report`: it ends with 4 and has asked nobody."""
    place.tool("curl")
    gh = '#!/bin/sh\nfor a; do [ "$a" != --help ] || exit 0; done\n[ "$1" != auth ] || exit 1\nexit 4\n'
    place.tool("gh", gh)
    assert "no attestation" not in place.run(**web.github)
    place.forget()
    shutil.rmtree(place.tmp / "tools/ghoard")
    place.tool("cosign", "#!/bin/sh\nexit 1\n")
    (web.folder / f"{NAME}.tar.gz.sigstore.json").write_text("{}")
    assert "cosign finds no attestation" in place.run(1, **web.github)


@pytest.mark.parametrize("says", [0, 1])
def test_what_cosign_says_is_final(place, web, says):
    place.tool("curl")
    log = place.tmp / "cosign.log"
    place.tool("cosign", f'#!/bin/sh\necho "$*" >>{log}\nexit {says}\n')
    (web.folder / f"{NAME}.tar.gz.sigstore.json").write_text("{}")
    err = place.run(says, **web.github)
    assert r"o/r/\.github/workflows/release\.yml@refs/tags/" in log.read_text()
    assert ("no attestation" in err) == bool(says)


def test_a_wrong_version_and_an_unknown_one(place):
    assert "no version" in place.run(1, INSTALL_VERSION="../../x")
    (place.tmp / "files/ghoard").write_bytes(PROGRAM)
    assert "not the ghoard 9.9.9" in place.run(
        1, INSTALL_VERSION="9.9.9", INSTALL_SOURCE=str(place.tmp / "files")
    )


def test_without_a_tool_cache_it_is_kept_in_the_runner_s_folder(place):
    (place.tmp / "files/ghoard").write_bytes(PROGRAM)
    place.run(INSTALL_SOURCE=str(place.tmp / "files"), RUNNER_TOOL_CACHE="")
    assert not list((place.tmp / "tools").iterdir())


def test_the_list_of_sums_has_rows_that_install_sh_reads():
    for row in (ROOT / "actions/SHA256SUMS").read_text().splitlines():
        if not row.startswith("#"):
            digits, name = row.split("  ")
            assert (
                len(digits) == 64 and name.startswith("ghoard-") and name.endswith(("/ghoard", ".tar.gz"))
            )
