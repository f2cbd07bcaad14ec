# SPDX-License-Identifier: Apache-2.0
"""Two Linux guests on a bridge, once on Mote and once on QEMU's microvm, whose frames QEMU moves itself or the kernel does (vhost-net)."""

import json
import re
import statistics
import sys

import outer
from net_cases import net

MONITORS = {"mote": "Mote", "qemu-vhost": "QEMU microvm, vhost-net", "qemu": "QEMU microvm"}
MIB = 16  # of TCP
SECONDS = 20  # of counted time, of which a case takes two
MEASURED = {"round-trip": "us", "tcp-out": "Mbit/s", "tcp-in": "Mbit/s"}  # what scripts/net/bench says
SCALE = {"round-trip": 1000}  # ping has milliseconds


def results_of(case, result):
    """{name: value}, or None when the case did not end well."""
    if result is None or result.end != "exit" or result.number != 0:
        ended = "it was not run" if result is None else f"{result.end} {result.number} after {result.seconds:.0f} s"
        print(f"{case.name}: no numbers: {ended}", file=sys.stderr)
        if result is not None:
            print(result.output.decode(errors="replace")[-600:], file=sys.stderr)
        return None
    found = dict(re.findall(r"^result (\S+) ([0-9.]+)\r?$", result.output.decode(errors="replace"), re.MULTILINE))
    return {name: float(found[name]) * SCALE.get(name, 1) for name in MEASURED}


def number(name, unit, runs, digits):
    return {"name": f"lab.net.{name}", "value": round(statistics.median(runs), digits), "unit": unit, "limit": None, "holds": None,
            "runs": [round(run, digits) for run in runs]}


def bench_net(rounds, mote, *, json_file, keep, boots, on_data):
    """Rounds of all ways in turns, in as few outer Linuxes as it takes; what emulation breaks is left out and told. Returns the exit code."""
    cases = {(turn, monitor): net("bench", str(MIB), case=f"bench.{monitor}.{turn}", monitor=monitor, timeout=SECONDS)
             for turn in range(rounds) for monitor in MONITORS}
    results = {}
    for _ in range(boots):
        left = [case for case in cases.values() if case.name not in results]
        if left:
            results |= outer.run(left, mote, counts_instructions=True, keep=keep, on_data=on_data)
    values = {key: results_of(case, results.get(case.name)) for key, case in cases.items()}
    whole = [turn for turn in range(rounds) if all(values[turn, monitor] for monitor in MONITORS)]
    if len(whole) < (rounds + 1) // 2:
        print(f"only {len(whole)} of {rounds} rounds have all numbers", file=sys.stderr)
        return 1
    objects = []
    for name, unit in MEASURED.items():
        runs = {monitor: [values[turn, monitor][name] for turn in whole] for monitor in MONITORS}
        objects += [number(f"{name}.{monitor}", unit, runs[monitor], 1) for monitor in MONITORS]
        for other in ("qemu-vhost", "qemu"):
            objects.append(number(f"{name}.mote-over-{other}", "ratio", [m / q for m, q in zip(runs["mote"], runs[other])], 3))
    for entry in objects:
        print(f"{entry['name']:40} {entry['value']:10} {entry['unit']:7} {min(entry['runs'])} .. {max(entry['runs'])}, {len(whole)} rounds")
    if json_file:
        json_file.write_text(json.dumps(objects, indent=1) + "\n")
    return 0
