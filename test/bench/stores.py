"""Folders of many entries, made quickly: by name, size and links like real ones (FORMATS.md, section 1)."""

import hashlib
import os
import shutil


def fill(folder, entry, count):
    """Copy a real store, then add entries of other paths until it has `count`.

    A hit computes its file's name, so what the others hold does not matter; how many there are could.
    """
    source = entry.parent
    shutil.copytree(source, folder, dirs_exist_ok=True)
    have = len(list(folder.glob("*.json")))
    body = entry.read_bytes()[:1000]
    at = os.open(folder, os.O_RDONLY)
    last = os.open(folder / "last", os.O_RDONLY)
    for number in range(count - have):
        key = hashlib.sha256(f"get_repo_info:/repos/o/r{number}".encode()).hexdigest()[:32]
        name = f"get_repo_info-{key}-02063602.json"
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=at)
        os.write(file, body)
        os.close(file)
        os.link(name, key, src_dir_fd=at, dst_dir_fd=last)
    os.close(last)
    os.close(at)
    return folder
