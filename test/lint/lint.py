"""The rules of the source tree that a compiler does not check.

    lint.py [FOLDER]

Each rule is a function that takes the tree and yields what is wrong with it,
as `file:line: sentence`. selftest.py proves that each of them can fail.
CC is a compiler command with the flags that a header needs.
"""

import concurrent.futures
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FILE_LINES, HEADER_LINES, STYLE_LINES = 600, 150, 120
FUNCTION_LINES, WAIVED_LINES = 60, 90
COLUMNS = 110

RULES = []


def rule(check):
    RULES.append(check)
    return check


def run(*argv, **kwargs):
    return subprocess.run(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kwargs
    )


class Tree:
    """The files that git knows or would add; all of them where there is no git."""

    def __init__(self, root):
        self.root = Path(root).resolve()
        self.files = sorted(self._list())
        self._text = {}

    def _list(self):
        git = run("git", "-C", str(self.root), "ls-files", "-co", "--exclude-standard")
        if (self.root / ".git").exists() and git.returncode == 0:
            names = git.stdout.splitlines()
            return [n for n in names if (self.root / n).is_file()]
        skip = {"build", "dist", ".git", "__pycache__"}
        return [
            p.relative_to(self.root).as_posix()
            for p in self.root.rglob("*")
            if p.is_file() and not skip & set(p.relative_to(self.root).parts)
        ]

    def match(self, pattern):
        return [f for f in self.files if re.fullmatch(pattern, f)]

    def source(self):
        return self.match(r"src/.+\.[ch]")

    def text(self, name):
        if name not in self._text:
            data = (self.root / name).read_bytes()
            binary = b"\0" in data
            self._text[name] = "" if binary else data.decode("utf-8", "replace")
        return self._text[name]

    def lines(self, name):
        return list(enumerate(self.text(name).splitlines(), 1))

    def code(self, name):
        """The lines of a C file without comments and without what is in quotes."""
        token = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''

        def blank(found):
            # An include keeps its name: it is what the rules look for.
            start = found.string.rfind("\n", 0, found.start()) + 1
            if re.match(r"\s*#\s*include", found.string[start : found.start()]):
                return found.group()
            return "\n" * found.group().count("\n") or " "

        text = re.sub(token, blank, self.text(name), flags=re.S)
        return list(enumerate(text.splitlines(), 1))


# ---- who may use what ----


@rule
def layers(tree):
    """An include goes only where src/LAYERS lets it."""
    allowed = {}
    for number, line in tree.lines("src/LAYERS"):
        line = line.split("#")[0].strip()
        if not line:
            continue
        folder, colon, names = line.partition(":")
        if not colon:
            yield f"src/LAYERS:{number}: no colon after the folder's name"
        allowed[folder.strip()] = names.split()
    for name in tree.source():
        parts = name.split("/")
        folder = "main" if len(parts) == 2 else parts[1]
        if folder not in allowed:
            yield f"{name}:1: the folder {folder} is not in src/LAYERS"
            continue
        may = allowed[folder]
        for number, line in tree.lines(name):
            found = re.match(r'\s*#\s*include\s*"([^"]*)"', line)
            if not found:
                continue
            to, slash, _ = found[1].partition("/")
            if not slash or to == "..":
                yield f'{name}:{number}: write #include "folder/file.h"'
            elif to != folder and "*" not in may and to not in may:
                yield f"{name}:{number}: src/LAYERS does not let {folder} include {to}"


# What, as a pattern; where it may stand; what stands for it elsewhere.
SEAMS = [
    (r"bearssl|\bbr_\w+", r"src/(crypto|tls)/.*", "BearSSL is behind crypto/ and tls/"),
    (
        r"\b(fe|ge|sc)25519_\w+|\bsodium_|<private/",
        r"src/crypto/(x25519\.c|ed25519\.c|curve25519\.[ch])",
        "libsodium is behind crypto/ed25519.h and x25519.h",
    ),
    (r"<zlib\.h>|\bz_stream|\bdeflate\w*\s*\(", r"src/base/gzip\.c", "zlib is behind base/gzip.h"),
    (r"\bcJSON", r"src/base/json\.c", "cJSON is behind base/json.h"),
    (
        r"<yaml\.h>|\byaml_(parser|event|token|document|node|emitter|mark)_\w+",
        r"src/base/yaml\.c",
        "libyaml is behind base/yaml.h",
    ),
    (r"\bp?select\s*\(", r"src/loop/.*", "only the loop waits"),
    (
        r"\b(secure_)?getenv\s*\(|\benviron\b",
        r"src/(cli|config)/.*|src/cred/keyring\.c",
        "the environment is read by cli/ and config/",
    ),
    (r"\brename(at2?)?\s*\(", r"src/base/file\.c", "files are replaced by base/file.h"),
]


