# SPDX-License-Identifier: Apache-2.0
"""Two Linux guests on a bridge, Mote against QEMU's microvm with and without vhost-net, in the
lab."""

from bench.harness import lab
from bench.harness.context import Context
from bench.harness.report import Number

ROUNDS = 3  # unless the command line says: some 10 minutes


def measure(context: Context) -> list[Number]:
    return lab.numbers_of(context, "--bench-net")
