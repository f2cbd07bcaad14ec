# SPDX-License-Identifier: Apache-2.0
"""A function of the host in a Linux guest against the host itself, and virtio-pci against
virtio-mmio, in the lab."""

from bench.harness import lab
from bench.harness.context import Context
from bench.harness.report import Number

ROUNDS = 3  # unless the command line says: some 5 minutes


def measure(context: Context) -> list[Number]:
    return lab.numbers_of(context, "--bench-vfio")
