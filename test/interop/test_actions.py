"""The composite actions in workflows, run by act: outputs, environment, summary, masks, order."""

import hashlib
import json
import os
import re
import shutil

import pytest
import rig
import scanning
import workflows
from fake import Proxy

SHA256 = hashlib.sha256(rig.BINARY.read_bytes()).hexdigest()
BINARY = f"source: {rig.BINARY.parent}\n  sha256: {SHA256}"
REPO = "/repos/octocat/hello-world"


@pytest.fixture
def runner(fake, client, tmp_path):
    made = workflows.Runner(tmp_path, fake, client("act") / "act")
    made.write("README.md", "# An example\n")
    made.write("app.py", "import os, sys\nos.system(sys.argv[1])\nprint(1)\n")
    yield made
    made.close()


def workflow(*steps, on="push", **more):
    """A workflow of one job; a step is the lines of its mapping."""
    text = f"name: test\non: {on}\njobs:\n  one:\n    runs-on: ubuntu-latest\n"
    for key, value in more.items():
        text += f"    {key}: {value}\n"
    text += "    steps:\n"
    for step in ("uses: actions/checkout@v5", *steps):
        lines = step.strip("\n").splitlines()
        text += "".join(f"      {'- ' if n == 0 else '  '}{line}\n" for n, line in enumerate(lines))
    return text


def use(action, *inputs, head=""):
    lines = "".join(f"\n  {line}" for line in (*inputs, BINARY))
    return f"{head}uses: {workflows.ACTION}/actions/{action}@{workflows.REF}\nwith:{lines}"


TOKEN = "github-token: ${{ secrets.GITHUB_TOKEN }}"
SETUP = use("setup-github-cache", TOKEN, head="id: cache\n")
REPORT = use("report", head="name: report\nif: always()\n")


def run(name, *commands):
    return f"name: {name}\nrun: |" + "".join(f"\n  {c}" for c in commands)


PERSIST = {"GHOARD_PERSIST_SECRET": "p" * 40}


@pytest.fixture
def hosted(fake):
    """The runner's environment on a machine of GitHub's, with the job's token for the Actions cache."""
    return {
        "ACTIONS_RESULTS_URL": f"{fake.http}/",
        "ACTIONS_RUNTIME_TOKEN": fake.caches.token(),
        "RUNNER_ENVIRONMENT": "github-hosted",
    }


def asked(fake):
    """How often GitHub was asked about the repository itself: the daemon also looks for peers."""
    return sum(r.path.endswith(REPO) for r in fake.find(billable=True))


