"""Proves that each rule of lint.py can fail: a tree that all of them pass is
changed in one place, and the rule that is meant must object, with these words."""

import os
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
import lint

SCRIPT = "#!/bin/sh\necho ok\n"
# stands in for build/ghoard: says what a generated section holds
PROGRAM = '#!/bin/sh\n[ "$3" = options ] && printf ".It Fl generated\\nText.\\n"\n'
PAGE = """.Dd $Mdocdate$
.Dt GHOARD 1
.Os
.Sh NAME
.Nm ghoard
.Nd a test page
.Sh OPTIONS
.Bl -tag -width Ds
.\\" BEGIN generated options
.It Fl generated
Text.
.\\" END generated options
.El
"""
GOOD = {
    "src/LAYERS": "base:\nnet: base\ncli: *\nmain: cli\n",
    "src/STYLE.md": "# Style\n",
    "src/main.c": '#include "cli/cli.h"\n',
    "src/base/buf.c": '#include "base/buf.h"\n\nint\nbuf_len(void)\n{\n\treturn 1; /* select( */\n}\n',
    "src/base/buf.h": "int buf_len(void);\n",
    "src/net/conn.c": '#include "base/buf.h"\n',
    "src/cli/cli.h": '#include "net/conn.h"\n',
    "src/net/conn.h": "struct conn;\n",
    "src/man/ghoard.1": PAGE,
    "test/unit/base/buf_test.c": "int x;\n",
    "test/unit/COVERED": "src/net/conn.c test/scenario/test_net.py\n",
    "test/scenario/test_net.py": "pass\n",
    "test/run.sh": SCRIPT,
    "test/man.sh": (Path(__file__).parent.parent / "man.sh").read_text(),
    "build/ghoard": PROGRAM,
}


def body(lines, before=""):
    return GOOD["src/base/buf.c"] + before + "\nint\nbuf_long(void)\n{\n" + "\n" * (lines - 3) + "}\n"


# rule, file, its new text (None removes it), what the objection must hold
BAD = [
    ("layers", "src/base/buf.h", '#include "net/conn.h"\n', "base include net"),
    ("layers", "src/base/buf.h", '#include "buf.h"\n', "folder/file.h"),
    ("layers", "src/extra/new.c", "int x;\n", "not in src/LAYERS"),
    ("seams", "src/net/conn.c", "#include <bearssl.h>\n", "BearSSL"),
    ("seams", "src/net/conn.c", "cJSON *doc;\n", "cJSON"),
    ("seams", "src/net/conn.c", "sc25519_reduce(k);\n", "libsodium"),
    ("seams", "src/net/conn.c", "yaml_parser_t p;\n", "libyaml"),
    ("seams", "src/net/conn.c", "z_stream z;\n", "zlib"),
    ("seams", "src/net/conn.c", "int n = select (0, 0, 0, 0, 0);\n", "loop"),
    ("seams", "src/net/conn.c", 'char *s = getenv("X");\n', "environment"),
    ("seams", "src/net/conn.c", 'int n = rename("a", "b");\n', "base/file.h"),
    ("headers", "src/base/buf.h", "size_t buf_len(void);\n", "does not compile alone"),
    ("lengths", "src/base/buf.c", "\n" * 601, "601 lines"),
    ("lengths", "src/base/buf.h", "\n" * 151, "151 lines"),
    ("lengths", "src/STYLE.md", "\n" * 121, "120 lines"),
    ("functions", "src/base/buf.c", body(61), "buf_long has 61 lines"),
    ("functions", "src/base/buf.c", body(91, "/* long: a table */\n"), "even with a waiver"),
    ("names", "src/net/buf.h", "", "src/base has a buf"),
    ("typedefs", "src/net/conn.h", "typedef struct conn conn_t;\n", "typedef"),
    ("whitespace", "src/net/conn.h", "struct conn; \n", "at the end"),
    ("whitespace", "src/net/conn.h", "struct conn;", "no end"),
    ("whitespace", "src/net/conn.h", "/*" + "x" * 110 + "*/\n", "columns"),
    ("words", "src/net/conn.h", "/* TO" "DO: more */\n", "issue"),
    ("words", "README.md", "from deb." "debian.org\n", "packages come from"),
    ("words", "README.md", "from pypi." "org\n", "packages come from"),
    ("words", "README.md", "see /home/" "jane/x\n", "one machine"),
    ("mirrors", "test/unit/base/buf_test.c", None, "has no test/unit/base/buf_test.c"),
    ("mirrors", "test/unit/COVERED", None, "src/net/conn.c:1: has no"),
    ("mirrors", "test/scenario/test_net.py", None, "there is no test/scenario/test_net.py"),
    ("mirrors", "test/unit/base/old_test.c", "int x;\n", "which is gone"),
    ("shell", "test/run.sh", SCRIPT + "rm $1\n", "SC2086"),
    ("manuals", "src/man/ghoard.1", PAGE.replace(".El\n", ""), "Bl"),
    ("manuals", "src/man/ghoard.1", PAGE.replace(".It Fl generated", ".It changed"), "make man"),
    ("manuals", "build/ghoard", "#!/bin/sh\nexit 1\n", "failed"),
]


def write(folder, files):
    for name, text in files.items():
        path = Path(folder) / name
        if text is None:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)


def objections(files, name=None):
    with tempfile.TemporaryDirectory() as folder:
        write(folder, files)
        tree = lint.Tree(folder)
        return [
            f"{check.__name__}: {wrong}"
            for check in lint.RULES
            if check.__name__ != "symbols" and name in (None, check.__name__)
            for wrong in check(tree)
        ]


def symbols_object():
    """A real program that uses regcomp, and one that does not."""
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/build")
        tree, program = lint.Tree(folder), f"{folder}/build/ghoard.debug"
        verdicts = [list(lint.symbols(tree))]
        for call in ("regcomp(0, 0, 0)", "0"):
            text = f"#include <regex.h>\nint main(void) {{ return {call}; }}\n"
            lint.run("gcc", "-static", "-w", "-x", "c", "-", "-o", program, input=text)
            verdicts.append(list(lint.symbols(tree)))
        return [bool(v) for v in verdicts] == [True, True, False]


def main():
    failed = []
    failed += [f"the good tree: {o}" for o in objections(GOOD)]
    # a waiver that is due is honoured
    failed += objections({**GOOD, "src/base/buf.c": body(80, "/* long: a table */\n")})
    for name, file, text, want in BAD:
        found = objections({**GOOD, file: text}, name)
        if not any(want in o for o in found):
            failed.append(f"{name}: {file} should be refused for '{want}', got {found}")
    if not symbols_object():
        failed.append("symbols: does not tell a program with regcomp from one without")
    tested = {name for name, *_ in BAD} | {"symbols"}
    failed += [f"{r.__name__}: no case" for r in lint.RULES if r.__name__ not in tested]
    for line in failed:
        print(f"  FAILED   {line}")
    print(f"selftest: {len(BAD) + 3 - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
