#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The contract api/openapi.yaml: that it is valid, that its examples are taken, and that thousands of requests made from it
are answered as it says. Needs the packages of requirements.txt."""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

import yaml
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from server import PATIENCE, ROOT, Server

CONTRACT = ROOT / "api/openapi.yaml"
SPEC = yaml.safe_load(CONTRACT.read_text())
CASES = int(os.environ.get("API_CASES", "50"))  # of schemathesis, per operation and state
# Not checked: what the contract does otherwise on purpose (400 for a method that there is not), and what cannot be known (a body
# that the schema allows may still name a file that is not there).
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,negative_data_rejection"


def operations():
    for path, item in SPEC["paths"].items():
        for method in ("get", "put", "patch", "delete"):
            if method in item:
                yield path, method.upper(), item[method]


def schema_validator(schema):
    """Of a schema of the contract, which may refer to others."""
    registry = Registry().with_resource("contract", Resource(contents=SPEC, specification=DRAFT202012))
    absolute = json.loads(json.dumps(schema).replace('"#/', '"contract#/'))
    return OAS31Validator(absolute, registry=registry)


def resolve(node):
    while "$ref" in node:
        target = SPEC
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def examples_of(operation):
    body = operation.get("requestBody", {"content": {}})["content"].get("application/json", {})
    return [body["example"]] if "example" in body else [e["value"] for e in body.get("examples", {}).values()]


def examples_of_path(path):
    return {parameter["name"]: parameter["example"] for parameter in SPEC["paths"][path]["parameters"]}


class Bridge:
    """Schemathesis speaks TCP: a port of the loopback interface that leads to the server's socket."""

    def __init__(self, server):
        self.server = server
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            behind = self.server.connect()
            for source, sink in ((client, behind), (behind, client)):
                threading.Thread(target=self.copy, args=(source, sink), daemon=True).start()

    @staticmethod
    def copy(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, sink):
                end.close()


class Contract(unittest.TestCase):
    def test_it_is_valid(self):
        validate(SPEC)

    def test_each_body_has_an_example_that_fits(self):
        for path, method, operation in operations():
            if "requestBody" not in operation:
                continue
            self.assertTrue(examples_of(operation), f"{method} {path}")
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            for example in examples_of(operation):
                schema_validator(schema).validate(example)

    def test_answers_are_as_promised(self):
        for state in ("not-started", "running", "paused"):
            with Server(state) as server, tempfile.TemporaryDirectory() as folder:
                pathlib.Path(folder, "vmlinux").touch()
                client = server.client()
                for path, method, operation in operations():
                    if path == "/events":
                        continue  # it does not end
                    for body in examples_of(operation) or [None]:
                        where = re.sub(r"\{(\w+)\}", lambda name: (body or examples_of_path(path))[name.group(1)], path)
                        text = None if body is None else json.dumps(body).replace("/images/", folder + "/")
                        status, headers, answer = client.ask(method, where, text)
                        self.check_answer(operation, status, headers, answer, f"{state}: {method} {where}")
                        if body is not None and state == "not-started" and "running" not in operation["tags"]:
                            self.assertEqual(status, 204, f"{method} {where}: {answer}")

    def check_answer(self, operation, status, headers, answer, where):
        self.assertIn(str(status), operation["responses"], where)
        promised = resolve(operation["responses"][str(status)])
        if "content" not in promised:
            self.assertEqual(answer, b"", where)
            return
        media = headers["Content-Type"].split(";")[0]
        self.assertIn(media, promised["content"], where)
        if media == "application/json":
            schema_validator(promised["content"][media]["schema"]).validate(json.loads(answer))


class Schemathesis(unittest.TestCase):
    def run_in(self, state, *selection):
        with Server(state) as server, tempfile.TemporaryDirectory() as folder:
            bridge = Bridge(server)
            done = subprocess.run(
                [pathlib.Path(sys.executable).with_name("st"), "run", CONTRACT, "--url", bridge.url, "--checks", CHECKS, "--exclude-path", "/events", *selection,
                 "--phases", "examples,coverage,fuzzing", "--max-examples", str(CASES), "--request-timeout", "10", "--warnings", "off",
                 "--continue-on-failure", "--max-failures", "20", "--seed", "1"],
                cwd=folder, capture_output=True, text=True, timeout=1500)
            self.assertEqual(done.returncode, 0, done.stdout[-8000:] + done.stderr[-2000:])
            cases = re.search(r"([\d,]+) generated", done.stdout)
            self.assertIsNotNone(cases, done.stdout[-2000:])
            self.assertGreater(int(cases.group(1).replace(",", "")), 10 * CASES)
            self.assertEqual(server.client().ask("GET", "/")[0], 200)

    def test_before_the_start(self):
        self.run_in("not-started")

    def test_behind_the_start(self):
        self.run_in("running", "--include-tag", "running")


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
