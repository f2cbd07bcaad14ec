# SPDX-License-Identifier: Apache-2.0
"""mote-jailer seen from outside: what its callers rely on (docs/jailer.md). Run with MOTE_JAILER=path/to/mote-jailer. Most of it
needs root; words name parts, classes or tests: jailer_groups.ControlGroups."""

import os
import pathlib
import shutil
import signal
import stat
import subprocess
import sys
import time
import unittest

from jail import GID, IS_ROOT, JAILER, Jail, UID, is_alive, run, soon


class WithoutRoot(Jail):
    def test_version_is_what_callers_parse(self):
        done = run(JAILER, "--version")
        self.assertRegex(done.stdout, r"\AJailer v1\.16\.\d+\nmote-jailer \d+\.\d+\.\d+\n\Z")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_help_lists_the_flags(self):
        done = run(JAILER, "--help")
        for flag in ("id", "exec-file", "uid", "gid", "chroot-base-dir", "netns", "daemonize", "new-pid-ns", "cgroup", "resource-limit",
                     "cgroup-version", "parent-cgroup", "version"):
            self.assertIn(f"\n--{flag}", done.stdout)

    def test_a_flag_that_is_missing(self):
        done = run(JAILER)
        self.assertEqual((done.returncode, done.stderr), (1, "Failed to parse arguments: Argument 'id' required, but not found.\n"))

    def test_bad_ids(self):
        self.id = ""
        self.refused("Invalid instance ID: Invalid len (0);  the length must be between 1 and 64")
        self.id = "../up"
        self.refused("Invalid instance ID: Invalid char (.) at position 0")

    def test_a_program_that_is_not_there(self):
        self.program = self.base / "none"
        self.refused(f"Failed to canonicalize path {self.program}: No such file or directory (os error 2)")

    def test_a_program_that_is_no_file(self):
        self.program = self.base
        self.refused(f"{self.base} is not a file")

    def test_a_base_that_is_not_there(self):
        self.base = self.base / "none"
        self.refused(f"Failed to canonicalize path {self.base}: No such file or directory (os error 2)")

    def test_bad_control_groups_and_limits(self):
        self.refused("Invalid format for cgroups: zzz", "--cgroup", "zzz")
        self.refused("3 is an invalid cgroup version specifier", "--cgroup-version", "3")
        self.refused("Parent cgroup path is invalid. Path should not be absolute or contain '..' or '.'", "--parent-cgroup", "/root")
        self.refused("Invalid resource argument: zzz", "--resource-limit", "zzz=1")


