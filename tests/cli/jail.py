# SPDX-License-Identifier: Apache-2.0
"""A jail for the tests of mote-jailer: a base folder, a program to put below it, and what that says. Run with MOTE_JAILER=path/to/mote-jailer."""

import os
import pathlib
import subprocess
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
JAILER = os.environ.get("MOTE_JAILER", str(HERE.parent.parent / "build/mote-jailer"))
UID, GID = 1234, 5678
IS_ROOT = os.geteuid() == 0


def run(*words, **options):
    return subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, **options)


def compile_jailed(folder):
    program = pathlib.Path(folder) / "vmm"
    subprocess.run(["gcc", "-static", "-O1", "-Wall", "-Wextra", "-Werror", "-o", program, HERE / "jailed.c"], check=True)
    os.chmod(program, 0o755)
    return program


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def soon(condition):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.005)
    return False


class Jail(unittest.TestCase):
    """A base folder and a program to put into jails below it."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="mote-jailer.")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.program = compile_jailed(cls.folder.name)

    def setUp(self):
        self.base = pathlib.Path(self.folder.name) / self._testMethodName
        self.base.mkdir()
        self.name = self.program.name
        self.id = "vm-1"
        self.uid, self.gid = UID, GID

    @property
    def root(self):
        return self.base / self.name / self.id / "root"

    def words(self, *flags, extra=()):
        return [JAILER, "--id", self.id, "--exec-file", self.program, "--uid", self.uid, "--gid", self.gid, "--chroot-base-dir", self.base,
                *flags, "--", *extra]

    def jail(self, *flags, extra=(), **options):
        return run(*self.words(*flags, extra=extra), **options)

    def facts(self, *flags, extra=(), **options):
        """What the program in the jail said, by kind."""
        done = self.jail(*flags, extra=extra, **options)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return self.sort(done.stdout)

    @staticmethod
    def sort(text):
        facts = {}
        for line in text.splitlines():
            kind, _, fact = line.partition(": ")
            facts.setdefault(kind, []).append(fact)
        return facts

    def refused(self, message, *flags):
        done = self.jail(*flags)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (1, "", message + "\n"))
