"""`ghoard codeql`: what a workflow does not show to its steps must be said, or it is a miss."""

import pytest
from scanning import KEY, REPO, Job, git, result, sarif

ACTIONS = {"GITHUB_ACTIONS": "true"}


@pytest.fixture
def job(ghoard, tmp_path):
    return Job(ghoard, tmp_path / "job")


# ---- the matrix


def test_in_actions_the_matrix_must_be_said(job):
    found = job.check(rc=1, **ACTIONS)
    assert found["reason"] == "miss-config" and "toJSON(matrix)" in found["detail"]
    job.check("--allow-unpinned", rc=1, **ACTIONS)
    job.store(None, "--allow-unpinned", **ACTIONS)
    assert job.check("--allow-unpinned", rc=0, **ACTIONS)["pinned"] is False
    assert job.check(rc=1, **ACTIONS)["reason"] == "miss-config"
    assert not job.check(rc=1, GHOARD_MATRIX="", **ACTIONS)["skip"], "whose matrix it was nobody knows"


@pytest.mark.parametrize("args, env", [
    (("--matrix", ""), {}), (("--matrix", "null"), {}), (("--matrix="), {}),
    ((), {"GHOARD_MATRIX": ""}), ((), {"GHOARD_MATRIX": "null"}),
])  # fmt: skip
def test_a_job_without_a_matrix(job, args, env):
    args = (args,) if isinstance(args, str) else args
    job.check(*args, rc=1, **ACTIONS, **env)
    job.store(None, *args, **ACTIONS, **env)
    assert job.check(*args, rc=0, **ACTIONS, **env)["pinned"]
    assert job.check(rc=0)["skip"], "outside Actions none is none"


def test_two_legs_have_two_keys(job):
    legs = [{**ACTIONS, "GHOARD_MATRIX": '{\n  "python": "3.%d"\n}' % n} for n in (11, 12)]
    job.scan(**legs[0])
    assert job.check(rc=0, **legs[0])["skip"]
    assert job.check(rc=1, **legs[1])["reason"] == "miss-config"
    assert job.check("--matrix", legs[0]["GHOARD_MATRIX"], rc=0, **legs[1])["skip"], "the flag is first"
    assert "JSON" in job("check", rc=2, **{**ACTIONS, "GHOARD_MATRIX": "{"}).one_line()


# ---- the workflow file


WORKFLOW = ".github/workflows/codeql.yml"


def sparse(job, *folders, mode="--cone"):
    git(job.tree, "sparse-checkout", "set", mode, *folders)


@pytest.mark.parametrize("index", [[], ["--sparse-index"]])
def test_a_sparse_checkout_without_the_workflow(job, index):
    sparse(job, *index, "lib")
    assert not (job.tree / ".github").exists()
    job.scan()
    assert job.check(rc=0)["skip"]
    git(job.tree, "sparse-checkout", "disable")
    (job.tree / WORKFLOW).write_text("on: [push]\n")
    job.commit("another workflow")
    sparse(job, *index, "lib")
    assert not (job.tree / ".github").exists() and job.check(rc=1)["reason"] == "miss-sources"


def test_a_workflow_that_was_removed_from_disk(job):
    (job.tree / WORKFLOW).unlink()
    job.scan()
    git(job.tree, "checkout", "-q", ".")
    assert job.check(rc=1)["reason"] == "miss-sources", "an extractor reads it where it is"
    (job.tree / WORKFLOW).write_text("on: [push]\n")
    job.commit("another workflow")
    (job.tree / WORKFLOW).unlink()
    assert job.check(rc=1)["reason"] == "miss-sources"


