#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`mote ctl` before the fake server, and before what is no server of an API. Run with MOTE=path/to/mote."""

import json
import os
import pathlib
import socket
import subprocess
import tempfile
import threading
import unittest

from server import PATIENCE, ROOT, Server

MOTE = os.environ.get("MOTE", str(ROOT / "build/mote"))


def ctl(path, *words):
    return subprocess.run([MOTE, "ctl", "--api-sock", path, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)


class Ctl(unittest.TestCase):
    def done(self, server, *words):
        """What the command prints, which is done."""
        result = ctl(server.path, *words)
        self.assertEqual((result.returncode, result.stderr), (0, ""), words)
        return result.stdout

    def give_kernel(self, server):
        kernel = pathlib.Path(server.folder.name, "vmlinux")
        kernel.touch()
        self.assertEqual(server.client().ask("PUT", "/boot-source", {"kernel_image_path": str(kernel)})[0], 204)

    def expect_error(self, result, code, message):
        self.assertEqual((result.returncode, result.stdout, result.stderr), (code, "", f"mote: {message}\n"))


class Life(Ctl):
    def state(self, server):
        return json.loads(self.done(server, "status", "--json"))["state"]

    def test_from_start_to_stop(self):
        with Server() as server:
            self.give_kernel(server)
            for verb, state in (("start", "Running"), ("pause", "Paused"), ("resume", "Running"), ("ctrl-alt-del", "Running"),
                                ("flush-metrics", "Running"), ("stop", "Not started")):
                self.assertEqual(self.done(server, verb), "")
                self.assertEqual(self.state(server), state, verb)

    def test_a_guest_is_given_time(self):
        with Server("running") as server:
            self.assertEqual(self.done(server, "stop", "--timeout", "5"), "")

    def test_disks_and_interfaces_change(self):
        with Server() as server:
            self.give_kernel(server)
            client = server.client()
            client.ask("PUT", "/drives/data", {"drive_id": "data", "is_root_device": False, "path_on_host": "/a"})
            client.ask("PUT", "/network-interfaces/eth0", {"iface_id": "eth0", "host_dev_name": "tap0"})
            self.done(server, "start")
            self.done(server, "drive", "data", "--path", "/b", "--bandwidth", "10MiB,burst=1MiB", "--operations", "5,refill_ms=100")
            self.done(server, "net", "eth0", "--rx-frames", "7", "--tx-bandwidth", "1MiB")
            config = json.loads(self.done(server, "config"))
            drive, net = config["drives"][0], config["network-interfaces"][0]
            self.assertEqual(drive["path_on_host"], "/b")
            self.assertEqual(drive["rate_limiter"], {"bandwidth": {"size": 10 << 20, "one_time_burst": 1 << 20, "refill_time": 1000},
                                                     "ops": {"size": 5, "one_time_burst": 0, "refill_time": 100}})
            self.assertEqual(net["rx_rate_limiter"]["ops"]["size"], 7)
            self.assertEqual(net["tx_rate_limiter"]["bandwidth"]["size"], 1 << 20)
            self.done(server, "drive", "data", "--bandwidth", "none", "--operations", "none")
            self.assertIsNone(json.loads(self.done(server, "config"))["drives"][0]["rate_limiter"])


    def test_devices_of_the_host_come_and_go(self):
        with Server() as server:
            self.give_kernel(server)

            def states():
                return {device["id"]: device["state"] for device in json.loads(self.done(server, "vfio", "list"))}

            self.assertEqual(self.done(server, "vfio", "add", "nic", "--address", "01:10.0"), "")
            self.done(server, "vfio", "add", "spare", "--address", "0000:01:10.2")
            self.done(server, "vfio", "remove", "spare")
            self.assertEqual(states(), {"nic": "Configured"})
            self.done(server, "start")
            self.assertEqual(states(), {"nic": "Attached"})
            self.assertEqual(self.done(server, "vfio", "remove", "nic"), "")
            self.assertEqual(states(), {"nic": "Removal asked"})
            self.done(server, "vfio", "remove", "nic", "--force")
            self.assertEqual(states(), {})
            self.expect_error(ctl(server.path, "vfio", "remove", "nic"), 4, "there is no device of the host 'nic'")


class Shown(Ctl):
    def test_status(self):
        with Server() as server:
            self.assertEqual(self.done(server, "status"), "id:      anonymous-instance\nstate:   Not started\nversion: Mote 0.1.0\n")

    def test_metrics_and_timeline(self):
        with Server() as server:
            self.assertIn('mote_block_read_bytes_total{id="rootfs"} 512\n', self.done(server, "metrics"))
            self.assertEqual(json.loads(self.done(server, "timeline")), {"traceEvents": []})

    def test_events_come_as_they_happen(self):
        with Server() as server:
            self.give_kernel(server)
            self.done(server, "start")
            listener = subprocess.Popen([MOTE, "ctl", "--api-sock", server.path, "events"], stdout=subprocess.PIPE, text=True)
            for event, verb in (("started", "pause"), ("paused", "resume"), ("resumed", "stop"), ("stopped", None)):
                line = json.loads(listener.stdout.readline())
                self.assertEqual(line["event"], event)
                self.assertGreater(line["timestamp_ms"], 0)
                if verb:
                    self.done(server, verb)
        self.assertEqual(listener.communicate(timeout=PATIENCE)[0], "")
        self.assertEqual(listener.returncode, 0)

    def test_output_that_cannot_be_written(self):
        with Server() as server, open("/dev/full", "w") as full:
            self.give_kernel(server)
            self.done(server, "start")
            for verb in ("config", "events"):
                result = subprocess.run([MOTE, "ctl", "--api-sock", server.path, verb], stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
                self.assertEqual((result.returncode, result.stderr), (1, "mote: cannot write to standard output: No space left on device (ENOSPC)\n"))


class Refused(Ctl):
    def test_the_api_says_why(self):
        with Server() as server:
            self.expect_error(ctl(server.path, "pause"), 4, "The requested operation is not supported before starting the microVM.")
            self.expect_error(ctl(server.path, "start"), 4, "Start microvm error: Cannot start microvm without kernel configuration.")
        with Server("running") as server:
            self.expect_error(ctl(server.path, "drive", "nothing", "--path", "/a"), 4, "Device not found: nothing")

    def test_too_many_clients(self):
        with Server() as server:
            crowd = [server.connect() for _ in range(10)]
            for client in crowd:
                client.send(b"GET / HTTP/1.1\r\n")
            while True:  # until the server has seen them all
                result = ctl(server.path, "status")
                if result.returncode != 0:
                    break
            self.expect_error(result, 4, "Too many open connections")
            del crowd

    def test_a_command_line_that_is_wrong(self):
        self.expect_error(ctl("/nonexistent", "drive", "a"), 2, "'mote ctl drive' needs something to change -- 'mote ctl --help' lists what can be")


class NoApi(Ctl):
    """What is at the socket is no server, or none of an API."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="mote-ctl-")
        self.addCleanup(self.folder.cleanup)
        self.path = self.folder.name + "/api.sock"

    def serve(self, answer):
        """One client gets this answer, and the end."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        listener.listen()

        def run():
            client, _ = listener.accept()
            client.recv(65536)
            try:
                for part in answer if isinstance(answer, list) else [answer]:
                    client.sendall(part)
            except OSError:
                pass  # it has heard enough
            client.close()
            listener.close()

        thread = threading.Thread(target=run)
        thread.start()
        self.addCleanup(thread.join)

    def expect_no_answer(self, words, why):
        self.expect_error(ctl(self.path, *words), 1, f"no answer from '{self.path}': {why}")

    def test_no_socket(self):
        self.expect_no_answer(["status"], "cannot connect: No such file or directory (ENOENT)")

    def test_nobody_listens(self):
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(self.path)
        self.expect_no_answer(["status"], "cannot connect: Connection refused (ECONNREFUSED) -- nobody listens there any more")

    def test_a_file_that_is_no_socket(self):
        pathlib.Path(self.path).touch()
        self.expect_no_answer(["status"], "cannot connect: Connection refused (ECONNREFUSED) -- nobody listens there any more")

    def test_a_path_that_no_socket_has(self):
        path = "/" + "a" * 200
        self.expect_error(ctl(path, "status"), 2, f"no answer from '{path}': the path of a socket has 1 to 107 bytes")

    def test_something_that_speaks_otherwise(self):
        self.serve(b"SSH-2.0-OpenSSH_9.2\r\n")
        result = ctl(self.path, "status")
        self.assertEqual(result.returncode, 1)
        self.assertIn("the answer is no HTTP (", result.stderr)

    def test_a_server_of_something_else(self):
        self.serve(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        self.expect_error(ctl(self.path, "status"), 1, "what answered is no VM's API")

    def test_a_refusal_without_words(self):
        self.serve(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        self.expect_error(ctl(self.path, "status"), 4, "the API answered with status 404")

    def test_an_end_in_the_middle(self):
        for answer in (b"", b"HTTP/1.1 200 OK\r\nConte", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"):
            self.serve(answer)
            self.expect_no_answer(["status"], "the server has gone before all of its answer came")
            os.unlink(self.path)

    def test_an_answer_without_end(self):
        self.serve([b"HTTP/1.1 200 OK\r\n\r\n"] + [b"x" * (1 << 20)] * 20)
        self.expect_no_answer(["config"], "the answer is too long")


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
