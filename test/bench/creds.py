"""Credentials side by side: python test/bench/creds.py [--write CREDENTIALS.md]

`cred inject` of 20 secrets beside `sops exec-env` and a Python script on the `cryptography` package, key
derivation beside OpenSSL's, AES-256-GCM in bytes a second. On tmpfs, so that fsync does not decide. sops is
built with the Go toolchain, where there is one; without it, its rows say so.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scenario")]

from bench import BUILD, GHOARD, first_line, machine, report  # noqa: E402
from runs import Command, side_by_side  # noqa: E402

SOPS = "github.com/getsops/sops/v3/cmd/sops@v3.9.4"
HOW = """\
On tmpfs. The commands of a group take turns, so that ratios are of one run.

The two ratios hang on the machine: a 20th of sops and a 50th of the script are less than `/bin/true`, which
is linked dynamically, takes on a quiet one. Of `inject`, `ghoard version` is 0.2 ms; the rest is some 140
system calls, page faults, SHA-256 and AES. Where other work makes all of them wait, the ratios are larger: at
loads of 7 to 16 they were 23 to 33 and 42 to 68 when `inject` still took twice as long."""
COUNT = 20
NAMES = [f"SECRET_{i}" for i in range(COUNT)]

# what one would write by hand: the reference's store, masks, the environment file
SCRIPT = """
import base64, json, os, sys
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
folder = os.environ["CREDENTIALS_DIR"]
aes = AESGCM(base64.b64decode(open(folder + "/.master_key").read()))
def opened(data): return aes.decrypt(data[:12], data[12:], None)
store = json.loads(opened(open(folder + "/credentials.json.enc", "rb").read()))
with open(os.environ["GITHUB_ENV"], "a") as env:
    for name in sys.argv[1].split(","):
        value = opened(base64.b64decode(store[name]["encrypted_value"])).decode()
        print("::add-mask::" + value.replace("%", "%25").replace("\\n", "%0A"))
        mark = "d" + os.urandom(16).hex()
        env.write(f"{name}<<{mark}\\n{value}\\n{mark}\\n")
