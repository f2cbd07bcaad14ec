# SPDX-License-Identifier: Apache-2.0
"""Numbers of ways to do the same work, measured in turns: what a suite says of each way, and of one
against another. A round is a dictionary of samples by the names of the ways."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from bench.harness import monitors
from bench.harness.report import Number, median, paired_ratio


@dataclasses.dataclass(frozen=True)
class Ratio:
    over: str
    under: str
    limit: str | None = None


def ratio_numbers(
    case: str, ratios: Iterable[Ratio], values: Mapping[str, list[float]]
) -> list[Number]:
    """`values` by the names of the ways, round by round; one is missing where QEMU is."""
    numbers = []
    for r in ratios:
        name = f"{case}: {r.over} / {r.under}"
        if r.over in values and r.under in values:
            numbers.append(paired_ratio(name, values[r.over], values[r.under], r.limit))
        else:
            note = monitors.QEMU_MISSING
            numbers.append(Number(name, None, "ratio", limit=r.limit, note=note))
    return numbers


def cpu_numbers(
    case: str, ways: Iterable[str], rounds: list[dict[str, Any]], limit: str | None
) -> list[Number]:
    """Processor time; the limit is for the way called "mote"."""
    return [
        median(
            f"{case}: CPU of {way}",
            [round(r[way].cpu_us, 3) for r in rounds],
            "us",
            limit if way == "mote" else None,
        )
        for way in ways
    ]


def event_numbers(
    case: str, ways: Iterable[str], rounds: list[dict[str, Any]], unit: str
) -> list[Number]:
    """Kicks and interrupts."""
    return [
        median(f"{case}: {what} of {way}", [round(getattr(r[way], what), 4) for r in rounds], unit)
        for way in ways
        for what in ("kicks", "interrupts")
    ]
