# SPDX-License-Identifier: Apache-2.0
"""A fake server for a test, and a few ways to talk to it."""

import http.client
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FAKE_SERVER = os.environ.get("FAKE_SERVER", str(ROOT / "build/tests/api/fake_server"))
PATIENCE = 60  # seconds; who waits longer has failed


class Server:
    """tests/api/fake_server in a folder of its own, from `with` to its end."""

    def __init__(self, state=None):
        self.state = state

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="mote-api-")
        self.path = self.folder.name + "/api.sock"
        command = [FAKE_SERVER, self.path] + ([self.state] if self.state else [])
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE)
        end = time.monotonic() + PATIENCE
        while not self.is_listening():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{command}: it does not listen")
            time.sleep(0.005)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        code = self.process.wait(PATIENCE)
        left = os.path.exists(self.path)
        self.folder.cleanup()
        if code != 0 or left:
            raise RuntimeError(f"fake_server: exit code {code}, socket file {'left' if left else 'removed'}")

    def is_listening(self):
        try:
            self.connect().close()
        except OSError:
            return False
        return True

    def connect(self):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(PATIENCE)
        client.connect(self.path)
        return client

    def client(self):
        return Client(self.path)


class Client(http.client.HTTPConnection):
    """Python's own HTTP client at a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self.path)

    def ask(self, method, path, body=None, **options):
        """Status, headers and body of the answer; `body` is sent as JSON unless it is bytes or parts."""
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        self.request(method, path, body, **options)
        answer = self.getresponse()
        return answer.status, answer.headers, answer.read()
