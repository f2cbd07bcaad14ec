# SPDX-License-Identifier: Apache-2.0
"""An interface under load: Mote against what a process can have of a tap, and against QEMU's
microvm with the same guest. The other end of the tap drops, sends or returns frames."""

import contextlib
import dataclasses
import os
import signal
from collections.abc import Iterable, Iterator

from bench.harness import monitored, monitors
from bench.harness.comparison import Ratio, cpu_numbers, event_numbers, ratio_numbers
from bench.harness.context import Context, Unmeasurable
from bench.harness.monitored import BEGIN, END, READY, Hooks, Monitor, Started
from bench.harness.namespace import Namespace
from bench.harness.report import Number, median, paired_ratio

ROUNDS = 7  # unless the command line says: some 8 minutes
SECONDS = 1  # of each measurement
SECONDS_OF_COUNTING = 3  # perf needs some of them to begin and to end
GUEST_MAC = "02:00:00:00:00:01"
TAP_MAC = "02:00:00:00:00:fd"  # nobody's: what is sent is for another station, and is dropped
PEER_MAC = "02:00:00:00:00:fe"
TRANSMIT, RECEIVE, ROUND_TRIP = "transmit", "receive", "round-trip"
GUEST_MODES = {TRANSMIT: "tx", RECEIVE: "rx", ROUND_TRIP: "rtt"}
SEGMENT = 1448  # bytes of payload that a large frame is to be cut to


@dataclasses.dataclass(frozen=True)
class Runner:
    """A way to have the frames moved. `kind` is an engine of net_floor, mote or qemu."""

    kind: str
    options: tuple[str, ...] = ()  # of mote
    words: str = ""  # for the guest
    on_one_processor: bool = False  # a floor that shares one with the other end of the tap

    @property
    def is_floor(self) -> bool:
        return self.kind not in ("mote", "qemu")


RUNNERS = {
    "uring": Runner("uring"),
    "write()": Runner("call"),
    "read()": Runner("call"),
    "raw tap": Runner("call", on_one_processor=True),
    "raw tap, two processors": Runner("spin"),
    "raw tap, two processors, uring": Runner("uring"),
    "mote": Runner("mote"),
    "mote, poll_us 0": Runner("mote", ("--poll-us", "0")),
    "mote, interrupts": Runner("mote", words="wait=irq"),
    "qemu": Runner("qemu"),
    "qemu, interrupts": Runner("qemu", words="wait=irq"),
}


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    work: str
    size: int  # of a frame with its Ethernet header
    runners: tuple[str, ...]
    ratios: tuple[Ratio, ...] = ()
    rate: int = 0  # offered frames per second; 0: as many as the sender can
    cpu_limit: str | None = None  # of mote, microseconds of a frame
    received_limit: str | None = None  # of mote with interrupts, of what was offered


BUSY = ("mote", "mote, interrupts", "qemu", "qemu, interrupts")
CASES = (
    Case(
        "transmit 64 B", TRANSMIT, 64, ("uring", "write()", *BUSY),
        (
            Ratio("mote", "uring", ">= 0.8"),
            Ratio("qemu", "uring"),
            Ratio("mote, interrupts", "qemu, interrupts"),
        ),
        cpu_limit="<= 0.9",
    ),
    Case(
        "transmit 1500 B", TRANSMIT, 1500, ("uring", "write()", "mote", "qemu"),
        (Ratio("mote", "uring", ">= 0.8"), Ratio("qemu", "uring")),
        cpu_limit="<= 0.9",
    ),
    Case(
        "transmit 64 KiB to be cut", TRANSMIT, 65549, ("uring", "write()", "mote", "qemu"),
        (Ratio("mote", "uring", ">= 0.9"), Ratio("qemu", "uring")),
    ),
    Case(
        "receive 64 B, 200 k/s", RECEIVE, 64, ("uring", "read()", *BUSY),
        rate=200_000, cpu_limit="<= 1.0",
    ),
    Case(
        "receive 64 B, 400 k/s", RECEIVE, 64, ("uring", "read()", *BUSY),
        rate=400_000, received_limit=">= 0.99",
    ),
    Case(
        "receive 64 B, flat out", RECEIVE, 64, ("uring", "read()", "mote", "qemu"),
        (Ratio("mote", "qemu", ">= 1.3"), Ratio("mote", "uring")),
    ),
    Case(
        "round trip 64 B", ROUND_TRIP, 64,
        ("raw tap", "raw tap, two processors", "raw tap, two processors, uring", "mote",
         "mote, poll_us 0", "mote, interrupts", "qemu", "qemu, interrupts"),
        (
            Ratio("mote", "raw tap", "<= 1.5"),
            Ratio("mote", "raw tap, two processors"),
            Ratio("qemu", "raw tap"),
            Ratio("mote, interrupts", "qemu, interrupts"),
        ),
    ),
)  # fmt: skip
# Cases whose system calls are counted, and the limit of Mote's per frame.
SYSTEM_CALL_LIMITS = {
    "transmit 64 B": "<= 0.1",
    "transmit 1500 B": "<= 0.1",
    "receive 64 B, 200 k/s": None,
}


