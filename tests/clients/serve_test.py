#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`mote serve` with real guests, by plain sockets: what each operation answers in each state, and what a VM's life looks like from outside.
Run with MOTE=path/to/mote and GUESTS=folder/of/guests; needs /dev/kvm, and root for what has to do with taps."""

import concurrent.futures
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import termios
import time
import unittest

from vm import GUESTS, MIB, MOTE, PATIENCE, ROOT, Events, Vm, make_disk, wait_for, why_no_vm

POWER_OFF, USAGE, RESET, TRIPLE_FAULT, ESCAPE, STOPPED = 0, 2, 16, 17, 20, 21
TOO_LATE = "The requested operation is not supported after starting the microVM."
TOO_EARLY = "The requested operation is not supported before starting the microVM."
START = ("PUT", "/actions", {"action_type": "InstanceStart"})
PAUSE = ("PATCH", "/vm", {"state": "Paused"})
RESUME = ("PATCH", "/vm", {"state": "Resumed"})
# A network namespace of its own, so that no tap of the host's is touched.
ALONE = ("unshare", "--net")
IS_ROOT = os.geteuid() == 0


def setUpModule():
    if why_no_vm():
        raise unittest.SkipTest(why_no_vm())


def idle(vm):
    """Boots a guest that sleeps, with a disk."""
    vm.put_drive("data", make_disk(vm.folder / "data.img"))
    vm.boot("halt_forever")
    vm.wait_for_output("idle")


class States(unittest.TestCase):
    """Each operation in each state."""

    SHOWS = [("GET", path, None) for path in ("/", "/version", "/vm/config", "/machine-config", "/metrics", "/timeline")]
    CONFIGURES = [
        ("PUT", "/machine-config", {"vcpu_count": 1, "mem_size_mib": 64}),
        ("PATCH", "/machine-config", {"mem_size_mib": 32}),
        ("PUT", "/boot-source", {"kernel_image_path": "GUESTS/hello.elf"}),
        ("PUT", "/drives/data", {"drive_id": "data", "is_root_device": False, "path_on_host": "FOLDER/data.img"}),
        ("PUT", "/drives/other", {"drive_id": "other", "is_root_device": False, "path_on_host": "FOLDER/other.img"}),
        ("PUT", "/serial", {"serial_out_path": "FOLDER/serial"}),
        ("PUT", "/cpu-config", {"cpuid_modifiers": []}),
        ("PUT", "/logger", {"log_path": "FOLDER/log", "level": "Info"}),
        ("PUT", "/metrics", {"metrics_path": "FOLDER/metrics"}),
    ]
    DRIVES = [
        ("PATCH", "/drives/data", {"drive_id": "data", "path_on_host": "FOLDER/other.img"}),
        ("PATCH", "/drives/data", {"drive_id": "data", "rate_limiter": {"bandwidth": {"size": MIB, "refill_time": 100}}}),
        ("PUT", "/actions", {"action_type": "SendCtrlAltDel"}),
        PAUSE, RESUME,
    ]
    NEVER = [
        ("DELETE", "/drives/data", None), ("GET", "/nothing", None), ("PUT", "/vsock", {"guest_cid": 3, "uds_path": "x"}), ("GET", "/balloon", None),
        ("PUT", "/snapshot/create", {"snapshot_path": "x", "mem_file_path": "y"}), ("PUT", "/actions", {"action_type": "Dance"}),
        ("PUT", "/machine-config", {"vcpu_count": 1}), ("PATCH", "/machine-config", {}),
    ]
    STATES = {"Not started": [], "Running": [START], "Paused": [START, PAUSE]}

    def each(self, operations, check, options=()):
        """`check(state, vm, request)` for each operation in each state, each time with a VM that nothing else was asked of."""
        for state, way in self.STATES.items():
            for method, path, body in operations:
                with self.subTest(state=state, method=method, path=path, body=body), Vm(*options) as vm:
                    for name in ("data.img", "other.img"):
                        make_disk(vm.folder / name)
                    vm.put_drive("data", vm.folder / "data.img")
                    vm.do("PUT", "/boot-source", {"kernel_image_path": str(GUESTS / "halt_forever.elf"), "boot_args": ""})
                    for step in way:
                        vm.do(*step)
                    text = body and json.dumps(body).replace("FOLDER", str(vm.folder)).replace("GUESTS", str(GUESTS))
                    check(state, vm, (method, path, text))

    def test_what_only_shows(self):
        def check(state, vm, request):
            self.assertTrue(vm.do(*request))
            self.assertEqual(vm.state(), state)

        self.each(self.SHOWS, check)

    def test_what_configures_has_its_time_before_the_start(self):
        def check(state, vm, request):
            if state == "Not started":
                vm.do(*request)
            else:
                before = vm.do("GET", "/vm/config")
                self.assertEqual(vm.refused(*request), TOO_LATE)
                self.assertEqual(vm.do("GET", "/vm/config"), before)
            self.assertEqual(vm.state(), state)

        self.each(self.CONFIGURES, check)

    def test_what_needs_a_guest_has_its_time_behind_it(self):
        def check(state, vm, request):
            if state == "Not started":
                self.assertEqual(vm.refused(*request), TOO_EARLY)
                self.assertEqual(vm.state(), state)
            else:
                vm.do(*request)
                expected = {"Paused": "Paused", "Resumed": "Running"}.get(json.loads(request[2]).get("state"), state)
                self.assertEqual(vm.state(), expected)

        self.each(self.DRIVES, check)

    def test_metrics_are_flushed_where_they_go_somewhere(self):
        def check(state, vm, request):
            if state == "Not started":
                self.assertEqual(vm.refused(*request), TOO_EARLY)
            else:
                vm.do(*request)

        self.each([("PUT", "/actions", {"action_type": "FlushMetrics"})], check, options=("--metrics-path", "FOLDER/metrics"))

    def test_what_is_never_done(self):
        def check(state, vm, request):
            self.assertTrue(vm.refused(*request))
            self.assertEqual(vm.state(), state)

        self.each(self.NEVER, check)

    def test_a_start_is_one(self):
        def check(state, vm, request):
            if state == "Not started":
                vm.do(*request)
                self.assertEqual(vm.state(), "Running")
            else:
                self.assertEqual(vm.refused(*request), TOO_LATE)

        self.each([START], check)

    def test_a_stop_has_its_time_always(self):
        for state, way in self.STATES.items():
            with self.subTest(state=state), Vm() as vm:
                vm.do("PUT", "/boot-source", {"kernel_image_path": str(GUESTS / "halt_forever.elf"), "boot_args": ""})
                for step in way:
                    vm.do(*step)
                vm.stop()
                self.assertEqual(vm.end(), STOPPED)

    def test_a_second_place_for_metrics_is_refused(self):
        with Vm() as vm:
            vm.do("PUT", "/metrics", {"metrics_path": str(vm.folder / "a")})
            self.assertEqual(vm.refused("PUT", "/metrics", {"metrics_path": str(vm.folder / "b")}), "Reinitialization of metrics not allowed.")

    def test_a_device_that_is_not_there(self):
        with Vm() as vm:
            idle(vm)
            vm.refused("PATCH", "/drives/nothing", {"drive_id": "nothing", "path_on_host": str(vm.folder / "data.img")})
            vm.refused("PATCH", "/network-interfaces/nothing", {"iface_id": "nothing"})
            vm.refused("PATCH", "/drives/data", {"drive_id": "data", "path_on_host": str(vm.folder / "nothing.img")})
            self.assertEqual(vm.do("GET", "/vm/config")["drives"][0]["path_on_host"], str(vm.folder / "data.img"))


class Start(unittest.TestCase):
    def test_a_guest_runs_to_its_end(self):
        with Vm("--id", "vm-7") as vm:
            self.assertEqual(vm.do("GET", "/")["id"], "vm-7")
            vm.boot("hello", "a=1", vcpu_count=2, mem_size_mib=64)
            self.assertEqual(vm.end(), POWER_OFF)
            self.assertRegex(vm.output(), r'vCPUs 2, memory 6\d{4} KiB, command line "a=1')
            self.assertFalse(os.path.exists(vm.socket))

    def test_one_that_failed_is_tried_again(self):
        with Vm() as vm:
            self.assertIn("Cannot start microvm without kernel configuration.", vm.refused(*START))
            (vm.folder / "nonsense").write_bytes(b"no kernel" * 1000)
            (vm.folder / "nonsense").chmod(0o644)
            vm.do("PUT", "/boot-source", {"kernel_image_path": str(vm.folder / "nonsense")})
            vm.put_drive("data", make_disk(vm.folder / "data.img"))
            for _ in range(3):
                self.assertTrue(vm.refused(*START).startswith("Start microvm error: "))
                self.assertEqual(vm.state(), "Not started")
            vm.boot("block", "disk=0")
            self.assertEqual(vm.end(), POWER_OFF)
            self.assertIn("\nDONE", vm.output())
            self.assertNotIn("FAIL", vm.output())

    def test_a_machine_that_changed_its_size(self):
        with Vm() as vm:
            for size in (128, 16, 512, 32):
                vm.do("PUT", "/machine-config", {"vcpu_count": 1, "mem_size_mib": size})
                time.sleep(0.02)  # for what is made ahead of the start
            vm.boot("hello")
            self.assertEqual(vm.end(), POWER_OFF)
            self.assertRegex(vm.output(), r"memory 3\d{4} KiB")

    def test_a_disk_that_was_put_twice_is_one(self):
        with Vm() as vm:
            for _ in range(2):
                vm.put_drive("data", make_disk(vm.folder / "data.img"))
            idle(vm)
            self.assertEqual(len(vm.do("GET", "/vm/config")["drives"]), 1)

    def test_twenty_monitors_at_once(self):
        def live(number):
            with Vm("--id", f"vm-{number}") as vm:
                vm.boot("hello", f"number={number}")
                return vm.end(), f'command line "number={number}' in vm.output()

        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            self.assertEqual(list(pool.map(live, range(20))), [(POWER_OFF, True)] * 20)


class Pause(unittest.TestCase):
    def test_a_guest_that_is_held_does_nothing(self):
        with Vm() as vm:
            vm.put_drive("data", make_disk(vm.folder / "data.img"))
            vm.boot("block_bench", "seconds=600")
            def requests():
                return int(re.search(r'^mote_block_read_count_total\{id="data"\} (\d+)', vm.do("GET", "/metrics"), re.MULTILINE).group(1))
            wait_for(lambda: requests() > 100, "requests")
            for _ in range(5):
                vm.do(*PAUSE)
                before = requests()
                time.sleep(0.05)
                self.assertEqual(requests(), before)
                vm.do(*RESUME)
                wait_for(lambda: requests() > before, "requests behind a pause")

    def test_one_that_is_held_can_be_ended(self):
        for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
            with Vm() as vm:
                idle(vm)
                vm.do(*PAUSE)
                vm.signal(number)
                self.assertEqual(vm.end(), code)


class Ends(unittest.TestCase):
    """How the process ends, and what is left of the socket."""

    def test_by_the_guest(self):
        for guest, code in (("hello", POWER_OFF), ("reset_i8042", RESET), ("triple_fault", TRIPLE_FAULT)):
            with self.subTest(guest=guest), Vm() as vm:
                vm.boot(guest)
                self.assertEqual(vm.end(), code, vm.errors())
                self.assertFalse(os.path.exists(vm.socket))

    def test_by_a_signal(self):
        for booted in (False, True):
            for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
                with self.subTest(booted=booted, signal=number), Vm() as vm:
                    if booted:
                        idle(vm)
                    vm.signal(signal.SIGUSR1)  # looks at the disks, and ends nothing
                    vm.signal(number)
                    self.assertEqual(vm.end(), code)
                    self.assertFalse(os.path.exists(vm.socket))

    def test_by_the_loss_of_the_vms_process(self):
        with Vm() as vm:
            idle(vm)
            os.kill(vm.inner(), signal.SIGKILL)
            self.assertNotEqual(vm.end(), 0)
            vm.start()
            self.assertEqual(vm.state(), "Not started")

    def test_by_the_loss_of_both(self):
        with Vm() as vm:
            idle(vm)
            vm.signal(signal.SIGKILL)
            self.assertEqual(vm.end(), -signal.SIGKILL)
            wait_for(vm.listens_no_more, "the end of the VM's process")
            vm.start()  # in place of what is left
            self.assertEqual(vm.state(), "Not started")

    def test_a_stop_that_the_guest_heeds(self):
        with Vm() as vm:
            vm.boot("keyboard", "wait=keys")
            vm.wait_for_output("ready")
            vm.stop(timeout_ms=PATIENCE * 1000)
            self.assertEqual(vm.end(), POWER_OFF)

    def test_a_stop_that_it_does_not(self):
        with Vm() as vm:
            idle(vm)
            began = time.monotonic()
            vm.stop(timeout_ms=300)
            self.assertGreaterEqual(time.monotonic() - began, 0.3)
            self.assertEqual(vm.end(), STOPPED)
            self.assertLess(time.monotonic() - began, 5)
            self.assertFalse(os.path.exists(vm.socket))

    def test_stops_of_several_clients(self):
        with Vm() as vm:
            idle(vm)
            with concurrent.futures.ThreadPoolExecutor(5) as pool:
                answers = pool.map(lambda _: vm.ask("PUT", "/actions", {"action_type": "Stop", "timeout_ms": 200})[0], range(5))
                self.assertEqual(list(answers), [204] * 5)
            self.assertEqual(vm.end(), STOPPED)

    def test_ctrl_alt_del_alone(self):
        with Vm() as vm:
            vm.boot("keyboard", "wait=keys")
            vm.wait_for_output("ready")
            vm.do("PUT", "/actions", {"action_type": "SendCtrlAltDel"})
            self.assertEqual(vm.end(), POWER_OFF)


class Socket(unittest.TestCase):
    def serve(self, *words):
        return subprocess.run([MOTE, "serve", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)

    def test_one_that_is_served_is_left_alone(self):
        with Vm() as vm:
            second = self.serve("--api-sock", vm.socket)
            self.assertEqual(second.returncode, USAGE)
            self.assertIn("a process serves this socket", second.stderr)
            self.assertEqual(vm.state(), "Not started")

    def test_what_is_no_socket_is_left_alone(self):
        with tempfile.NamedTemporaryFile() as file:
            self.assertEqual(self.serve("--api-sock", file.name).returncode, USAGE)
            self.assertTrue(os.path.exists(file.name))

    def test_somebody_elses_is_not_removed(self):
        with Vm() as vm:
            os.unlink(vm.socket)
            with socket.socket(socket.AF_UNIX) as other:
                other.bind(vm.socket)
                vm.signal()
                self.assertEqual(vm.end(), 143)
                self.assertTrue(stat.S_ISSOCK(os.stat(vm.socket).st_mode))

    def test_a_folder_that_is_not_there(self):
        result = self.serve("--api-sock", "/nonexistent/api.sock")
        self.assertEqual(result.returncode, 1)
        self.assertIn("cannot listen at '/nonexistent/api.sock': No such file or directory (ENOENT)", result.stderr)

    def test_a_command_line_without_either(self):
        for words in ((), ("--no-api",)):
            self.assertEqual(self.serve(*words).returncode, USAGE)


class Descriptors(unittest.TestCase):
    """Disks that come with the request, from folders that the VM does not see."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="mote-unseen-")
        self.addCleanup(folder.cleanup)
        self.unseen = pathlib.Path(folder.name)
        self.unseen.chmod(0o700)

    def send(self, vm, method, path, body, *files):
        text = json.dumps(body).encode()
        request = b"%s %s HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (method.encode(), path.encode(), len(text), text)
        client = vm.client()
        client.connect()
        handles = [open(file, "r+b") for file in files]
        socket.send_fds(client.sock, [request], [handle.fileno() for handle in handles])
        for handle in handles:
            handle.close()
        answer = client.sock.recv(65536).decode()
        client.close()
        return int(answer.split()[1]), answer

    def test_a_disk(self):
        with Vm() as vm:
            disk = make_disk(self.unseen / "disk.img")
            status, answer = self.send(vm, "PUT", "/drives/data", {"drive_id": "data", "is_root_device": False}, disk)
            self.assertEqual(status, 204, answer)
            self.assertIsNone(vm.do("GET", "/vm/config")["drives"][0]["path_on_host"])
            vm.boot("block", "disk=0 id=data")
            self.assertEqual(vm.end(), POWER_OFF)
            self.assertIn("\nDONE", vm.output())
            self.assertNotIn("FAIL", vm.output())

    def test_a_disk_in_place_of_another(self):
        with Vm() as vm:
            vm.put_drive("data", make_disk(vm.folder / "data.img"))
            vm.boot("block_events", "disk=0 wait=resize")
            vm.wait_for_output("ready for resize")
            status, answer = self.send(vm, "PATCH", "/drives/data", {"drive_id": "data"}, make_disk(self.unseen / "new.img", 24 * MIB))
            self.assertEqual(status, 204, answer)
            self.assertEqual(vm.end(), POWER_OFF)
            self.assertIn(f"capacity {24 * MIB // 512}\n", vm.output())
            self.assertNotIn("FAIL", vm.output())

    def test_what_takes_none_refuses_them(self):
        with Vm() as vm:
            disk = make_disk(self.unseen / "disk.img")
            self.assertEqual(self.send(vm, "PUT", "/machine-config", {"vcpu_count": 1, "mem_size_mib": 64}, disk)[0], 400)
            self.assertEqual(self.send(vm, "PUT", "/drives/data", {"drive_id": "data", "is_root_device": False}, disk, disk)[0], 400)
            self.assertEqual(self.send(vm, "PUT", "/drives/data", {"drive_id": "data", "is_root_device": False})[0], 400)

    def test_what_is_no_disk(self):
        with Vm() as vm:
            status, answer = self.send(vm, "PUT", "/drives/data", {"drive_id": "data", "is_root_device": False}, "/dev/null")
            self.assertEqual(status, 400, answer)
            self.assertEqual(vm.do("GET", "/vm/config")["drives"], [])


