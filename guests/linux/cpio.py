# SPDX-License-Identifier: Apache-2.0
"""Writes initramfs archives (cpio "newc" [initramfs buffer format]) without root: owners are root, device nodes are made up."""

import os
import stat


class Archive:
    def __init__(self):
        self._parts = []
        self._names = set()
        self._size = 0

    def _add(self, name, mode, data=b"", device=(0, 0)):
        name = name.strip("/")
        parent = os.path.dirname(name)
        if parent and parent not in self._names:
            self.folder(parent)
        self._names.add(name)
        path = name.encode() + b"\0"
        fields = (len(self._names), mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0)
        self._put(b"070701" + b"".join(b"%08x" % field for field in fields) + path)
        self._put(data)

    def _put(self, data):
        padding = -(self._size + len(data)) % 4
        self._parts += [data, b"\0" * padding]
        self._size += len(data) + padding

    def folder(self, name):
        if name.strip("/") not in self._names:
            self._add(name, stat.S_IFDIR | 0o755)

    def file(self, name, data, mode=0o644):
        self._add(name, stat.S_IFREG | mode, data)

    def copy(self, name, path):
        """The file at `path` of the host (links followed), with its permission to execute."""
        with open(path, "rb") as source:
            self.file(name, source.read(), 0o755 if os.access(path, os.X_OK) else 0o644)

    def link(self, name, target):
        self._add(name, stat.S_IFLNK | 0o777, target.encode())

    def character_device(self, name, major, minor):
        self._add(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def finish(self):
        """The archive's bytes."""
        end = b"TRAILER!!!\0"
        self._put(b"070701" + b"".join(b"%08x" % field for field in (0,) * 4 + (1,) + (0,) * 6 + (len(end), 0)) + end)
        return b"".join(self._parts)
