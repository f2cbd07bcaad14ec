# SPDX-License-Identifier: Apache-2.0
"""What the sandbox costs a start: as root and as an ordinary user, alone and many at once."""

import json
import pathlib
import subprocess

from bench.harness import mounts, timer
from bench.harness.context import Context, Unmeasurable
from bench.harness.report import Number, median, once, percentile, ratio

USER = 4321
AT_ONCE = 100
MANY_MOUNTS = 500
BURSTS = 5  # of each kind; the median of their percentiles counts
GUEST = "hello"
CALL_LIMITS = {"start": None, "vcpu": "<= 12", "loop": "<= 20", "api": "<= 25", "supervisor": None}


def commands(folder: pathlib.Path) -> dict[str, list[str]]:
    mote = [str(folder / "mote"), "run", "--kernel", str(folder / f"{GUEST}.elf")]
    return {
        "floor": [str(folder / "floor"), str(folder / f"{GUEST}.elf")],
        "no sandbox": [*mote, "--no-sandbox"],
        "as root": mote,
        "as a user": ["SPAWN_USER", *mote],
    }


def time_once(context: Context, command: list[str]) -> timer.FirstByte:
    if command[0] == "SPAWN_USER":
        return timer.first_byte(context, command[1:], user=USER)
    return timer.first_byte(context, command)


def start_numbers(context: Context, folder: pathlib.Path) -> list[Number]:
    runs = timer.interleaved(context, time_once, commands(folder))
    wall = {name: [run.at for run in runs[name]] for name in runs}
    cpu = {name: [run.cpu for run in runs[name]] for name in runs}

    def added(name: str, limit: str) -> Number:
        """The difference of the medians; its runs are those of the rounds."""
        here, without = wall[name], wall["no sandbox"]
        number = median(f"added to the first byte: {name}", here, "us", limit)
        number.value = round(number.value - median("", without, "").value, 1)
        number.runs = [round(a - b, 1) for a, b in zip(here, without)]
        return number

    return [
        *(median(f"first byte: {name}", wall[name], "us") for name in runs),
        *(median(f"CPU to first byte: {name}", cpu[name], "us") for name in runs),
        added("as root", "<= 800"),
        added("as a user", "<= 1200"),
        *(
            ratio(f"first byte: {name} / floor", wall[name], wall["floor"], limit)
            for name, limit in (("no sandbox", None), ("as root", "<= 2.0"), ("as a user", "<= 2.0"))
        ),
    ]


def burst(context: Context, count: int, command: list[str]) -> list[float]:
    words = [context.built("bench/start_burst"), str(count), *command]
    result = subprocess.run(words, capture_output=True, text=True)
    if result.returncode != 0:
        raise Unmeasurable(result.stderr.strip())
    return [float(word) for word in result.stdout.split()]


def burst_numbers(context: Context, folder: pathlib.Path) -> list[Number]:
    """`AT_ONCE` starts at once. They queue for the processors whatever they start: the floor shows
    how much of the time is that."""
    all_commands = commands(folder)
    kinds = {name: all_commands[name] for name in ("floor", "no sandbox", "as root")}
    alone: dict[str, list[float]] = {name: [] for name in kinds}
    slowest: dict[tuple[str, int], list[float]] = {}
    for _ in range(BURSTS):
        for extra in (0, MANY_MOUNTS):
            with mounts.many_mounts(extra + 1):
                for name, command in kinds.items():
                    alone[name] += burst(context, 1, command)
                    times = burst(context, AT_ONCE, command)
                    slowest.setdefault((name, extra), []).append(percentile(times, 0.99))
    numbers = [median(f"one start: {name}", alone[name], "us") for name in kinds]
    one = {name: number.value for name, number in zip(kinds, numbers)}
    for extra in (0, MANY_MOUNTS):
        at_once = f"{AT_ONCE} at once, {extra} mounts more"
        numbers += [median(f"{at_once}, p99: {n}", slowest[n, extra], "us") for n in kinds]
        for name in kinds:
            limit = "<= 3" if name == "as root" and extra == MANY_MOUNTS else None
            times = slowest[name, extra]
            text = f"{at_once}, p99 / one start: {name}"
            numbers.append(ratio(text, times, [one[name]] * len(times), limit))
        for under in ("floor", "no sandbox"):
            text = f"{at_once}, p99: as root / {under}"
            numbers.append(ratio(text, slowest["as root", extra], slowest[under, extra]))
    many, few = slowest["as root", MANY_MOUNTS], slowest["as root", 0]
    return [*numbers, ratio(f"p99 with {MANY_MOUNTS} mounts more / without", many, few)]


def call_numbers(context: Context) -> list[Number]:
    """Prints the calls, and counts them."""
    words = [context.built("mote"), "seccomp", "print", "--json"]
    table = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    numbers = []
    for role, limit in CALL_LIMITS.items():
        rules = (r for r in table["rules"] if role in r["roles"] and r["allowed"])
        calls = sorted({rule["call"] for rule in rules})
        print(f"{role}: {', '.join(calls)}")
        numbers.append(once(f"distinct system calls: {role}", len(calls), "calls", limit))
    return numbers


def measure(context: Context) -> list[Number]:
    programs = [context.built("mote"), context.built("bench/floor"), context.guest(GUEST)]
    mounts.leave_host_mounts()
    with mounts.folder_for_everybody(programs) as folder:
        starts = start_numbers(context, folder)
        bursts = burst_numbers(context, folder)
    return [*starts, *bursts, *call_numbers(context)]