def test_a_workflow_that_is_not_in_the_tree(job):
    elsewhere = {"GITHUB_WORKFLOW_REF": f"octocat/rules/{WORKFLOW}@refs/heads/main"}
    found = job.check(rc=1, **elsewhere)
    assert found["reason"] == "miss-config" and "GITHUB_WORKFLOW_SHA" in found["detail"]
    gone = {"GITHUB_WORKFLOW_REF": f"{REPO}/.github/workflows/gone.yml@refs/heads/main"}
    assert job.check(rc=1, **gone)["reason"] == "miss-config"
    for where in (elsewhere, gone):
        known, other = ({**where, "GITHUB_WORKFLOW_SHA": digit * 40} for digit in "12")
        job.scan(**known)
        assert job.check(rc=0, **known)["skip"] and job.check(rc=1, **other)["reason"] == "miss-config"


def test_a_workflow_of_another_commit_than_the_checkout_s(job):
    """As when a pull request's head is checked out: the merge commit's workflow runs."""
    job.scan(GITHUB_WORKFLOW_SHA=job.head)
    assert job.check(rc=0)["skip"]
    assert job.check(rc=1, GITHUB_WORKFLOW_SHA="5" * 40)["reason"] == "miss-config"


@pytest.mark.parametrize("uses, pinned", [
    ("o/r/.github/workflows/x.yml@main", False),
    ("'o/r/.github/workflows/x.yaml@v4'  # comment", False),
    ("'o/r/.github/workflows/a x.yml@main'", False),
    ("o/r/.github/workflows/x.yml@" + "a1" * 20, True),
    ("./.github/workflows/x.yml", True),
    ("actions/checkout@v5", True),
])  # fmt: skip
def test_a_reusable_workflow_is_pinned_by_its_commit(job, uses, pinned):
    (job.tree / WORKFLOW).write_text(f"on: push\njobs:\n  scan:\n    uses: {uses}\n")
    (job.tree / ".github" / "workflows" / "x.yml").write_text("on: workflow_call\n")
    job.commit()
    found = job.check(rc=1)
    if pinned:
        job.store()
        assert job.check(rc=0)["skip"]
    else:
        assert found["reason"] == "miss-config" and "x.y" in found["detail"]


@pytest.mark.parametrize("away", [False, True])
def test_a_workflow_of_this_tree_may_call_one_that_is_not_pinned(job, away):
    (job.tree / WORKFLOW).write_text("jobs: {scan: {uses: ./.github/workflows/x.yml}}\n")
    (job.tree / ".github" / "workflows" / "x.yml").write_text(
        f"jobs: {{a: {{uses: ./{WORKFLOW}}}, b: {{uses: o/r/.github/workflows/y.yml@v1}}}}\n"
    )
    job.commit()
    if away:
        sparse(job, "--sparse-index", "lib")
    assert "y.yml@v1" in job.check(rc=1)["detail"]


# ---- what a path of the configuration is below


@pytest.mark.parametrize("told", [True, False])
def test_a_configuration_is_named_from_the_top(job, told):
    """As init does, which gets source-root and config-file beside each other."""
    files = {
        "conf/c.yml": "name: x\n", "c.yml": "packs: [a/b]\n", "svc/c.yml": "name: x\n",
        "svc/own.yml": "name: x\n", "svc/app.py": "x = 1\n",
    }  # fmt: skip
    for name, text in files.items():
        (job.tree / name).parent.mkdir(exist_ok=True)
        (job.tree / name).write_text(text)
    job.commit()
    job.env = {"GITHUB_WORKSPACE": job.tree} if told else {}
    for name in ("./conf/c.yml", "conf/c.yml", "own.yml", job.tree / "svc/c.yml"):
        job.key = (*KEY, "--source", "svc", "--config-file", name)
        job.check(rc=1)
        job.store(sarif([]))
        assert job.check(rc=0)["skip"]
    job.key = (*KEY, "--source", "svc", "--config-file", "./c.yml")
    assert "a/b" in job.check(rc=1)["detail"], "that of svc is another one"