@dataclasses.dataclass(frozen=True)
class Sample:
    """What one run gave, per second or per frame."""

    frames: float
    cpu_us: float
    kicks: float = 0.0
    interrupts: float = 0.0
    offered: float = 0.0

    @property
    def us(self) -> float:
        return 1e6 / self.frames


@dataclasses.dataclass(frozen=True)
class Bench:
    """What a measurement needs."""

    context: Context
    namespace: Namespace
    case: Case
    seconds: int = SECONDS


def available(runners: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in runners if monitors.is_present(RUNNERS[name].kind))


class Peer:
    """Whoever is at the other end of the tap. It starts when `hooks` say so, and is stopped at the
    end in any case."""

    def __init__(self, bench: Bench, tap: str, place: list[str]):
        self.bench = bench
        self.place = place  # words before the command
        self.tap = tap
        self.started: Started | None = None

    def start(self) -> None:
        case = self.bench.case
        command = [self.bench.context.built("bench/net_peer")]
        if case.work == RECEIVE:
            command += ["send", self.tap, GUEST_MAC, str(case.size), str(case.rate)]
        else:
            command += ["echo", self.tap, PEER_MAC]
        self.started = Started(self.bench.namespace.command([*self.place, *command]))
        self.started.wait_for(READY)

    def signal(self, number: signal.Signals) -> None:
        self.started.process.send_signal(number)

    def hooks(self) -> Hooks:
        if self.bench.case.work == TRANSMIT:
            return {}
        hooks = {
            BEGIN: lambda: self.signal(signal.SIGUSR1),
            END: lambda: self.signal(signal.SIGUSR2),
        }
        if self.bench.case.work == RECEIVE:
            hooks[READY] = self.start
        return hooks

    def end(self) -> dict[str, float]:
        self.signal(signal.SIGTERM)
        self.started.wait_for(b"")
        if self.started.process.wait() != 0:
            raise self.started.broken(f"exit status {self.started.process.returncode}")
        return self.started.results()


@contextlib.contextmanager
def peer_at(bench: Bench, tap: str, place: Iterable[str] = ()) -> Iterator[Peer]:
    peer = Peer(bench, tap, list(place))
    try:
        if bench.case.work == ROUND_TRIP:
            peer.start()
        yield peer
    finally:
        if peer.started is not None:
            peer.started.__exit__()


def guest_words(case: Case, runner: Runner, seconds: int) -> str:
    words = f"mode={GUEST_MODES[case.work]} size={case.size} seconds={seconds} to={PEER_MAC}"
    if case.size > 1514:
        words += f" gso={SEGMENT}"
    return f"{words} {runner.words}".strip()


def monitor_of(bench: Bench, runner: Runner, tap: str) -> Monitor:
    words = guest_words(bench.case, runner, bench.seconds)
    if runner.kind == "mote":
        options = ["--net", f"{tap},mac={GUEST_MAC}", *runner.options]
        monitor = monitors.mote(bench.context, "net_bench", words, options)
    else:
        options = ["-netdev", f"tap,id=n,ifname={tap},script=no,downscript=no,vhost=off"]
        options += ["-device", f"virtio-net-device,netdev=n,mac={GUEST_MAC}"]
        monitor = monitors.qemu(bench.context, "net_bench", words, options)
    return Monitor(bench.namespace.command(monitor.command), monitor.is_vcpu)


def place_of(runner: Runner) -> list[str]:
    if not runner.on_one_processor:
        return []
    return ["taskset", "--cpu-list", str(min(os.sched_getaffinity(0)))]


