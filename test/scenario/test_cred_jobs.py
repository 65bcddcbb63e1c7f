"""Handing out inside a job: masks, environment files, exec; against the runner's own rules."""

import base64
import ctypes
import datetime
import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from credrig import Vault, read_envfile
from rig import BINARY

NASTY = {
    "PLAIN": "s3cr3t value",
    "LINES": "first line\nsecond line\n\n  indented line\n",
    "CRLF": "one one\r\ntwo two\r\n",
    "PERCENT": "100%25 %0A%0D 50%",
    "HEREDOC": "x\nEOF\nLD_PRELOAD=/tmp/e.so\nPATH<<EOF\n/tmp\nEOF",
    "EQUALS": "a=b<<c",
    "COMMAND": "::add-mask::x\n::set-env name=A::b\n##[error]c",
    "JSON": json.dumps(
        {"token": "leaf-of-json", "n": {"deep": ["leaf-in-list", "ab"], "multi": "leaf\nlines here"}}
    ),
    "UNICODE": "pâté — 東京 🗝️ \U0001f9ea\u2028 end",
    "EMPTY": "",
    "BLANK": " \t\n",
    "PEM": "-----BEGIN KEY-----\n" + "\n".join("A1b2" * 16 for _ in range(20)) + "\n-----END KEY-----\n",
}


@pytest.fixture
def vault(make_ghoard, tmp_path):
    return Vault(make_ghoard("plain"), tmp_path / "credentials", "--access", "off")


@pytest.mark.parametrize("name", NASTY)
def test_a_value_reaches_the_environment_and_no_log(vault, name):
    value = NASTY[name]
    vault("set", name, "--from-env", "SRC", env={"SRC": value}, rc=0)
    run, env, output, runner = vault.step("--names", name, rc=0)
    assert env == {name: value}
    assert output == {"count": "1", "status": "success"}
    assert not runner.printed, "something else than masks was printed"
    assert not run.err.strip(), run.err
    # the log of a later step that is careless with it
    for shown in (value, f"x{value}y", json.dumps(value, ensure_ascii=False)):
        for line in filter(str.strip, shown.replace("\r", "\n").split("\n")):
            masked = runner.mask(line)
            for secret in (part.strip() for part in value.replace("\r", "\n").split("\n")):
                assert len(secret) < 4 or secret not in masked
    assert value == "" or value not in run.err