def test_a_checkout_beside_its_configuration(job):
    """Both of `path: main` and `path: conf`: the workspace is above."""
    top = job.tree.parent
    (top / "conf").mkdir()
    (top / "conf" / "c.yml").write_text("queries:\n  - uses: ./conf/a.ql\n")
    (top / "conf" / "a.ql").write_text("select 1\n")
    (job.tree / "conf").mkdir()
    (job.tree / "conf" / "a.ql").write_text("select 0\n")
    job.commit()
    job.env = {"GITHUB_WORKSPACE": top}
    job.key = (*KEY, "--config-file", "./conf/c.yml")
    job.scan()
    assert job.check(rc=0)["skip"]
    for name in ("a.ql", "c.yml"):
        text = (top / "conf" / name).read_text()
        (top / "conf" / name).write_text(text + "# more\n")
        assert job.check(rc=1)["reason"] == "miss-config"
        (top / "conf" / name).write_text(text)
        assert job.check(rc=0)["skip"]


# ---- pull requests and their bases


def pull(base, number=5, head=REPO):
    base = {"base": {"sha": base * 40, "ref": "main"}} if base else {}
    head = {"sha": "2" * 40, "repo": {"full_name": head}}
    return {
        "event": "pull_request", "ref": f"refs/pull/{number}/merge",
        "payload": {"pull_request": {"number": number, "head": head, **base}},
    }  # fmt: skip


@pytest.mark.parametrize("head", [REPO, "mallory/fork"])
def test_what_a_pull_request_found_is_of_its_base(job, head):
    job.scan(**pull("a", head=head))
    assert job.check(rc=0, **pull("a", head=head))["skip"]
    assert job.check(rc=1, **pull("b", head=head))["skip"] is False, "other lines are the request's"
    assert job.check(rc=1, **pull(None, head=head))["skip"] is False
    assert job.check(rc=1)["skip"] is False
    job.scan(**pull("b", head=head))
    job.scan()
    assert job.check(rc=0, **pull("c", head=head))["skip"], "a branch's result is of all lines"


def test_an_unknown_base_is_like_no_other(job):
    job.scan(**pull(None))
    assert job.check(rc=1, **pull(None))["skip"] is False


@pytest.mark.parametrize("event", ["pull_request_target", "pull_request_review", "push"])
def test_any_event_of_a_pull_request_is_of_its_base(job, event):
    """The action takes the lines to look at from the payload, whatever the event is called."""
    args = ("--commit", job.head, "--ref", "refs/pull/5/merge")

    def of(base, head="mallory/fork"):
        return {**pull(base, head=head), "event": event}

    job.check(*args, rc=1, **of("a"))
    job.store(None, *args, **of("a"))
    assert job.check(*args, rc=0, **of("a"))["skip"]
    assert job.check(*args, rc=1, **of("b"))["skip"] is False
    assert job.check(*args, rc=1, **of("a", "eve/fork"))["skip"] is False
    assert job.check(*args, rc=1, **of(None))["skip"] is False
    assert job.check(rc=1)["skip"] is False, "no more than a pull request's is this one's"


# ---- version managers


