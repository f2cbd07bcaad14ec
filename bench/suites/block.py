# SPDX-License-Identifier: Apache-2.0
"""A disk under load: Mote against what the host itself can do with the same file, and against
QEMU's microvm with the same guest."""

import contextlib
import dataclasses
import os
import pathlib
import subprocess
import tempfile
from collections.abc import Iterable, Iterator

from bench.harness import monitored, monitors
from bench.harness.comparison import Ratio, cpu_numbers, event_numbers, ratio_numbers
from bench.harness.context import Context, Unmeasurable
from bench.harness.monitored import Monitor
from bench.harness.report import Number, median

ROUNDS = 7  # unless the command line says: some 5 minutes
SECONDS = 1  # of each measurement
SECONDS_OF_COUNTING = 3  # perf needs some of them to begin and to end
FILE_MIB = 256
PAGE = 4096
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "mote"


@dataclasses.dataclass(frozen=True)
class Runner:
    """A way to have the requests served. `kind` is an engine of block_floor, mote or qemu."""

    kind: str
    options: tuple[str, ...] = ()  # of mote
    words: str = ""  # for the guest
    queues: int = 1

    @property
    def is_floor(self) -> bool:
        return self.kind not in ("mote", "qemu")


RUNNERS = {
    "uring": Runner("uring"),
    "uring, registered buffers": Runner("fixed"),
    "psync": Runner("psync"),
    "woken thread": Runner("woken"),
    "mote": Runner("mote"),
    "mote, poll_us 0": Runner("mote", ("--poll-us", "0")),
    "mote, interrupts": Runner("mote", words="wait=irq"),
    "mote, 2 queues on 1 thread": Runner("mote", queues=2),
    "mote, 2 queues on 2 threads": Runner("mote", ("--io-threads", "2"), queues=2),
    "qemu": Runner("qemu"),
    "qemu, interrupts": Runner("qemu", words="wait=irq"),
}
BETTER_FLOOR = "better floor"  # uring or psync, round by round


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    mode: str
    size: int
    depth: int
    runners: tuple[str, ...]
    ratios: tuple[Ratio, ...]
    is_direct: bool = False
    cpu_limit: str | None = None  # of mote, microseconds of a request


CASES = (
    Case(
        "random read 4 KiB, depth 1", "randread", 4096, 1,
        ("uring", "psync", "woken thread", "mote", "mote, poll_us 0", "mote, interrupts", "qemu",
         "qemu, interrupts"),
        (
            Ratio("mote", "uring", ">= 0.45"),
            Ratio("mote, poll_us 0", "uring", ">= 0.25"),
            Ratio("woken thread", "uring"),
            Ratio("mote, poll_us 0", "woken thread"),
            Ratio("qemu", "uring"),
            Ratio("mote, interrupts", "qemu, interrupts"),
        ),
    ),
    Case(
        "random read 4 KiB, depth 32", "randread", 4096, 32,
        ("uring", "uring, registered buffers", "psync", "mote", "mote, interrupts",
         "mote, 2 queues on 1 thread", "mote, 2 queues on 2 threads", "qemu", "qemu, interrupts"),
        (
            Ratio("mote", "uring", ">= 0.85"),
            Ratio("mote", "qemu", ">= 1.6"),
            Ratio("mote, interrupts", "qemu, interrupts"),
            Ratio("mote, 2 queues on 2 threads", "mote, 2 queues on 1 thread", ">= 0.95"),
        ),
        cpu_limit="<= 1.2",
    ),
    Case(
        "random read 4 KiB, depth 128", "randread", 4096, 128,
        ("uring", "psync", "mote", "qemu"),
        (Ratio("mote", "uring", ">= 0.9"), Ratio("mote", "qemu")),
    ),
    Case(
        "random write 4 KiB, depth 32", "randwrite", 4096, 32,
        ("uring", "psync", "mote", "qemu"),
        (Ratio("mote", BETTER_FLOOR, ">= 0.8"), Ratio("mote", "qemu")),
    ),
    Case(
        "sequential read 128 KiB, depth 8", "seqread", 128 << 10, 8,
        ("uring", "psync", "mote", "qemu"),
        (Ratio("mote", "uring", ">= 0.95"), Ratio("mote", "qemu")),
    ),
    Case(
        "random read 4 KiB, O_DIRECT, depth 32", "randread", 4096, 32,
        ("uring", "psync", "mote", "qemu"),
        (Ratio("mote", "uring"), Ratio("mote", "qemu")),
        is_direct=True,
    ),
)  # fmt: skip
# Depth of the random reads whose system calls are counted, and the limit of Mote's per request.
SYSTEM_CALL_LIMITS = {1: None, 32: "<= 0.05"}


def available(runners: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in runners if monitors.is_present(RUNNERS[name].kind))


@dataclasses.dataclass(frozen=True)
class Sample:
    """What one run gave, per second or per request."""

    requests: float
    cpu_us: float
    kicks: float = 0.0
    interrupts: float = 0.0


def write_pages(path: pathlib.Path) -> None:
    """Writes the file in steps of a page: a page cache of bigger folios makes small writes dear."""
    page = os.urandom(PAGE)
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
    file = os.open(path, flags, 0o600)
    try:
        for at in range(0, FILE_MIB << 20, PAGE):
            os.pwrite(file, page, at)
    finally:
        os.close(file)


