# SPDX-License-Identifier: Apache-2.0
"""What the lab measures, where guests run by true hardware-virtualization semantics under
emulation: it is passed on."""

import pathlib
import subprocess
import tempfile

from bench.harness.context import Context, Unmeasurable
from bench.harness.report import Number, read_json


def numbers_of(context: Context, option: str) -> list[Number]:
    """Runs tests/lab/run with `option` and the number of rounds."""
    with tempfile.TemporaryDirectory() as folder:
        result = pathlib.Path(folder) / "numbers.json"
        command = [str(context.root / "tests/lab/run"), "--mote", context.built("mote")]
        command += [option, str(context.rounds), "--json", str(result)]
        try:
            status = subprocess.run(command).returncode
        except OSError as problem:
            raise Unmeasurable(f"{command[0]}: {problem.strerror}") from problem
        if not result.exists():
            raise Unmeasurable(f"{' '.join(command)}: no numbers, exit status {status}")
        return read_json(result)