def test_masks_of_all_lengths(vault):
    """1 to 64 characters: the whole, base64 with and without a newline behind it, in all three alignments."""
    dice = random.Random(3)
    for n in range(1, 65):
        value = "".join(dice.choice("abcdefghijklmnopqrstuvwxyzABCDEF0123456789+/%") for _ in range(n))
        vault.set("S", value)
        _, env, _, runner = vault.step("--names", "S", rc=0)
        assert env == {"S": value}
        assert runner.mask(f"<{value}>").count("***") >= 1
        if n < 4:
            continue
        for before in ("", "u:", "xy:"):
            for behind in ("", "\n", ":p"):
                code = base64.b64encode((before + value + behind).encode()).decode()
                for shown in (
                    code,
                    code.rstrip("="),
                    base64.urlsafe_b64encode((before + value + behind).encode()).decode(),
                ):
                    masked = runner.mask(shown)
                    assert "***" in masked, (value, before, behind, shown)
                    # what is left over is less than a group at each end
                    assert len(masked.replace("***", "")) <= len(code) - 4 * (n // 3) + 8


def test_base64_in_columns(vault):
    value = "".join(chr(33 + i % 90) for i in range(300))
    vault.set("S", value)
    _, _, _, runner = vault.step("--names", "S", rc=0)
    for text in (value, value + "\n"):
        code = base64.b64encode(text.encode()).decode()
        lines = [code[i : i + 76] for i in range(0, len(code), 76)]
        assert [runner.mask(line) for line in lines[:-1]] == ["***"] * (len(lines) - 1)


def test_leaves_of_json(vault):
    vault.set("J", NASTY["JSON"])
    _, _, _, runner = vault.step("--names", "J", rc=0)
    for leaf in ("leaf-of-json", "leaf-in-list", "lines here"):
        assert runner.mask(f"token is {leaf}.") == "token is ***."
    assert runner.mask("ab") == "ab", "short leaves would hide everything"


def test_an_open_line_before_ours(vault, tmp_path):
    vault.set("A", "value")
    file = tmp_path / "env"
    file.write_text("EARLIER=x")
    out = vault("inject", "--names", "A", env={"GITHUB_ENV": file}, rc=0).out
    assert out
    assert read_envfile(file.read_text()) == {"EARLIER": "x", "A": "value"}


def test_names_that_are_refused(vault):
    from_man = subprocess.run(
        [BINARY, "help", "cred"], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", "HOME": "/"}
    ).stdout
    denied = [
        "PATH", "HOME", "IFS", "ENV", "BASH_ENV", "SHELLOPTS", "PROMPT_COMMAND", "LD_*", "DYLD_*",
        "GLIBC_*", "NODE_*", "NPM_CONFIG_*", "PYTHON*", "PERL5*", "PERLLIB", "RUBY*", "JAVA_TOOL_OPTIONS",
        "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "DOTNET_*", "CORECLR_*", "GIT_*", "SSH_ASKPASS", "*_PROXY",
        "SSL_CERT_*", "CURL_*",
        "GITHUB_*", "RUNNER_*", "ACTIONS_*", "GHOARD_*", "CACHE_*", "CODEQL_*", "CREDENTIALS_DIR",
    ]  # fmt: skip
    words = from_man.replace(",", " ").replace(".", " ").split()
    for pattern in denied:
        assert pattern in words, f"the help does not name {pattern}"
        name = pattern.replace("*", "X1")
        vault.set(name, "value")
        vault.set(name.lower(), "value")
        for spelt in (name, name.lower()):
            run, env, output, _ = vault.step("--names", spelt, rc=2)
            assert not env and not run.out and output["status"] == "error"
        assert vault("exec", "--names", name, "--", "/bin/true", rc=2).err
        assert vault.step("--names", name, "--allow", name, rc=0)[1] == {name: "value"}
    for name in ("A-B", "1A", "A B", "ä", "A=B", "A\nB"):
        assert vault.step("--names", name, rc=2)[1] == {}


def test_statuses(vault):
    assert vault.step(rc=0)[2] == {"count": "0", "status": "skipped"}
    assert vault.step("--names", "", rc=0)[2] == {"count": "0", "status": "skipped"}
    assert vault.step("--names", "NONE", rc=1)[2] == {"count": "0", "status": "empty"}
    vault.set("A", "x")
    assert vault.step("--names", "A,NONE", rc=1)[2] == {"count": "1", "status": "partial"}
    assert vault.step("--names", "NONE", rc=1)[2] == {"count": "0", "status": "empty"}
    assert vault.step("--from-json", "-", input=b"[]", rc=1)[2] == {"count": "0", "status": "empty"}
    assert vault.step("--from-json", "-", input=b"", rc=0)[2] == {"count": "0", "status": "skipped"}
    assert vault.step("--from-json", "-", input=b"{", rc=2)[2] == {"count": "0", "status": "error"}
    (vault.folder / "credentials.json.enc").write_bytes(b"damaged")
    assert vault.step("--names", "A", rc=5)[2] == {"count": "0", "status": "error"}


def test_the_json_input(vault):
    given = [
        {"name": "A", "value": 'with "quotes"\nand lines', "scope": "repo", "ttl_hours": 24},
        {"name": "B", "value": " ", "scope": "global", "ttl": "90s"},
        {"name": "C", "value": "🗝️ \\u0041"},
        {"name": "D", "value": "of an instant", "ttl_hours": 0.0001},
    ]
    env = {"GITHUB_REPOSITORY": "o/r", "INPUT": json.dumps(given)}
    _, defined, output, _ = vault.step("--from-json-env", "INPUT", env=env, rc=0)
    assert defined == {g["name"]: g["value"] for g in given}
    assert output == {"count": "4", "status": "success"}
    listed = {r["name"]: r for r in vault("ls", "--json", rc=0).json}
    assert listed["A"]["scope_filter"] == "o/r"
    for bad in (
        {"name": "A"},
        {"name": "A", "value": 7},
        {"name": "A", "value": "x", "scope": "Global"},
        {"name": "A", "value": "x", "scope": "runner"},
        {"name": "A", "value": "x", "ttl": "soon"},
        {"name": "LD_PRELOAD", "value": "x"},
        {"name": "A,B", "value": "x"},
        {"name": "A", "value": "nul\0x"},
        "A",
    ):
        before = (vault.folder / "credentials.json.enc").read_bytes()
        run, defined, _, _ = vault.step("--from-json", "-", input=json.dumps([bad]).encode(), rc=2)
        assert not defined and not run.out
        assert (vault.folder / "credentials.json.enc").read_bytes() == before


def test_a_lifetime_in_json(vault):
    """24 h where none is given, as in the reference; 0 and null are no end."""
    given = [
        {"name": "DAY", "value": "x"},
        {"name": "HOURS", "value": "x", "ttl_hours": 2},
        {"name": "NULL", "value": "x", "ttl_hours": None},
        {"name": "TTL", "value": "x", "ttl": None},
        {"name": "ZERO", "value": "x", "ttl_hours": 0},
    ]
    begin = time.time()
    vault.step("--from-json", "-", input=json.dumps(given).encode(), rc=0)
    sealed = {r["name"]: r["expires_at"] for r in vault("ls", "--json", rc=0).json}
    ends = {n: e and datetime.datetime.fromisoformat(e).timestamp() - begin for n, e in sealed.items()}
    assert abs(ends["DAY"] - 86400) < 60 and abs(ends["HOURS"] - 7200) < 60
    assert ends["NULL"] is ends["TTL"] is ends["ZERO"] is None


def test_one_value_a_name(vault):
    """What was brought goes before what is stored, then the most specific; the same twice is refused."""
    env = {"GITHUB_REPOSITORY": "o/r", "RUNNER_NAME": "one"}
    vault.set("A", "stored")
    given = [
        {"name": "A", "value": "of the repo", "scope": "repo"},
        {"name": "A", "value": "of the runner", "scope": "runner"},
        {"name": "A", "value": "of all", "scope": "global"},
        {"name": "B", "value": "alone"},
    ]
    for order in (given, given[::-1]):
        _, defined, output, _ = vault.step(
            "--from-json", "-", "--names", "A,B", input=json.dumps(order).encode(), env=env, rc=0
        )
        assert defined == {"A": "of the runner", "B": "alone"}
        assert output == {"count": "2", "status": "success"}
    twice = [{"name": "A", "value": "one"}, {"name": "A", "value": "two"}]
    before = (vault.folder / "credentials.json.enc").read_bytes()
    run, defined, _, _ = vault.step("--from-json", "-", input=json.dumps(twice).encode(), rc=2)
    assert "twice" in run.err and not defined
    assert (vault.folder / "credentials.json.enc").read_bytes() == before
    run, _, _, _ = vault.step("--from-json", "-", "--from-json-env", "X", input=b"[]", env={"X": "[]"}, rc=2)
    assert "give one" in run.err


def test_where_masks_would_not_arrive(vault, tmp_path):
    vault.set("A", "value")
    env = {str(k): str(v) for k, v in vault.ghoard.environment(more=vault.env).items()} | {
        "GITHUB_ENV": str(tmp_path / "e")
    }
    (tmp_path / "e").write_text("")
    with open(tmp_path / "out", "wb") as out:
        run = subprocess.run(
            [BINARY, "cred", "inject", "--names", "A", "--access", "off"],
            env=env,
            stdout=out,
            stderr=subprocess.PIPE,
        )
    assert run.returncode == 2 and b"no pipe" in run.stderr
    assert (tmp_path / "out").read_bytes() == b"" == (tmp_path / "e").read_bytes()
    assert not vault.audit(action="access_granted")


def test_get_masks_on_standard_error(vault):
    vault.set("A", "line one\nline two")
    run = vault("get", "A", env={"GITHUB_ACTIONS": "true"}, rc=0)
    assert run.out == b"line one\nline two"
    assert "::add-mask::line one%0Aline two\n" in run.err
    assert vault("get", "A", rc=0).err == ""


def test_not_text(vault):
    vault.set("A", b"\xff\xfe")
    vault.set("N", b"a\0b")
    vault.set("OK", "fine")
    for name in ("A", "N"):
        run, env, output, _ = vault.step("--names", f"{name},OK", rc=1)
        assert env == {"OK": "fine"} and output["status"] == "partial"
        assert vault.audit()[-2]["action"] == "access_denied"
    vault("exec", "--names", "N", "--", "/bin/true", rc=5)


def test_summary_has_the_anchor(vault):
    vault.set("A", "value")
    run, *_ = vault.step("--names", "A", rc=0)
    head = vault("audit", "verify", "--json", rc=0).json["head"]
    assert head in run.files["GITHUB_STEP_SUMMARY"].read_text()


# ---- exec ----


def test_exec(vault):
    vault.set("A", "secret of a")
    vault.set("B", "two\nlines")
    show = "import os,sys,json; json.dump(dict(os.environ), sys.stdout); sys.exit(7)"
    env = {"KEPT": "yes", "A": "before", "GHOARD_MASTER_KEY_FILE": vault.folder / ".master_key"}
    run = vault("exec", "--names", "A,B", "--", sys.executable, "-c", show, env=env, rc=7)
    assert run.json["A"] == "secret of a" and run.json["B"] == "two\nlines" and run.json["KEPT"] == "yes"
    assert "GHOARD_MASTER_KEY_FILE" not in run.json
    run = vault("exec", "--names", "A", "--pristine", "--", "/usr/bin/env", env={"KEPT": "yes"}, rc=0)
    assert run.out == b"A=secret of a\n"
    run = vault("exec", "--names", "A,NONE", "--", "/bin/echo", "ran", rc=1)
    assert not run.out and "NONE" in run.err
    vault("exec", "--names", "A", "--", "/nonexistent", rc=127)
    assert [e["details"]["how"] for e in vault.audit(action="access_granted")] == ["exec"] * 5


def test_exec_hides_what_is_printed(vault):
    value = "s3cr3t-value-of-some-length"
    vault.set("A", value)
    vault.set("L", "line number one\nline number two")
    script = (
        "import os,sys,time,base64\n"
        "a=os.environ['A']\n"
        "for c in 'x'+a+'y'+a+a+'\\n': sys.stdout.write(c); sys.stdout.flush(); time.sleep(0.0005)\n"
        "print(base64.b64encode(b'u:'+a.encode()).decode())\n"
        "print(a[:-1]); print(os.environ['L'])\n"
        "print(a, file=sys.stderr); sys.exit(3)\n"
    )
    run = vault("exec", "--names", "A,L", "--redact", "--", sys.executable, "-c", script, rc=3)
    lines = run.out.decode().splitlines()
    assert (
        lines[0] == "x***y******"
        and "***" in lines[1]
        and lines[2] == value[:-1]
        and lines[3:] in (["***"], ["***", "***"])
    )
    assert value not in run.err and "***" in run.err
    # a great deal of it, and nothing lost
    flood = "import os; [print(i, os.environ['A'], 'z'*100) for i in range(20000)]"
    run = vault("exec", "--names", "A", "--redact", "--", sys.executable, "-c", flood, rc=0)
    assert run.out.decode() == "".join(f"{i} *** {'z' * 100}\n" for i in range(20000))


@pytest.mark.parametrize("redact", [(), ("--redact",)])
def test_exec_passes_signals_on(vault, redact):
    vault.set("A", "value")
    script = "trap 'echo got it; exit 9' TERM; echo ready; while :; do sleep 0.05; done"
    command = [
        BINARY,
        "cred",
        "exec",
        "--access",
        "off",
        "--names",
        "A",
        *redact,
        "--",
        "/bin/sh",
        "-c",
        script,
    ]
    env = vault.ghoard.environment(more=vault.env)
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.read() == b"got it\n"
    assert process.wait(10) == 9
    # and ends as the command does
    process = subprocess.Popen(
        command[:-3] + ["/bin/sh", "-c", "kill -9 $$"], env=env, stdout=subprocess.PIPE
    )
    process.stdout.read()
    assert process.wait(10) == -9


def memory_has(pid, needle):
    """Is it anywhere in the process's memory?"""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            place, flags = line.split()[:2]
            begin, end = (int(x, 16) for x in place.split("-"))
            if "r" not in flags or line.rstrip().endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                continue
            try:
                memory.seek(begin)
                if needle in memory.read(end - begin):
                    return True
            except OSError:
                continue
    return False


def hold(path):
    """Make the file; who opens it to write waits until the descriptor that this gives is closed."""
    path.write_text("")
    fd = os.open(path, os.O_RDONLY)
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as why:
        pytest.skip(f"no lease on a file here: {why}")
    return fd


def wait_for(condition):
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.02)


