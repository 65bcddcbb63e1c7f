"""Running a program many times and what that cost: wall time, processor time, memory."""

import dataclasses
import os
import pathlib
import select
import statistics
import time


@dataclasses.dataclass
class Command:
    """argv with an environment of its own; stdin is a file or nothing, stdout goes nowhere."""

    argv: list
    env: dict = dataclasses.field(default_factory=lambda: {"PATH": os.environ["PATH"]})
    stdin: str = "/dev/null"

    def start(self, stdout="/dev/null"):
        argv = [str(a) for a in self.argv]
        out = (os.POSIX_SPAWN_OPEN, 1, stdout, os.O_WRONLY, 0)
        if isinstance(stdout, int):
            out = (os.POSIX_SPAWN_DUP2, stdout, 1)
        actions = [(os.POSIX_SPAWN_OPEN, 0, str(self.stdin), os.O_RDONLY, 0), out]
        return os.posix_spawnp(argv[0], argv, self.env, file_actions=actions)

    def run(self):
        """(wall, processor) in ms; the processor's is user and system time together."""
        begin = time.perf_counter_ns()
        _, status, used = os.wait4(self.start(), 0)
        wall = (time.perf_counter_ns() - begin) / 1e6
        if status:
            raise OSError(f"{self.argv} ended with {os.waitstatus_to_exitcode(status)}")
        return wall, (used.ru_utime + used.ru_stime) * 1e3

    def peak(self):
        """Peak resident KiB, read while the program waits: its output goes into a pipe that is full.

        ru_maxrss would not do: across execve it keeps the larger peak of the Python that started it.
        """
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        try:
            while os.write(writer, bytes(4096)):
                pass
        except BlockingIOError:
            pass
        os.set_blocking(writer, True)
        pid = self.start(writer)
        os.close(writer)
        status = pathlib.Path(f"/proc/{pid}/status")
        until = time.monotonic() + 5
        while "pipe" not in waits_in(pid) and time.monotonic() < until:
            time.sleep(0.002)
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        while os.read(reader, 1 << 16):
            pass
        os.close(reader)
        if os.waitpid(pid, 0)[1]:
            raise OSError(f"{self.argv} failed")
        return int(lines["VmHWM"].split()[0])


def waits_in(pid):
    """The kernel's function in which it sleeps; where that is hidden, some time has to do."""
    try:
        found = pathlib.Path(f"/proc/{pid}/wchan").read_text()
    except OSError:
        found = "0"
    if found in ("", "0"):
        select.select([], [], [], 0.1)
        return "pipe"
    return found


@dataclasses.dataclass
class Times:
    """What one command's runs gave, all in ms."""

    wall: list = dataclasses.field(default_factory=list)
    cpu: list = dataclasses.field(default_factory=list)

    @property
    def median(self):
        return statistics.median(self.wall)

    @property
    def mean_cpu(self):
        return statistics.fmean(self.cpu)

    @property
    def median_cpu(self):
        return statistics.median(self.cpu)

    def percentile(self, p):
        return sorted(self.wall)[min(len(self.wall) - 1, int(len(self.wall) * p / 100))]


def side_by_side(commands, times, seconds=20):
    """Run the commands in turn, so that a busy moment of the machine meets all; the first 3 do not count."""
    found = [Times() for _ in commands]
    for command in commands:
        for _ in range(3):
            command.run()
    until = time.monotonic() + seconds
    for _ in range(times):
        for command, kept in zip(commands, found):
            wall, cpu = command.run()
            kept.wall.append(wall)
            kept.cpu.append(cpu)
        if time.monotonic() > until:
            break
    return found