def program(path, text="#!/bin/sh\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def built(job, manager):
    """A machine with a version manager's shims in front, and two versions."""
    job.key = ("--language", "python", "--codeql-version", "2.25.6", "--build-mode", "manual", "--category",
               "/language:python")  # fmt: skip
    home = job.folder / "home"
    job.env = {"HOME": home, "PATH": f"{home}/shims"}
    if manager == "rustup":
        job.env["PATH"] = home / ".cargo" / "bin"
        program(home / ".cargo" / "bin" / "rustup", "the manager")
        (home / ".cargo" / "bin" / "rustc").symlink_to("rustup")
        for version in ("stable-x86_64-unknown-linux-gnu", "1.80.0-x86_64-unknown-linux-gnu"):
            program(home / ".rustup" / "toolchains" / version / "bin" / "rustc", version)
        settings = home / ".rustup" / "settings.toml"
        settings.write_text('version = "12"\ndefault_toolchain = "stable-x86_64-unknown-linux-gnu"\n')
    else:
        root = home / f".{manager}"
        job.env["PATH"] = root / "shims"
        tool = {"pyenv": "python3", "rbenv": "ruby"}[manager]
        program(root / "shims" / tool)
        for version in ("3.11.9", "3.12.1"):
            program(root / "versions" / version / "bin" / tool, version)
        (root / "version").write_text("3.11.9\n")
    return home


def bump(path):
    path.write_text(path.read_text() + " and newer")


SHIMS = {
    "rustup, the toolchain is updated": ("rustup", {}, lambda h: bump(
        h / ".rustup/toolchains/stable-x86_64-unknown-linux-gnu/bin/rustc")),
    "rustup, another default": ("rustup", {}, lambda h: (h / ".rustup/settings.toml").write_text(
        'default_toolchain = "1.80.0-x86_64-unknown-linux-gnu"\n')),
    "rustup, a file above the checkout": ("rustup", {}, lambda h: (
        h.parent / "rust-toolchain").write_text("1.80.0\n")),
    "pyenv, another version": ("pyenv", {}, lambda h: (h / ".pyenv/version").write_text("3.12.1\n")),
    "pyenv, the version is another": ("pyenv", {}, lambda h: bump(
        h / ".pyenv/versions/3.11.9/bin/python3")),
    "pyenv, a file above the checkout": ("pyenv", {}, lambda h: (
        h.parent / ".python-version").write_text("3.12.1\n")),
    "rbenv": ("rbenv", {}, lambda h: bump(h / ".rbenv/versions/3.11.9/bin/ruby")),
}  # fmt: skip


@pytest.mark.parametrize("what", SHIMS)
def test_what_is_behind_a_shim_is_an_input(job, what):
    manager, env, change = SHIMS[what]
    home = built(job, manager)
    job.env.update(env)
    job.scan()
    assert job.check(rc=0)["skip"] and job.check(rc=0)["pinned"]
    change(home)
    assert job.check(rc=1)["reason"] == "miss-config"


@pytest.mark.parametrize("manager, name, value", [
    ("pyenv", "PYENV_VERSION", "3.12.1"), ("rustup", "RUSTUP_TOOLCHAIN", "1.80.0"),
])  # fmt: skip
def test_the_variable_of_a_version_manager_is_an_input(job, manager, name, value):
    built(job, manager)
    job.scan()
    assert job.check(rc=1, **{name: value})["reason"] == "miss-config"
    job.scan(**{name: value})
    assert job.check(rc=0, **{name: value})["skip"]
    assert "9.9" in job.check(rc=1, **{name: "9.9"})["detail"], "not there, so whatever is fetched"


@pytest.mark.parametrize("where", [".asdf/shims", ".local/share/mise/shims", ".volta/bin", "snap/bin"])
def test_a_shim_that_is_not_understood_is_not_pinned(job, where):
    home = built(job, "pyenv")
    job.env["PATH"] = home / where
    shared = {".volta/bin": "volta-shim", "snap/bin": "snap"}.get(where)
    if shared:
        program(home / where / shared)
        (home / where / "node").symlink_to(shared)
    else:
        program(home / where / "node")
    found = job.check(rc=1)
    assert found["reason"] == "miss-config" and "node" in found["detail"]
    job.key = KEY
    job.scan()
    assert job.check(rc=0)["skip"], "without a build no compiler matters"


def test_bazelisk_is_what_it_would_fetch(job):
    home = built(job, "pyenv")
    job.env["PATH"] = home / "bin"
    program(home / "lib/node_modules/@bazel/bazelisk/bazelisk.js")
    (home / "bin").mkdir()
    (home / "bin/bazel").symlink_to(home / "lib/node_modules/@bazel/bazelisk/bazelisk.js")
    assert "bazelisk" in job.check(rc=1)["detail"], "the newest, whichever that is"
    assert job.check(rc=1, USE_BAZEL_VERSION="7.x")["reason"] == "miss-config"
    exact = {"USE_BAZEL_VERSION": "7.4.1"}
    job.scan(**exact)
    assert job.check(rc=0, **exact)["skip"]
    assert job.check(rc=1, USE_BAZEL_VERSION="7.4.2")["reason"] == "miss-config"
    (job.folder / ".bazelversion").write_text("7.4.1\n")
    job.scan()
    assert job.check(rc=0)["skip"]
    assert job.check(rc=1, BAZELISK_BASE_URL="https://example.org/")["reason"] == "miss-config"
    for rc in (job.folder / ".bazeliskrc", home / ".bazeliskrc"):
        rc.write_text("USE_BAZEL_VERSION=latest\n")
        assert job.check(rc=1)["reason"] == "miss-config"
        rc.unlink()
    (job.folder / ".bazelversion").write_text("latest\n")
    assert "bazelisk latest" in job.check(rc=1)["detail"]


def test_links_of_a_version_manager_are_followed(job):
    """sdkman and nvm: `current` is a link, and the folder in PATH is the version's own."""
    home = built(job, "pyenv")
    for version in ("17", "21"):
        program(home / ".sdkman" / "candidates" / "java" / version / "bin" / "javac", "the same launcher")
    current = home / ".sdkman" / "candidates" / "java" / "current"
    current.symlink_to("17")
    job.env["PATH"] = current / "bin"
    job.scan()
    assert job.check(rc=0)["skip"]
    current.unlink()
    current.symlink_to("21")
    assert job.check(rc=1)["reason"] == "miss-config"


# ---- the SARIF is of these languages


def of(language, category=None, results=None):
    document = sarif([] if results is None else results)
    document["runs"][0]["tool"]["extensions"][0]["name"] = f"codeql/{language}-queries"
    if category:
        document["runs"][0]["automationDetails"] = {"id": category}
    return document


PLAIN = ("--codeql-version", "2.25.6", "--build-mode", "none")


@pytest.mark.parametrize("key, pack, category, ok", [
    ("python", "ruby", None, False), ("python", "python", "/language:ruby", False),
    ("python", "python", "x/language:ruby/n:/", False), ("python", "python", "mine", True),
    ("typescript", "javascript", "/language:javascript-typescript", True),
    ("c-cpp", "cpp", "/language:c-cpp/", True),
    ("python,ruby", "python", None, False), ("kotlin", "java", None, True), ("python", "weblog", None, True),
    ("klingon", "python", None, False),
])  # fmt: skip
def test_the_languages_of_the_sarif_are_the_key_s(job, key, pack, category, ok):
    job.key = ("--language", key, *PLAIN)
    job.check(rc=1)
    run = job.store(of(pack, category), rc=0 if ok else 1)
    assert ok or "language" in run.one_line()
    assert job.check(rc=0 if ok else 1)["skip"] is ok


# ---- the rest


def test_a_scan_that_began_before_its_check_is_refused(job):
    import time

    job.check(rc=1)
    now = time.time()
    assert "before the check" in job.store(started=now - 60, fresh=True, rc=1).one_line()
    job.store(started=now - 1, fresh=True)
    assert job.check(rc=0)["skip"]


@pytest.mark.parametrize("kind", ["toolExecutionNotifications", "toolConfigurationNotifications"])
def test_an_error_of_the_tool_is_no_evidence(job, kind):
    job.check(rc=1)
    note = {"message": {"text": "no code was seen"}, "descriptor": {"id": "x"}}
    bad = sarif(invocations=[{"executionSuccessful": True, kind: [note, {**note, "level": "error"}]}])
    assert "error" in job.store(bad, rc=1).one_line()
    good = sarif(invocations=[{"executionSuccessful": True, kind: [note, {**note, "level": "note"}]}])
    job.store(good)
    assert job.check(rc=0)["skip"]


def test_a_byte_order_mark(job):
    import json

    config = job.folder / "config.yml"
    config.write_bytes(b"\xef\xbb\xbfname: x\nqueries:\n  - uses: security-extended\n")
    job.key = (*KEY, "--config-file", config)
    assert job.check(rc=1)["reason"] == "miss-none", "and not what nobody can pin"
    path = job.folder / "bom.sarif"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(sarif()).encode())
    job.store(path)
    text = open(job.check(rc=0)["sarif_path"], "rb").read()
    assert text.startswith(b'{"version"') and json.loads(text)["runs"][0]["automationDetails"]["id"]
    config.write_bytes(b"\xef\xbb\xbfpacks: [octo/pack]\n")
    assert "octo/pack" in job.check(rc=1)["detail"]


