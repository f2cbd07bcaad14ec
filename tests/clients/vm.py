# SPDX-License-Identifier: Apache-2.0
"""A real VM behind its API for a test: `mote serve` in a folder of its own, from `with` to its end."""

import http.client
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/api"))

from server import PATIENCE, Client  # noqa: E402

MOTE = os.environ.get("MOTE", str(ROOT / "build/mote"))
GUESTS = pathlib.Path(os.environ.get("GUESTS", str(ROOT / "build/guests")))
MIB = 1 << 20

POWER_OFF, USAGE, RESET, TRIPLE_FAULT, ESCAPE, STOPPED = 0, 2, 16, 17, 20, 21
TOO_LATE = "The requested operation is not supported after starting the microVM."
TOO_EARLY = "The requested operation is not supported before starting the microVM."
START = ("PUT", "/actions", {"action_type": "InstanceStart"})
PAUSE = ("PATCH", "/vm", {"state": "Paused"})
RESUME = ("PATCH", "/vm", {"state": "Resumed"})
# A network namespace of its own, so that no tap of the host's is touched.
ALONE = ("unshare", "--net")
IS_ROOT = os.geteuid() == 0


def why_no_vm():
    """Why no VM can run here, or an empty text."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "/dev/kvm is not there or not to be opened"
    return ""


def needs_a_vm():
    if why_no_vm():
        raise unittest.SkipTest(why_no_vm())


def wait_for(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {PATIENCE} s")
        time.sleep(0.002)


def make_disk(path, size=16 * MIB):
    """A sparse file that the user of a sandboxed VM may write to."""
    with open(path, "wb") as disk:
        disk.truncate(size)
    os.chmod(path, 0o666)
    return str(path)


class Vm:
    """Clients may name the guests and what is in the VM's folder. `options` are further words for `mote serve`, `before` is a command
    that it runs under; without `listens` there is no socket to wait for. The serial port is at `terminal`, a descriptor, if there is one."""

    def __init__(self, *options, before=(), listens=True, terminal=None):
        self.options = options
        self.before = before
        self.listens = listens
        self.terminal = terminal
        self.process = None

    def __enter__(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="mote-serve-")
        self.folder = pathlib.Path(self.temporary.name)
        self.folder.chmod(0o777)
        self.socket = str(self.folder / "api.sock")
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        self.temporary.cleanup()

    def command(self):
        words = [*self.before, MOTE, "serve", "--dir", str(GUESTS), "--dir", str(self.folder)]
        if self.listens:
            words += ["--api-sock", self.socket]
        return words + [word.replace("FOLDER", str(self.folder)) for word in self.options]

    def start(self):
        """Once more, when it has ended."""
        with open(self.folder / "output", "wb") as output, open(self.folder / "errors", "wb") as errors:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL if self.terminal is None else self.terminal,
                                            stdout=output if self.terminal is None else self.terminal, stderr=errors)
        if not self.listens:
            return
        wait_for(lambda: self.process.poll() is not None or self.answers(), "an API")
        if self.process.poll() is not None:
            raise AssertionError(f"mote serve ended with {self.process.returncode}: {self.errors()}")

    def listens_no_more(self):
        try:
            self.client().connect()
        except ConnectionRefusedError:
            return True
        return False

    def answers(self):
        try:
            return self.ask("GET", "/")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def output(self):
        """What the guest has written to its serial port."""
        return (self.folder / "output").read_text(errors="replace")

    def errors(self):
        return (self.folder / "errors").read_text(errors="replace")

    def wait_for_output(self, text):
        wait_for(lambda: text in self.output() or self.process.poll() is not None, f"'{text}'")
        if text not in self.output():
            raise AssertionError(f"the VM ended with {self.process.returncode} before '{text}': {self.output()}{self.errors()}")

    def client(self):
        return Client(self.socket)

    def ask(self, method, path, body=None):
        """Status and body of the answer; a body of JSON is read."""
        client = self.client()
        status, headers, answer = client.ask(method, path, body)
        client.close()
        if (headers["Content-Type"] or "").startswith("application/json"):
            return status, json.loads(answer)
        return status, answer.decode()

    def do(self, method, path, body=None):
        """Asks for what has to be done or shown; what is shown."""
        status, answer = self.ask(method, path, body)
        if status not in (200, 204):
            raise AssertionError(f"{method} {path}: {status} {answer}")
        return answer

    def refused(self, method, path, body=None):
        """Asks for what has to be refused; why it was."""
        status, answer = self.ask(method, path, body)
        if status != 400:
            raise AssertionError(f"{method} {path}: {status} {answer}")
        return answer["fault_message"]

    def state(self):
        return self.do("GET", "/")["state"]

    def boot(self, guest, words="", **machine):
        self.do("PUT", "/boot-source", {"kernel_image_path": str(GUESTS / f"{guest}.elf"), "boot_args": words})
        if machine:
            self.do("PUT", "/machine-config", machine)
        self.do("PUT", "/actions", {"action_type": "InstanceStart"})

    def put_drive(self, name, path, **more):
        self.do("PUT", f"/drives/{name}", {"drive_id": name, "is_root_device": False, "path_on_host": str(path), **more})

    def stop(self, timeout_ms=0):
        self.do("PUT", "/actions", {"action_type": "Stop", "timeout_ms": timeout_ms})

    def end(self):
        """The exit code, once there is one."""
        return self.process.wait(PATIENCE)

    def inner(self):
        """The number of the process that holds the guest: the only child, if there is one."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0]) if children else self.process.pid

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)


class Events:
    """The stream of a VM's events."""

    def __init__(self, vm, after=None):
        self.client = vm.client()
        self.client.request("GET", "/events", headers={} if after is None else {"Last-Event-ID": str(after)})
        self.answer = self.client.getresponse()
        if self.answer.status != 200:
            raise AssertionError(f"events: {self.answer.status} {self.answer.read()}")

    def next(self):
        """The data of the next event, with its `id`; None at the end."""
        event = {}
        while line := self.answer.readline():
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if not name:
                if event["event"] != event["data"]["event"]:
                    raise AssertionError(f"an event of two names: {event}")
                return event["data"] | {"id": int(event["id"])}
            event[name] = json.loads(value) if name == "data" else value
        return None

    def rest(self):
        events = []
        while event := self.next():
            events.append(event)
        return events

    def close(self):
        self.client.close()


def idle(vm):
    """Boots a guest that sleeps, with a disk."""
    vm.put_drive("data", make_disk(vm.folder / "data.img"))
    vm.boot("halt_forever")
    vm.wait_for_output("idle")
