# SPDX-License-Identifier: Apache-2.0
"""A mount namespace of our own: a place in which an ordinary user may open /dev/kvm, and as many
mounts as a busy host has."""

import contextlib
import ctypes
import os
import pathlib
import shutil
import stat
import tempfile
from collections.abc import Iterator

from bench.harness.context import Unmeasurable

CLONE_NEWNS = 0x00020000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
KVM = pathlib.Path("/dev/kvm")
libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    if result != 0:
        reason = os.strerror(ctypes.get_errno())
        raise Unmeasurable(f"{what}: {reason} -- mounts of our own need root")


def mount(source: str, target: pathlib.Path, kind: str = "", flags: int = 0, data: str = "") -> None:
    words = (source.encode(), str(target).encode(), kind.encode(), flags, data.encode())
    check(libc.mount(*words), f"mount {source} on {target}")


def leave_host_mounts() -> None:
    """From here on mounts that this process makes are its own, and its children's."""
    check(libc.unshare(CLONE_NEWNS), "unshare")
    mount("none", pathlib.Path("/"), flags=MS_REC | MS_PRIVATE)


@contextlib.contextmanager
def folder_for_everybody(files: list[str]) -> Iterator[pathlib.Path]:
    """A folder in memory with copies of `files` that all users may read and run, and a /dev/kvm
    that they may open."""
    device = os.stat(KVM)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        mount("none", folder, "tmpfs", data="mode=0755")
        try:
            for file in files:
                shutil.copy(file, folder)
                (folder / pathlib.Path(file).name).chmod(0o755)
            os.mknod(folder / "kvm", stat.S_IFCHR | 0o666, device.st_rdev)
            (folder / "kvm").chmod(0o666)
            mount(str(folder / "kvm"), KVM, flags=MS_BIND)
            yield folder
            check(libc.umount2(str(KVM).encode(), MNT_DETACH), "umount /dev/kvm")
        finally:
            libc.umount2(str(folder).encode(), MNT_DETACH)


@contextlib.contextmanager
def many_mounts(count: int) -> Iterator[None]:
    """So many mounts more than there are."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        mount("none", folder, "tmpfs")
        try:
            for i in range(count - 1):
                place = folder / str(i)
                place.mkdir()
                mount("none", place, "tmpfs")
            yield
        finally:
            libc.umount2(str(folder).encode(), MNT_DETACH)
