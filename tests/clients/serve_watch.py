# SPDX-License-Identifier: Apache-2.0
"""What a VM behind its API tells: events, metrics, the log; and that the page about it is true."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

from vm import ALONE, Events, GUESTS, IS_ROOT, PATIENCE, PAUSE, RESUME, ROOT, START, STOPPED, Vm, idle, make_disk, needs_a_vm

setUpModule = needs_a_vm


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


@unittest.skipUnless(IS_ROOT and shutil.which("unshare") and shutil.which("curl"), "the examples take root, unshare and curl")
class Documentation(unittest.TestCase):
    """docs/api.md by the letter, but for what depends on the guest, and for functions of a host that has them."""

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
                if "/vfio-devices" in command:
                    continue
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