class Folders(unittest.TestCase):
    """What --dir lets a client name."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="mote-dirs-")
        self.addCleanup(folder.cleanup)
        self.top = pathlib.Path(folder.name)
        self.top.chmod(0o755)
        for name in ("open", "closed"):
            (self.top / name).mkdir(mode=0o777)
            (self.top / name).chmod(0o777)
            make_disk(self.top / name / "disk.img", MIB)
        make_disk(self.top / "disk.img", MIB)

    def drive(self, vm, path):
        return vm.ask("PUT", "/drives/data", {"drive_id": "data", "is_root_device": False, "path_on_host": str(path)})

    def test_what_is_in_one(self):
        with Vm("--dir", str(self.top / "open")) as vm:
            self.assertEqual(self.drive(vm, self.top / "open/disk.img")[0], 204)
            (self.top / "open/later").mkdir()
            make_disk(self.top / "open/later/disk.img", MIB)
            make_disk(self.top / "open/target.img", MIB)
            (self.top / "open/link").symlink_to("target.img")
            self.assertEqual(self.drive(vm, self.top / "open/link")[0], 204)
            self.assertEqual(self.drive(vm, self.top / "open/later/disk.img")[0], 204)

    def test_what_is_not(self):
        with Vm("--dir", str(self.top / "open")) as vm:
            ways_out = {
                "beside": self.top / "closed/disk.img",
                "above": self.top / "disk.img",
                "dots": f"{self.top}/open/../disk.img",
                "more dots": f"{self.top}/open/../../../../../../../../etc/passwd",
                "the host's": "/etc/passwd",
                "the host's devices": "/dev/zero",
                "through a process": f"/proc/{os.getpid()}/root{self.top}/disk.img",
                "through itself": f"/proc/self/root{self.top}/disk.img",
            }
            for number, target in enumerate((self.top / "closed/disk.img", "../closed/disk.img", "/etc/passwd", "../../../../../../etc/passwd")):
                link = self.top / f"open/link{number}"
                link.symlink_to(target)
                ways_out[f"link to {target}"] = link
            (self.top / "open/folder").symlink_to(self.top / "closed")
            ways_out["link to a folder"] = self.top / "open/folder/disk.img"
            for way, path in ways_out.items():
                with self.subTest(way=way):
                    status, answer = self.drive(vm, path)
                    self.assertEqual(status, 400, answer)
                    self.assertIn("--dir", answer["fault_message"])
            self.assertEqual(vm.do("GET", "/vm/config")["drives"], [])
            for path in ("/boot-source", "/logger", "/metrics", "/serial"):
                key = {"/boot-source": "kernel_image_path", "/logger": "log_path", "/metrics": "metrics_path", "/serial": "serial_out_path"}[path]
                with self.subTest(path=path):
                    self.assertIn("--dir", vm.refused("PUT", path, {key: str(self.top / "closed/disk.img")}))

    def test_one_that_is_not_there(self):
        result = subprocess.run([MOTE, "serve", "--api-sock", str(self.top / "api.sock"), "--dir", str(self.top / "nothing")],
                                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
        self.assertIn(result.returncode, (1, USAGE))
        self.assertIn(str(self.top / "nothing"), result.stderr)
        self.assertFalse((self.top / "api.sock").exists())

    def test_files_that_a_running_guest_is_given(self):
        with Vm("--dir", str(self.top / "open")) as vm:
            idle(vm)
            change = {"drive_id": "data", "path_on_host": str(self.top / "open/disk.img")}
            vm.do("PATCH", "/drives/data", change)
            for path in (f"{self.top}/closed/disk.img", f"{self.top}/open/../closed/disk.img", "/etc/passwd"):
                self.assertIn("--dir", vm.refused("PATCH", "/drives/data", change | {"path_on_host": path}))
            self.assertEqual(vm.do("GET", "/vm/config")["drives"][0]["path_on_host"], str(self.top / "open/disk.img"))

    def test_without_a_sandbox_all_is_there(self):
        with Vm("--no-sandbox") as vm:
            self.assertEqual(self.drive(vm, self.top / "closed/disk.img")[0], 204)


class EventStream(unittest.TestCase):
    def test_a_life(self):
        with Vm() as vm:
            events = Events(vm)
            idle(vm)
            for step in (PAUSE, PAUSE, RESUME, RESUME):
                vm.do(*step)
            vm.stop()
            life = events.rest()
            self.assertEqual([event["event"] for event in life], ["configured"] * 2 + ["started", "paused", "resumed", "stopped"])
            self.assertEqual([event["id"] for event in life], list(range(1, 7)))
            times = [event["timestamp_ms"] for event in life]
            self.assertEqual(times, sorted(times))
            self.assertLess(abs(times[-1] - time.time() * 1000), PATIENCE * 1000)
            self.assertTrue(life[-1]["reason"])

    def test_ends_and_their_reasons(self):
        reasons = {}
        for guest, event in (("hello", "stopped"), ("reset_i8042", "stopped"), ("triple_fault", "crashed"), ("internal_error", "crashed")):
            with self.subTest(guest=guest), Vm() as vm:
                events = Events(vm)
                vm.boot(guest)
                last = events.rest()[-1]
                self.assertEqual(last["event"], event)
                reasons[guest] = last["reason"]
        self.assertEqual(len(set(reasons.values())), 4, reasons)
        self.assertEqual(reasons["triple_fault"], "triple fault")

    def test_who_comes_later_and_who_comes_back(self):
        with Vm() as vm:
            idle(vm)
            vm.do(*PAUSE)
            late = Events(vm)
            self.assertEqual([late.next()["event"] for _ in range(4)], ["configured", "configured", "started", "paused"])
            late.close()
            again = Events(vm, after=3)
            self.assertEqual(again.next()["event"], "paused")
            vm.do(*RESUME)
            self.assertEqual(again.next()["event"], "resumed")

    def test_a_failed_start_is_no_event(self):
        with Vm() as vm:
            vm.refused(*START)
            events = Events(vm)
            vm.signal()
            self.assertEqual([event["event"] for event in events.rest()], ["stopped"])


class Metrics(unittest.TestCase):
    def lines(self, text):
        lines = [json.loads(line) for line in text.splitlines()]
        for line in lines:
            self.assertIsInstance(line, dict)
        return lines

    def test_a_file(self):
        with Vm("--id", "vm-9") as vm:
            vm.do("PUT", "/metrics", {"metrics_path": str(vm.folder / "metrics"), "emit_id": True, "properties": {"zone": "a"}})
            idle(vm)
            before = len(self.lines((vm.folder / "metrics").read_text()))
            vm.do("PUT", "/actions", {"action_type": "FlushMetrics"})
            lines = self.lines((vm.folder / "metrics").read_text())
            self.assertEqual(len(lines), before + 1)
            self.assertEqual((lines[-1]["id"], lines[-1]["zone"]), ("vm-9", "a"))
            self.assertIn("utc_timestamp_ms", lines[-1])
            vm.stop()
            vm.end()
            self.assertEqual(len(self.lines((vm.folder / "metrics").read_text())), before + 2)

    def test_a_fifo(self):
        with Vm() as vm:
            os.mkfifo(vm.folder / "metrics")
            os.chmod(vm.folder / "metrics", 0o666)
            with open(os.open(vm.folder / "metrics", os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
                vm.do("PUT", "/metrics", {"metrics_path": str(vm.folder / "metrics")})
                idle(vm)
                os.set_blocking(reader.fileno(), True)
                vm.do("PUT", "/actions", {"action_type": "FlushMetrics"})
                vm.stop()
                vm.end()
                self.assertGreaterEqual(len(self.lines(reader.read().decode())), 3)

    def test_a_fifo_that_nobody_reads(self):
        with Vm() as vm:
            for name in ("metrics", "log"):
                os.mkfifo(vm.folder / name)
                os.chmod(vm.folder / name, 0o666)
            vm.do("PUT", "/logger", {"log_path": str(vm.folder / "log"), "level": "Debug"})
            vm.do("PUT", "/metrics", {"metrics_path": str(vm.folder / "metrics")})
            idle(vm)
            for _ in range(300):
                vm.do("PUT", "/actions", {"action_type": "FlushMetrics"})
            lost = int(re.search(r"^mote_log_lost_lines_total (\d+)$", vm.do("GET", "/metrics"), re.MULTILINE).group(1))
            self.assertGreater(lost, 0)
            vm.stop()
            self.assertEqual(vm.end(), STOPPED)

    def test_all_of_them_as_text(self):
        with Vm() as vm:
            idle(vm)
            text = vm.do("GET", "/metrics")
            names = set()
            for line in text.splitlines():
                if line.startswith("# TYPE "):
                    self.assertRegex(line, r"^# TYPE mote_\w+ (counter|gauge)$")
                    names.add(line.split()[2])
                elif not line.startswith("#"):
                    self.assertRegex(line, r'^mote_\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? \d+$')
                    self.assertIn(re.match(r"\w+", line).group(), names)
            self.assertIn('mote_block_read_bytes_total{id="data"} 0\n', text)

    def test_the_timeline(self):
        with Vm() as vm:
            idle(vm)
            steps = [event["name"] for event in vm.do("GET", "/timeline")["traceEvents"]]
            self.assertGreater(len(steps), 5)


class Logger(unittest.TestCase):
    def test_requests_are_told(self):
        with Vm("--id", "vm-3") as vm:
            vm.do("PUT", "/logger", {"log_path": str(vm.folder / "log"), "level": "Info", "show_level": True})
            vm.do("PUT", "/machine-config", {"vcpu_count": 1, "mem_size_mib": 64})
            vm.refused(*START)
            lines = (vm.folder / "log").read_text().splitlines()
            for line in lines:
                self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9} \[vm-3:\w+:INFO\] ")
            text = "\n".join(lines)
            self.assertIn('The API server received a Put request on "/machine-config" with body "{', text)
            self.assertIn("The request was executed successfully. Status code: 204 No Content.", text)
            self.assertIn("Received Error. Status code: 400 Bad Request.", text)

    def test_lines_of_json(self):
        with Vm("--log-format", "json", "--log-level", "info", "--id", "web-1") as vm:
            vm.do("PUT", "/machine-config", {"vcpu_count": 1, "mem_size_mib": 64})
            vm.signal(signal.SIGTERM)
            vm.end()
            lines = [json.loads(line) for line in vm.errors().splitlines()]
            self.assertTrue(any("/machine-config" in line["message"] for line in lines))
            self.assertEqual({line["id"] for line in lines}, {"web-1"})

    def test_a_level_leaves_the_rest_out(self):
        with Vm() as vm:
            vm.do("PUT", "/logger", {"log_path": str(vm.folder / "log"), "level": "Error"})
            vm.do("GET", "/")
            self.assertEqual((vm.folder / "log").read_text(), "")


class ConfigFile(unittest.TestCase):
    JSON = {
        "boot-source": {"kernel_image_path": f"{GUESTS}/GUEST.elf", "boot_args": "a=1"},
        "machine-config": {"vcpu_count": 2, "mem_size_mib": 64},
        "drives": [{"drive_id": "data", "is_root_device": False, "path_on_host": "FOLDER/data.img"}],
        "logger": None, "vsock": None, "something-new": {"a": 1},
    }
    TOML = (f'[kernel]\npath = "{GUESTS}/GUEST.elf"\ncmdline = "a=1"\n[machine]\nvcpus = 2\nmemory = "64MiB"\n'
            '[[block]]\nid = "data"\npath = "data.img"\n')

    def vm(self, kind, guest, *options, **more):
        """A VM whose file is written when its folder is there."""
        text = json.dumps(self.JSON) if kind == "json" else self.TOML

        class Configured(Vm):
            def start(self):
                (self.folder / f"vm.{kind}").write_text(text.replace("GUEST.elf", f"{guest}.elf").replace("FOLDER", str(self.folder)))
                make_disk(self.folder / "data.img")
                super().start()

        return Configured("--config-file", f"FOLDER/vm.{kind}", *options, **more)

    def test_the_vm_runs_at_once(self):
        for kind in ("json", "toml"):
            with self.subTest(kind=kind), self.vm(kind, "halt_forever") as vm:
                wait_for(lambda: vm.state() == "Running", "a guest")
                config = vm.do("GET", "/vm/config")
                self.assertEqual((config["machine-config"]["vcpu_count"], config["machine-config"]["mem_size_mib"]), (2, 64))
                self.assertEqual([drive["drive_id"] for drive in config["drives"]], ["data"])
                self.assertEqual(vm.refused(*START), TOO_LATE)
                vm.do(*PAUSE)
                vm.stop()
                self.assertEqual(vm.end(), STOPPED)

    def test_without_an_api(self):
        for kind in ("json", "toml"):
            with self.subTest(kind=kind), self.vm(kind, "hello", "--no-api", listens=False) as vm:
                self.assertEqual(vm.end(), POWER_OFF, vm.errors())
                self.assertRegex(vm.output(), r'vCPUs 2, memory 6\d{4} KiB, command line "a=1')

    def test_one_that_is_wrong(self):
        for kind, text in (("json", '{"boot-source": {}}'), ("json", "{"), ("toml", "[kernel]\n"), ("toml", "x = ")):
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder, f"vm.{kind}")
                path.write_text(text)
                result = subprocess.run([MOTE, "serve", "--config-file", str(path), "--no-api"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
                self.assertEqual(result.returncode, USAGE, text)
                self.assertTrue(result.stderr.startswith("mote: "), result.stderr)


class PciBus(unittest.TestCase):
    """What `firecracker --enable-pci` asks for."""

    class Called(Vm):
        def command(self):
            program = self.folder / "firecracker"
            program.symlink_to(pathlib.Path(MOTE).resolve())
            return [str(program), "--api-sock", self.socket, *self.options]

    def test_disks_are_where_they_were_asked_for(self):
        for flags, verdict in (((), "\nFAIL pci.found"), (("--enable-pci",), "\nPASS pci.noise_is_survived\nDONE")):
            with self.subTest(flags=flags), self.Called(*flags) as vm:
                vm.put_drive("data", make_disk(vm.folder / "data.img"))
                vm.boot("pci", "queues=2", vcpu_count=2, mem_size_mib=64)
                self.assertEqual(vm.end(), POWER_OFF)
                self.assertIn(verdict, "\n" + vm.output().replace("\r", ""))


@unittest.skipUnless(IS_ROOT and shutil.which("unshare"), "a network namespace takes root and unshare")
class Taps(unittest.TestCase):
    def net(self, vm, tap="tap0", **more):
        return vm.ask("PUT", "/network-interfaces/eth0", {"iface_id": "eth0", "host_dev_name": tap, **more})

    def test_one_that_was_named(self):
        with Vm("--tap", "tap0", before=ALONE) as vm:
            status, answer = self.net(vm, guest_mac="02:00:5e:00:53:01")
            self.assertEqual(status, 204, answer)
            vm.boot("cmdline")
            self.assertEqual(vm.end(), POWER_OFF)
            self.assertIn("device base 0xd0000000 ", vm.output())

    def test_one_that_was_not(self):
        with Vm(before=ALONE) as vm:
            status, answer = self.net(vm)
            self.assertEqual(status, 400)
            self.assertIn("--tap", answer["fault_message"])
            self.assertEqual(vm.do("GET", "/vm/config")["network-interfaces"], [])

    def test_limits_have_their_time_behind_the_start(self):
        change = ("PATCH", "/network-interfaces/eth0", {"iface_id": "eth0", "rx_rate_limiter": {"bandwidth": {"size": MIB, "refill_time": 1000}}})
        with Vm("--tap", "tap0", before=ALONE) as vm:
            self.assertEqual(self.net(vm)[0], 204)
            self.assertEqual(vm.refused(*change), TOO_EARLY)
            idle(vm)
            vm.do(*change)
            vm.do(*PAUSE)
            vm.do(*change)
            self.assertEqual(vm.do("GET", "/vm/config")["network-interfaces"][0]["rx_rate_limiter"]["bandwidth"]["size"], MIB)
            self.assertEqual(self.net(vm)[1]["fault_message"], TOO_LATE)


@unittest.skipUnless(IS_ROOT and shutil.which("unshare") and shutil.which("curl"), "the examples take root, unshare and curl")
class Documentation(unittest.TestCase):
    """docs/api.md by the letter, but for what depends on the guest."""

    def test_each_example_is_true(self):
        text = (ROOT / "docs/api.md").read_text()
        examples = []
        for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
            for command in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                line, _, output = command.partition("\n")
                examples.append((line, output))
        examples.sort(key=lambda example: '"Stop"' in example[0])  # what is behind it on the page has to be seen before
        self.assertIn('"Stop"', examples[-1][0])
        with Vm("--tap", "tap0", before=ALONE) as vm:
            shutil.copy(GUESTS / "halt_forever.elf", vm.folder / "vmlinux")
            make_disk(vm.folder / "rootfs.ext4")
            for command, expected in examples:
                command = command.replace("/run/vm.sock", vm.socket).replace("/images/", f"{vm.folder}/").replace("curl ", "curl -s ")
                done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=PATIENCE).stdout.strip()
                if "/metrics" in command:
                    self.assertIn('mote_block_read_bytes_total{id="rootfs"} ', done)
                elif "/events" in command:
                    self.assertEqual([line for line in done.splitlines() if line != "event: configured"], expected.split("\n")[:3])
                elif "/timeline" in command:
                    self.assertTrue(json.loads(done)["traceEvents"])
                elif "/nothing" in command:
                    self.assertIn('{"fault_message":"The kernel file cannot be opened: ', done)
                else:
                    self.assertEqual(done, expected.strip(), command)
            self.assertEqual(vm.end(), STOPPED)


class Terminal(unittest.TestCase):
    """The user's terminal is the guest's from its start to its end, and no longer."""

    def setUp(self):
        self.terminal, end = pty.openpty()
        self.addCleanup(os.close, self.terminal)
        self.addCleanup(os.close, end)
        # A session of its own, with the terminal as the one that controls it.
        self.vm = Vm(before=("setsid", "--ctty", "--wait"), terminal=end)

    def is_raw(self):
        return not termios.tcgetattr(self.terminal)[3] & termios.ICANON

    def test_before_a_start_it_is_the_users(self):
        with self.vm as vm:
            self.assertFalse(self.is_raw())
            os.write(self.terminal, b"\x03")
            self.assertEqual(vm.end(), 128 + signal.SIGINT)

    def test_a_guest_has_it_until_the_user_ends_it(self):
        with self.vm as vm:
            vm.boot("halt_forever")
            wait_for(self.is_raw, "the terminal is the guest's")
            os.write(self.terminal, b"\x01x")
            self.assertEqual(vm.end(), ESCAPE)
            self.assertFalse(self.is_raw())


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