def measure_floor(bench: Bench, runner: Runner, tap: str, hooks: Hooks) -> Sample:
    command = [*place_of(runner), bench.context.built("bench/net_floor"), runner.kind, tap]
    command += [bench.case.work, str(bench.case.size), str(bench.seconds)]
    results = monitored.run_floor(bench.namespace.command(command), bench.seconds, hooks)
    return Sample(results["frame_rate"], results["cpu_us"])


def measure_monitor(bench: Bench, runner: Runner, tap: str, hooks: Hooks) -> Sample:
    run = monitored.run(monitor_of(bench, runner, tap), bench.seconds, hooks=hooks)
    results = run.results
    done = results["frames"]
    frames = done / results["elapsed"] * 1e6
    if bench.case.work == ROUND_TRIP and results["lost"] > 0:
        raise Unmeasurable(f"{bench.case.name}: {results['lost']:.0f} frames did not come back")
    return Sample(
        frames,
        run.cpu_seconds * 1e6 / frames,
        results["kicks"] / done,
        results["interrupts"] / done,
    )


def measure_once(bench: Bench, runner: Runner) -> Sample:
    place = place_of(runner)
    with bench.namespace.tap(TAP_MAC) as tap, peer_at(bench, tap, place) as peer:
        measure_one = measure_floor if runner.is_floor else measure_monitor
        sample = measure_one(bench, runner, tap, peer.hooks())
        if bench.case.work != RECEIVE:
            return sample
        return dataclasses.replace(sample, offered=peer.end()["offered"])


def measure_round(context: Context, namespace: Namespace) -> dict[tuple[str, str], Sample]:
    """Everything once: (case, runner) -> sample."""
    return {
        (case.name, name): measure_once(Bench(context, namespace, case), RUNNERS[name])
        for case in CASES
        for name in available(case.runners)
    }


def numbers_of_case(case: Case, rounds: list[dict[str, Sample]]) -> list[Number]:
    """Numbers of the rounds' samples, which stand under the runners' names."""
    runners = available(case.runners)
    unit = "us" if case.work == ROUND_TRIP else "1/s"
    values = {
        name: [round(r[name].us, 3) if unit == "us" else r[name].frames for r in rounds]
        for name in runners
    }
    numbers = [median(f"{case.name}: {name}", values[name], unit) for name in runners]
    numbers += cpu_numbers(case.name, runners, rounds, case.cpu_limit)
    for name in runners:
        if case.work != RECEIVE:
            break
        offered = [r[name].offered for r in rounds]
        numbers.append(median(f"{case.name}: offered to {name}", offered, "1/s"))
        if case.rate == 0:
            continue
        # WHY with interrupts: a guest that polls, a sender and a monitor are more than two
        # processors can run at such a rate, and it is then the scheduler that loses frames.
        limit = case.received_limit if name == "mote, interrupts" else None
        text = f"{case.name}: received by {name} / offered"
        numbers.append(paired_ratio(text, values[name], offered, limit))
    sleepers = [name for name in runners if "wait=irq" in RUNNERS[name].words]
    numbers += event_numbers(case.name, sleepers, rounds, "per frame")
    return numbers + ratio_numbers(case.name, case.ratios, values)


def system_call_number(bench: Bench, name: str) -> Number:
    """Counted in a run of its own, since that costs something. vCPU threads are left out."""
    label = f"{bench.case.name}: system calls of {name}"
    limit = SYSTEM_CALL_LIMITS[bench.case.name] if name == "mote" else None
    try:
        with bench.namespace.tap(TAP_MAC) as tap, peer_at(bench, tap) as peer:
            monitor = monitor_of(bench, RUNNERS[name], tap)
            run = monitored.run(
                monitor, bench.seconds, counts_system_calls=True, hooks=peer.hooks()
            )
    except Unmeasurable as problem:
        return Number(label, None, "per frame", limit=limit, note=str(problem).splitlines()[0])
    calls = round(run.system_calls / run.results["frame_rate"], 4)
    return Number(label, calls, "per frame", [calls], limit)


def measure(context: Context) -> list[Number]:
    with Namespace() as namespace:
        rounds = [measure_round(context, namespace) for _ in range(context.rounds)]
        counted = [case for case in CASES if case.name in SYSTEM_CALL_LIMITS]
        calls = [
            system_call_number(Bench(context, namespace, case, SECONDS_OF_COUNTING), name)
            for case in counted
            for name in available(("mote", "qemu"))
        ]
    numbers = []
    for case in CASES:
        of_case = [{name: r[case.name, name] for name in available(case.runners)} for r in rounds]
        numbers += numbers_of_case(case, of_case)
    return numbers + calls
