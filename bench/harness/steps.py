# SPDX-License-Identifier: Apache-2.0
"""Where the time of a start goes: the boot timeline of Mote beside the steps of the floor."""

import json
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile

from bench.harness.context import Context, Unmeasurable

STEP = re.compile(r"^\s*([0-9.]+)\s+\+[0-9.]+ us\s+(.+)$", re.MULTILINE)


def times_of_floor(context: Context, command: list[str]) -> dict[str, float]:
    """Microseconds at the end of each step."""
    binary, *rest = command
    timed = [context.built("bench/spawn_timer"), "--whole", binary, "--steps", *rest]
    text = subprocess.run(timed, capture_output=True, text=True).stderr
    return {name: float(at) for at, name in STEP.findall(text)}


def times_of_mote(context: Context, command: list[str]) -> dict[str, float]:
    """Microseconds at each mark of the boot timeline."""
    with tempfile.TemporaryDirectory() as folder:
        trace = pathlib.Path(folder) / "trace.json"
        timed = [context.built("bench/spawn_timer"), "--whole", *command, f"--timeline={trace}"]
        result = subprocess.run(timed, capture_output=True, text=True)
        if not trace.exists():
            raise Unmeasurable(f"no timeline from {' '.join(command)}: {result.stderr.strip()}")
        events = json.loads(trace.read_text())["traceEvents"]
    return {event["name"]: event["ts"] + event["dur"] for event in events}


def print_medians(title: str, rounds: list[dict[str, float]]) -> None:
    print(f"{title}, us, medians of {len(rounds)}\n{'at':>9} {'took':>9}")
    before = [0.0] * len(rounds)
    for name in rounds[0]:
        at = [times[name] for times in rounds]
        took = [end - begin for begin, end in zip(before, at)]
        print(f"{statistics.median(at):9.1f} {statistics.median(took):9.1f}  {name}")
        before = at
    print()


def page_faults(command: list[str]) -> str:
    if not shutil.which("perf"):
        return "perf is not there"
    counters = ["perf", "stat", "-x,", "-e", "page-faults:u,context-switches", *command]
    result = subprocess.run(counters, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    lines = (line.split(",") for line in result.stderr.splitlines())
    return ", ".join(f"{cells[0]} {cells[2]}" for cells in lines if len(cells) > 2)


def calls(command: list[str]) -> str:
    """System calls before the first KVM_RUN, and in all."""
    if not shutil.which("strace"):
        return "strace is not there"
    traced = ["strace", "-f", *command]
    result = subprocess.run(traced, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    lines = [line for line in result.stderr.splitlines() if re.search(r"\w+\(", line)]
    before = next((i for i, line in enumerate(lines) if "KVM_RUN" in line), len(lines))
    runs = sum("KVM_RUN" in line and "resumed" not in line for line in lines)
    return f"{before} system calls before the guest runs, {len(lines)} in all, {runs} KVM_RUN"


def print_profile(context: Context, floor: list[str], mote: list[str]) -> None:
    print_medians("floor", [times_of_floor(context, floor) for _ in range(context.rounds)])
    print_medians("mote", [times_of_mote(context, mote) for _ in range(context.rounds)])
    for name, command in (("floor", floor), ("mote", mote)):
        print(f"{name}: {page_faults(command)}; {calls(command)}")
