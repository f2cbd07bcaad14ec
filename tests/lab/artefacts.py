# SPDX-License-Identifier: Apache-2.0
"""What is put into the outer Linux: Mote, kernels, images, scripts, made when first asked for."""

import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERE = ROOT / "tests/lab"
LINUX = ROOT / "guests/linux"
sys.path.insert(0, str(LINUX))
from artefact import cached, compile_static  # noqa: E402
from cpio import Archive  # noqa: E402

QEMU = "qemu-system-x86_64"
GENERIC_KERNEL = "linux-image-amd64"  # Debian's package, with the drivers of real devices
# Programs of the host that the outer Linux gets: path there -> name, Debian package. busybox's ip knows no taps with many queues.
HOST_PROGRAMS = {"/lab/ip": ("ip", "iproute2"), "/lab/tcpdump": ("tcpdump", "tcpdump")}

# Small programs of ours that run in the outer Linux.
LAB_PROGRAMS = {"/lab/ask": "ask.c", "/lab/nvme_virtualization": "nvme_virtualization.c", "/lab/watched_page": "watched_page.c", "/lab/jailed": ROOT / "tests/cli/jailed.c"}


class Missing(Exception):
    """The lab cannot run here; the message says why and what to do."""


def tool(path, *args):
    """The last line that a script of the project prints: a path."""
    done = subprocess.run([path, *args], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Missing(f"{pathlib.Path(path).relative_to(ROOT)} failed (exit code {done.returncode})")
    return pathlib.Path(done.stdout.strip().splitlines()[-1])


def without_pvh(elf):
    """The ELF file's bytes with its note segment hidden, so that a loader takes the 64-bit Linux boot protocol."""
    image = bytearray(elf)
    offset, = struct.unpack_from("<Q", image, 32)
    size, count = struct.unpack_from("<HH", image, 54)
    for header in range(offset, offset + size * count, size):
        if struct.unpack_from("<I", image, header)[0] == 4:  # PT_NOTE
            struct.pack_into("<I", image, header, 0)         # PT_NULL
    return bytes(image)


class Artefacts:
    """What can be put under /lab in the outer Linux, made when first asked for."""

    def __init__(self, mote):
        self._mote = mote

    def add(self, archive, path):
        """Puts the file that a case names `path` into the archive."""
        if path == "/lab/mote":
            archive.copy(path, self._mote)
        elif path in ("/lab/vmlinux", "/lab/bzImage"):
            archive.copy(path, tool(LINUX / "build") / pathlib.Path(path).name)
        elif path == "/lab/vmlinux-64":
            archive.file(path, without_pvh((tool(LINUX / "build") / "vmlinux").read_bytes()))
        elif path == "/lab/init.cpio":
            archive.copy(path, tool(LINUX / "initramfs"))
        elif path == "/lab/records.cpio":
            archive.copy(path, tool(LINUX / "initramfs", "--records"))
        elif path == "/lab/records":
            archive.copy(path, cached("records", ["records.c"], lambda target, folder: compile_static("records.c", target)))
        elif path.startswith("/lab/scripts/"):
            for name in (path, f"{os.path.dirname(path)}/common", "/lab/scripts/guests"):
                archive.copy(name, HERE / name.removeprefix("/lab/"))
        elif path.startswith("/lab/vfio/"):
            for name in (path, "/lab/vfio/common"):
                archive.copy(name, HERE / "scripts" / name.removeprefix("/lab/"))
            archive.copy("/lab/scripts/guests", HERE / "scripts/guests")
        elif path in LAB_PROGRAMS:
            source = HERE / LAB_PROGRAMS[path]
            archive.copy(path, cached(source.stem, [], lambda target, folder: compile_static(source, target), source.read_text()))
        elif path == "/lab/vfio.cpio":
            archive.file(path, vfio_initramfs())
        elif path == "/lab/generic/vmlinuz":
            archive.copy(path, next(tool(LINUX / "debian-package", GENERIC_KERNEL).glob("boot/vmlinuz-*")))
        elif path == "/lab/debian/vmlinuz":
            archive.copy(path, tool(LINUX / "debian-kernel"))
        elif path == "/lab/debian/initrd.img":
            archive.copy(path, tool(LINUX / "debian-initramfs") / "initrd.img")
        elif path == f"/lab/{QEMU}":
            add_qemu(archive)
        elif path == "/lab/mote-jailer":
            archive.copy(path, self._mote.parent / "mote-jailer")
        elif path == "/lab/unit_tests":
            add_with_libraries(archive, path, self._mote.parent / "tests/unit/unit_tests")
        elif path == "/lab/acts_tests":
            built = self._mote.parent
            add_with_libraries(archive, path, built / "tests/acts/acts_tests")
            for program in ("mote", "tests/acts/mote-acts", "tests/acts/act-outside", "guests/hello.elf", "guests/halt_forever.elf"):
                archive.copy(f"/lab/acts/{os.path.basename(program)}", built / program)
        elif path in HOST_PROGRAMS:
            add_program(archive, path, *HOST_PROGRAMS[path])
        else:
            raise ValueError(f"no such file in the lab: {path}")


def vfio_initramfs():
    """The small guest with the driver of a virtual function, and its test."""
    archive = Archive()
    for name in ("proc", "sys", "dev"):
        archive.folder(name)
    archive.character_device("dev/console", 5, 1)
    archive.copy("init", cached("init", ["init.c"], lambda target, folder: compile_static("init.c", target)))
    archive.copy("bin/busybox", "/bin/busybox")
    archive.copy("test/function", HERE / "scripts/vfio/guest-test")
    archive.copy("test/unplug", HERE / "scripts/vfio/guest-unplug")
    archive.copy("lab/igbvf.ko", next(tool(LINUX / "debian-package", GENERIC_KERNEL).glob("lib/modules/*/kernel/**/igbvf.ko")))
    return archive.finish()


def add_program(archive, path, name, package):
    """A program of the host with its shared libraries."""
    program = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if not program:
        raise Missing(f"{name}: not found -- apt-get install {package}")
    add_with_libraries(archive, path, program)


def add_with_libraries(archive, path, program):
    if not os.path.exists(program):
        raise Missing(f"{program}: not found -- build it: ninja -C build")
    archive.copy(path, program)
    for line in subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout.splitlines():
        found = re.search(r"(/\S+) \(0x", line)
        if found:
            library = found.group(1)
            archive.copy(library if "ld-linux" in library else f"/lib/{os.path.basename(library)}", library)


def add_qemu(archive):
    """QEMU with its shared libraries and its microvm firmware, as the host has them."""
    add_program(archive, f"/lab/{QEMU}", QEMU, "qemu-system-x86")
    for name in ("qboot.rom", "bios-microvm.bin", "pvh.bin", "linuxboot_dma.bin"):
        for folder in ("/usr/share/qemu", "/usr/share/seabios"):
            if os.path.exists(f"{folder}/{name}"):
                archive.copy(f"/qemu/{name}", f"{folder}/{name}")
                break