@unittest.skipUnless(IS_ROOT, "jails are made by root")
class Layout(Jail):
    def test_the_program_sees_its_jail_and_nothing_else(self):
        facts = self.facts(extra=["--api-sock", "/api.socket"], env={"SECRET": "1", "PATH": "/bin"})
        self.assertEqual(facts["cwd"], ["/"])
        self.assertEqual(facts["ids"], [f"{UID} {UID} {GID} {GID}"])
        self.assertEqual(facts["groups"], ["0"])
        self.assertNotIn("environment", facts)
        self.assertEqual([fact.split()[0] for fact in facts["descriptor"]], ["0", "1", "2"])
        arguments = facts["argument"]
        self.assertEqual(arguments[:4], ["/vmm", "--id", "vm-1", "--start-time-us"])
        self.assertEqual(arguments[5], "--start-time-cpu-us")
        self.assertEqual(arguments[7:9], ["--parent-cpu-time-us", "0"])
        self.assertEqual(arguments[9:], ["--api-sock", "/api.socket"])
        self.assertLess(abs(int(arguments[4]) - time.monotonic() * 1e6), 30e6)
        files = {fact.split()[0] for fact in facts["file"]}
        self.assertLessEqual({"/vmm", "/vmm.pid", "/dev", "/run", "/dev/kvm", "/dev/net", "/dev/urandom", "/dev/net/tun"}, files)
        self.assertLessEqual(files, {"/vmm", "/vmm.pid", "/dev", "/run", "/dev/kvm", "/dev/net", "/dev/urandom", "/dev/net/tun",
                                     "/dev/userfaultfd", "/report.part", "/report"})

    def check(self, path, mode, owner=(UID, GID)):
        status = os.stat(self.root / path)
        self.assertEqual(oct(status.st_mode), oct(mode), path)
        self.assertEqual((status.st_uid, status.st_gid), owner, path)
        return status

    def test_modes_owners_and_devices(self):
        self.facts()
        for path in (".", "dev", "dev/net", "run"):
            self.check(path, stat.S_IFDIR | 0o700)
        self.check(self.name, stat.S_IFREG | 0o755)
        for path, major, minor in (("dev/kvm", 10, 232), ("dev/net/tun", 10, 200), ("dev/urandom", 1, 9)):
            status = self.check(path, stat.S_IFCHR | 0o600)
            self.assertEqual((os.major(status.st_rdev), os.minor(status.st_rdev)), (major, minor))
        misc = dict(reversed(line.split()) for line in pathlib.Path("/proc/misc").read_text().splitlines())
        self.assertEqual((self.root / "dev/userfaultfd").exists(), "userfaultfd" in misc)
        if "userfaultfd" in misc:
            status = self.check("dev/userfaultfd", stat.S_IFCHR | 0o600)
            self.assertEqual((os.major(status.st_rdev), os.minor(status.st_rdev)), (10, int(misc["userfaultfd"])))
        self.assertEqual((self.root / self.name).read_bytes(), self.program.read_bytes())

    def test_root_stays_root(self):
        self.uid = self.gid = 0
        facts = self.facts()
        self.assertEqual(facts["ids"], ["0 0 0 0"])
        self.check("dev/kvm", stat.S_IFCHR | 0o600, (0, 0))

    def test_the_same_jail_twice(self):
        self.facts()
        self.refused("Failed to create /dev/net/tun via mknod inside the jail: File exists (os error 17)")

    def test_a_program_by_a_symbolic_link(self):
        link = self.base / "link"
        link.symlink_to(self.program)
        self.program, program = link, self.program
        self.assertEqual(self.facts()["argument"][0], f"/{program.name}")

    def test_a_target_that_is_a_symbolic_link(self):
        self.root.mkdir(parents=True)
        victim = self.base / "victim"
        victim.write_text("mine")
        (self.root / self.name).symlink_to(victim)
        self.refused(f"Failed to open {self.root / self.name}: Too many levels of symbolic links (os error 40)")
        self.assertEqual(victim.read_text(), "mine")

    def test_a_target_that_is_a_hard_link(self):
        self.root.mkdir(parents=True)
        victim = self.base / "victim"
        victim.write_text("mine")
        os.link(victim, self.root / self.name)
        self.refused(f"Detected hard link at: {self.root / self.name}")
        self.assertEqual(victim.read_text(), "mine")

    def test_a_target_that_would_block(self):
        self.root.mkdir(parents=True)
        os.mkfifo(self.root / self.name)
        self.refused(f"Failed to open {self.root / self.name}: No such device or address (os error 6)")

    def test_an_old_copy_is_replaced(self):
        self.root.mkdir(parents=True)
        (self.root / self.name).write_bytes(b"x" * (self.program.stat().st_size + 1000))
        os.chmod(self.root / self.name, 0o755)
        self.facts()
        self.assertEqual((self.root / self.name).read_bytes(), self.program.read_bytes())

    def test_descriptors_do_not_come_along(self):
        with open("/dev/null") as other:
            facts = self.facts(pass_fds=[other.fileno()])
        self.assertEqual(len(facts["descriptor"]), 3)

    def test_what_cannot_be_run(self):
        self.program = self.base / "programs/text"
        self.program.parent.mkdir()
        self.program.write_text("no program")
        os.chmod(self.program, 0o755)
        self.refused("Failed to exec into Firecracker: Exec format error (os error 8)")


