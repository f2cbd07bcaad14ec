# SPDX-License-Identifier: Apache-2.0
"""From exec to the guest's first byte, to its end, and what an idle guest costs: Mote against the
floor, QEMU's microvm and a program that starts no VM at all."""

import shutil

from bench.harness import footprint, timer
from bench.harness.context import Context
from bench.harness.report import AT_LEAST, AT_MOST, Number, median, ratio

MEMORY_MIB = 128
QEMU = "qemu-system-x86_64"
# Everything that QEMU lets one leave out of this machine, and still boot and power off.
QEMU_OPTIONS = (
    "-M microvm,pic=off,pit=off,rtc=off,pcie=off,usb=off,isa-serial=on,auto-kernel-cmdline=off,"
    "x-option-roms=off -bios qboot.rom -accel kvm,kernel-irqchip=split -cpu qemu64 "
    f"-m {MEMORY_MIB} -nodefaults -no-user-config -nographic -serial stdio"
).split()


def floor(context: Context, guest: str) -> list[str]:
    return [context.built("bench/floor"), context.guest(guest)]


def mote(context: Context, guest: str) -> list[str]:
    return [context.built("mote"), "run", "--kernel", context.guest(guest)]


def qemu(path: str, context: Context, guest: str) -> list[str]:
    return [path, *QEMU_OPTIONS, "-kernel", context.guest(guest)]


def start_numbers(context: Context, qemu_path: str | None) -> list[Number]:
    """exec to the first byte of `hello`. What happens afterwards is not looked at."""
    commands = {
        "floor": floor(context, "hello"),
        "mote": mote(context, "hello"),
        "echo": ["/bin/echo", "hello"],
    }
    if qemu_path:
        commands["qemu"] = qemu(qemu_path, context, "hello")
    runs = timer.interleaved(context, timer.first_byte, commands)
    wall = {name: [run.at for run in runs[name]] for name in runs}
    cpu = {name: [run.cpu for run in runs[name]] for name in runs}

    numbers = [median(f"first byte: {name}", wall[name], "us") for name in commands]
    numbers += [median(f"CPU to first byte: {name}", cpu[name], "us") for name in commands]
    numbers += [
        ratio("first byte: mote / floor", wall["mote"], wall["floor"], limit=1.3, bound=AT_MOST),
        ratio("CPU to first byte: mote / floor", cpu["mote"], cpu["floor"], limit=1.3, bound=AT_MOST),
    ]
    against_qemu = {"limit": 25, "bound": AT_LEAST}
    name = "first byte: qemu / mote"
    if qemu_path:
        return [*numbers, ratio(name, wall["qemu"], wall["mote"], **against_qemu)]
    missing = f"not measured: {QEMU} is missing -- apt-get install qemu-system-x86"
    return [*numbers, Number(name, None, "ratio", 0, note=missing, **against_qemu)]


def whole_run_numbers(context: Context) -> list[Number]:
    """exec to the end of the process, of a guest that says one line and powers off."""
    guest = "power_off_pm1"
    commands = {"floor": floor(context, guest), "mote": mote(context, guest)}
    runs = timer.interleaved(context, timer.whole_run, commands)
    wall = {name: [run.end for run in runs[name]] for name in runs}
    cpu = {name: [run.cpu for run in runs[name]] for name in runs}
    end = {name: [run.last_byte_to_end for run in runs[name]] for name in runs}
    numbers = [median(f"whole run: {name}", wall[name], "us") for name in commands]
    numbers += [median(f"CPU of whole run: {name}", cpu[name], "us") for name in commands]
    return [
        *numbers,
        ratio("CPU of whole run: mote / floor", cpu["mote"], cpu["floor"], limit=1.3, bound=AT_MOST),
        median("power-off to end: floor", end["floor"], "us"),
        median("power-off to end: mote", end["mote"], "us", limit=1000, bound=AT_MOST),
    ]


def memory_numbers(context: Context, qemu_path: str | None) -> list[Number]:
    """KiB of the monitor itself while its guest sleeps."""
    command = mote(context, "halt_forever")
    own = footprint.memory_without_guest(command, b"idle\n", MEMORY_MIB)
    numbers = [
        Number("private dirty memory: mote", own["private_dirty"], "KiB", 1, 256, AT_MOST),
        Number("RSS without guest: mote", own["rss"], "KiB", 1, 3 * 1024, AT_MOST),
    ]
    if qemu_path:
        command = qemu(qemu_path, context, "halt_forever")
        other = footprint.memory_without_guest(command, b"idle\n", MEMORY_MIB)
        numbers += [
            Number("private dirty memory: qemu", other["private_dirty"], "KiB", 1),
            Number("RSS without guest: qemu", other["rss"], "KiB", 1),
        ]
    return numbers


def binary_numbers(context: Context) -> list[Number]:
    binary = context.built("mote")
    size = footprint.stripped_size(binary)
    shared = footprint.shared_objects(binary)
    return [
        Number("stripped binary", size, "bytes", 1, 2_500_000, AT_MOST),
        Number("shared libraries of the binary", shared, "files", 1, 0, AT_MOST),
    ]


def measure(context: Context) -> list[Number]:
    qemu_path = shutil.which(QEMU)
    return [
        *start_numbers(context, qemu_path),
        *whole_run_numbers(context),
        *memory_numbers(context, qemu_path),
        *binary_numbers(context),
    ]
