#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the stages of ./check: one line per stage with its time, then what failed and was skipped, then the count."""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "mote"
BUILD = ROOT / "build"          # release, as ./quickstart makes it
ASAN = ROOT / "build-asan"      # clang, address and undefined behaviour
TSAN = ROOT / "build-tsan"      # clang, threads
SIZE_LIMIT = 2_500_000          # bytes of the stripped binary
JOBS = os.cpu_count() or 1
# What was compiled once is not compiled again, in whatever clone.
os.environ |= {"CCACHE_DIR": str(CACHE / "ccache"), "CCACHE_BASEDIR": str(ROOT), "CCACHE_NOHASHDIR": "1",
               "CCACHE_SLOPPINESS": "time_macros,locale", "CCACHE_MAXSIZE": "4G"}


class Stage:
    """What one stage found. A stage without test cases of its own counts as one."""

    def __init__(self):
        self.passed = 0
        self.failed = []   # (name, what happened)
        self.skipped = []  # (name, reason)

    def case(self, name, problem):
        if problem:
            self.failed.append((name, problem))
        else:
            self.passed += 1


def run(command, cwd=ROOT, timeout=1800, env=None):
    """Runs a command to its end; returns exit code and output. A time-out is an exit code of 124."""
    try:
        done = subprocess.run([str(word) for word in command], cwd=cwd, timeout=timeout, text=True, errors="replace",
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={**os.environ, **(env or {})})
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired as expired:
        output = expired.stdout or ""
        return 124, output if isinstance(output, str) else output.decode(errors="replace")


def command_stage(*commands):
    """A stage that passes when each command exits with 0."""
    def stage(result):
        for command in commands:
            code, output = run(command)
            result.case(" ".join(str(word) for word in command), None if code == 0 else tail(output, 60))
    return stage


def tail(text, lines=25):
    return "\n".join(text.strip().splitlines()[-lines:])