@pytest.mark.parametrize("details", [{"id": ""}, {"guid": "x", "id": "", "z": 1}, {"z": 1, "id": ""}])
def test_an_empty_category_is_none(job, details):
    import json

    job.check(rc=1)
    job.store(sarif(automationDetails=details))
    run = json.loads(open(job.check(rc=0)["sarif_path"]).read())["runs"][0]
    want = {"id": "/language:python/", "z": 1} if "z" in details else {"id": "/language:python/"}
    assert run["automationDetails"] == want


def test_a_repository_in_an_untracked_folder(job):
    inner = job.tree / "vendored"
    inner.mkdir()
    git(inner, "init", "-q")
    (inner / "a.py").write_text("x = 1\n")
    job.scan()
    git(inner, "add", "-A")
    assert job.check(rc=0)["skip"], "git's own files are no sources"
    (inner / "a.py").write_text("x = 2\n")
    assert job.check(rc=1)["reason"] == "miss-sources"


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_a_dot_git_that_is_no_repository_is_a_source(job, kind):
    folder = job.tree / "odd"
    folder.mkdir()
    dot = folder / ".git"
    if kind == "folder":
        dot.mkdir()
    file = dot / "hook.py" if kind == "folder" else dot
    file.symlink_to("a") if kind == "link" else file.write_text("x = 1\n")
    job.scan()
    assert job.check(rc=0)["skip"]
    file.unlink()
    file.symlink_to("b") if kind == "link" else file.write_text("x = 2\n")
    assert job.check(rc=1)["reason"] == "miss-sources"


