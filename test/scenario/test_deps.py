"""vendor/deps.sh on a machine of Alpine's: busybox has commands of many names, with few of the options."""

import shutil
import subprocess

from rig import ROOT

# what those of busybox cannot do here: tar --sort, patch -s
LACKING = {"tar", "patch", "xz", "bzip2"}


def applets(place):
    """A PATH with busybox alone."""
    place.mkdir()
    busybox = shutil.which("busybox")
    for name in subprocess.run([busybox, "--list"], capture_output=True, text=True).stdout.split():
        (place / name).symlink_to(busybox)
    return place


def alpine(tmp_path, *own):
    """What is installed where there are busybox, a note-taking apk, and `own` commands."""
    place = applets(tmp_path / "bin")
    tools = {
        "apk": f'#!/bin/sh\necho "$*" >>{tmp_path}/asked\n',
        "id": "#!/bin/sh\necho 0\n",
        **{name: "#!/bin/sh\n" for name in ("flock", *own)},
    }
    for name, text in tools.items():
        (place / name).unlink(missing_ok=True)
        (place / name).write_text(text)
        (place / name).chmod(0o755)
    env = {"PATH": str(place), "TMPDIR": str(tmp_path), "LC_ALL": "C"}
    command = [shutil.which("sh"), "vendor/deps.sh", "build"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done
    asked = tmp_path / "asked"
    return set(asked.read_text().split()) if asked.exists() else set()


def test_applets_are_replaced(tmp_path):
    asked = alpine(tmp_path, "gcc", "ar", "make")
    assert asked >= LACKING | {"add"} and not asked & {"gcc", "make"}, asked


def test_real_ones_are_not(tmp_path):
    assert not alpine(tmp_path, "gcc", "ar", "make", *LACKING) & {"gcc", "make", *LACKING}
