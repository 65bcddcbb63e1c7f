"""Run the stand-in GitHub as a process: python -m fake [--recorded] [--env FILE] [--folder DIR].

Prints one line of shell assignments (or writes it to FILE), then serves until it is ended or stdin closes.
"""

import argparse
import os
import signal
import sys
import threading

from . import Fake
from .github import default_folder


def main():
    options = argparse.ArgumentParser(prog="python -m fake", description=__doc__)
    options.add_argument("--recorded", action="store_true", help="also replay recorded real answers")
    options.add_argument("--env", help="write the assignments to this file instead of stdout")
    options.add_argument("--folder", default=default_folder(), help="where the certificates go")
    options.add_argument("--watch-stdin", action="store_true", help="end when stdin closes")
    options = options.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    with Fake(options.folder, recorded=options.recorded) as fake:
        text = (
            "\n".join(
                f"{k}={v}"
                for k, v in {
                    "FAKE_URL": fake.url,
                    "FAKE_HTTP": fake.http,
                    "FAKE_CONTROL": f"{fake.http}/_fake",
                    "FAKE_CA": fake.ca,
                    "FAKE_PID": os.getpid(),
                }.items()
            )
            + "\n"
        )
        if options.env:
            with open(options.env + ".new", "w") as file:
                file.write(text)
            os.rename(options.env + ".new", options.env)
        else:
            print(text, end="", flush=True)
        if options.watch_stdin:
            threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
        while not ended.wait(1):
            pass


main()