def test_setup_and_report(runner, fake, hosted):
    runner.write(
        ".github/workflows/w.yml",
        workflow(
            SETUP,
            run(
                "outputs",
                'echo "$(printf "%s/" \\',
                '  "${{ steps.cache.outputs.cache-status }}" "${{ steps.cache.outputs.peer-count }}")"',
                'test "${{ steps.cache.outputs.cache-dir }}" = "$HOME/.cache/github-api-p2p"',
            ),
            run(
                "environment",
                "for v in ENABLE_P2P_CACHE GITHUB_CACHE_SIZE CACHE_DEFAULT_TTL P2P_LISTEN_PORT \\",
                '  ENABLE_PEER_DISCOVERY CACHE_DIR; do eval "echo $v=\\$$v"; done',
                'case $GHOARD_SOCKET in "$RUNNER_TEMP"/*) ;; *) exit 1 ;; esac',
            ),
            run(
                "calls",
                "for i in 1 2 3; do",
                '  curl -sf -H "Authorization: token ${{ secrets.GITHUB_TOKEN }}" \\',
                '    "$GHOARD_API_URL/repos/octocat/hello-world" >/dev/null',
                "done",
                'curl -sf --unix-socket "$GHOARD_SOCKET" http://localhost/_ghoard/health >/dev/null',
            ),
            REPORT,
            run("after", 'test -z "$GHOARD_API_URL$GH_CONFIG_DIR$GHOARD_SOCKET"', 'ls -A "$RUNNER_TEMP"'),
        ),
    )
    runner.commit()
    log = runner(env=hosted)
    assert [s for s, _ in log.steps()] == [
        "actions/checkout@v5",
        "OWNER/ghoard/actions/setup-github-cache@v1",
        "outputs",
        "environment",
        "calls",
        "report",
        "after",
    ]
    assert {r for _, r in log.steps()} == {"success"}, log
    assert "success/0/" in log.said("outputs")
    home = runner.home / ".cache" / "github-api-p2p"
    assert log.said("environment").split()[:6] == [
        "ENABLE_P2P_CACHE=true",
        "GITHUB_CACHE_SIZE=5000",
        "CACHE_DEFAULT_TTL=300",
        "P2P_LISTEN_PORT=9000",
        "ENABLE_PEER_DISCOVERY=true",
        f"CACHE_DIR={home}",
    ]
    assert asked(fake) == 1, fake.requests
    assert "api_calls_saved | 2" in log.text.replace("\\n", "\n"), log
    # but for the program, which a step can call until the runner empties its folder
    assert "ghoard-" not in log.said("after").replace("ghoard-bin.", ""), "the job's folder stays"
    assert not log.warnings()
    (file,) = {line["arg"] for line in log.commands("set-output") if line.get("name") == "file"}
    assert file.startswith(f"{runner.home}/") and not os.path.exists(file)
    assert hosted["ACTIONS_RUNTIME_TOKEN"] not in log.text, "an export, an output or a line has the token"


@pytest.fixture
def proxy(fake, github):
    """GitHub's own name on a machine without a network: the daemon finds it through HTTPS_PROXY."""
    started = Proxy({"api.github.com:443": (github, 443)}).start()
    yield started
    started.stop()


def test_gh_through_the_socket(runner, fake, proxy):
    """gh finds the daemon by its own configuration, also after the daemon was killed or ended idle."""
    (runner.home / ".config" / "gh").mkdir(parents=True)
    own = runner.home / ".config" / "gh" / "config.yml"
    own.write_text("git_protocol: ssh\nhttp_unix_socket: /nowhere\naliases:\n    v: repo view\n")
    before = own.read_text()
    runner.write(
        ".github/workflows/w.yml",
        workflow(
            use("setup-github-cache", TOKEN, "idle-exit: 1s", head="id: cache\n"),
            run("kept", "gh config get git_protocol", "gh alias list"),
            run(
                "calls",
                "for i in 1 2 3 4 5 6; do",
                "  gh api repos/octocat/hello-world --jq .full_name",
                "  kill -9 $(ghoard status --json | sed -n 's/.*\"pid\": *\\([0-9]*\\).*/\\1/p')",
                "done",
            )
            + "\nenv:\n  GH_TOKEN: ${{ secrets.GITHUB_TOKEN }}",
            run("rested", "sleep 3", "gh api repos/octocat/hello-world --jq .full_name")
            + "\nenv:\n  GH_TOKEN: ${{ secrets.GITHUB_TOKEN }}",
            REPORT,
        ),
    )
    runner.commit()
    log = runner(env={"HTTPS_PROXY": proxy.url, "https_proxy": proxy.url})
    assert "ssh" in log.said("kept") and "repo view" in log.said("kept")
    assert log.said("calls").split().count("octocat/hello-world") == 6, log
    assert log.said("rested").split() == ["octocat/hello-world"], log
    assert asked(fake) == 1
    assert log.text.count("ended by signal 9") >= 5, "nobody was killed"
    assert own.read_text() == before


