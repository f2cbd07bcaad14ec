# SPDX-License-Identifier: Apache-2.0
"""The outer Linux's disk: a sparse ext4 image with the files that guests get as disks."""

import pathlib
import shutil
import subprocess

from artefacts import LINUX, Missing, tool

MOUNT = "/disk"
SIZE = "1G"
# What is on it: the root disk of ext4 (root.ext4), a hole to be written to (data.img), a small file system to fill up (small.ext4).
DATA_MIB = 64
SMALL_MIB = 8


def make(folder):
    """Writes the image into `folder` and returns its path. Needs e2fsprogs, no root."""
    if not pathlib.Path("/sbin/mke2fs").exists():
        raise Missing("/sbin/mke2fs: not found -- apt-get install e2fsprogs")
    tree = folder / "tree"
    tree.mkdir()
    shutil.copyfile(tool(LINUX / "rootfs"), tree / "root.ext4")
    (tree / "data.img").touch()
    with open(tree / "data.img", "r+b") as file:
        file.truncate(DATA_MIB << 20)
    _make_ext4(tree / "small.ext4", f"{SMALL_MIB}M", "-O", "^has_journal")
    image = folder / "disk.img"
    _make_ext4(image, SIZE, "-J", "size=16", "-d", tree)
    shutil.rmtree(tree)
    return image


def _make_ext4(path, size, *options):
    subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", "-m", "0", *options, path, size], check=True, stdout=subprocess.DEVNULL)


def qemu_options(image):
    """Discards of the outer Linux reach the image; what it flushes need not reach the host's disk."""
    return ["-drive", f"if=none,id=disk,file={image},format=raw,discard=unmap,cache=unsafe", "-device", "virtio-blk-pci,drive=disk"]
