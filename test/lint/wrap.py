"""Breaks the lines of C that lint finds too long, by .clang-format, and touches no other line.

    wrap.py [FOLDER]
"""

import subprocess
import sys

import lint


def long_lines(tree, name):
    return [n for n, line in tree.lines(name) if len(line.expandtabs(8)) > lint.COLUMNS]


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else "."
    # A line once broken may leave a piece that is still too long.
    for _ in range(3):
        tree = lint.Tree(root)
        for name in tree.match(r"(src|test)/.+\.[ch]"):
            ranges = [f"--lines={n}:{n}" for n in long_lines(tree, name)]
            if ranges:
                subprocess.run(["clang-format", "-i", *ranges, name], cwd=tree.root, check=True)
    tree = lint.Tree(root)
    for name in tree.match(r"(src|test)/.+\.[ch]"):
        for number in long_lines(tree, name):
            print(f"{name}:{number}: break it by hand")


if __name__ == "__main__":
    main()