def test_inject_masks(runner, fake):
    listed = json.dumps([{"name": "DEPLOY_KEY", "value": "hunter2-hunter2\nsecond-line", "scope": "repo"}])
    runner.write(
        ".github/workflows/w.yml",
        workflow(
            use("inject-credentials", TOKEN, "credentials: ${{ secrets.LIST }}", head="id: inject\n"),
            run(
                "use",
                'echo "${{ steps.inject.outputs.credentials-injected }} ${{ steps.inject.outputs.status }}"',
                'echo "shown: $DEPLOY_KEY"',
                'test "$(printf %s "$DEPLOY_KEY" | tail -n 1)" = second-line',
                'test "$CREDENTIALS_DIR" = "$HOME/.credentials"',
            ),
            REPORT,
        ),
    )
    runner.commit()
    log = runner(secrets={"LIST": listed})
    assert "1 success" in log.said("use")
    assert "hunter2" not in log.said() and "second-line" not in log.said(), log
    assert "audit log stands at line" in log.text


def test_inject_fails_the_job(runner):
    runner.write(
        ".github/workflows/w.yml",
        workflow(
            use("inject-credentials", TOKEN, "credential-names: NOT_THERE", head="id: inject\n"),
            run("never", "echo never"),
        ),
    )
    runner.commit()
    log = runner(rc=1)
    assert ("never", "success") not in log.steps(), log


def test_a_runner_that_cannot(runner):
    """No binary for this machine: disabled, one warning, and the job goes on."""
    text = workflow(
        SETUP,
        use("setup-codeql-cache", TOKEN, head="id: scan\n"),
        run(
            "see",
            'echo "${{ steps.cache.outputs.cache-status }} ${{ steps.scan.outputs.cache-status }}'
            ' ${{ steps.scan.outputs.should-skip-scan }}"',
        ),
        REPORT,
    )
    runner.write(".github/workflows/w.yml", text.replace(str(rig.BINARY.parent), "/no/ghoard/here"))
    shutil.rmtree(runner.home / ".cache" / "act" / "tool_cache")
    runner.commit()
    log = runner()
    assert "disabled disabled false" in log.said("see"), log
    # one a step; act tells a composite's once more
    assert len(log.warnings()) == 3, log
    assert "::set-env" not in log.said()


# ---- CodeQL ----

NEEDED = "if: steps.cache.outputs.should-skip-scan != 'true'\n"


def codeql():
    inputs = (
        *(TOKEN, "languages: python", f"codeql-version: {scanning.VERSION}", "build-mode: none"),
        "category: /language:python",
    )
    return workflow(
        use("setup-codeql-cache", *inputs, head="id: cache\n"),
        f"name: scan\n{NEEDED}uses: github/codeql-action/analyze@v4\n"
        "with:\n  category: /language:python\n  output: results",
        use("save-codeql-cache", "sarif: results", head=f"id: save\nname: save\n{NEEDED}"),
        run(
            "outputs",
            'echo "skip=${{ steps.cache.outputs.should-skip-scan }}"',
            'echo "reason=${{ steps.cache.outputs.reason }}"',
            'echo "stored=${{ steps.save.outputs.stored }} alerts=${{ steps.save.outputs.alerts }}"',
            'echo "status=${{ steps.cache.outputs.cache-status }} key=${{ steps.cache.outputs.cache-key }}"',
        ),
        on="[push, pull_request]",
    )


@pytest.fixture
def scans(runner):
    runner.write(".github/workflows/codeql.yml", codeql())
    runner.write(".gitignore", "results/\n")
    return runner


def verdict(log):
    said = log.said("outputs")
    return {**dict(re.findall(r"(\w+)=(\S*)", said)), "scanned": "SCANNED" in log.said("scan")}


def uploads(fake):
    return [
        (u["commit_sha"], len(json.loads(u["sarif"])["runs"][0]["results"]))
        for u in getattr(fake.model.repo("octocat/hello-world"), "uploads", [])
    ]


