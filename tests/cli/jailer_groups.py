# SPDX-License-Identifier: Apache-2.0
"""mote-jailer and control groups of both versions. v2 is also tried in the lab (tests/lab, jail.*)."""

import os
import pathlib
import shutil
import subprocess
import unittest

from jail import IS_ROOT, Jail, run, soon


def v1_mount(controller):
    """Where the tree of v1 that has the controller is mounted, or None."""
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, point, kind, options, *_ = line.split()
        if kind == "cgroup" and controller in options.split(","):
            return pathlib.Path(point)
    return None


def v2_mount():
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        if line.split()[2] == "cgroup2":
            return pathlib.Path(line.split()[1])
    return None


@unittest.skipUnless(IS_ROOT, "control groups take root")
class ControlGroups(Jail):
    PARENT = f"mote-jailer-test-{os.getpid()}"

    def setUp(self):
        super().setUp()
        self.made = []
        self.addCleanup(self.remove_groups)

    def remove_groups(self):
        # Those in use become free a moment after their processes end.
        for group in sorted(self.made, key=lambda path: -len(path.parts)):
            soon(lambda: not group.exists() or self.can_remove(group))

    @staticmethod
    def can_remove(group):
        try:
            group.rmdir()
            return True
        except OSError:
            return False

    def groups(self, tree, *parts):
        """The group PARENT/..., to be removed with those above it."""
        group = tree / self.PARENT
        self.made.append(group)
        for part in parts:
            group = group / part
            self.made.append(group)
        return group

    def tree(self, controller):
        tree = v1_mount(controller)
        if tree is None:
            self.skipTest(f"no tree of v1 has the controller {controller}")
        return tree

    def run_in(self, *flags):
        """Starts a jail and returns the line of /proc/PID/cgroup per controller while it is there."""
        process = subprocess.Popen([str(word) for word in self.words(*flags, extra=["wait"])], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            soon(lambda: (self.root / "report").exists() or process.poll() is not None)
            self.assertIsNone(process.poll(), process.stderr.read() if process.poll() is not None else "")
            return pathlib.Path(f"/proc/{process.pid}/cgroup").read_text()
        finally:
            process.kill()
            process.wait()
            process.stderr.close()

    def test_v1_files_and_one_process_in_them(self):
        cpu, pids = self.tree("cpu"), self.tree("pids")
        group = self.groups(cpu, self.id)
        other = self.groups(pids, self.id)
        member = self.run_in("--parent-cgroup", self.PARENT, "--cgroup", "cpu.shares=2", "--cgroup", "cpu.cfs_period_us=200000", "--cgroup", "pids.max=20")
        self.assertEqual((group / "cpu.shares").read_text(), "2\n")
        self.assertEqual((group / "cpu.cfs_period_us").read_text(), "200000\n")
        self.assertEqual((other / "pids.max").read_text(), "20\n")
        for controller in ("cpu", "pids"):
            self.assertRegex(member, rf"(?m)^\d+:([a-z_]+,)*{controller}(,[a-z_]+)*:/{self.PARENT}/{self.id}$")

    def test_v1_cpuset_has_what_its_parent_has(self):
        tree = self.tree("cpuset")
        group = self.groups(tree, "inner", self.id)
        self.run_in("--parent-cgroup", f"{self.PARENT}/inner", "--cgroup", "cpuset.cpus=0")
        self.assertEqual((group / "cpuset.cpus").read_text(), "0\n")
        self.assertEqual((group / "cpuset.mems").read_text(), (tree / "cpuset.mems").read_text())
        self.assertEqual((group.parent / "cpuset.cpus").read_text(), (tree / "cpuset.cpus").read_text())

    def test_v1_is_the_default_and_the_program_names_the_parent(self):
        tree = self.tree("cpu")
        self.made += [tree / self.name, tree / self.name / self.id]
        self.run_in("--cgroup", "cpu.shares=3")
        self.assertEqual((tree / self.name / self.id / "cpu.shares").read_text(), "3\n")

    def test_what_the_kernel_refuses(self):
        tree = self.tree("cpu")
        group = self.groups(tree, self.id)
        done = self.jail("--parent-cgroup", self.PARENT, "--cgroup", "cpu.shares=many")
        self.assertEqual((done.returncode, done.stderr), (1, f"cannot set '{group}/cpu.shares' to 'many': Invalid argument (EINVAL)\n"))
        self.refused("Controller nonsense is unavailable", "--cgroup", "nonsense.file=1")

    def test_a_process_is_moved_once_per_tree(self):
        if shutil.which("strace") is None:
            self.skipTest("there is no strace")
        self.groups(self.tree("cpu"), self.id)
        self.groups(self.tree("pids"), self.id)
        words = self.words("--parent-cgroup", self.PARENT, "--cgroup", "cpu.shares=2", "--cgroup", "cpu.cfs_period_us=200000", "--cgroup", "pids.max=20")
        done = run("strace", "-f", "-y", "-e", "trace=write", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        written = [line for line in done.stderr.splitlines() if "cgroup.procs>" in line]
        self.assertEqual(len(written), 2, done.stderr)
        files = [line for line in done.stderr.splitlines() if "/cpu.shares>" in line or "/pids.max>" in line]
        self.assertLess(done.stderr.index(files[-1]), done.stderr.index(written[0]), "a process came before a limit")

    def test_v2_parent_alone_takes_the_process(self):
        tree = v2_mount()
        if tree is None:
            self.skipTest("no tree of v2 is mounted")
        group = self.groups(tree)
        group.mkdir()
        member = self.run_in("--cgroup-version", "2", "--parent-cgroup", self.PARENT)
        self.assertRegex(member, rf"(?m)^0::/{self.PARENT}$")
        self.assertFalse((group / self.id).exists())

    def test_v2_parent_that_is_not_there_is_passed_over(self):
        if v2_mount() is None:
            self.skipTest("no tree of v2 is mounted")
        self.facts("--cgroup-version", "2", "--parent-cgroup", f"{self.PARENT}/none")
        self.assertFalse((v2_mount() / self.PARENT).exists())
