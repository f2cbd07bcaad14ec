# SPDX-License-Identifier: Apache-2.0
"""One guest of the benchmarks, under Mote and under QEMU's microvm."""

import shutil
from collections.abc import Iterable

from bench.harness.context import Context
from bench.harness.monitored import Monitor

MEMORY_MIB = 256
QEMU = "qemu-system-x86_64"
QEMU_MISSING = f"not measured: {QEMU} is missing -- apt-get install qemu-system-x86"
QEMU_OPTIONS = (
    "-M microvm,acpi=off -bios qboot.rom -accel kvm -cpu qemu64 -nodefaults -no-user-config "
    "-nographic -serial stdio -no-reboot -global virtio-mmio.force-legacy=false "
    "-name bench,debug-threads=on"
).split()


def is_present(kind: str) -> bool:
    """False only for "qemu", where that is not installed."""
    return kind != "qemu" or shutil.which(QEMU) is not None


def mote(context: Context, guest: str, words: str, options: Iterable[str]) -> Monitor:
    """`words` are the guest's, `options` name its devices."""
    command = [context.built("mote"), "run", "--kernel", context.guest(guest)]
    command += ["--memory", f"{MEMORY_MIB}MiB", "--cmdline", words, *options]
    return Monitor(command, lambda is_first, _: is_first)


def qemu(context: Context, guest: str, words: str, options: Iterable[str]) -> Monitor:
    command = [QEMU, *QEMU_OPTIONS, "-m", str(MEMORY_MIB), "-kernel", context.guest(guest)]
    command += ["-append", words, *options]
    return Monitor(command, lambda _, name: name.endswith("/KVM"))
