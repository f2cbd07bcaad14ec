#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Firecracker's clients in Go, as they come: the SDK, firectl's and Kata's sequences, with the jailer and without. Run with
MOTE=path/to/mote, MOTE_JAILER=path/to/mote-jailer and GUESTS=folder/of/guests; needs Go, its modules (from the proxy or the cache) and
/dev/kvm, and root for jails and taps, which are then in a network of their own."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from vm import GUESTS, MOTE, ROOT, why_no_vm

HERE = pathlib.Path(__file__).resolve().parent
JAILER = os.environ.get("MOTE_JAILER", str(ROOT / "build/mote-jailer"))
# The modules are those of go.sum and the compiler is the one that is there.
ENVIRONMENT = {**os.environ, "GOFLAGS": "-mod=readonly -buildvcs=false", "GOTOOLCHAIN": "local", "MOTE": os.path.abspath(MOTE),
               "MOTE_JAILER": os.path.abspath(JAILER), "GUESTS": str(GUESTS.resolve())}
BUILD_SECONDS, RUN_SECONDS = 600, 300


def go(*words):
    return subprocess.run(["go", *words], cwd=HERE, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BUILD_SECONDS)


class Go(unittest.TestCase):
    """Each test of the package is one here; all are run at once."""

    @classmethod
    def setUpClass(cls):
        if why_no_vm():
            raise unittest.SkipTest(why_no_vm())
        if not shutil.which("go"):
            raise unittest.SkipTest("go is not there")
        modules = go("mod", "download")
        if modules.returncode != 0:
            raise unittest.SkipTest(f"the Go modules cannot be had: {modules.stderr.strip().splitlines()[-1]}")
        with tempfile.TemporaryDirectory() as folder:
            program = os.path.join(folder, "clients.test")
            built = go("test", "-c", "-o", program)
            if built.returncode != 0:
                raise AssertionError(built.stderr)
            alone = ["unshare", "--net"] if os.geteuid() == 0 and shutil.which("unshare") else []
            run = subprocess.run([*alone, program, "-test.v", "-test.count=1", f"-test.timeout={RUN_SECONDS}s"], cwd=HERE, env=ENVIRONMENT,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        cls.output = run.stdout
        cls.verdicts = {name: verdict for verdict, name in re.findall(r"^--- (PASS|FAIL|SKIP): (\w+)", cls.output, re.MULTILINE)}

    def judge(self, name):
        said = re.search(rf"^=== RUN +{name}\n(.*?)(?=^=== RUN |\Z)", self.output, re.MULTILINE | re.DOTALL)
        said = said.group(1) if said else self.output
        if self.verdicts.get(name) == "SKIP":
            self.skipTest(re.search(r"_test\.go:\d+: (.*)", said).group(1))
        if self.verdicts.get(name) != "PASS":
            self.fail(said)


def add_tests():
    for file in sorted(HERE.glob("*_test.go")):
        for name in re.findall(r"^func (Test\w+)\(", file.read_text(), re.MULTILINE):
            def test(self, name=name):
                self.judge(name)

            setattr(Go, "test_" + re.sub(r"(?<!^)(?=[A-Z])", "_", name.removeprefix("Test")).lower(), test)


add_tests()

if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
