"""`ghoard codeql`: what a scan reads around its sources, and what only some tools do not read."""

import pathlib
import shutil

import pytest
from scanning import Job, git, result, sarif

SCAN = ("--language", "python", "--codeql-version", "2.25.6", "--category", "c", "--build-mode")
BUILT = (*SCAN, "manual")


@pytest.fixture
def job(ghoard, tmp_path):
    return Job(ghoard, tmp_path / "job")


def program(path, text="#!/bin/sh\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def test_another_tool_reads_more_than_an_extractor(job):
    """What CodeQL's extractor of Python does not read a scanner for secrets does."""
    (job.tree / "gui.js").write_text("go()\n")
    job.commit()
    job.key = "--tool gitleaks --tool-version 8.18.0 --language python --build-mode none".split()
    job.scan(sarif([result(line=1)], tool="gitleaks", version="8.18.0"))
    assert job.check(rc=0)["skip"]
    for name in ("README.md", "gui.js"):
        (job.tree / name).write_text("AKIAIOSFODNN7EXAMPLE\n")
        assert job.check(rc=1)["reason"] == "miss-sources", name
        git(job.tree, "checkout", "-q", name)


# ---- what a build finds on its machine


def installed(job):
    """A machine with Maven, a compiler that no list names, one that a variable names, and settings."""
    home, opt = job.folder / "home", job.folder / "opt"
    program(opt / "maven" / "bin" / "mvn")
    (opt / "maven" / "lib").mkdir()
    (opt / "maven" / "lib" / "maven-core-3.9.4.jar").write_text("core")
    program(opt / "bin" / "protoc", "one")
    program(opt / "cross" / "xcc", "1")
    (opt / "tools.cmake").write_text("set(A 1)\n")
    for name in (".m2/settings.xml", ".gradle/init.d/a.gradle", ".cargo/config.toml"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("one\n")
    (home / ".gradle" / "elsewhere").mkdir()
    (home / ".gradle" / "elsewhere" / "gradle.properties").write_text("p=1\n")
    job.key = BUILT
    job.env = {
        "HOME": home,
        "PATH": f"{opt}/maven/bin:{opt}/bin",
        "CC": f"ccache {opt}/cross/xcc -m32",
        "CXX": "protoc",
        "CMAKE_TOOLCHAIN_FILE": opt / "tools.cmake",
    }
    return home, opt


def newer_maven(home, opt):
    lib = opt / "maven" / "lib"
    (lib / "maven-core-3.9.4.jar").rename(lib / "maven-core-3.9.6.jar")


FOUND = {
    "tool.mvn": newer_maven,
    "tool.PATH": lambda home, opt: program(opt / "bin" / "protoc", "three"),
    "tool.$CC": lambda home, opt: program(opt / "cross" / "xcc", "2"),
    "tool.$CXX": lambda home, opt: program(opt / "bin" / "protoc", "two"),
    "tool.$CMAKE_TOOLCHAIN_FILE": lambda home, opt: (opt / "tools.cmake").write_text("set(A 2)\n"),
    "file:~/.m2/settings.xml": lambda home, opt: (home / ".m2" / "settings.xml").write_text("two\n"),
    "file:~/.gradle/init.d": lambda home, opt: (home / ".gradle/init.d/a.gradle").write_text("two\n"),
    "file:~/.cargo/config.toml": lambda home, opt: (home / ".cargo" / "config.toml").unlink(),
}


@pytest.mark.parametrize("field", FOUND)
def test_what_a_build_finds_on_its_machine_is_an_input(job, field):
    home, opt = installed(job)
    job.scan()
    assert job.check(rc=0)["skip"]
    FOUND[field](home, opt)
    assert job.check(rc=1)["reason"] == "miss-config"
    fields = job("explain", "--json", rc=0).json["fields"]
    assert field in [f["field"] for f in fields], fields
    assert "two" not in str(fields)
    job.key = (*SCAN, "none")
    job.scan()
    FOUND["tool.PATH"](home, opt)
    assert job.check(rc=0)["skip"], "without a build no machine matters"


@pytest.mark.parametrize("name", [
    "ORG_GRADLE_PROJECT_x", "GNUMAKEFLAGS", "MAKEFILES", "LIBS", "Configuration", "DefineConstants",
    "ANT_OPTS", "SBT_OPTS", "M2_HOME", "LD_LIBRARY_PATH",
])  # fmt: skip
def test_a_variable_of_a_build_is_an_input(job, name):
    installed(job)
    first = job.check(rc=1)["config"]
    assert job.check(rc=1)["config"] == first != job.check(rc=1, **{name: "x"})["config"]


def test_gradle_s_home_may_be_elsewhere(job):
    home, _ = installed(job)
    job.env["GRADLE_USER_HOME"] = home / ".gradle" / "elsewhere"
    first = job.check(rc=1)["config"]
    (home / ".gradle" / "elsewhere" / "gradle.properties").write_text("p=2\n")
    assert job.check(rc=1)["config"] != first


@pytest.mark.parametrize("path", ["/var/lib/dpkg/status", "/etc/os-release"])
def test_the_machine_s_packages_are_an_input(job, path):
    """Of a container or of one's own machine no image's version is known."""
    if not pathlib.Path(path).exists():
        pytest.skip("not such a machine")
    installed(job)
    job.check(rc=1)
    assert f'"file:{path}' in next(job.temp.glob("ghoard-codeql-*.json")).read_text()


# ---- checkouts side by side


@pytest.fixture
def pair(job, tmp_path):
    """`add_subdirectory(../dep)`: the workspace holds more than the repository that is scanned."""
    space = tmp_path / "space"
    dep = space / "dep"
    dep.mkdir(parents=True)
    (dep / "d.c").write_text("int d;\n")
    git(dep, "init", "-q", "-b", "main")
    git(dep, "add", ".")
    git(dep, "commit", "-q", "-m", "d")
    (space / "flags.mk").write_text("A = 1\n")
    (space / "plain").mkdir()
    (space / "plain" / "p.c").write_text("int p;\n")
    job.tree = shutil.move(job.tree, space / "deeper" / "main")
    job.key, job.env = BUILT, {"GITHUB_WORKSPACE": space}
    return space


BESIDE = ["dep/d.c", "flags.mk", "plain/p.c", "deeper/new.h"]


@pytest.mark.parametrize("outer", [False, True])
def test_a_build_may_read_what_is_beside_its_checkout(job, pair, outer):
    if outer:
        git(pair, "init", "-q", "-b", "main")
    job.scan()
    assert job.check(rc=0)["pinned"]
    for name in BESIDE:
        was = (pair / name).read_text() if (pair / name).exists() else None
        (pair / name).write_text("int other;\n")
        assert job.check(rc=1)["reason"] == "miss-config", name
        fields = job("explain", "--json", rc=0).json["fields"]
        assert [f["field"] for f in fields] == ["beside." + name.removesuffix("/d.c").removesuffix("/p.c")]
        (pair / name).unlink() if was is None else (pair / name).write_text(was)
        assert job.check(rc=0)["skip"], name
    (pair / "out").symlink_to("/etc/passwd")
    (pair / "plain" / "out").symlink_to("/etc/passwd")
    assert "plain" in job.check(rc=1)["detail"]
    job.key = (*SCAN, "none")
    job.scan()
    (pair / "flags.mk").write_text("A = 2\n")
    assert job.check(rc=0)["skip"], "an extractor alone reads its sources"


def test_what_is_beside_a_checkout_is_as_check_saw_it(job, pair):
    job.check(rc=1)
    (pair / "results").mkdir()
    (pair / "results" / "python.sarif").write_text("{}")
    (pair / "flags.mk").write_text("A = 2\n")
    assert "beside.flags.mk" in job.store(rc=1).one_line()
    (pair / "flags.mk").write_text("A = 1\n")
    job.store()
    shutil.rmtree(pair / "results")
    assert job.check(rc=0)["skip"]


# ---- what is named, and what is left out


@pytest.mark.parametrize("named, change", [
    ("a.ql", "lib.qll"), ("s.qls", "a.ql"), ("a.ql", "qlpack.yml"), ("deep/b.ql", "lib.qll"),
])  # fmt: skip
def test_a_query_outside_of_the_tree_is_all_of_its_pack(job, named, change):
    folder = job.folder / "q"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.ql", "s.qls", "lib.qll", "qlpack.yml", "deep/b.ql"):
        (folder / name).write_text("one\n")
    (job.folder / "s.qls").write_text("one\n")
    job.key = (*SCAN, "none", "--queries", f"../q/{named}")
    job.scan()
    (job.folder / "other.qll").write_text("two\n")
    assert job.check(rc=0)["skip"]
    (folder / change).write_text("two\n")
    assert job.check(rc=1)["reason"] == "miss-config"


def test_a_link_into_what_is_left_out(job):
    args = ("--ignore-untracked", "/made/", "--ignore-untracked", "*.log")
    (job.tree / "link.py").symlink_to("lib/util.py")
    job.commit()
    job.check(*args, rc=1)
    job.store(None, *args)
    (job.tree / "made" / "deep").mkdir(parents=True)
    (job.tree / "made" / "deep" / "x.py").write_text("x = 1\n")
    assert job.check(*args, rc=0)["skip"]
    for target in ("made/deep/x.py", "made", "lib/../made/deep", "a.log"):
        (job.tree / "link.py").unlink()
        (job.tree / "link.py").symlink_to(target)
        assert job.check(*args, rc=1)["reason"] == "link-leaves-tree", target
        assert job.check(rc=1)["reason"] in ("miss-sources", "miss-config", "miss-none")


def test_a_workflow_of_lone_carriage_returns(job):
    path = job.tree / ".github" / "workflows" / "codeql.yml"
    path.write_bytes(b"on: push  # always\rjobs:\r  scan:\r    uses: o/r/.github/workflows/x.yml@main\r")
    job.commit()
    assert "x.yml@main" in job.check(rc=1)["detail"]


@pytest.mark.parametrize("source", [".", "lib"])
def test_a_workflow_of_a_checkout_in_a_folder_without_git(job, source):
    """`path: main` in a container without git: the files are below the workspace."""
    shutil.rmtree(job.tree / ".git")
    space = job.folder / "space"
    space.mkdir()
    job.tree = shutil.move(job.tree, space / "main")
    job.env = {"GITHUB_WORKSPACE": space, "GITHUB_ACTIONS": "true", "GHOARD_MATRIX": ""}
    workflows = job.tree / ".github" / "workflows"
    job.key = (*SCAN, "none", "--source", source)
    job.scan(sarif([]))
    assert job.check(rc=0)["skip"]
    (workflows / "codeql.yml").write_text("on: [push]\n")
    assert job.check(rc=1)["reason"] == "miss-sources"
    (workflows / "codeql.yml").write_text("jobs: {a: {uses: o/r/.github/workflows/x.yml@main}}\n")
    assert "x.yml@main" in job.check(rc=1)["detail"]
    (workflows / "codeql.yml").unlink()
    detail = job.check(rc=1)["detail"]
    assert "codeql.yml is not in this tree" in detail and "calls others" not in detail
