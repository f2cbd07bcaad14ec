# SPDX-License-Identifier: Apache-2.0
"""Runs programs interleaved and times them by the C helper spawn_timer, so that nothing of Python's
own cost is in the figures. All times are microseconds since the moment before exec."""

import dataclasses
import os
import subprocess

from bench.harness.context import Context, Unmeasurable
from bench.harness.namespace import Namespace


@dataclasses.dataclass(frozen=True)
class FirstByte:
    at: float
    cpu: float


@dataclasses.dataclass(frozen=True)
class WholeRun:
    last_byte: float
    end: float
    cpu: float

    @property
    def last_byte_to_end(self) -> float:
        return self.end - self.last_byte


def call(
    context: Context,
    mode: str,
    command: list[str],
    place: Namespace | None = None,
    user: int | None = None,
) -> list[float]:
    words = [context.built("bench/spawn_timer"), mode, *command]
    words = place.command(words) if place else words
    environment = {**os.environ, "SPAWN_USER": str(user)} if user is not None else None
    result = subprocess.run(words, capture_output=True, text=True, env=environment)
    if result.returncode != 0:
        raise Unmeasurable(result.stderr.strip())
    return [float(word) for word in result.stdout.split()]


def first_byte(
    context: Context,
    command: list[str],
    place: Namespace | None = None,
    user: int | None = None,
) -> FirstByte:
    """As another user where one is given, which takes root."""
    return FirstByte(*call(context, "--first-byte", command, place, user))


def whole_run(context: Context, command: list[str]) -> WholeRun:
    *times, status = call(context, "--whole", command)
    if status != 0:
        raise Unmeasurable(f"exit status {status:.0f} of: {' '.join(command)}")
    return WholeRun(*times)


def interleaved(context: Context, time_once, commands: dict[str, list[str]]) -> dict[str, list]:
    """One round runs each command once. A round before the first warms the caches."""
    runs: dict[str, list] = {name: [] for name in commands}
    for round_number in range(-1, context.rounds):
        for name, command in commands.items():
            run = time_once(context, command)
            if round_number >= 0:
                runs[name].append(run)
    return runs