def test_codeql_four_times(scans, fake):
    """Scan; skip the same commit; skip one that changes prose alone; scan a changed source."""
    first = scans.commit()
    one = verdict(scans())
    assert one["scanned"] and one["stored"] == "true" and one["alerts"] == "1", one
    assert one["status"] == "success" and one["key"].startswith("ghoard-codeql-")
    two = verdict(scans())
    assert not two["scanned"] and two["skip"] == "true" and two["reason"] == "hit-commit", two
    scans.write("README.md", "# Another text\n")
    second = scans.commit()
    three = verdict(scans())
    assert not three["scanned"] and three["reason"] == "hit-tree", three
    scans.write("app.py", "print(2)\n")
    scans.commit()
    four = verdict(scans())
    assert four["scanned"] and four["skip"] == "false" and four["reason"] == "miss-sources", four
    assert uploads(fake) == [(first, 1), (second, 1)], "the stand-in holds another analysis"


def test_codeql_upload_fails(scans, fake):
    """GitHub did not take the result, so there is none: scan, and the job goes on."""
    scans.commit()
    assert verdict(scans())["stored"] == "true"
    fake.model.repo("octocat/hello-world").fields["code_scanning"] = False
    refused = verdict(scans())
    assert refused["scanned"] and refused["skip"] == "false" and refused["reason"] == "upload-failed"
    del fake.model.repo("octocat/hello-world").fields["code_scanning"]
    assert verdict(scans())["skip"] == "true"


def test_codeql_read_only_token(scans, fake):
    scans.commit()
    scans()
    fake.model.add_token("read-token", "alice", read_only=True)
    log = scans(secrets={"GITHUB_TOKEN": "read-token"})
    assert verdict(log)["scanned"] and verdict(log)["reason"] == "upload-failed", log
    assert "security-events: write" in " ".join(log.warnings())
    assert not uploads(fake)


def test_codeql_processing_fails(scans, fake):
    scans.commit()
    scans()
    repo = fake.model.repo("octocat/hello-world")
    repo.fields["upload_faults"] = ["the stand-in does not like it"]
    log = scans()
    assert verdict(log)["scanned"] and verdict(log)["reason"] == "upload-failed", log


def test_codeql_fork(scans, fake):
    """Its token may not upload, so it scans; and what it has stored answers no branch of this repository."""
    scans.commit()
    head = {"repo": {"full_name": "stranger/hello-world", "fork": True}, "ref": "patch", "sha": "0" * 40}
    base = {"repo": {"full_name": "octocat/hello-world"}, "ref": "main", "sha": "1" * 40}
    payload = {"pull_request": {"number": 7, "head": head, "base": base}, "number": 7}
    fake.model.add_token("fork-token", "alice", read_only=True)
    fork = {"event": "pull_request", "payload": payload, "secrets": {"GITHUB_TOKEN": "fork-token"}}
    one = verdict(scans(**fork))
    assert one["scanned"] and one["reason"] == "miss-none" and one["stored"] == "true", one
    two = verdict(scans(**fork))
    assert two["scanned"] and two["skip"] == "false" and two["reason"] == "upload-failed", two
    branch = verdict(scans())
    assert branch["scanned"] and branch["reason"].startswith("miss-"), branch
    assert not uploads(fake)


# ---- the examples, as their readers have them ----


def example(name):
    return workflows.examples(rig.ROOT / "actions" / "README.md")[name]


@pytest.fixture(params=["on", "off"])
def served(request, tmp_path):
    """The environment of a runner that ghoard serves, and of one that it does not."""
    if request.param == "on":
        return {}
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "uname").write_text("#!/bin/sh\necho Plan9\n")
    (tmp_path / "other" / "uname").chmod(0o755)
    return {"PATH": f"{tmp_path / 'other'}:{os.environ['PATH']}"}


