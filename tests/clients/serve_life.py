# SPDX-License-Identifier: Apache-2.0
"""A VM's life behind its API: what each operation answers in each state, how a guest starts, rests and ends, and whose terminal is when."""

import concurrent.futures
import json
import os
import pty
import re
import signal
import socket
import termios
import time
import unittest

from vm import ESCAPE, GUESTS, MIB, PATIENCE, PAUSE, POWER_OFF, RESET, RESUME, START, STOPPED, TOO_EARLY, TOO_LATE, TRIPLE_FAULT, Vm, idle, make_disk, needs_a_vm, wait_for

setUpModule = needs_a_vm


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

    def test_devices_of_the_host(self):
        """Of which this host has none to pass: tests/lab has."""
        def lists(state, vm, request):
            self.assertEqual(vm.do(*request), [])
            self.assertEqual(vm.state(), state)

        def puts(state, vm, request):
            refused = vm.refused(*request)
            if state == "Not started":
                self.assertIn("name it at the start (mote serve --vfio 0000:01:10.0), or pass descriptors", refused)
            else:
                self.assertEqual(refused, TOO_LATE)

        def finds_none(state, vm, request):
            self.assertEqual(vm.refused(*request), "there is no device of the host 'nic'")
            self.assertEqual(vm.state(), state)

        self.each([("GET", "/vfio-devices", None)], lists)
        self.each([("PUT", "/vfio-devices/nic", {"id": "nic", "address": "0000:01:10.0"})], puts)
        self.each([("GET", "/vfio-devices/nic", None), ("DELETE", "/vfio-devices/nic", None), ("DELETE", "/vfio-devices/nic?force=true", None)], finds_none)

    def test_descriptors_that_are_no_device(self):
        nic = b'{"id": "nic", "address": "0000:01:10.0"}'
        request = b"PUT /vfio-devices/nic HTTP/1.1\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(nic), nic)
        with Vm() as vm, open("/dev/null", "r+b") as nothing:
            for count, why in ((1, "there is no address space yet"), (2, "neither of /dev/iommu"), (3, "More descriptors came")):
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(vm.socket)
                    socket.send_fds(client, [request], [nothing.fileno()] * count)
                    self.assertIn(why, b"".join(iter(lambda: client.recv(4096), b"")).decode())
            self.assertEqual(vm.do("GET", "/vfio-devices"), [])

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