def asleep_in(pid, *calls):
    """Is the process blocked in one of these system calls?"""
    try:
        return open(f"/proc/{pid}/syscall").read().split()[0] in {str(c) for c in calls}
    except (OSError, IndexError):
        return False


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may read another process's memory here; that it is so is the point"
)
@pytest.mark.parametrize("how", ["stored", "given"])
def test_nothing_stays_in_memory(vault, tmp_path, how):
    """While the masks are being written the value is there (so the search works); behind it, nowhere."""
    needle = "needle-" + os.urandom(12).hex()
    value = "".join(f"{needle}-{i:05d}." for i in range(1500))
    (tmp_path / "env").write_text("")
    held = hold(tmp_path / "summary")
    env = vault.ghoard.environment(
        more=vault.env | {"GITHUB_ENV": tmp_path / "env", "GITHUB_STEP_SUMMARY": tmp_path / "summary"}
    )
    command = [BINARY, "cred", "inject", "--access", "off"]
    if how == "stored":
        vault.set("A", value)
        command += ["--names", "A"]
    else:
        env["INPUT"] = json.dumps([{"name": "A", "value": value}])
        command += ["--from-json-env", "INPUT"]
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE)
    wait_for(lambda: asleep_in(process.pid, 1, 20))
    assert memory_has(process.pid, needle.encode()), "the search finds nothing even now"
    os.set_blocking(process.stdout.fileno(), False)

    def at_the_summary():
        process.stdout.read()
        return asleep_in(process.pid, 2, 257)

    wait_for(at_the_summary)
    found = memory_has(process.pid, needle.encode()) or memory_has(
        process.pid, base64.b64encode(needle.encode())[:-4]
    )
    os.close(held)
    process.stdout.close()
    assert process.wait(10) == 0
    assert needle in (tmp_path / "env").read_text()
    assert not found