def tracked(*patterns):
    """Files of the project that match, with the new ones that are not ignored."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns], cwd=ROOT,
                            check=True, capture_output=True, text=True).stdout.split()
    return sorted({name for name in listed if (ROOT / name).is_file()})


# The stages ------------------------------------------------------------------------------------

def format_stage(result):
    for name in tracked("*.cpp", "*.hpp", "*.c"):
        code, output = run(["clang-format-19", "--dry-run", "-Werror", name])
        result.case(name, None if code == 0 else tail(output, 4) + "\nmend: clang-format-19 -i " + name)


def scripts_stage(result):
    for name in tracked():
        first = (ROOT / name).open("rb").readline()
        if first.strip() == b"#!/bin/busybox sh":
            code, output = run(["shellcheck", "-x", "-s", "dash", name])  # its nearest relative that shellcheck knows
        elif first.startswith(b"#!") and (b"bash" in first or first.strip().endswith(b"/sh")):
            code, output = run(["shellcheck", "-x", name])
        elif name.endswith(".py") or (first.startswith(b"#!") and b"python3" in first):
            code, output = run([sys.executable, "-c", f"compile(open({name!r}).read(), {name!r}, 'exec')"])
        else:
            continue
        result.case(name, None if code == 0 else tail(output))


def configure(folder, *options, env=None):
    if (folder / "build.ninja").exists():
        return 0, ""
    return run(["meson", "setup", folder, *options], env=env)


def build_stage(folder, *options, targets=(), env=None):
    """Builds the targets, all without any."""
    def stage(result):
        code, output = configure(folder, *options, env=env)
        if code == 0:
            code, output = run(["ninja", "-C", folder, *targets], timeout=3000)
        result.case(folder.name, None if code == 0 else tail(output, 60))
    return stage


def dependencies():
    """What each source of the program includes of the project, itself first, by what the compiler noted."""
    _, output = run(["ninja", "-C", ASAN, "-t", "deps"])
    found = {}
    for entry in output.split("\n\n"):
        paths = [os.path.relpath(os.path.normpath(ASAN / line.strip()), ROOT) for line in entry.splitlines()[1:]]
        paths = [path for path in paths if not path.startswith("..")]
        if paths and paths[0].endswith(".cpp") and paths[0].split("/")[0] in ("core", "devices", "vmm", "jail", "api", "cli"):
            found[paths[0]] = paths
    return found


def tidy_one(name, key):
    """Findings of one file, or None. What was clean stays clean while the file, what it includes and the checks are the same."""
    remembered = CACHE / "tidy" / key
    if remembered.exists():
        return None
    code, output = run(["clang-tidy-19", "--quiet", "-p", ASAN, name])
    if code == 0:
        remembered.parent.mkdir(parents=True, exist_ok=True)
        remembered.touch()
        return None
    return tail("\n".join(line for line in output.splitlines() if "warnings generated" not in line), 40)


def tidy_stage(result):
    common = hashlib.sha256()
    for name in tracked(".clang-tidy", "meson.build", "*/meson.build"):
        common.update(name.encode() + b"\0" + (ROOT / name).read_bytes())
    included = dependencies()
    sources = [name for name in tracked("*.cpp")
               if name.split("/")[0] in ("core", "devices", "vmm", "jail", "api", "cli")]
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        jobs = {}
        for name in sources:
            if name not in included:
                result.case(name, "no target of the build compiles it")
                continue
            key = common.copy()
            for path in included[name]:
                key.update(path.encode() + b"\0" + (ROOT / path).read_bytes())
            jobs[name] = pool.submit(tidy_one, name, key.hexdigest())
        for name, job in jobs.items():
            result.case(name, job.result())


def binary_stage(result):
    """The promises that the release binary makes by itself."""
    mote = BUILD / "mote"
    with tempfile.TemporaryDirectory() as folder:
        stripped = pathlib.Path(folder) / "mote"
        code, output = run(["strip", "-o", stripped, mote])
        size = stripped.stat().st_size if code == 0 else 0
    result.case("size", None if 0 < size <= SIZE_LIMIT else f"{size} bytes stripped; the limit is {SIZE_LIMIT}\n{output}")
    for name in ("mote", "mote-jailer"):
        _, dynamic = run(["readelf", "-dW", BUILD / name])
        _, header = run(["readelf", "-hW", BUILD / name])
        result.case(f"{name}: static", "it needs shared libraries" if "(NEEDED)" in dynamic else None)
        result.case(f"{name}: pie", None if "DYN (" in header else "it is not position-independent")


def gtest_stage(binary, *arguments, env=None, timeout=900):
    def stage(result):
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder) / "report.json"
            code, output = run([binary, f"--gtest_output=json:{report}", "--gtest_brief=1", *arguments], env=env, timeout=timeout)
            suites = json.loads(report.read_text())["testsuites"] if report.exists() else []
        # The report of GoogleTest 1.12 has no reasons, but the output has them, in the same order.
        reasons = iter(re.findall(r": Skipped\n(.*)$", output, re.MULTILINE))
        for suite in suites:
            for case in suite["testsuite"]:
                name = f"{suite['name']}.{case['name']}"
                if case["result"] == "SKIPPED":
                    result.skipped.append((name, next(reasons, "") or "no reason given"))
                elif case["status"] == "RUN":
                    result.case(name, "\n".join(f["failure"] for f in case.get("failures", [])))
        if code != 0 and not result.failed:
            result.case(binary.name, f"exit code {code}\n{tail(output)}")
        if not suites and code == 0:
            result.case(binary.name, "it ran no test")
    return stage


SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1:abort_on_error=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1",
}


CORPORA = sorted(path for path in (ROOT / "tests/fuzz/corpus").iterdir() if path.is_dir())
UNIT_TESTS = "tests/unit/unit_tests"


def fuzz_target(corpus):
    return f"tests/fuzz/fuzz_{corpus.name}"


def fuzz_stage(result):
    """Every kept input of every fuzz target, replayed under the sanitizers."""
    for folder in CORPORA:
        code, output = run([ASAN / fuzz_target(folder), folder], env=SANITIZER_ENV)
        result.case(folder.name, None if code == 0 else f"exit code {code}\n{tail(output)}")


def lab_stage(timeout):
    """The lab reports its cases as JSON: name, status (PASS, FAIL, SKIP), reason."""
    def stage(result):
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder) / "report.json"
            code, output = run(["tests/lab/run", "--mote", BUILD / "mote", "--json", report], timeout=timeout)
            cases = json.loads(report.read_text()) if report.exists() else []
        for case in cases:
            if case["status"] == "SKIP":
                result.skipped.append((case["name"], case["reason"]))
            else:
                result.case(case["name"], None if case["status"] == "PASS" else case["reason"])
        if code != 0 and not result.failed or not cases:
            result.case("tests/lab/run", f"exit code {code}\n{tail(output)}")
    return stage


def virtual_environment(requirements):
    """A Python with the packages of the file `requirements`, made once for what the file says; or None, and why."""
    folder = CACHE / "venv" / hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:16]
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        for command in ([sys.executable, "-m", "venv", "--clear", folder],
                        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]):
            code, output = run(command, timeout=600)
            if code != 0:
                return None, f"{requirements.relative_to(ROOT)} cannot be installed: {tail(output, 1)}"
        (folder / "complete").touch()
    return python, ""


def unittest_stage(script, timeout=300, requirements=None):
    """A script of Python's unittest that prints a line per test."""
    def stage(result):
        python, reason = virtual_environment(requirements) if requirements else (sys.executable, "")
        if not python:
            result.skipped.append((script.name, reason))
            return
        code, output = run([python, script], env={"MOTE": str(BUILD / "mote"), "MOTE_JAILER": str(BUILD / "mote-jailer")},
                           timeout=timeout)
        for name, verdict in re.findall(r"^(\w+ \([\w.]+\)).*? \.\.\. (ok|FAIL|ERROR|skipped .*)$", output, re.MULTILINE):
            if verdict.startswith("skipped"):
                result.skipped.append((name, verdict.removeprefix("skipped ").strip("'\"")))
            else:
                result.case(name, None if verdict == "ok" else verdict)
        if code != 0 or not result.passed:
            result.case(script.name, f"exit code {code}\n{tail(output, 60)}")
    return stage


