# SPDX-License-Identifier: Apache-2.0
"""A Linux guest from exec to its init, Mote against QEMU's microvm, in the lab: where guests run by
true hardware-virtualization semantics under emulation. The lab measures, this passes on."""

import pathlib
import subprocess
import tempfile

from bench.harness.context import Context, Unmeasurable
from bench.harness.report import Number, read_json


def measure(context: Context) -> list[Number]:
    with tempfile.TemporaryDirectory() as folder:
        result = pathlib.Path(folder) / "numbers.json"
        command = [str(context.root / "tests/lab/run"), "--mote", context.built("mote")]
        command += ["--bench-boot", str(context.rounds), "--json", str(result)]
        try:
            status = subprocess.run(command).returncode
        except OSError as problem:
            raise Unmeasurable(f"{command[0]}: {problem.strerror}") from problem
        if not result.exists():
            raise Unmeasurable(f"{' '.join(command)}: no numbers, exit status {status}")
        return read_json(result)