@rule
def seams(tree):
    """Libraries and system calls that one place alone may use."""
    for name in tree.source():
        for number, line in tree.code(name):
            for what, where, why in SEAMS:
                found = re.search(what, line)
                if found and not re.fullmatch(where, name):
                    yield f"{name}:{number}: '{found[0].strip()}': {why}"


@rule
def symbols(tree):
    """Parts of libc that are large and that nothing here should need."""
    binary = tree.root / "build/ghoard.debug"
    if not binary.exists():
        yield f"{binary}:1: is not built"
        return
    for line in run("nm", str(binary)).stdout.splitlines():
        name = line.split()[-1]
        if name in ("iconv", "iconv_open", "regcomp", "regexec"):
            yield f"build/ghoard.debug:1: {name} came in; find what calls it"


# ---- shape ----


@rule
def headers(tree):
    """Every header compiles alone."""
    cc = shlex.split(os.environ.get("CC", "gcc -std=gnu11 -D_GNU_SOURCE -Isrc"))

    def compile_one(name):
        result = run(
            *cc, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c", "-",
            input=f'#include "{name[4:]}"\n', cwd=tree.root,
        )
        return name, result

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, result in pool.map(compile_one, tree.match(r"src/.+\.h")):
            if result.returncode:
                first = next((l for l in result.stdout.splitlines() if "error" in l), "")
                yield f"{name}:1: does not compile alone: {first}"


@rule
def lengths(tree):
    """No file and no header is too long, nor src/STYLE.md."""
    for name in tree.source():
        count, most = len(tree.lines(name)), HEADER_LINES if name.endswith(".h") else FILE_LINES
        if count > most:
            yield f"{name}:{most}: {count} lines, {most} are allowed"
    for name in tree.match(r"src/STYLE\.md"):
        if len(tree.lines(name)) > STYLE_LINES:
            yield f"{name}:{STYLE_LINES}: more than {STYLE_LINES} lines"


@rule
def functions(tree):
    """No function is too long; up to 90 lines with /* long: why */ in or above it."""
    names = tree.source()
    if not names:
        return
    result = run(
        "ctags", "--quiet", "--options=NONE", "--languages=C", "--langmap=C:.c.h", "--c-kinds=f",
        "-x", "--_xformat=%F|%N|%n|%e", *names, cwd=tree.root,
    )
    if result.returncode:
        yield f"src:1: ctags failed: {result.stdout.strip()}"
    for line in result.stdout.splitlines():
        name, function, start, end = line.split("|")
        start, end = int(start), int(end)
        count = end - start + 1
        if count <= FUNCTION_LINES:
            continue
        around = "\n".join(l for n, l in tree.lines(name) if start - 6 <= n <= end)
        waived = re.search(r"/\* long: \w+", around)
        if not waived:
            yield f"{name}:{start}: {function} has {count} lines, {FUNCTION_LINES} are allowed"
        elif count > WAIVED_LINES:
            yield f"{name}:{start}: {function} has {count} lines, {WAIVED_LINES} even with a waiver"


@rule
def names(tree):
    """Base names are unique, so that a file can be spoken of by its name."""
    seen = {}
    for name in tree.source():
        folder, _, base = name.rpartition("/")
        stem = base.rsplit(".", 1)[0]
        first = seen.setdefault(stem, folder)
        if first != folder:
            yield f"{name}:1: {first} has a {stem} too"


@rule
def typedefs(tree):
    """Structs are not typedef'd."""
    for name in tree.source():
        for number, line in tree.code(name):
            if re.match(r"\s*typedef\s+(struct|union)\b", line):
                yield f"{name}:{number}: say struct where it is used, not typedef"


@rule
def whitespace(tree):
    """Lines are not too long, end where their text ends, and the last one ends too."""
    for name in tree.match(r"(.*\.(c|h|py|sh|mk|yml|md|1|5)|Makefile|\.ci/run)"):
        text = tree.text(name)
        if text and not text.endswith("\n"):
            yield f"{name}:1: the last line has no end"
        for number, line in tree.lines(name):
            if line != line.rstrip():
                yield f"{name}:{number}: white space at the end"
            if len(line.expandtabs(8)) > COLUMNS and not name.endswith(".md"):
                yield f"{name}:{number}: more than {COLUMNS} columns"


