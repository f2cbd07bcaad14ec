# SPDX-License-Identifier: Apache-2.0
"""Two Linux guests on a bridge, once on Mote and once on QEMU's microvm, whose frames QEMU moves itself or the kernel does (vhost-net)."""

import sys

from bench_numbers import number, run_all, show
from net_cases import net

MONITORS = {"mote": "Mote", "qemu-vhost": "QEMU microvm, vhost-net", "qemu": "QEMU microvm"}
MIB = 16  # of TCP
SECONDS = 20  # of counted time, of which a case takes two
MEASURED = {"round-trip": "us", "tcp-out": "Mbit/s", "tcp-in": "Mbit/s"}  # what scripts/net/bench says
SCALE = {"round-trip": 1000}  # ping has milliseconds


def bench_net(rounds, mote, *, json_file, keep, boots, on_data):
    """Rounds of all ways in turns, in as few outer Linuxes as it takes; what emulation breaks is left out and told. Returns the exit code."""
    cases = {(turn, monitor): net("bench", str(MIB), case=f"bench.{monitor}.{turn}", monitor=monitor, timeout=SECONDS)
             for turn in range(rounds) for monitor in MONITORS}
    values = run_all(cases, mote, counts_instructions=True, keep=keep, boots=boots, on_data=on_data)
    whole = [turn for turn in range(rounds) if all(values[turn, monitor] for monitor in MONITORS)]
    if len(whole) < (rounds + 1) // 2:
        print(f"only {len(whole)} of {rounds} rounds have all numbers", file=sys.stderr)
        return 1
    objects = []
    for name, unit in MEASURED.items():
        runs = {monitor: [values[turn, monitor][name] * SCALE.get(name, 1) for turn in whole] for monitor in MONITORS}
        objects += [number(f"lab.net.{name}.{monitor}", unit, runs[monitor], 1) for monitor in MONITORS]
        for other in ("qemu-vhost", "qemu"):
            objects.append(number(f"lab.net.{name}.mote-over-{other}", "ratio", [m / q for m, q in zip(runs["mote"], runs[other])], 3))
    show(objects, json_file)
    return 0