# ---- the commit is the tree's


def test_an_index_of_another_tree_is_not_head_s(job, fake):
    job.scan()
    first = job.head
    (job.tree / "README.md").write_text("other prose\n")
    second = job.commit("prose")
    git(job.tree, "read-tree", "-u", "--reset", first)
    found = job.check(rc=0)
    assert found["reason"] == "hit-tree", "the index is valid and clean, and HEAD is another commit"
    run = job("upload", rc=1)
    assert "dirty" in run.one_line() and fake.count() == 0
    assert job.head == second
    git(job.tree, "read-tree", "-u", "--reset", second)
    assert job("upload", rc=0)


def test_a_staged_tree_that_was_written_is_not_head_s(job, fake):
    job.scan()
    (job.tree / "README.md").write_text("other prose\n")
    git(job.tree, "add", "-A")
    git(job.tree, "write-tree")
    assert "dirty" in job("upload", rc=1).one_line() and fake.count() == 0


@pytest.mark.parametrize("how", ["gc", "shallow", "alternates", "delta"])
def test_head_s_tree_is_read_where_git_keeps_it(job, fake, how, tmp_path):
    for i in range(20):
        job.commit(f"a long message that is like the others {i}\n" + "word " * 200)
    job.scan()
    if how == "gc":
        git(job.tree, "gc", "-q")
    elif how == "delta":
        git(job.tree, "repack", "-q", "-a", "-d", "-f", "--depth=50", "--window=50")
    elif how == "shallow":
        git(tmp_path, "clone", "-q", "--depth=1", f"file://{job.tree}", tmp_path / "shallow")
        job.tree = tmp_path / "shallow"
    else:
        git(tmp_path, "clone", "-q", "--shared", job.tree, tmp_path / "shared")
        job.tree = tmp_path / "shared"
    job("upload", rc=0)
    assert fake.model.repo(REPO).uploads[0]["commit_sha"] == job.head