def test_no_core_file(vault, tmp_path):
    (tmp_path / "env").write_text("")
    vault.set("A", "value " * 9000)
    env = vault.ghoard.environment(more=vault.env | {"GITHUB_ENV": tmp_path / "env"})
    process = subprocess.Popen(
        ["/bin/sh", "-c", f"ulimit -c unlimited; exec {BINARY} cred inject --access off --names A"],
        env=env, stdout=subprocess.PIPE, cwd=tmp_path,
    )  # fmt: skip
    wait_for(lambda: asleep_in(process.pid, 1, 20))
    limits = open(f"/proc/{process.pid}/limits").read()
    assert [line.split()[4] for line in limits.splitlines() if line.startswith("Max core file size")] == ["0"]
    process.send_signal(signal.SIGABRT)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = 0
    process.stdout.close()
    assert os.WIFSIGNALED(status) and not os.WCOREDUMP(status)
    assert not list(tmp_path.glob("core*"))


def test_exec_hides_short_values_and_other_forms(vault):
    vault.set("S", "xQz")
    value = 'pa "ss/wo\\rd(9)é!'
    vault.set("A", value)
    vault.set("B", "pwd-of-fifteen!")
    script = (
        "import os,json,base64,urllib.parse as u\n"
        "a,b=os.environ['A'],os.environ['B'].encode()\n"
        "print(os.environ['S'])\n"
        "print(json.dumps(a)); print(json.dumps(a, ensure_ascii=False))\n"
        "print(u.quote(a)); print(u.quote(a, safe=''))\n"
        "print(u.quote_plus(a)); print(u.quote(a, \"!'()*\"))\n"
        "for skip in range(3): print(base64.b64encode(b[skip:]).decode().rstrip('='))\n"
    )
    run = vault("exec", "--names", "S,A,B", "--redact", "--", sys.executable, "-c", script, rc=0)
    lines = run.out.decode().splitlines()
    assert lines[:7] == ["***", '"***"', '"***"', *["***"] * 4]
    assert all(line.startswith("***") and len(line) <= 4 for line in lines[7:]) and len(lines) == 10