CLANG = {"CC": "ccache clang-19", "CXX": "ccache clang++-19"}
# name, is part of `fast`, what to do
STAGES = [
    ("format", True, format_stage),
    ("includes", True, command_stage(["tools/check_includes.py"])),
    ("scripts", True, scripts_stage),
    ("build", True, build_stage(BUILD, "--buildtype=release")),
    ("binary", True, binary_stage),
    ("unit", True, gtest_stage(BUILD / UNIT_TESTS)),
    ("cli", True, unittest_stage(ROOT / "tests/cli/cli_test.py")),
    ("net-setup", False, unittest_stage(ROOT / "tests/cli/net_setup_test.py")),
    ("jailer", True, unittest_stage(ROOT / "tests/cli/jailer_test.py")),
    ("api", True, unittest_stage(ROOT / "tests/api/api_test.py")),
    ("ctl", True, unittest_stage(ROOT / "tests/api/ctl_test.py")),
    ("api-contract", False, unittest_stage(ROOT / "tests/api/contract_test.py", timeout=1800, requirements=ROOT / "tests/api/requirements.txt")),
    ("serve", True, unittest_stage(ROOT / "tests/clients/serve_test.py", timeout=900)),
    ("clients", False, unittest_stage(ROOT / "tests/clients/clients_test.py", timeout=1200)),
    ("kvm", True, gtest_stage(BUILD / "tests/kvm/kvm_tests", timeout=900)),
    ("acts", False, gtest_stage(BUILD / "tests/acts/acts_tests")),
    ("build-asan", False, build_stage(ASAN, "-Db_sanitize=address,undefined", "-Db_lundef=false", env=CLANG,
                                       targets=["mote", "mote-jailer", UNIT_TESTS, *map(fuzz_target, CORPORA)])),
    ("tidy", False, tidy_stage),
    ("unit-asan", False, gtest_stage(ASAN / UNIT_TESTS, env=SANITIZER_ENV)),
    ("fuzz-corpus", False, fuzz_stage),
    ("build-tsan", False, build_stage(TSAN, "-Db_sanitize=thread", "-Db_lundef=false", env=CLANG, targets=[UNIT_TESTS])),
    ("unit-tsan", False, gtest_stage(TSAN / UNIT_TESTS, "--gtest_filter=*Thread*:EventLoop*:FixedFile*:Console*:LoopAlarm*:Block*:Net*:*FrameReader*:HttpServer*", env=SANITIZER_ENV)),
    ("lab", False, lab_stage(timeout=2900)),
]


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else "all"
    passed, failed, skipped = 0, [], []
    for name, fast, stage in STAGES:
        if wanted == "fast" and not fast:
            continue
        result = Stage()
        started = time.monotonic()
        stage(result)
        seconds = time.monotonic() - started
        verdict = "FAILED" if result.failed else "ok"
        skips = f", {len(result.skipped)} skipped" if result.skipped else ""
        print(f"{name:<12} {verdict:<7} {seconds:7.1f} s   {result.passed} passed, {len(result.failed)} failed{skips}", flush=True)
        passed += result.passed
        failed += [(f"{name}: {case}", what) for case, what in result.failed]
        skipped += [(f"{name}: {case}", reason) for case, reason in result.skipped]
        if result.failed and name.startswith("build"):
            break  # the stages behind would test something else
    for case, what in failed:
        print(f"\nFAILED  {case}\n{what}")
    for case, reason in skipped:
        print(f"skipped  {case}: {reason}")
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