def test_example_matrix(runner, fake, proxy, served):
    look = "\n          test -s issues.json && test -s repo.json && echo both"
    text = example("labels").replace(">repo.json", f">repo.json{look}")
    runner.write(".github/workflows/w.yml", text)
    runner.commit()
    env = {"HTTPS_PROXY": proxy.url, "https_proxy": proxy.url, **served}
    for turn in range(2):
        log = runner(secrets={"GHOARD_P2P_SECRET": "s" * 40}, env=env)
        assert log.steps().count(("calls", "success")) == 3 and log.said("calls").count("both") == 3, log
        assert {result for _, result in log.steps()} == {"success"}
        calls = [r.path for r in fake.find(billable=True) if r.path.endswith((REPO, f"{REPO}/issues"))]
        fake.forget()
        if served:
            assert calls.count(REPO) == 3 and len(log.warnings()) == 6, log
            continue
        assert log.said().count("GitHub API cache: success, http://127.0.0.1:") == 3, log
        # the jobs of the first run may ask at the same moment
        assert 2 <= len(calls) <= 6 if turn == 0 else not calls, calls
        assert not log.warnings()


def test_example_codeql(runner, fake, served):
    runner.write(".github/workflows/codeql.yml", example("codeql"))
    runner.write(".gitignore", "sarif-results/\n")
    commit = runner.commit()
    log = runner(env=served)
    assert "SCANNED" in log.said() and {result for _, result in log.steps()} == {"success"}, log
    assert ("SCANNED" in runner(env=served).said()) == bool(served)
    assert uploads(fake) == ([] if served else [(commit, 1)])


def forget(runner):
    """The next machine is a new one."""
    for name in ("codeql", "github-api-p2p"):
        shutil.rmtree(runner.home / ".cache" / name, ignore_errors=True)


def test_codeql_persists(runner, fake, hosted):
    """A machine that has nothing is given the scan that another one kept; without the secret it is not."""
    runner.write(".github/workflows/codeql.yml", example("codeql"))
    runner.write(".gitignore", "sarif-results/\n")
    runner.commit()
    assert "SCANNED" in runner(secrets=PERSIST, env=hosted).said()
    (key,) = fake.caches.keys("ghoard-codeql-")
    assert b"command-line-injection" not in fake.caches.entries[0]["data"], "it is not sealed"
    forget(runner)
    log = runner(secrets=PERSIST, env=hosted)
    assert "SCANNED" not in log.said(), log
    files = [line["arg"] for line in log.commands("set-output") if line.get("name") == "file"]
    assert files and not [f for f in files if os.path.exists(f)], "the token's file stays"
    forget(runner)
    without = runner(env=hosted)
    assert "SCANNED" in without.said() and fake.caches.keys("ghoard-codeql-") == [key]


def test_answers_persist(runner, fake, hosted):
    persist = "persist-secret: ${{ secrets.GHOARD_PERSIST_SECRET }}"
    call = 'ghoard api "/repos/octocat/hello-world" >/dev/null'
    steps = (
        use("setup-github-cache", TOKEN, "enable-p2p: false", persist, head="id: cache\n"),
        run("call", call) + "\nenv:\n  GH_TOKEN: ${{ secrets.GITHUB_TOKEN }}",
        use("report", persist, head="name: report\nif: always()\n"),
    )
    runner.write(".github/workflows/w.yml", workflow(*steps))
    runner.commit()
    runner(secrets=PERSIST, env=hosted)
    assert len(fake.caches.keys("ghoard-api-")) == 1 and fake.count(path="/repos/*/hello-world") == 0
    fake.forget()
    forget(runner)
    runner(secrets=PERSIST, env=hosted)
    assert fake.count(billable=True) <= 1, "a warm machine asked again what the cold one had"


def test_a_peer_is_registered(runner, fake, hosted):
    """By the token that the runtime action handed over; without a secret in common there are no peers."""
    wait = "for i in 1 2 3 4 5 6 7 8 9 10; do ghoard peers ls >/dev/null; sleep 0.3; done"
    runner.write(
        ".github/workflows/w.yml",
        workflow(
            use("setup-github-cache", TOKEN, "p2p-secret: ${{ secrets.P2P }}", head="id: cache\n"),
            run("wait", wait, 'echo "$(ghoard status)"'),
        ),
    )
    runner.commit()
    log = runner(secrets={"P2P": "s" * 40}, env={**hosted, "RUNNER_ENVIRONMENT": "self-hosted"})
    assert len(fake.caches.keys()) >= 1, log


