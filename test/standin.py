"""The stand-in GitHub as a process of its own, for the demo and the bench: it shares no time with them."""

import json
import pathlib
import subprocess
import sys
import time
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
TOKENS = ["1".zfill(40), "2".zfill(40)]  # whose tokens the recorded answers have
PLAIN = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class StandIn:
    """Starts `python -m fake` and asks it over its control address. OSError with a sentence if it fails."""

    def __init__(self, folder, recorded=False):
        env, errors = folder / "stand-in.env", open(folder / "stand-in.log", "w+")
        options = ["--env", env, "--folder", folder / "ca", "--watch-stdin"] + ["--recorded"] * recorded
        command = [sys.executable, "-m", "fake", *map(str, options)]
        self.process = subprocess.Popen(
            command, cwd=HERE, stdin=subprocess.PIPE, stdout=errors, stderr=errors
        )
        try:
            self.wait(env, errors)
        except BaseException:  # also when the caller is ended meanwhile
            self.stop()
            raise
        given = dict(line.split("=", 1) for line in env.read_text().splitlines())
        self.url, self.ca, self.control = given["FAKE_URL"], given["FAKE_CA"], given["FAKE_CONTROL"]

    def wait(self, env, errors):
        until = time.monotonic() + 300  # the first start may have to fetch the recorded answers
        while not env.exists():
            if self.process.poll() is not None or time.monotonic() > until:
                errors.seek(0)
                last = (errors.read().strip() or "it said nothing").splitlines()[-1]
                raise OSError(f"the stand-in GitHub did not start: {last}")
            time.sleep(0.02)

    def count(self, **which):
        """How many requests reached it: count(), count(billable="true"), count(path="/repos/*")."""
        return json.load(PLAIN.open(f"{self.control}/count?{urllib.parse.urlencode(which)}", timeout=10))

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