@rule
def words(tree):
    """What has no place in the tree: notes to oneself, hosts of package archives, one's own folders."""
    notes = r"\b(TO" r"DO|FIX" r"ME)\b"
    hosts = (
        r"\b(registry|proxy|sum|index|files|static|repo1?|deb|ftp|security|archive|dl-cdn|snapshot)"
        r"[.](npmjs|yarnpkg|golang|crates|pythonhosted|maven|debian|ubuntu|alpinelinux|nodesource)[.]"
        r"|\b(pypi|crates)[.](org|io)\b"
    )
    # this very folder, and what holds it, unless that is a folder everybody has
    common = ("/", "/tmp", "/home", "/root", "/usr", "/opt", "/srv", "/src", "/mnt")
    own = [re.escape(f"{p}/") for p in (tree.root, tree.root.parent) if str(p) not in common]
    folders = r"(?<![\w.$}/-])(" + "|".join(own + [r"/root/\.", r"/home/(?!runner\b)\w+/"]) + ")"
    for name in tree.files:
        if name.startswith(("test/data/", "test/fuzz/corpus/")):
            continue
        for number, line in tree.lines(name):
            for what, why in (
                (notes, "write it as an issue"),
                (hosts, "the machine's own settings say where packages come from"),
                (folders, "a path of one machine"),
            ):
                found = re.search(what, line)
                if found:
                    yield f"{name}:{number}: '{found[0]}': {why}"


# ---- tests and documents ----


@rule
def mirrors(tree):
    """Every source file has a unit test of its name, or a scenario in test/unit/COVERED."""
    covered = {}
    for name in tree.match(r"test/unit/COVERED"):
        for number, line in tree.lines(name):
            words = line.split("#")[0].split()
            if not words:
                continue
            if len(words) != 2:
                yield f"{name}:{number}: write SOURCE TEST"
                continue
            source, test = words
            covered[source] = test
            if source not in tree.files:
                yield f"{name}:{number}: there is no {source}"
            if test not in tree.files:
                yield f"{name}:{number}: there is no {test}"
    for name in tree.match(r"src/[^/]+/.+\.c"):
        test = "test/unit/" + name[len("src/") : -len(".c")] + "_test.c"
        if test not in tree.files and name not in covered:
            yield f"{name}:1: has no {test}, nor a line in test/unit/COVERED"
    for name in tree.match(r"test/unit/[^/]+/.+_test\.c"):
        source = "src/" + name[len("test/unit/") : -len("_test.c")] + ".c"
        header = source[:-1] + "h"
        if source not in tree.files and header not in tree.files:
            yield f"{name}:1: tests {source}, which is gone"


@rule
def shell(tree):
    """shellcheck has nothing to say."""
    scripts = [
        f for f in tree.files
        if f.endswith(".sh") or re.match(r"#!\s*/(usr/)?bin/(env )?(ba)?sh\b", tree.text(f)[:40])
    ]
    if scripts:
        result = run("shellcheck", "--format=gcc", *scripts, cwd=tree.root)
        yield from result.stdout.splitlines()


@rule
def manuals(tree):
    """mandoc has nothing to say, and the generated parts are those of the program."""
    pages = tree.match(r"src/man/.+\.[15]")
    if not pages:
        return
    result = run("mandoc", "-T", "lint", "-W", "warning", *pages, cwd=tree.root)
    yield from result.stdout.replace("mandoc: ", "").splitlines()
    with tempfile.TemporaryDirectory() as folder:
        for page in pages:
            shutil.copy(tree.root / page, folder)
        result = run("sh", "test/man.sh", "build/ghoard", folder, cwd=tree.root)
        if result.returncode:
            yield f"src/man:1: {result.stdout.strip()}"
        for page in pages:
            if (Path(folder) / Path(page).name).read_text() != tree.text(page):
                yield f"{page}:1: is not what the program says; run make man"


def main():
    tree = Tree(sys.argv[1] if len(sys.argv) > 1 else ".")
    failed = 0
    for check in RULES:
        wrong = list(check(tree))
        failed += bool(wrong)
        print(f"  {'FAILED' if wrong else 'ok':<8} {check.__name__}: {check.__doc__}")
        for line in wrong:
            print(f"    {line}")
    print(f"lint: {len(RULES) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