def flush(path: pathlib.Path) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@contextlib.contextmanager
def test_file() -> Iterator[pathlib.Path]:
    """A file on a disk, all of it in the page cache and clean."""
    CACHE.mkdir(parents=True, exist_ok=True)
    stat = ["stat", "--file-system", "--format=%T", str(CACHE)]
    kind = subprocess.run(stat, check=True, capture_output=True, text=True).stdout.strip()
    if kind == "tmpfs":
        raise Unmeasurable(f"{CACHE} is a tmpfs -- set XDG_CACHE_HOME to a folder on a disk")
    with tempfile.TemporaryDirectory(prefix="bench.", dir=CACHE) as folder:
        path = pathlib.Path(folder) / "disk.img"
        write_pages(path)
        flush(path)
        yield path


def guest_words(case: Case, runner: Runner, seconds: int) -> str:
    return (
        f"mode={case.mode} size={case.size} depth={case.depth} queues={runner.queues} "
        f"seconds={seconds} span={FILE_MIB << 20} {runner.words}"
    ).strip()


def mote(
    context: Context, case: Case, runner: Runner, disk: pathlib.Path, seconds: int = SECONDS
) -> Monitor:
    cache = "direct" if case.is_direct else "writeback"
    options = ["--block", f"{disk},queues={runner.queues},cache={cache}", *runner.options]
    return monitors.mote(context, "block_bench", guest_words(case, runner, seconds), options)


def qemu(
    context: Context, case: Case, runner: Runner, disk: pathlib.Path, seconds: int = SECONDS
) -> Monitor:
    direct = "on" if case.is_direct else "off"
    options = ["-object", "iothread,id=io0"]
    options += ["-drive", f"if=none,id=d,file={disk},format=raw,aio=io_uring,cache.direct={direct}"]
    options += ["-device", f"virtio-blk-device,drive=d,iothread=io0,num-queues={runner.queues}"]
    return monitors.qemu(context, "block_bench", guest_words(case, runner, seconds), options)


def measure_floor(context: Context, case: Case, runner: Runner, disk: pathlib.Path) -> Sample:
    command = [context.built("bench/block_floor"), runner.kind, str(disk), case.mode]
    numbers = (case.size, case.depth, SECONDS, int(case.is_direct))
    results = monitored.run_floor([*command, *(str(number) for number in numbers)], SECONDS)
    return Sample(results["iops"], results["cpu_us"])


def measure_once(context: Context, case: Case, runner: Runner, disk: pathlib.Path) -> Sample:
    if runner.is_floor:
        return measure_floor(context, case, runner, disk)
    make = mote if runner.kind == "mote" else qemu
    run = monitored.run(make(context, case, runner, disk), SECONDS)
    requests = run.results["iops"]
    done = run.results["requests"]
    return Sample(
        requests,
        run.cpu_seconds * 1e6 / requests,
        run.results["kicks"] / done,
        run.results["interrupts"] / done,
    )


def measure_round(context: Context, disk: pathlib.Path) -> dict[tuple[str, str], Sample]:
    """Everything once: (case, runner) -> sample."""
    samples = {}
    for case in CASES:
        if case.mode == "randwrite":
            write_pages(disk)  # so that nobody is the one that makes clean pages dirty
        for name in available(case.runners):
            samples[case.name, name] = measure_once(context, case, RUNNERS[name], disk)
        if case.mode == "randwrite":
            flush(disk)
    return samples


def numbers_of_case(case: Case, rounds: list[dict[str, Sample]]) -> list[Number]:
    """Numbers of the rounds' samples, which stand under the runners' names."""
    runners = available(case.runners)
    sleepers = [name for name in runners if "wait=irq" in RUNNERS[name].words]
    requests = {name: [r[name].requests for r in rounds] for name in runners}
    numbers = [median(f"{case.name}: {name}", requests[name], "1/s") for name in runners]
    numbers += cpu_numbers(case.name, runners, rounds, case.cpu_limit)
    numbers += event_numbers(case.name, sleepers, rounds, "per request")
    requests[BETTER_FLOOR] = [max(r["uring"].requests, r["psync"].requests) for r in rounds]
    return numbers + ratio_numbers(case.name, case.ratios, requests)


def system_call_number(context: Context, disk: pathlib.Path, name: str, depth: int) -> Number:
    """Counted in a run of its own, since that costs something. vCPU threads are left out."""
    label = f"random read 4 KiB, depth {depth}: system calls of {name}"
    limit = SYSTEM_CALL_LIMITS[depth] if name == "mote" else None
    case = Case("", "randread", 4096, depth, (), ())
    make = mote if name == "mote" else qemu
    try:
        monitor = make(context, case, RUNNERS[name], disk, SECONDS_OF_COUNTING)
        run = monitored.run(monitor, SECONDS_OF_COUNTING, counts_system_calls=True)
    except Unmeasurable as problem:
        return Number(label, None, "per request", limit=limit, note=str(problem).splitlines()[0])
    calls = round(run.system_calls / run.results["iops"], 4)
    return Number(label, calls, "per request", [calls], limit)


def measure(context: Context) -> list[Number]:
    with test_file() as disk:
        rounds = [measure_round(context, disk) for _ in range(context.rounds)]
        names = available(("mote", "qemu"))
        depths = SYSTEM_CALL_LIMITS
        calls = [system_call_number(context, disk, n, depth) for depth in depths for n in names]
    numbers = []
    for case in CASES:
        of_case = [{name: r[case.name, name] for name in available(case.runners)} for r in rounds]
        numbers += numbers_of_case(case, of_case)
    return numbers + calls
