#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients of the API as they come: curl by docs/api.md, Python's client, slow, broken and hostile ones."""

import pathlib
import random
import re
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from server import ROOT, Server

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def commands_of(text):
    """Each command of the page's consoles with the output that stands below it."""
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for command in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, output = command.partition("\n")
            yield line, output


class Documentation(unittest.TestCase):
    PAGE = (ROOT / "docs/api.md").read_text()

    def place(self, text, server, folder):
        return text.replace("/run/vm.sock", server.path).replace("/images/", folder + "/")

    def test_each_example_is_true(self):
        examples = list(commands_of(self.PAGE))
        self.assertGreater(len(examples), 15)
        with Server() as server, tempfile.TemporaryDirectory() as folder:
            for name in ("vmlinux", "rootfs.ext4"):
                pathlib.Path(folder, name).touch()
            for command, expected in examples:
                done = subprocess.run(["bash", "-c", self.place(command, server, folder).replace("curl ", "curl -s ")],
                                      capture_output=True, text=True, timeout=60)
                self.assertEqual(done.stdout.strip(), self.place(expected, server, folder).strip(), command)

    def test_a_disk_can_be_handed_over(self):
        script = re.search(r"```python\n(.*?)```", self.PAGE, re.DOTALL).group(1)
        with Server() as server, tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "data.raw").touch()
            done = subprocess.run(["python3", "-c", self.place(script, server, folder)], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.stdout.strip(), "HTTP/1.1 204", done.stderr)
            self.assertIn(b'"drive_id":"data"', server.client().ask("GET", "/vm/config")[2])


class Clients(unittest.TestCase):
    def test_pythons_client_sends_chunks(self):
        with Server() as server:
            client = server.client()
            parts = iter([b'{"vcpu_count": 2,', b' "mem_size_mib": 64}'])
            self.assertEqual(client.ask("PUT", "/machine-config", parts, encode_chunked=True)[0], 204)
            self.assertIn(b'"vcpu_count":2', client.ask("GET", "/machine-config")[2])

    def test_curl_waits_for_leave_and_can_be_refused(self):
        with Server() as server:
            def curl(*arguments, data):
                return subprocess.run(["curl", "-s", "--unix-socket", server.path, "-X", "PUT", *arguments, "-d", "@-", "http://localhost/machine-config"],
                                      input=data, capture_output=True, timeout=60).stdout
            body = b'{"vcpu_count": 1, "mem_size_mib": 64}'
            self.assertEqual(curl("-H", "Expect: 100-continue", data=body), b"")
            self.assertEqual(curl("-0", data=body), b"")
            self.assertEqual(curl("--http2", data=body), b"")
            self.assertIn(b"larger than the limit of 51200", curl("-H", "Expect: 100-continue", data=b"x" * 60000))
            self.assertIn(b"larger than the limit of 51200", curl("-H", "Expect:", data=b"x" * 5_000_000))

    def test_twenty_at_once_are_served_or_told_to_wait(self):
        with Server() as server:
            answers = []

            def use():
                served = 0
                end = time.monotonic() + 60
                while served < 50 and time.monotonic() < end:
                    client = server.client()
                    try:
                        status = client.ask("GET", "/version")[0]
                    except (ConnectionError, OSError):
                        status = 503  # turned away before it had asked
                    client.close()
                    served += status == 200
                    if status not in (200, 503):
                        break
                answers.append(served)

            threads = [threading.Thread(target=use) for _ in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(answers, [50] * 20)


class Hostile(unittest.TestCase):
    def assert_served(self, server):
        began = time.monotonic()
        self.assertEqual(server.client().ask("GET", "/")[0], 200)
        self.assertLess(time.monotonic() - began, 5)

    def test_slow_ones_hold_up_nobody(self):
        with Server() as server:
            slow = [server.connect() for _ in range(9)]
            for i in range(len(GET) - 1):
                for client in slow:
                    client.send(GET[i:i + 1])
                if i % 10 == 0:
                    self.assert_served(server)
            for client in slow:
                client.send(GET[-1:])
                self.assertEqual(client.recv(12), b"HTTP/1.1 200")

    def test_a_house_full_of_silence_is_opened_again(self):
        with Server() as server:
            silent = [server.connect() for _ in range(10)]
            time.sleep(2.5)
            self.assert_served(server)
            del silent

    def test_nonsense_is_answered_or_ended(self):
        chance = random.Random(7)
        words = [b"GET ", b"PUT ", b"/", b"/drives/a", b" HTTP/1.1", b"\r\n", b"\r\n\r\n", b"Content-Length: ", b"5", b"-1", b"Transfer-Encoding: chunked",
                 b"0\r\n\r\n", b"{}", b'{"', b"\0", b"\xff" * 8, b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"A" * 2000]
        with Server() as server:
            for _ in range(500):
                client = server.connect()
                try:
                    client.send(b"".join(chance.choice(words) for _ in range(chance.randrange(1, 12))))
                    client.shutdown(socket.SHUT_WR)
                    while client.recv(65536):
                        pass
                except ConnectionError:
                    pass  # turned away in the middle of what it had to say
                client.close()
            self.assert_served(server)

    def test_descriptors_do_not_pile_up(self):
        with Server() as server:
            folder = pathlib.Path(f"/proc/{server.process.pid}/fd")
            before = len(list(folder.iterdir()))
            for request in (GET, b"GET / HT", b"NONSENSE\r\n\r\n", b"PUT /drives/a HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"):
                for _ in range(20):
                    client = server.connect()
                    socket.send_fds(client, [request], [0] * 20)
                    client.shutdown(socket.SHUT_WR)
                    while client.recv(65536):
                        pass
                    client.close()
            self.assert_served(server)
            end = time.monotonic() + 10
            while len(list(folder.iterdir())) > before and time.monotonic() < end:
                time.sleep(0.01)
            self.assertLessEqual(len(list(folder.iterdir())), before)

    def test_deep_and_wide_bodies_are_refused(self):
        with Server() as server:
            client = server.client()
            for body in (b"[" * 51200, b'{"a":' * 10000, b"[" + b"0," * 25000 + b"0]", b'"' + b"\\u0000" * 8000 + b'"', b"9" * 51200, b"1e" + b"9" * 50000):
                status, _, answer = client.ask("PUT", "/machine-config", body)
                self.assertEqual(status, 400)
                self.assertIn(b"fault_message", answer)


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
