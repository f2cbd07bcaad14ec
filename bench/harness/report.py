# SPDX-License-Identifier: Apache-2.0
"""Numbers with limits: the same JSON and the same table for every suite."""

import dataclasses
import json
import pathlib
import statistics


@dataclasses.dataclass
class Number:
    """One measured number. `limit` reads "<= 1.3" or ">= 25"; `runs` holds what was measured, round
    by round; `note` stands in the table only. A number that could not be measured is None."""

    name: str
    value: float | None
    unit: str
    runs: list[float] = dataclasses.field(default_factory=list)
    limit: str | None = None
    note: str = ""

    @property
    def holds(self) -> bool | None:
        """None without a limit. What could not be measured does not hold."""
        if self.limit is None:
            return None
        if self.value is None:
            return False
        direction, bound = self.limit.split()
        return self.value <= float(bound) if direction == "<=" else self.value >= float(bound)


def once(name: str, value: float, unit: str, limit: str | None = None) -> Number:
    """A number that does not change from run to run."""
    return Number(name, value, unit, [value], limit)


def median(name: str, values: list[float], unit: str, limit: str | None = None) -> Number:
    return Number(name, round(statistics.median(values), 4), unit, values, limit)


def ratio(name: str, over: list[float], under: list[float], limit: str | None = None) -> Number:
    """The ratio of the two medians; its runs are the ratios round by round."""
    value = round(statistics.median(over) / statistics.median(under), 3)
    return Number(name, value, "ratio", [round(a / b, 3) for a, b in zip(over, under)], limit)


def paired_ratio(
    name: str, over: list[float], under: list[float], limit: str | None = None
) -> Number:
    """The median of the rounds' own ratios: for what drifts in the course of a run."""
    runs = [round(a / b, 3) for a, b in zip(over, under)]
    return Number(name, round(statistics.median(runs), 3), "ratio", runs, limit)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def as_text(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value == int(value) or value >= 100 else f"{value:.2f}"


def spread(values: list[float]) -> str:
    if len(values) < 2:
        return ""
    return f"{as_text(percentile(values, 0.1))} .. {as_text(percentile(values, 0.9))}"


def print_table(suite: str, numbers: list[Number]) -> None:
    marks = {None: "", True: "holds", False: "MISSED"}
    rows = [(suite, "median", "unit", "p10 .. p90", "limit", "", "runs", "")]
    for n in numbers:
        cells = (n.name, as_text(n.value), n.unit, spread(n.runs), n.limit or "", marks[n.holds])
        rows.append((*cells, str(len(n.runs)), n.note))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    to_right = {1, 6}
    for row in rows:
        cells = (
            cell.rjust(width) if i in to_right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths))
        )
        print("  ".join(cells).rstrip())
    limited = [number for number in numbers if number.limit is not None]
    print(f"{sum(number.holds for number in limited)} of {len(limited)} limits hold")


def write_json(path: pathlib.Path, numbers: list[Number]) -> None:
    keys = ("name", "value", "unit", "limit", "holds", "runs")
    objects = [{key: getattr(number, key) for key in keys} for number in numbers]
    path.write_text(json.dumps(objects, indent=1) + "\n")


def read_json(path: pathlib.Path) -> list[Number]:
    """The numbers of another program that writes the same format."""
    keys = ("name", "value", "unit", "runs", "limit")
    return [Number(*(item[key] for key in keys)) for item in json.loads(path.read_text())]
