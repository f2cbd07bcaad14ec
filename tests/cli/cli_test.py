# SPDX-License-Identifier: Apache-2.0
"""The mote program seen from outside. Run with MOTE=path/to/mote; needs no /dev/kvm and no root."""

import ctypes
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import unittest

MOTE = os.environ.get("MOTE", "build/mote")


def mote(*words, **options):
    return subprocess.run([MOTE, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, **options)


class Cli(unittest.TestCase):
    def expect_error(self, result, code, message):
        self.assertEqual(result.stderr, f"mote: {message}\n")
        self.assertEqual(result.stdout, "")
        self.assertEqual(result.returncode, code)


class General(Cli):
    def test_version(self):
        result = mote("--version")
        self.assertRegex(result.stdout, r"\Amote \d+\.\d+\.\d+\n\Z")
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_help_has_three_spellings(self):
        texts = {mote(word).stdout for word in ("--help", "-h", "help")}
        self.assertEqual(len(texts), 1)
        text = texts.pop()
        self.assertTrue(text.startswith("Usage: mote COMMAND [OPTION]...\n"))
        self.assertIn("\n  run ", text)
        self.assertIn("\n  doctor ", text)

    def test_help_of_commands(self):
        for command in ("run", "ctl", "doctor", "vfio", "seccomp"):
            result = mote(command, "--help")
            self.assertTrue(result.stdout.startswith(f"Usage: mote {command} "))
            self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_no_command(self):
        self.expect_error(mote(), 2, "no command given -- 'mote --help' lists the commands")

    def test_unknown_command(self):
        self.expect_error(mote("rum"), 2, "unknown command 'rum'; did you mean 'run'? -- "
                          "'mote --help' lists the commands")

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run([MOTE, "--help"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(result.stderr, "mote: cannot write to standard output: "
                         "No space left on device (ENOSPC)\n")
        self.assertEqual(result.returncode, 1)


class Run(Cli):
    def run_toml(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "vm.toml")
            with open(path, "w") as file:
                file.write(text)
            result = mote("run", path)
            result.stderr = result.stderr.replace(folder + "/", "")
            return result

    def test_without_kernel(self):
        self.expect_error(mote("run"), 2, "no kernel to boot -- pass --kernel FILE, or set path in "
                          "[kernel] of the VM's TOML file")

    def test_unknown_option(self):
        self.expect_error(mote("run", "--kernal", "x"), 2, "unknown option '--kernal'; did you mean "
                          "'--kernel'? -- 'mote run --help' lists the options")

    def test_value_out_of_range(self):
        self.expect_error(mote("run", "--kernel", "x", "--vcpus", "33"), 2,
                          "machine.vcpus: 33 is out of range -- choose 1 to 32")

    def test_two_files(self):
        self.expect_error(mote("run", "a.toml", "b.toml"), 2, "'b.toml' is one file too many -- "
                          "'mote run' takes one TOML file; a kernel is passed with --kernel")

    def test_missing_file(self):
        self.expect_error(mote("run", "/nonexistent/vm.toml"), 2,
                          "cannot open '/nonexistent/vm.toml': No such file or directory (ENOENT)")

    def test_kernel_in_place_of_the_file(self):
        self.expect_error(mote("run", MOTE), 2, f"'{MOTE}' is a binary file, not TOML -- a kernel is "
                          "passed with --kernel")

    def test_problem_in_the_file(self):
        self.expect_error(self.run_toml("[machine]\nmemroy = \"1GiB\"\n"), 2,
                          "vm.toml:2:1: unknown key 'memroy' in [machine]; did you mean 'memory'?")

    def test_file_without_kernel(self):
        self.expect_error(self.run_toml("machine.vcpus = 2\n"), 2, "no kernel to boot -- pass "
                          "--kernel FILE, or set path in [kernel] of the VM's TOML file")


class Doctor(Cli):
    def findings(self, **options):
        result = mote("doctor", "--json", **options)
        self.assertEqual(result.stderr, "")
        report = json.loads(result.stdout)
        self.assertEqual(result.returncode, 0 if report["can_run"] else 1)
        for finding in report["findings"]:
            self.assertEqual(list(finding), ["group", "name", "status", "detail", "remedy"])
            self.assertIn(finding["status"], ("ok", "missing", "fatal"))
        names = [(finding["group"], finding["name"]) for finding in report["findings"]]
        self.assertEqual(len(names), len(set(names)))
        return report, dict(zip(names, report["findings"]))

    def test_json(self):
        report, findings = self.findings()
        self.assertIn(report["guest_ring0"], ("native", "emulated", "unknown"))
        for name in (("KVM", "/dev/kvm"), ("memory", "2 MiB pages"), ("memory", "userfaultfd"),
                     ("devices", "tap"), ("devices", "IOMMU groups"), ("confinement", "cgroups")):
            self.assertIn(name, findings)
        there = findings[("devices", "tap")]["status"] == "ok"
        for name in ("tap queues", "tap offloads", "new taps"):
            self.assertEqual(("devices", name) in findings, there)

    def test_table_holds_the_same_findings(self):
        report, _ = self.findings()
        lines = re.findall(r"^  \[(?:ok|--|!!)\] ", mote("doctor").stdout, re.MULTILINE)
        self.assertEqual(len(lines), len(report["findings"]))

    def test_operand(self):
        self.expect_error(mote("doctor", "kvm"), 2, "'mote doctor' takes no argument 'kvm'")

    def test_unknown_option(self):
        self.expect_error(mote("doctor", "--jsno"), 2, "unknown option '--jsno'; did you mean "
                          "'--json'? -- 'mote doctor --help' lists the options")

    def test_without_io_uring(self):
        report, findings = self.findings(preexec_fn=forbid_io_uring)
        self.assertFalse(report["can_run"])
        setup = findings[("io_uring", "set-up")]
        self.assertEqual(setup["status"], "fatal")
        self.assertEqual(setup["detail"], "cannot set up a ring: Operation not permitted (EPERM)")
        self.assertIn("kernel.io_uring_disabled=0", setup["remedy"])

    @unittest.skipUnless(os.geteuid() == 0, "a mount namespace without /dev/kvm takes root")
    def test_without_kvm(self):
        for hide, detail in (
                ("mount -t tmpfs none /dev",
                 "cannot open '/dev/kvm': No such file or directory (ENOENT)"),
                ("mount --bind /dev/null /dev/kvm", "opens, but is no KVM device")):
            if "bind" in hide and not os.path.exists("/dev/kvm"):
                continue
            result = subprocess.run(
                ["unshare", "-m", "sh", "-c", f"{hide} && exec '{MOTE}' doctor --json"],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
            self.assertEqual(result.returncode, 1, result.stderr)
            report = json.loads(result.stdout)
            self.assertEqual(report["guest_ring0"], "unknown")
            self.assertEqual(report["findings"][0]["status"], "fatal")
            self.assertEqual(report["findings"][0]["detail"], detail)


def forbid_io_uring():
    """Makes io_uring_setup fail with EPERM from here on, by a seccomp filter."""
    number_of_call, io_uring_setup, eperm = 0, 425, 1
    filters = b"".join(struct.pack("HBBI", *f) for f in (
        (0x20, 0, 0, number_of_call),            # load the call's number
        (0x15, 0, 1, io_uring_setup),            # equal?
        (0x06, 0, 0, 0x00050000 | eperm),        # return SECCOMP_RET_ERRNO
        (0x06, 0, 0, 0x7FFF0000)))               # return SECCOMP_RET_ALLOW
    program = ctypes.create_string_buffer(filters, len(filters))
    header = struct.pack("HxxxxxxQ", len(filters) // 8, ctypes.addressof(program))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    set_no_new_privileges, set_seccomp, mode_filter = 38, 22, 2
    if (prctl(set_no_new_privileges, 1, 0, 0, 0) != 0
            or prctl(set_seccomp, mode_filter, ctypes.create_string_buffer(header), 0, 0) != 0):
        raise OSError(ctypes.get_errno(), "seccomp")


class Seccomp(Cli):
    ROLES = ["start", "vcpu", "vcpu_vfio", "unplug", "loop", "api", "supervisor"]

    def test_counts_are_those_of_the_rows(self):
        report = json.loads(mote("seccomp", "print", "--json").stdout)
        self.assertEqual(list(report["calls"]), self.ROLES)
        for role, count in report["calls"].items():
            calls = {rule["number"] for rule in report["rules"] if role in rule["roles"] and rule["allowed"]}
            self.assertEqual(len(calls), count, role)
        for role, most in (("vcpu", 12), ("vcpu_vfio", 15), ("unplug", 12), ("loop", 20), ("api", 25)):
            self.assertLessEqual(report["calls"][role], most)

    def test_table_holds_the_same_rows(self):
        rules = json.loads(mote("seccomp", "print", "--json").stdout)["rules"]
        lines = mote("seccomp", "print").stdout.splitlines()
        self.assertEqual(lines[0].split(), ["ROLES", "CALL", "WHEN", "WHY"])
        self.assertEqual(len(lines), len(rules) + 3)
        for line, rule in zip(lines[1:], rules):
            self.assertTrue(line.startswith(" ".join(rule["roles"])))
            self.assertTrue(line.endswith(rule["reason"]))
            for argument in rule["arguments"]:
                self.assertIn(argument["text"], line)

    def test_one_role(self):
        rules = json.loads(mote("seccomp", "print", "--role", "vcpu", "--json").stdout)["rules"]
        self.assertEqual({tuple(rule["roles"]) for rule in rules}, {("vcpu",)})
        rules = json.loads(mote("seccomp", "print", "--role", "vcpu_vfio", "--json").stdout)["rules"]
        self.assertIn("pwrite64", {rule["call"] for rule in rules})
        run = [rule for rule in rules if rule["arguments"] and rule["arguments"][0]["text"] == "request is KVM_RUN"]
        self.assertEqual(run[0]["arguments"], [{"index": 1, "mask": 0xFFFFFFFF, "value": 0xAE80, "text": "request is KVM_RUN"}])

    def test_unknown_role(self):
        self.expect_error(mote("seccomp", "print", "--role", "lop"), 2, "--role: 'lop' is no role; did you mean 'loop'? -- "
                          "choose one of start, vcpu, vcpu_vfio, unplug, loop, api, supervisor")

    def test_without_print(self):
        for words in ((), ("list",), ("print", "vcpu")):
            self.expect_error(mote("seccomp", *words), 2, "'mote seccomp' does one thing -- 'mote seccomp print'")


class BashCompletion(unittest.TestCase):
    SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../cli/mote.bash-completion")

    def complete(self, *words):
        """What bash offers for the last word, in a folder that holds vm.toml, vmlinux and dir/."""
        with tempfile.TemporaryDirectory() as folder:
            for name in ("vm.toml", "vmlinux"):
                open(os.path.join(folder, name), "w").close()
            os.mkdir(os.path.join(folder, "dir"))
            code = ('source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _mote; '
                    'printf "%s\\n" "${COMPREPLY[@]}"')
            result = subprocess.run(["bash", "-c", code, self.SCRIPT, *words], cwd=folder,
                                    capture_output=True, text=True, timeout=60)
        self.assertEqual(result.stderr, "")
        return sorted(set(result.stdout.split()))

    def test_commands(self):
        self.assertEqual(self.complete("mote", "d"), ["doctor"])
        self.assertEqual(self.complete("mote", "vfio", "r"), ["release"])

    def test_options(self):
        self.assertEqual(self.complete("mote", "run", "--no"), ["--no-acpi", "--no-legacy", "--no-sandbox"])
        self.assertEqual(self.complete("mote", "doctor", "--j"), ["--json"])

    def test_configuration_files(self):
        self.assertEqual(self.complete("mote", "run", "vm"), ["vm.toml"])

    def test_files_of_options(self):
        self.assertEqual(self.complete("mote", "run", "--kernel", "vml"), ["vmlinux"])
        self.assertEqual(self.complete("mote", "run", "--timeline", "=", "vml"), ["vmlinux"])
        self.assertEqual(self.complete("mote", "run", "--timeline", "="), ["dir", "vm.toml", "vmlinux"])

    def test_places_of_the_serial_port(self):
        self.assertEqual(self.complete("mote", "run", "--serial", "p"), ["pty"])

    def test_free_text(self):
        self.assertEqual(self.complete("mote", "run", "--cmdline", "v"), [])


class Binary(unittest.TestCase):
    """The start of the process is part of every boot, so what the binary drags in is a contract."""

    def setUp(self):
        symbols = subprocess.run(["nm", "-C", MOTE], capture_output=True, text=True)
        self.symbols = symbols.stdout
        if "__asan_init" in self.symbols or "__tsan_init" in self.symbols \
                or "__ubsan_handle" in self.symbols:
            self.skipTest("a sanitizer's build is linked in another way")

    def test_needs_no_shared_library(self):
        result = subprocess.run(["readelf", "-lWd", MOTE], capture_output=True, text=True)
        self.assertNotIn("INTERP", result.stdout)
        self.assertNotIn("(NEEDED)", result.stdout)
        self.assertIn("DYN (Position-Independent", result.stdout)

    def test_is_small(self):
        with tempfile.NamedTemporaryFile() as stripped:
            subprocess.run(["strip", "-o", stripped.name, MOTE], check=True)
            self.assertLessEqual(os.path.getsize(stripped.name), 2.5 * 1024 * 1024)

    def test_has_no_streams_and_no_locale(self):
        if "main" not in self.symbols:
            self.skipTest("the binary is stripped")
        for name in ("std::ios_base::Init::Init", "std::locale::locale", "std::ostream::operator<<"):
            self.assertNotIn(name, self.symbols)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