def test_get_where_masks_would_not_arrive(vault, tmp_path):
    vault.set("A", "value")
    env = vault.ghoard.environment(more=vault.env | {"GITHUB_ACTIONS": "true"})
    for path in (tmp_path / "err.log", "/dev/null"):
        with open(path, "wb") as problem:
            command = [BINARY, "cred", "get", "A", "--access", "off"]
            run = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=problem)
        assert run.returncode == 2 and not run.stdout
    assert b"value" not in (tmp_path / "err.log").read_bytes()
    assert not vault.audit(action="access_granted")


def test_commands_get_no_way_to_the_key(vault, tmp_path):
    key = tmp_path / "key"
    key.write_bytes(os.urandom(32))
    key.chmod(0o600)
    env = {"GHOARD_MASTER_KEY_FILE": key, "CREDENTIALS_DIRECTORY": tmp_path}
    vault("set", "A", input=b"old", env=env, rc=0)
    prove = '[ "$A" = new ] && ! env | grep -q -e MASTER_KEY -e CREDENTIALS_DIRECTORY'
    vault("rotate", "A", "--verify", prove, input=b"new", env=env, rc=0)
    out = vault("exec", "--names", "A", "--", "/usr/bin/env", env=env, rc=0).out
    assert b"A=new" in out and b"MASTER_KEY" not in out and b"CREDENTIALS_DIRECTORY" not in out