def test_an_object_of_head_that_cannot_be_read(job, fake):
    job.scan()
    sha = job.head
    path = job.tree / ".git" / "objects" / sha[:2] / sha[2:]
    good = path.read_bytes()
    for bad in (b"", good[:-9], good[:12] + b"\xff\xff" + good[14:]):
        path.chmod(0o644)
        path.write_bytes(bad)
        run = job("upload", rc=1, GITHUB_SHA=sha)
        assert "--commit" in run.one_line() and fake.count() == 0
    job("upload", "--commit", sha, "--ref", "refs/heads/main", rc=0, GITHUB_SHA=sha)


# ---- tried against it


def test_one_workflow_that_is_called_twice(job):
    """A called workflow's jobs have the same names and matrix whatever their inputs are."""
    (job.tree / WORKFLOW).write_text("jobs: {a: {uses: ./.github/workflows/x.yml, with: {deep: true}}}\n")
    (job.tree / ".github" / "workflows" / "x.yml").write_text("on: workflow_call\n")
    job.commit()
    actions = {**ACTIONS, "GHOARD_MATRIX": ""}
    found = job.check(rc=1, **actions)
    assert found["reason"] == "miss-config" and "toJSON(inputs)" in found["detail"]
    first, last = ({**actions, "GHOARD_INPUTS": '{"deep": %s}' % v} for v in ("true", "false"))
    job.scan(**first)
    assert job.check(rc=0, **first)["skip"] and job.check(rc=1, **last)["reason"] == "miss-config"
    job.check("--extra-key", "deep", rc=1, **actions)
    job.store(None, "--extra-key", "deep", **actions)
    assert job.check("--extra-key", "deep", rc=0, **actions)["skip"], "whoever names it knows it"


def test_in_actions_the_workflow_must_be_known(job):
    found = job.check(rc=1, **ACTIONS, GHOARD_MATRIX="", GITHUB_WORKFLOW_REF="")
    assert found["reason"] == "miss-config" and "GITHUB_WORKFLOW_REF" in found["detail"]


def test_a_toolchain_that_moves_is_not_exact(job):
    built(job, "rustup")
    moves = {"RUSTUP_TOOLCHAIN": "nightly-x86_64-apple-darwin"}
    assert job.check(rc=1, **moves)["reason"] == "miss-config"
    exact = {"RUSTUP_TOOLCHAIN": "nightly-2026-11-01"}
    job.scan(**exact)
    assert job.check(rc=0, **exact)["skip"], "rustup fetches just this one"


def test_rustup_under_other_names(job):
    home = built(job, "rustup")
    cargo = home / ".cargo" / "bin" / "rustc"
    cargo.unlink()
    program(cargo, "the manager")
    job.scan()
    bump(home / ".rustup/toolchains/stable-x86_64-unknown-linux-gnu/bin/rustc")
    assert job.check(rc=1)["reason"] == "miss-config"


def test_a_compiler_s_cache_hides_no_compiler(job):
    home = built(job, "pyenv")
    program(home / "cache" / "ccache")
    (home / "cache" / "gcc").symlink_to("ccache")
    program(home / "bin" / "gcc", "one")
    job.env["PATH"] = f"{home}/cache:{home}/bin"
    job.scan()
    assert job.check(rc=0)["skip"]
    bump(home / "bin" / "gcc")
    assert job.check(rc=1)["reason"] == "miss-config"


def test_a_sparse_folder_that_is_there_all_the_same(job):
    sparse(job, "--sparse-index", "lib")
    (job.tree / ".github").mkdir()
    (job.tree / ".github" / "left").write_text("x")
    assert job.check(rc=1)["reason"] == "miss-config", "the workflow cannot be seen"