@unittest.skipUnless(IS_ROOT, "jails are made by root")
class Mounts(Jail):
    """In mount namespaces of the tests' own."""

    def script(self, before, *flags, after=""):
        """The program's words in a mount namespace in which `before` was run."""
        jailer = " ".join(f"'{word}'" for word in self.words(*flags))
        return run("unshare", "-m", "--propagation", "private", "sh", "-ec", f"{before}\n{jailer}\n{after}")

    def mounted(self, before, *flags):
        done = self.script(f"mkdir -p {self.root}/data\n{before}\nmount -t tmpfs t {self.root}/data\n: > {self.root}/data/premade\n", *flags)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_mounts_made_before_are_visible(self):
        self.root.mkdir(parents=True)
        for kind in ("private", "shared"):
            for uid in (UID, 0):
                with self.subTest(kind=kind, uid=uid):
                    shutil.rmtree(self.base / self.name)
                    self.uid = uid
                    before = f"mkdir -p {self.root}/m\nmount --make-{kind} -t tmpfs t {self.root}/m\n: > {self.root}/m/premade"
                    done = self.script(f"mount --make-{kind} --bind {self.base} {self.base}\n{before}",
                                       after=f"test -e {self.root}/m/premade")
                    self.assertEqual((done.returncode, done.stderr), (0, ""))
                    self.assertIn("file: /m 41777 0 0", done.stdout)

    def wait_for_mount(self, kind, *flags):
        """Whether a jail sees what is mounted below its folder after its start; the jail's mount namespace is another's: also returned."""
        jailer = " ".join(f"'{word}'" for word in self.words(*flags, extra=["wait"]))
        done = run("unshare", "-m", "--propagation", "private", "sh", "-ec", f"""
            mount --bind {self.base} {self.base}
            mount --make-{kind} {self.base}
            mkdir -p {self.root}/late
            {jailer} > /dev/null &
            while [ ! -e {self.root}/report ]; do sleep 0.01; done
            mount -t tmpfs t {self.root}/late
            : > {self.root}/late/file
            [ ! -e /proc/$!/root/late/file ] || echo seen
            [ "$(readlink /proc/$!/ns/mnt)" = "$(readlink /proc/self/ns/mnt)" ] || echo own
            [ ! -e /proc/$!/root/etc ] || echo leak
            kill -KILL $!
            wait || true""")
        self.assertEqual((done.returncode, done.stderr.replace("Killed\n", "")), (0, ""))
        return done.stdout.split()

    def test_mounts_made_later_come_in_where_mounts_are_shared(self):
        self.assertEqual(self.wait_for_mount("shared"), ["seen", "own"])

    def test_where_nothing_can_come_in_the_root_is_detached(self):
        self.assertEqual(self.wait_for_mount("private"), [])

    def test_a_detached_root_can_be_asked_for(self):
        self.assertEqual(self.wait_for_mount("shared", "--detached-root"), [])

    def test_root_always_gets_a_mount_namespace(self):
        self.uid = 0
        self.assertEqual(self.wait_for_mount("private", "--detached-root"), ["own"])

    def test_nothing_is_left_mounted(self):
        before = pathlib.Path("/proc/self/mountinfo").read_text()
        self.facts()
        self.uid, self.id = 0, "vm-2"
        self.facts()
        self.assertEqual(pathlib.Path("/proc/self/mountinfo").read_text(), before)