def test_nothing_is_proved_of_what_is_not_there(vault, tmp_path):
    vault.set("A", "old")
    for name, rc in (("NONE", 1), ("NO NE", 2), ("A=B", 2)):
        vault("rotate", name, "--verify", f"touch {tmp_path}/ran", input=b"x", rc=rc)
    assert not (tmp_path / "ran").exists()


def test_an_empty_value_replaces_nothing(vault):
    vault.set("A", "stored")
    given = [{"name": "A", "value": ""}, {"name": "C", "value": "c"}]
    env = {"INPUT": json.dumps(given)}
    run, defined, output, _ = vault.step("--from-json-env", "INPUT", env=env, rc=1)
    assert defined == {"C": "c"} and output == {"count": "1", "status": "partial"} and "empty" in run.err
    assert vault("get", "A", rc=0).out == b"stored"


def test_exec_says_that_its_output_is_lost(vault):
    vault.set("A", "value")
    env = vault.ghoard.environment(more=vault.env)
    with open("/dev/full", "wb") as full:
        command = [BINARY, "cred", "exec", "--access", "off", "--names", "A", "--redact", "--", "echo", "x"]
        run = subprocess.run(command, env=env, stdout=full, stderr=subprocess.PIPE)
    assert run.returncode == 6 and b"output" in run.stderr


def test_json_stores_leave_a_line_each(vault):
    given = [
        {"name": "A", "value": "alpha-secret", "scope": "repo", "ttl_hours": 2},
        {"name": "B", "value": "beta-secret"},
        {"name": "C", "value": ""},
    ]
    vault.step(
        "--from-json-env", "INPUT", env={"GITHUB_REPOSITORY": "o/r", "INPUT": json.dumps(given)}, rc=1
    )
    stored = vault.audit(action="store")
    assert [e["credential"] for e in stored] == ["A", "B"]
    assert stored[0]["details"]["scope"] == "repo" and stored[0]["details"]["scope_filter"] == "o/r"
    assert stored[0]["details"]["ttl_hours"] == 2 and stored[1]["details"]["ttl_hours"] == 24
    assert [e["credential"] for e in vault.audit(action="access_granted")] == ["A", "B"]
    log = (vault.folder / "audit.log").read_text()
    assert "alpha-secret" not in log and "beta-secret" not in log
    vault("audit", "verify", rc=0)
    assert "another program" not in vault("get", "B", rc=0).err


