# SPDX-License-Identifier: Apache-2.0
"""From exec to the guest's first byte, to its end, and what an idle guest costs: Mote against the
floor, QEMU's microvm and a program that starts no VM at all."""

import contextlib
import pathlib
import shutil
import tempfile

from bench.harness import footprint, steps, timer
from bench.harness.monitors import QEMU, QEMU_MISSING
from bench.harness.namespace import Namespace
from bench.harness.context import Context
from bench.harness.report import Number, median, once, ratio

MEMORY_MIB = 128
DISK_MIB = 64
A_TAP = "tap"  # stands for the name of one
TAP_MAC = "02:00:00:00:00:fd"
# The quickest of the ways tried to have the same machine: ACPI, one serial port, nothing else.
QEMU_MACHINE = "microvm,pic=off,pit=off,rtc=off,isa-serial=on,x-option-roms=off"
QEMU_WITHOUT_ACPI = QEMU_MACHINE + ",auto-kernel-cmdline=off,acpi=off"
QEMU_OPTIONS = (
    f"-bios qboot.rom -accel kvm -cpu qemu64 -m {MEMORY_MIB} "
    "-nodefaults -no-user-config -nographic -serial stdio"
).split()


def floor(context: Context, guest: str) -> list[str]:
    return [context.built("bench/floor"), context.guest(guest)]


def mote(context: Context, guest: str) -> list[str]:
    """As its peers are measured: without a sandbox. What that costs is another suite's."""
    return [context.built("mote"), "run", "--no-sandbox", "--kernel", context.guest(guest)]


def qemu(path: str, machine: str, kernel: str) -> list[str]:
    return [path, "-M", machine, *QEMU_OPTIONS, "-kernel", kernel]


def time_starts(context: Context, commands: dict[str, list[str]]) -> dict[str, list]:
    """First bytes, round by round. All start in one namespace, where the taps are. A start with an
    interface has a tap to itself, for a ring lets go of its files some time after its process."""
    with Namespace() as namespace, contextlib.ExitStack() as stack:
        taps = [stack.enter_context(namespace.tap(TAP_MAC)) for _ in range(context.rounds + 1)]

        def time_once(context: Context, command: list[str]) -> timer.FirstByte:
            words = [taps.pop() if word == A_TAP else word for word in command]
            return timer.first_byte(context, words, namespace)

        return timer.interleaved(context, time_once, commands)


def start_numbers(context: Context, qemu_path: str | None, disk: pathlib.Path) -> list[Number]:
    """exec to the first byte of `hello`. What happens afterwards is not looked at."""
    with_disk = [*mote(context, "hello"), "--block", str(disk)]
    commands = {
        "floor": floor(context, "hello"),
        "mote": mote(context, "hello"),
        "mote with one disk": with_disk,
        "mote with one disk and one interface": [*with_disk, "--net", A_TAP],
        "echo": ["/bin/echo", "hello"],
    }
    if qemu_path:
        kernel = context.guest("hello")
        commands["qemu"] = qemu(qemu_path, QEMU_MACHINE, kernel)
        commands["qemu without ACPI"] = qemu(qemu_path, QEMU_WITHOUT_ACPI, kernel)
    runs = time_starts(context, commands)
    wall = {name: [run.at for run in runs[name]] for name in runs}
    cpu = {name: [run.cpu for run in runs[name]] for name in runs}

    numbers = [median(f"first byte: {name}", wall[name], "us") for name in commands]
    numbers += [median(f"CPU to first byte: {name}", cpu[name], "us") for name in commands]
    numbers += [
        ratio("first byte: mote / floor", wall["mote"], wall["floor"], "<= 1.3"),
        ratio(
            "first byte: mote with one disk / floor",
            wall["mote with one disk"],
            wall["floor"],
            "<= 1.4",
        ),
        ratio(
            "first byte: mote with one disk and one interface / floor",
            wall["mote with one disk and one interface"],
            wall["floor"],
            "<= 1.5",
        ),
        ratio("CPU to first byte: mote / floor", cpu["mote"], cpu["floor"], "<= 1.3"),
    ]
    name, limit = "first byte: qemu / mote", ">= 25"
    if qemu_path:
        return [*numbers, ratio(name, wall["qemu"], wall["mote"], limit)]
    return [*numbers, Number(name, None, "ratio", limit=limit, note=QEMU_MISSING)]


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
        ratio("CPU of whole run: mote / floor", cpu["mote"], cpu["floor"], "<= 1.3"),
        median("power-off to end: floor", end["floor"], "us"),
        median("power-off to end: mote", end["mote"], "us", "<= 1000"),
    ]


def memory_numbers(context: Context, qemu_path: str | None) -> list[Number]:
    """KiB of the monitor itself while its guest sleeps."""
    command = [word for word in mote(context, "halt_forever") if word != "--no-sandbox"]
    own = footprint.memory_without_guest(command, b"idle\n", MEMORY_MIB)
    numbers = [
        once("private dirty memory: mote", own["dirty"], "KiB", "<= 256"),
        once("RSS without guest: mote", own["resident"], "KiB", "<= 3072"),
    ]
    if qemu_path:
        command = qemu(qemu_path, QEMU_MACHINE, context.guest("halt_forever"))
        other = footprint.memory_without_guest(command, b"idle\n", MEMORY_MIB)
        numbers += [
            once("private dirty memory: qemu", other["dirty"], "KiB"),
            once("RSS without guest: qemu", other["resident"], "KiB"),
        ]
    return numbers


def binary_numbers(context: Context) -> list[Number]:
    binary = context.built("mote")
    size = footprint.stripped_size(binary)
    shared = footprint.shared_objects(binary)
    return [
        once("stripped binary", size, "bytes", "<= 2500000"),
        once("shared libraries of the binary", shared, "files", "<= 0"),
    ]


def measure(context: Context) -> list[Number]:
    qemu_path = shutil.which(QEMU)
    with tempfile.NamedTemporaryFile(suffix=".img") as disk:
        disk.truncate(DISK_MIB << 20)
        start = start_numbers(context, qemu_path, pathlib.Path(disk.name))
    return [
        *start,
        *whole_run_numbers(context),
        *memory_numbers(context, qemu_path),
        *binary_numbers(context),
    ]


def profile(context: Context) -> None:
    """Mote's boot timeline beside the floor's steps, then the calls and page faults of each."""
    guest = "power_off_pm1"
    steps.print_profile(context, floor(context, guest), mote(context, guest))