def test_a_config_file_that_a_sparse_checkout_leaves_out(job):
    (job.tree / "conf").mkdir()
    (job.tree / "conf" / "codeql.yml").write_text("name: x\n")
    job.commit()
    sparse(job, "lib")
    found = job.check("--config-file", "./conf/codeql.yml", rc=1)
    assert found["reason"] == "miss-config" and "conf/codeql.yml" in found["detail"]


def test_a_commit_that_is_given_must_have_this_tree(job, fake):
    first = job.head
    (job.tree / "README.md").write_text("other prose\n")
    second = job.commit("prose")
    job.scan()
    given = ("--ref", "refs/heads/main", "--commit")
    assert "dirty" in job("upload", *given, first, rc=1).one_line() and fake.count() == 0
    job("upload", *given, second, rc=0)


def test_the_label_is_of_a_commit_that_is_sure(job):
    job.scan()
    (job.tree / "README.md").write_text("other prose\n")
    second = job.commit("prose")
    git(job.tree, "read-tree", "-u", "--reset", "HEAD~1")
    job.check("--extra-key", "x", rc=1)
    job.store(None, "--extra-key", "x")
    assert job.check("--extra-key", "x", rc=0)["matched_commit"] == ""
    assert not [p for p in (job.scans / "github_cache").glob("codeql_codeql_scan_*") if second in p.name]


def test_a_workflow_that_was_overwritten_is_not_what_runs(job):
    def overwrite():
        (job.tree / WORKFLOW).write_text("on: [push, pull_request]\n")

    overwrite()
    job.scan(GITHUB_WORKFLOW_SHA=job.head)
    assert job.check(rc=0, GITHUB_WORKFLOW_SHA=job.head)["skip"]
    (job.tree / WORKFLOW).write_text("on: [pull_request]\n")
    job.commit("another workflow")
    overwrite()
    assert job.check(rc=1, GITHUB_WORKFLOW_SHA=job.head)["reason"] == "miss-config"


def test_a_called_workflow_that_was_overwritten_is_not_what_runs(job):
    called, actions = job.tree / ".github" / "workflows" / "x.yml", {**ACTIONS, "GHOARD_MATRIX": ""}
    (job.tree / WORKFLOW).write_text("jobs: {a: {uses: ./.github/workflows/x.yml}}\n")
    called.write_text("on: workflow_call  # two\n")
    job.commit()
    job.scan(GHOARD_INPUTS="", GITHUB_WORKFLOW_SHA=job.head, **actions)
    assert job.check(rc=0, GHOARD_INPUTS="", GITHUB_WORKFLOW_SHA=job.head, **actions)["skip"]
    called.write_text("on: workflow_call  # one\n")
    job.commit("another workflow")
    called.write_text("on: workflow_call  # two\n")
    found = job.check(rc=1, GHOARD_INPUTS="", GITHUB_WORKFLOW_SHA=job.head, **actions)
    assert found["reason"] == "miss-config"


def test_alternates_that_name_each_other_end(job):
    """They are followed as git does; 40 that lead back to themselves were 40^5 folders."""
    objects = job.tree / ".git" / "objects"
    (objects / "info" / "alternates").write_text(f"{objects}\n" * 40)
    head = job.head
    (objects / head[:2] / head[2:]).unlink()
    job.check(rc=1, GITHUB_SHA=head, timeout=20)


def test_an_sdk_beside_another(job):
    job.key = ("--language", "csharp", "--codeql-version", "2.25.6", "--category", "/language:csharp")
    folder = job.folder / "dotnet"
    program(folder / "dotnet")
    (folder / "sdk" / "8.0.100").mkdir(parents=True)
    job.env = {"PATH": folder}
    first = job.check(rc=1)["config"]
    assert job.check(rc=1)["config"] == first
    (folder / "sdk" / "8.0.101").mkdir()
    assert job.check(rc=1)["config"] != first