@unittest.skipUnless(IS_ROOT, "jails are made by root")
class Processes(Jail):
    def end(self, root, process):
        """Ends what was started in the jail."""
        pid = self.pid_file(root)
        if pid and is_alive(pid):
            os.kill(pid, signal.SIGKILL)
        process.kill()
        process.wait()
        process.stderr.close()

    def pid_file(self, root):
        try:
            return int((root / f"{self.name}.pid").read_text() or 0)
        except FileNotFoundError:
            return 0

    def start(self, *flags):
        """A program that waits in the jail: the pid in its file, what it said, the jailer's process."""
        process = subprocess.Popen([str(word) for word in self.words(*flags, extra=["wait"])], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.end, self.root, process)
        self.assertTrue(soon(lambda: (self.root / "report").exists() and self.pid_file(self.root) != 0), "nothing was started")
        return self.pid_file(self.root), self.sort((self.root / "report").read_text()), process

    def test_pid_files_name_the_program(self):
        for daemonize in (False, True):
            for new_pid_ns in (False, True):
                with self.subTest(daemonize=daemonize, new_pid_ns=new_pid_ns):
                    self.id = f"vm-{daemonize:d}-{new_pid_ns:d}"
                    flags = ["--daemonize"] * daemonize + ["--new-pid-ns"] * new_pid_ns
                    pid, facts, process = self.start(*flags)
                    self.assertTrue((self.root / f"{self.name}.pid").read_text().isdigit())
                    self.assertEqual(os.readlink(f"/proc/{pid}/exe"), f"/{self.name}")
                    status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
                    numbers = status["NStgid"].split()
                    self.assertEqual(len(numbers), 2 if new_pid_ns else 1)
                    self.assertEqual(facts["pid"], ["1" if new_pid_ns else str(pid)])
                    if daemonize or new_pid_ns:
                        self.assertEqual(process.wait(timeout=20), 0)
                    else:
                        self.assertEqual(pid, process.pid)
                    if daemonize:
                        for fd in (0, 1, 2):
                            self.assertEqual(os.readlink(f"/proc/{pid}/fd/{fd}"), "/dev/null")
                        session = os.getsid(pid)
                        self.assertNotEqual(session, os.getsid(0))
                        self.assertNotEqual(session, pid, "a leader of a session could get a terminal")
                    spent = int(facts["argument"][8])
                    self.assertGreater(spent, 0) if daemonize or new_pid_ns else self.assertEqual(spent, 0)
                    os.kill(pid, signal.SIGKILL)
                    process.wait(timeout=20)
                    self.assertTrue(soon(lambda: not is_alive(pid)))

    def test_capabilities_are_gone(self):
        pid, _, _ = self.start()
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        for kind in ("CapPrm", "CapEff"):
            self.assertRegex(status, rf"{kind}:\s+0+\n")

    def test_an_old_pid_file_is_not_overwritten(self):
        self.root.mkdir(parents=True)
        (self.root / f"{self.name}.pid").write_text("")
        self.refused(f"Failed to open file /{self.name}.pid: File exists (os error 17)")

    def test_network_namespaces(self):
        with subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec sleep 60"], stdout=subprocess.PIPE) as holder:
            try:
                holder.stdout.readline()
                network = f"/proc/{holder.pid}/ns/net"
                pid, _, _ = self.start("--netns", network)
                self.assertEqual(os.readlink(f"/proc/{pid}/ns/net"), os.readlink(network))
            finally:
                holder.kill()

    def test_a_network_namespace_that_is_none(self):
        self.refused("Failed to open file /none: No such file or directory (os error 2)", "--netns", "/none")
        shutil.rmtree(self.base / self.name)
        self.refused("Failed to join network namespace: netns: Invalid argument (os error 22)", "--netns", "/dev/null")

    def test_default_limits(self):
        pid, facts, _ = self.start()
        self.assertEqual(facts["no-file"], ["2048 2048"])
        self.assertEqual(facts["fsize"], ["-1 -1"])
        self.assertRegex(pathlib.Path(f"/proc/{pid}/limits").read_text(), r"Max open files +2048 +2048 ")

    def test_limits(self):
        _, facts, _ = self.start("--new-pid-ns", "--resource-limit", "no-file=1024", "--resource-limit", "fsize=2097151")
        self.assertEqual(facts["no-file"], ["1024 1024"])
        self.assertEqual(facts["fsize"], ["2097151 2097151"])

    def test_too_few_descriptors(self):
        done = self.jail("--resource-limit", "no-file=3")
        self.assertEqual(done.returncode, 1)
        self.assertIn("No file descriptors available (os error 24)", done.stderr)


PARTS = ["jailer_test", "jailer_groups"]

if __name__ == "__main__":
    unittest.main(module=None, argv=[sys.argv[0], *(sys.argv[1:] or PARTS)], verbosity=2)
