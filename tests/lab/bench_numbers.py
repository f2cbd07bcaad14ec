# SPDX-License-Identifier: Apache-2.0
"""What the lab's benchmarks share: cases whose scripts print "result NAME VALUE", run until each has its numbers, and numbers as bench/run reads them."""

import json
import re
import statistics
import sys

import outer


def results_of(case, result):
    """{name: value}, or None when the case did not end well."""
    if result is None or result.end != "exit" or result.number != 0:
        ended = "it was not run" if result is None else f"{result.end} {result.number} after {result.seconds:.0f} s"
        print(f"{case.name}: no numbers: {ended}", file=sys.stderr)
        if result is not None:
            print(result.output.decode(errors="replace")[-600:], file=sys.stderr)
        return None
    found = re.findall(r"^result (\S+) ([0-9.]+)\r?$", result.output.decode(errors="replace"), re.MULTILINE)
    return {name: float(value) for name, value in found}


def run_all(cases, mote, *, counts_instructions=False, keep, boots, on_data):
    """Runs the cases, {key: Case}, in as few outer Linuxes as it takes. Returns {key: their results or None}."""
    results = {}
    for _ in range(boots):
        left = [case for case in cases.values() if case.name not in results]
        if left:
            results |= outer.run(left, mote, counts_instructions=counts_instructions, keep=keep, on_data=on_data)
    return {key: results_of(case, results.get(case.name)) for key, case in cases.items()}


def number(name, unit, runs, digits, limit=None):
    """`limit` reads "<= 0" or ">= 0.9"."""
    value = round(statistics.median(runs), digits)
    holds = None
    if limit:
        direction, bound = limit.split()
        holds = value <= float(bound) if direction == "<=" else value >= float(bound)
    return {"name": name, "value": value, "unit": unit, "limit": limit, "holds": holds, "runs": [round(run, digits) for run in runs]}


def show(numbers, json_file):
    for entry in numbers:
        runs = entry["runs"]
        print(f"{entry['name']:40} {entry['value']:10} {entry['unit']:7} {min(runs)} .. {max(runs)}, {len(runs)} rounds")
    if json_file:
        json_file.write_text(json.dumps(numbers, indent=1) + "\n")
