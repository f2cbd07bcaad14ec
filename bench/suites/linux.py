# SPDX-License-Identifier: Apache-2.0
"""A Linux guest from exec to its init, Mote against QEMU's microvm, in the lab."""

from bench.harness import lab
from bench.harness.context import Context
from bench.harness.report import Number


def measure(context: Context) -> list[Number]:
    return lab.numbers_of(context, "--bench-boot")
