# SPDX-License-Identifier: Apache-2.0
"""Runs programs that measure by themselves, and looks meanwhile at what the threads of a monitor
use beside the guest's work."""

import dataclasses
import os
import pathlib
import re
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping

from bench.harness.context import Unmeasurable
from bench.harness.family import family

RESULT = re.compile(r"^result (\S+) (\S+) \S+\s*$", re.MULTILINE)
TIMEOUT_SECONDS = 30  # of each wait
# The guest says these words when its measurement begins and ends; the first only where it waits for
# somebody outside.
READY, BEGIN, END, LAST = b"ready\n", b"measuring\n", b"measured\n", b"DONE\n"
SYSTEM_CALLS = "raw_syscalls:sys_enter"


# What is to be done at these words. With one for READY that word has to come.
Hooks = Mapping[bytes, Callable[[], None]]


@dataclasses.dataclass(frozen=True)
class Monitor:
    """How to start a monitor with a guest, and which of its threads run the guest."""

    command: list[str]
    # By: it is the first thread of the process that has the VM; and its name.
    is_vcpu: Callable[[bool, str], bool]


@dataclasses.dataclass(frozen=True)
class Run:
    results: dict[str, float]  # what the guest printed
    # Of all threads but the vCPUs, per second of the measurement:
    cpu_seconds: float
    system_calls: float | None = None


def look_in_time() -> None:
    """Where allowed, runs this process before all others when it wakes, which is seldom. What it
    starts runs as before."""
    try:
        priority = os.sched_param(os.sched_get_priority_min(os.SCHED_FIFO))
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, priority)
    except OSError:
        pass


class Started:
    """A running program, in a session of its own that is preferred to the rest of the machine."""

    def __init__(self, command: list[str]):
        self.command = command
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            start_new_session=True,
        )
        self.pid = self.process.pid
        self.output = b""
        try:  # without the right to it, or without such groups: as it is
            pathlib.Path(f"/proc/{self.pid}/autogroup").write_text("-20")
        except OSError:
            pass

    def __enter__(self) -> "Started":
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def wait_for(self, words: bytes, seconds: float = TIMEOUT_SECONDS) -> None:
        """Reads the output until these words have come; no words stand for its end."""
        end = time.monotonic() + seconds
        while not words or words not in self.output:
            left = max(0.0, end - time.monotonic())
            if not select.select([self.process.stdout], [], [], left)[0]:
                raise self.broken(f"no {words!r} in {seconds} s")
            chunk = os.read(self.process.stdout.fileno(), 4096)
            if not chunk and words:
                raise self.broken(f"ended without {words!r}")
            if not chunk:
                return
            self.output += chunk

    def reach(self, words: bytes, hooks: Hooks) -> None:
        self.wait_for(words)
        if words in hooks:
            hooks[words]()

    def results(self) -> dict[str, float]:
        text = self.output.decode(errors="replace")
        return {name: float(value) for name, value in RESULT.findall(text)}

    def broken(self, why: str) -> Unmeasurable:
        self.errors.seek(0)
        said = (self.output + self.errors.read()).decode(errors="replace").strip()
        return Unmeasurable(f"{' '.join(self.command)}: {why}; it said:\n{said}")


def run_floor(command: list[str], seconds: float, hooks: Hooks = {}) -> dict[str, float]:
    """Runs a program without a guest to its end, and returns its results. With hooks it says the
    same words as a guest."""
    with Started(command) as started:
        for words in (READY, BEGIN, END):
            if words in hooks:
                started.reach(words, hooks)
        started.wait_for(b"", seconds + TIMEOUT_SECONDS)
        if started.process.wait() != 0:
            raise started.broken(f"exit status {started.process.returncode}")
        return started.results()


def threads_beside_vcpus(pid: int, monitor: Monitor) -> list[pathlib.Path]:
    """Their folders in /proc, in all processes of the monitor."""
    found = []
    processes = family(pid)
    for process in processes:
        for task in pathlib.Path(f"/proc/{process}/task").iterdir():
            name = (task / "comm").read_text().strip()
            is_first = int(task.name) == process == processes[-1]
            if not monitor.is_vcpu(is_first, name):
                found.append(task)
    return found


def cpu_seconds(pid: int, monitor: Monitor) -> float:
    """Exact to a tick of the kernel for a thread that runs just now."""
    tasks = threads_beside_vcpus(pid, monitor)
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def count_system_calls(pid: int, monitor: Monitor, seconds: float) -> float:
    """Per second, by perf, which slows the threads down a little."""
    if not shutil.which("perf"):
        raise Unmeasurable("perf is missing -- apt-get install linux-perf")
    ids = ",".join(task.name for task in threads_beside_vcpus(pid, monitor))
    begin = time.monotonic()
    counters = ["perf", "stat", "-x,", "-e", SYSTEM_CALLS, "-t", ids, "sleep", str(seconds)]
    text = subprocess.run(counters, capture_output=True, text=True).stderr
    took = time.monotonic() - begin
    for line in text.splitlines():
        count, _, event, *_ = [*line.split(","), "", ""]
        if event.startswith(SYSTEM_CALLS) and count.isdigit():
            return int(count) / took
    raise Unmeasurable(f"perf stat -e {SYSTEM_CALLS}: {text.strip()}")


def run(
    monitor: Monitor, seconds: float, counts_system_calls: bool = False, hooks: Hooks = {}
) -> Run:
    """Runs a guest that measures for `seconds`."""
    system_calls = None
    look_in_time()
    with Started(monitor.command) as started:
        if READY in hooks:
            started.reach(READY, hooks)
        started.reach(BEGIN, hooks)
        begin = time.monotonic()
        before = cpu_seconds(started.pid, monitor)
        if counts_system_calls:
            system_calls = count_system_calls(started.pid, monitor, seconds / 3)
            if time.monotonic() - begin > 0.9 * seconds:
                raise started.broken("perf took longer than the measurement")
        started.wait_for(END, seconds + TIMEOUT_SECONDS)
        used = cpu_seconds(started.pid, monitor) - before
        took = time.monotonic() - begin
        if END in hooks:
            hooks[END]()
        if started.process.poll() is not None:
            raise started.broken("ended before its threads could be looked at")
        started.wait_for(LAST)
        if b"FAIL" in started.output:
            raise started.broken("the guest found something wrong")
        return Run(started.results(), used / took, system_calls)
