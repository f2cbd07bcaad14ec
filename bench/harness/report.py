# SPDX-License-Identifier: Apache-2.0
"""Numbers with limits: the same JSON and the same table for every suite."""

import dataclasses
import json
import pathlib
import statistics

AT_MOST = "at most"
AT_LEAST = "at least"


@dataclasses.dataclass
class Number:
    """One measured number. `runs` is how many measurements stand behind it; `spread` their 10th
    and 90th percentile; `note` stands in the table only."""

    name: str
    value: float | None
    unit: str
    runs: int
    limit: float | None = None
    bound: str | None = None
    spread: tuple[float, float] | None = None
    note: str = ""

    @property
    def holds(self) -> bool:
        """A number without a limit holds; one that could not be measured does not."""
        if self.limit is None:
            return True
        if self.value is None:
            return False
        return self.value <= self.limit if self.bound == AT_MOST else self.value >= self.limit


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def median(name: str, values: list[float], unit: str, **more) -> Number:
    """The median of `values` as a Number, with their spread."""
    spread = (percentile(values, 0.1), percentile(values, 0.9))
    return Number(name, statistics.median(values), unit, len(values), spread=spread, **more)


def ratio(name: str, over: list[float], under: list[float], **more) -> Number:
    """The ratio of the two medians; its spread is that of the ratios round by round."""
    rounds = [a / b for a, b in zip(over, under)]
    number = median(name, rounds, "ratio", **more)
    number.value = statistics.median(over) / statistics.median(under)
    return number


def as_text(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value == int(value) or value >= 1000 else f"{value:.2f}"


def print_table(suite: str, numbers: list[Number]) -> None:
    header = (suite, "median", "unit", "p10 .. p90", "limit", "", "runs")
    rows = []
    for number in numbers:
        spread = " .. ".join(as_text(value) for value in number.spread) if number.spread else ""
        limit = f"{number.bound} {as_text(number.limit)}" if number.limit is not None else ""
        mark = "" if number.limit is None else "holds" if number.holds else "MISSED"
        cells = (number.name, as_text(number.value), number.unit, spread, limit, mark)
        rows.append((*cells, str(number.runs)))
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    to_right = {1, 6}
    for row, note in zip([header, *rows], ["", *(number.note for number in numbers)]):
        cells = (
            cell.rjust(width) if i in to_right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths))
        )
        print("  ".join([*cells, note]).rstrip())
    missed = sum(not number.holds for number in numbers)
    with_limit = sum(number.limit is not None for number in numbers)
    print(f"{with_limit - missed} of {with_limit} limits hold")


def as_object(number: Number) -> dict:
    return {
        "name": number.name,
        "value": number.value,
        "unit": number.unit,
        "limit": number.limit,
        "holds": number.holds,
        "runs": number.runs,
        "bound": number.bound,
        "spread": list(number.spread) if number.spread else None,
    }


def write_json(path: pathlib.Path, numbers: list[Number]) -> None:
    path.write_text(json.dumps([as_object(number) for number in numbers], indent=2) + "\n")


def read_json(path: pathlib.Path) -> list[Number]:
    """The numbers of another program that writes the same format; its own `holds` counts."""
    numbers = []
    for item in json.loads(path.read_text()):
        spread = item.get("spread")
        number = Number(
            item["name"],
            item["value"],
            item["unit"],
            item["runs"],
            limit=item["limit"],
            spread=tuple(spread) if spread else None,
        )
        holds_at_most = item["value"] is not None and item["limit"] is not None
        holds_at_most = holds_at_most and item["value"] <= item["limit"]
        number.bound = item.get("bound") or (AT_MOST if holds_at_most == item["holds"] else AT_LEAST)
        numbers.append(number)
    return numbers