def test_each_line_has_its_anchor_in_the_summary(vault, tmp_path):
    summary = tmp_path / "summary"
    env = {"GITHUB_STEP_SUMMARY": summary}
    for args, given, rc in (
        (("set", "A"), b"value", 0),
        (("get", "A"), None, 0),
        (("get", "NONE"), None, 1),
        (("rotate", "A"), b"other", 0),
        (("exec", "--names", "A", "--", "/bin/true"), None, 0),
        (("exec", "--names", "A,NONE", "--", "/bin/true"), None, 1),
        (("rekey",), None, 0),
        (("set", "S", "--ttl", "1s"), b"short", 0),
        (("rm", "A"), None, 0),
    ):
        summary.write_text("")
        vault(*args, input=given, env=env, rc=rc)
        head = vault("audit", "verify", "--json", rc=0).json["head"]
        assert f"`{head}`" in summary.read_text(), args
    time.sleep(1.1)
    summary.write_text("")
    vault("cleanup", env=env, rc=0)
    assert vault("audit", "verify", "--json", rc=0).json["head"] in summary.read_text()
    # what writes no line prints none
    summary.write_text("")
    for args in (("ls",), ("status",), ("audit", "verify"), ("cleanup",), ("doctor",)):
        vault(*args, env=env, rc=0)
    assert summary.read_text() == ""


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may read another process's memory here; that it is so is the point"
)
@pytest.mark.parametrize("command", [("set", "A"), ("rotate", "A"), ("get", "A")])
def test_nothing_stays_in_memory_of_others(vault, tmp_path, command):
    """At the end of a command, which waits for the summary, its value is nowhere."""
    needle = "needle-" + os.urandom(12).hex()
    value = "".join(f"{needle}-{i:05d}." for i in range(1500)).encode()
    vault.set("A", value if command[0] == "get" else "old")
    held = hold(tmp_path / "summary")
    (tmp_path / "value").write_bytes(value)
    env = vault.ghoard.environment(more=vault.env | {"GITHUB_STEP_SUMMARY": tmp_path / "summary"})
    flags = ["--from-file", tmp_path / "value"] if command[0] != "get" else ["--access", "off"]
    with open(tmp_path / "out", "wb") as out:
        process = subprocess.Popen([BINARY, "cred", *command, *flags], env=env, stdout=out)
    wait_for(lambda: asleep_in(process.pid, 2, 257))
    found = memory_has(process.pid, needle.encode())
    # the search itself works: the terminal's text of the command is there
    assert memory_has(process.pid, str(tmp_path / "summary").encode())
    os.close(held)
    assert process.wait(10) == 0
    assert vault("get", "A", rc=0).out == value
    assert not found


LIBC = ctypes.CDLL(None, use_errno=True)
SEIZE, CONT, DETACH, AT_EXIT = 0x4206, 7, 17, 0x40


def ptrace(request, pid, data=0):
    args = [ctypes.c_long(request), ctypes.c_long(pid), ctypes.c_void_p(0), ctypes.c_void_p(data)]
    return LIBC.ptrace(*args) == 0


def look_at_the_end(pid, look):
    """What `look` says when the process has run to its end and its memory is still there."""
    while True:
        _, status = os.waitpid(pid, 0)
        assert os.WIFSTOPPED(status), "it ended unseen"
        if status >> 8 == signal.SIGTRAP | 6 << 8:
            break
        ptrace(CONT, pid, os.WSTOPSIG(status) if status >> 16 == 0 else 0)
    seen = look()
    ptrace(DETACH, pid)
    return seen


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may read another process's memory here; that it is so is the point"
)
@pytest.mark.parametrize("command", ["exec", "exec --redact", "rekey", "rm"])
def test_nothing_stays_in_memory_at_the_end(vault, tmp_path, command):
    """Values and keys are gone when the process ends, also those that `exec`'s filter had to know until then,
    and both of `rekey`'s; the command that `exec` runs finds no key in its own."""
    needle = "needle-" + os.urandom(12).hex()
    vault.set("A", "".join(f"{needle}-{i:05d}." for i in range(1500)))
    keys = [(vault.folder / ".master_key").read_bytes()]
    held = hold(tmp_path / "summary")
    words = command.split()
    words += {"exec": ["--names", "A", "--", "/bin/sh", "-c", "unset A; exec sleep 0.3"], "rm": ["A"]}.get(
        words[0], []
    )
    words[1:1] = ["--access", "off"] if words[0] == "exec" else []
    env = vault.ghoard.environment(more=vault.env | {"GITHUB_STEP_SUMMARY": tmp_path / "summary"})
    process = subprocess.Popen([BINARY, "cred", *words], env=env, stdout=subprocess.PIPE)
    wait_for(lambda: asleep_in(process.pid, 2, 257))
    if not ptrace(SEIZE, process.pid, AT_EXIT):
        process.kill()
        pytest.skip("no ptrace here")
    # the search works: at the summary exec has the values still to hand out, the others their folder's name
    known = needle if words[0] == "exec" else str(vault.folder)
    assert memory_has(process.pid, known.encode())
    os.close(held)
    if command == "rekey":
        keys.append((vault.folder / ".master_key").read_bytes())
        assert keys[0] != keys[1]
    needles = [needle.encode(), base64.b64encode(needle.encode())[:-4], *keys, *map(base64.b64decode, keys)]
    seen = look_at_the_end(process.pid, lambda: [memory_has(process.pid, n) for n in needles])
    process.stdout.close()
    assert process.wait(10) == 0
    assert seen == [False] * len(needles)