def test_example_credentials(runner):
    runner.write(".github/workflows/w.yml", example("deploy"))
    runner.write(
        "deploy.sh", '#!/bin/sh\ntest "$DEPLOY_KEY" = correct-horse && echo "deployed with $DEPLOY_KEY"\n'
    )
    (runner.tree / "deploy.sh").chmod(0o755)
    runner.commit()
    listed = json.dumps([{"name": "DEPLOY_KEY", "value": "correct-horse", "scope": "repo", "ttl_hours": 1}])
    log = runner(secrets={"DEPLOY_CREDENTIALS": listed})
    assert "deployed with ***" in log.said("deploy") and "correct-horse" not in log.said(), log


def test_example_air_gapped(runner, tmp_path, proxy, served):
    source = tmp_path / "opt"
    source.mkdir()
    (source / "ghoard").write_bytes(rig.BINARY.read_bytes())
    (source / "ghoard").chmod(0o755)
    runner.write(".github/workflows/w.yml", example("air-gapped").replace("/opt/ghoard", str(source)))
    runner.commit()
    log = runner(env={"HTTPS_PROXY": proxy.url, "https_proxy": proxy.url, **served})
    assert {result for _, result in log.steps()} == {"success"}, log
    assert len(log.warnings()) == (2 if served else 0), log


def test_reference_example(runner, fake):
    """Five jobs; the scan of the first run answers the second's, whose condition leaves it out."""
    runner.write(
        ".github/workflows/w.yml", (rig.ROOT / "test" / "interop" / "reference.yml").read_text()
    )
    runner.write(".gitignore", "sarif-results/\n")
    commit = runner.commit()
    secrets = {"CUSTOM_API_KEY": "a-custom-key-of-them"}
    first = runner(secrets=secrets)
    assert {line["jobID"] for line in first.lines if line.get("jobID")} == {
        *("setup-cache", "test-with-cache", "security-scan", "autoscaler-integration", "performance-summary")
    }
    said = first.said("status")
    assert "api success 0" in said and "codeql success false" in said and "creds 1 success" in said, first
    assert "a-custom-key" not in first.said()
    assert "total_hits" in first.said("statistics")
    assert "skip=false" in first.said("verdict") and "SCANNED" in first.said()
    assert "peers 0 api success" in first.said("summary")
    second = runner(secrets=secrets)
    assert "skip=true" in second.said("verdict") and "SCANNED" not in second.said()
    assert ("analyze", "success") not in second.steps("security-scan")
    assert uploads(fake) == [(commit, 1)]


# ---- linters ----


def action_files():
    return sorted((rig.ROOT / "actions").glob("*/action.yml"))


def workflow_files():
    return sorted((rig.ROOT / ".github" / "workflows").glob("*.yml"))


def test_actionlint(client, program, tmp_path):
    texts = {p.name: p.read_text() for p in workflow_files()}
    texts["reference.yml"] = (rig.ROOT / "test" / "interop" / "reference.yml").read_text()
    texts |= {f"{n}.yml": t for n, t in workflows.examples(rig.ROOT / "actions" / "README.md").items()}
    assert len(texts) >= 6
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        assert program(client("act") / "actionlint", "-no-color", "-shellcheck=", tmp_path / name) == ""


def test_action_validator(client, program, tmp_path):
    """Its schema is older than the permission `attestations`, which actionlint knows."""
    tool = client("action-validator") / "node_modules" / ".bin" / "action-validator"
    for path in action_files():
        program("node", tool, path)
    for path in workflow_files():
        text = re.sub(r"^ +attestations: write\n", "", path.read_text(), flags=re.M)
        (tmp_path / path.name).write_text(text)
        program("node", tool, tmp_path / path.name)