"""

SPEED = r"""
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "crypto/aead.h"
#include "crypto/pbkdf2.h"
static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}
int main(void)
{
	static uint8_t data[1 << 20], key[32], nonce[12], tag[16];
	struct aead a;
	double best = 1e9, kdf = 1e9;
	aead_init(&a, key);
	for (int round = 0; round < 7; round++) {
		double begin = now();
		for (int i = 0; i < 200; i++)
			aead_seal(&a, nonce, span_make("", 0), data, sizeof(data), tag);
		if (now() - begin < best)
			best = now() - begin;
		begin = now();
		pbkdf2_sha256(key, 32, span_of("passphrase"), span_of("saltsaltsaltsalt"), 600000);
		if (now() - begin < kdf)
			kdf = now() - begin;
	}
	printf("%d %.3f %.1f\n", a.fast, 200.0 * sizeof(data) / best / 1e9, kdf * 1e3);
	return 0;
}
"""


def values():
    return {n: f"value {i} " + "x" * 30 for i, n in enumerate(NAMES)}


class Piped(Command):
    """Read through a pipe, as the runner does."""

    def run(self):
        reader, writer = os.pipe()
        begin = time.perf_counter_ns()
        pid = self.start(writer)
        os.close(writer)
        while os.read(reader, 1 << 16):
            pass
        _, status, used = os.wait4(pid, 0)
        wall = (time.perf_counter_ns() - begin) / 1e6
        os.close(reader)
        if status:
            raise OSError(f"{self.argv} ended with {os.waitstatus_to_exitcode(status)}")
        return wall, (used.ru_utime + used.ru_stime) * 1e3


class Creds:
    def __init__(self, folder):
        self.folder, self.rows = folder, []
        self.env = {
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
            "CREDENTIALS_DIR": str(folder / "c"),
            "GITHUB_ENV": str(folder / "env"),
        }
        (folder / "env").touch()

    def row(self, claim, measured, target="", met=None):
        self.rows.append((claim, measured, target, "" if met is None else "yes" if met else "NO"))
        print(f"  {claim}: {measured}" + (f"  (target {target}: {self.rows[-1][3]})" if target else ""))

    def piped(self, *argv, env=None):
        return Piped(list(argv), self.env | (env or {}))

    def fill(self):
        given = json.dumps([{"name": n, "value": v} for n, v in values().items()])
        made = subprocess.run(
            [GHOARD, "cred", "inject", "--from-json", "-", "--access", "off"],
            env=self.env, input=given.encode(), stdout=subprocess.PIPE, check=True,
        )  # fmt: skip
        if made.stdout.count(b"::add-mask::value ") < COUNT:
            raise OSError("the store was not filled")

    def sops(self):
        """Its path; None with a sentence where it cannot be built."""
        kept = BUILD / "bench" / "sops"
        if shutil.which("sops"):
            return shutil.which("sops")
        if not kept.exists() and shutil.which("go"):
            go = {"HOME": str(BUILD / "bench"), "GOBIN": str(kept.parent), "GOFLAGS": "-modcacherw"}
            subprocess.run(["go", "install", SOPS], env=self.env | go, stderr=subprocess.DEVNULL, timeout=900)
        return kept if kept.exists() else None

    def sops_command(self, sops):
        """AES-256-GCM a value, its data key wrapped by age: the cheapest that it has."""
        if not shutil.which("age-keygen"):
            return None
        key = self.folder / "age.txt"
        subprocess.run(["age-keygen", "-o", key], check=True, stderr=subprocess.DEVNULL)
        public = subprocess.run(
            ["age-keygen", "-y", key], check=True, stdout=subprocess.PIPE, text=True
        ).stdout.strip()
        plain = self.folder / "plain.json"
        plain.write_text(json.dumps(values()))
        sealed = subprocess.run(
            [sops, "encrypt", "--age", public, plain], check=True, stdout=subprocess.PIPE
        ).stdout
        (self.folder / "sealed.json").write_bytes(sealed)
        return self.piped(
            sops, "exec-env", self.folder / "sealed.json", "/bin/true", env={"SOPS_AGE_KEY_FILE": str(key)}
        )

    def inject(self):
        self.fill()
        script = self.folder / "inject.py"
        script.write_text(SCRIPT)
        names = ",".join(NAMES)
        ours = self.piped(GHOARD, "cred", "inject", "--names", names, "--access", "off")
        python = self.piped(sys.executable, script, names)
        sops = self.sops()
        theirs = self.sops_command(sops) if sops else None
        commands = [ours, python, self.piped("/bin/true")] + (
            [theirs] if theirs else []
        )
        found = side_by_side(commands, 100, seconds=60)
        nothing = found[2].median
        self.row(f"`ghoard cred inject` of {COUNT}, median", f"{found[0].median:.2f} ms")
        self.row("`/bin/true`, median: what starting a program costs", f"{nothing:.2f} ms")
        self.row(f"a Python script on `cryptography`, {COUNT} secrets, median", f"{found[1].median:.1f} ms")
        ratio = found[1].median / found[0].median
        self.row("Python / `ghoard`", f"{ratio:.0f} times", "at least 50", ratio >= 50)
        if not theirs:
            why = "age-keygen is missing" if sops else "it could not be built here"
            self.row("`sops exec-env`", f"not measured: {why}")
            return
        ratio = found[3].median / found[0].median
        self.row(f"`sops exec-env` of {COUNT} (age), median", f"{found[3].median:.1f} ms")
        self.row("`sops` / `ghoard`", f"{ratio:.0f} times", "at least 20", ratio >= 20)

    def primitives(self):
        source, program = self.folder / "speed.c", self.folder / "speed"
        source.write_text(SPEED)
        names = "crypto/aead crypto/cpu crypto/hash crypto/hmac crypto/pbkdf2 crypto/shani"
        names += " base/str base/varint base/wipe"
        objects = [BUILD / "obj/src" / f"{n}.o" for n in names.split()]
        subprocess.run(
            [
                "musl-gcc",
                "-static",
                "-O2",
                "-std=gnu11",
                "-D_GNU_SOURCE",
                f"-I{HERE.parent.parent}/src",
                source,
            ]
            + [*objects, BUILD / "lib/bearssl.a", "-o", program],
            check=True,
        )
        fast, speed, kdf = subprocess.run(
            [program], check=True, stdout=subprocess.PIPE, text=True
        ).stdout.split()
        has_ni = "1 GB/s where there is AES-NI"
        self.row(
            "AES-256-GCM, 1 MiB at a time",
            f"{speed} GB/s",
            f"at least {has_ni}",
            float(speed) >= 1 or fast == "0",
        )
        import hashlib

        best = min(self.openssl(hashlib) for _ in range(5))
        ratio = float(kdf) / best
        self.row("PBKDF2-HMAC-SHA256, 600,000 rounds", f"{kdf} ms")
        self.row("… OpenSSL's", f"{best:.1f} ms")
        self.row("`ghoard` / OpenSSL", f"{ratio:.2f} times", "at most 2.5", ratio <= 2.5)

    @staticmethod
    def openssl(hashlib):
        begin = time.perf_counter()
        hashlib.pbkdf2_hmac("sha256", b"passphrase", b"saltsaltsaltsalt", 600000)
        return (time.perf_counter() - begin) * 1e3


def main():
    options = argparse.ArgumentParser(prog="creds.py", description=__doc__.splitlines()[0])
    options.add_argument("--write", help="write the table to this file")
    options = options.parse_args()
    BUILD.joinpath("bench").mkdir(exist_ok=True)
    line = machine().removesuffix(".") + f"; {first_line('openssl', 'version')}."
    folder = pathlib.Path(tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    try:
        creds = Creds(folder)
        creds.inject()
        creds.primitives()
    except OSError as wrong:
        sys.exit(f"bench: {wrong}")
    finally:
        shutil.rmtree(folder)
    if options.write:
        text = report(line, creds.rows, "Credentials, measured by `make bench`", HOW)
        pathlib.Path(options.write).write_text(text)


if __name__ == "__main__":
    main()
