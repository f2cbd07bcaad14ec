# SPDX-License-Identifier: Apache-2.0
"""A function of the host in a guest: against the same function used by the outer Linux, and what it costs the monitor; a disk by either transport."""

import sys

from bench_numbers import number, run_all, show
from vfio_cases import told

MIB = 16       # of TCP
SECONDS = 300


def bench_vfio(rounds, mote, *, json_file, keep, boots, on_data):
    """Rounds, in as few outer Linuxes as it takes. Returns the exit code."""
    cases = {turn: told("bench", str(MIB), case=f"bench.{turn}", timeout=SECONDS) for turn in range(rounds)}
    whole = [values for values in run_all(cases, mote, keep=keep, boots=boots, on_data=on_data).values()
             if values and all(values[f"interrupts.{transport}.{depth}"] for transport in ("mmio", "pci") for depth in (1, 32))]
    if len(whole) < (rounds + 1) // 2:
        print(f"only {len(whole)} of {rounds} rounds have all numbers", file=sys.stderr)
        return 1

    def runs(name):
        return [values[name] for values in whole]

    def ratios(over, under):
        return [o / u for o, u in zip(runs(over), runs(under))]

    objects = []
    for way in ("out", "in"):
        moved = [values[f"moved.{way}"] / (1 << 20) for values in whole]
        objects.append(number(f"lab.vfio.moved.{way}", "MiB", moved, 1))
        for name, unit, limit in (("exits", "1/MiB", "<= 0"), ("handled", "1/MiB", "<= 0"), ("all", "1/MiB", None), ("cpu", "ns/MiB", "<= 0")):
            objects.append(number(f"lab.vfio.{name}.{way}", unit, [value / mib for value, mib in zip(runs(f"{name}.{way}"), moved)], 3, limit))
        objects += [number(f"lab.vfio.tcp-{way}.{who}", "Mbit/s", runs(f"{who}.{way}"), 1) for who in ("guest", "host")]
        objects.append(number(f"lab.vfio.tcp-{way}.guest-over-host", "ratio", ratios(f"guest.{way}", f"host.{way}"), 3, ">= 0.9"))
    for depth in (1, 32):
        for transport in ("mmio", "pci"):
            case = f"{transport}.{depth}"
            objects.append(number(f"lab.vfio.disk.{case}.requests", "1/s", runs(f"requests.{case}"), 0))
            objects.append(number(f"lab.vfio.disk.{case}.exits-per-interrupt", "ratio", ratios(f"disk-exits.{case}", f"interrupts.{case}"), 3))
        objects.append(number(f"lab.vfio.disk.{depth}.pci-over-mmio", "ratio", ratios(f"requests.pci.{depth}", f"requests.mmio.{depth}"), 3))
    show(objects, json_file)
    return 0
