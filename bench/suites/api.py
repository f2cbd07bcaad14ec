# SPDX-License-Identifier: Apache-2.0
"""A VM behind its API: how soon it answers, how soon its guest runs once that is asked for, how
long a request takes while the guest works, and what it all weighs."""

import http.client
import json
import pathlib
import signal
import socket
import subprocess
import tempfile

from bench.harness import footprint, timer
from bench.harness.context import Context, Unmeasurable
from bench.harness.report import Number, median, once, percentile, ratio

ECHO = ["/bin/echo", "hello"]
MEMORY_MIB = 128
# How long a client takes from the first answer to the start: the process makes ahead in it what it
# can.
PAUSES_MS = {"at once": 0, "20 ms later": 20}
BYTE_LIMITS = {"mote, 20 ms later": "<= 600"}
BATCHES = 7  # of round trips
ROUND_TRIPS = 500  # of each
DISK_MIB = 256
WORK = "mode=randread wait=irq seconds=600"


class Place:
    """A folder for one socket after the other."""

    def __init__(self, context: Context, folder: pathlib.Path):
        self.context = context
        self.folder = folder
        self.socket = folder / "api.sock"

    def serve(self, *options: str) -> list[str]:
        return [self.context.built("mote"), "serve", "--api-sock", str(self.socket), *options]

    def ways(self) -> dict[str, list[str]]:
        """As its peers are measured, without a sandbox; and as it is."""
        guests = str(pathlib.Path(self.context.guest("hello")).parent)
        return {"mote": self.serve("--no-sandbox"), "in the sandbox": self.serve("--dir", guests)}

    def clear(self) -> None:
        """Removes the socket of a program that was killed."""
        self.socket.unlink(missing_ok=True)

    def answers(self) -> bool:
        try:
            Client(self.socket).ask("GET", "/")
        except OSError:
            return False
        return True

    def time(self, *words: str) -> list[float]:
        """What the client prints."""
        command = [self.context.built("bench/api_timer"), *words]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            raise Unmeasurable(result.stderr.strip())
        return [float(word) for word in result.stdout.split()]


class Client(http.client.HTTPConnection):
    """At a Unix socket."""

    def __init__(self, path: pathlib.Path):
        super().__init__("localhost", timeout=20)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self.path))

    def ask(self, method: str, path: str, body: dict | None = None) -> None:
        self.request(method, path, json.dumps(body) if body else None)
        answer = self.getresponse()
        text = answer.read().decode()
        if answer.status not in (200, 204):
            raise Unmeasurable(f"{method} {path}: {text}")


def answer_numbers(place: Place) -> list[Number]:
    """exec to the answer to the first request."""

    def time_once(context: Context, command: list[str]) -> timer.FirstByte:
        if command == ECHO:
            return timer.first_byte(context, command)
        place.clear()
        return timer.FirstByte(*place.time("--first-answer", str(place.socket), *command))

    runs = timer.interleaved(place.context, time_once, {"echo": ECHO, **place.ways()})
    wall = {name: [run.at for run in runs[name]] for name in runs}
    cpu = {name: [run.cpu for run in runs[name]] for name in runs}
    limits = {"mote": ("<= 1.5", "<= 1.0"), "in the sandbox": (None, None)}
    return [
        *(median(f"first answer: {name}", wall[name], "us") for name in runs),
        *(median(f"CPU to first answer: {name}", cpu[name], "us") for name in runs),
        *(
            ratio(f"{what}: {name} / echo", times[name], times["echo"], limits[name][place_of])
            for place_of, (what, times) in enumerate(
                (("first answer", wall), ("CPU to first answer", cpu))
            )
            for name in limits
        ),
    ]


def start_numbers(place: Place) -> list[Number]:
    """InstanceStart to the guest's first byte in a pipe, and to the answer."""
    commands = {
        f"{name}, {when}": [pause, *command]
        for name, command in place.ways().items()
        for when, pause in PAUSES_MS.items()
    }

    def time_once(context: Context, command: list) -> list[float]:
        pause, *words = command
        place.clear()
        return place.time("--start", context.guest("hello"), str(pause), str(place.socket), *words)

    runs = timer.interleaved(place.context, time_once, commands)
    return [
        median(
            f"InstanceStart to {what}: {name}",
            [run[i] for run in runs[name]],
            "us",
            limits.get(name),
        )
        for i, (what, limits) in enumerate((("first byte", BYTE_LIMITS), ("answer", {})))
        for name in runs
    ]


def round_trip_numbers(place: Place) -> list[Number]:
    """GET / of a sandboxed VM whose guest reads a disk all the time."""
    disk = place.folder / "disk.img"
    with open(disk, "wb") as file:
        file.truncate(DISK_MIB << 20)
    disk.chmod(0o666)
    kernel = place.context.guest("block_bench")
    config = {
        "boot-source": {"kernel_image_path": kernel, "boot_args": WORK},
        "machine-config": {"vcpu_count": 1, "mem_size_mib": 256},
        "drives": [{"drive_id": "data", "path_on_host": str(disk), "is_root_device": False}],
    }
    path = place.folder / "vm.json"
    path.write_text(json.dumps(config))
    place.clear()
    process = subprocess.Popen(
        place.serve("--config-file", str(path)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while not place.answers():
            if process.poll() is not None:
                raise Unmeasurable(process.stderr.read().strip())
        batches = [
            place.time("--round-trips", str(ROUND_TRIPS), str(place.socket))
            for _ in range(BATCHES + 1)
        ]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    batches = batches[1:]  # the first one warms up
    return [
        median("GET / under load: p50", [percentile(b, 0.5) for b in batches], "us", "<= 50"),
        median("GET / under load: p99", [percentile(b, 0.99) for b in batches], "us", "<= 1000"),
    ]


def memory_numbers(place: Place) -> list[Number]:
    """KiB of a sandboxed VM, its supervisor and its API while its guest sleeps."""
    config = {
        "boot-source": {"kernel_image_path": place.context.guest("halt_forever"), "boot_args": ""},
        "machine-config": {"vcpu_count": 1, "mem_size_mib": MEMORY_MIB},
    }
    path = place.folder / "vm.json"
    path.write_text(json.dumps(config))
    place.clear()

    def use() -> None:
        client = Client(place.socket)
        for resource in ("/", "/vm/config", "/metrics"):
            client.ask("GET", resource)
        for state in ("Paused", "Resumed"):
            client.ask("PATCH", "/vm", {"state": state})

    own = footprint.memory_without_guest(
        place.serve("--config-file", str(path)), b"idle\n", MEMORY_MIB, use
    )
    return [
        once("private dirty memory", own["dirty"], "KiB", "<= 320"),
        once("RSS without guest", own["resident"], "KiB"),
    ]


def measure(context: Context) -> list[Number]:
    with tempfile.TemporaryDirectory(prefix="mote-bench-") as folder:
        pathlib.Path(folder).chmod(0o755)
        place = Place(context, pathlib.Path(folder))
        return [
            *answer_numbers(place),
            *start_numbers(place),
            *round_trip_numbers(place),
            *memory_numbers(place),
        ]
