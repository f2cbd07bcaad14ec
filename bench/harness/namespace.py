# SPDX-License-Identifier: Apache-2.0
"""A network namespace of our own with taps in it: what is measured there meets no other traffic."""

import contextlib
import os
import subprocess
from collections.abc import Iterator

from bench.harness.context import Unmeasurable

# Frames that a tap holds: at 400,000/s those of five milliseconds, a thread's turn or two.
QUEUE_LENGTH = 2000
# IPv6 would send frames of its own as soon as an interface is up.
WITHOUT_IPV6 = "f=/proc/sys/net/ipv6/conf/default/disable_ipv6; [ ! -e $f ] || echo 1 > $f"


def call(command: list[str]) -> None:
    try:
        result = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise Unmeasurable(f"{command[0]} is missing -- apt-get install iproute2") from None
    if result.returncode != 0:
        hint = "" if os.geteuid() == 0 else " -- namespaces and taps need root"
        raise Unmeasurable(f"{' '.join(command)}: {result.stderr.strip()}{hint}")


class Namespace:
    """`with` makes it, and removes it and all that is in it."""

    def __init__(self):
        self.name = f"mote-bench-{os.getpid()}"
        self.taps = 0

    def __enter__(self) -> "Namespace":
        call(["ip", "netns", "add", self.name])
        try:
            call(self.command(["sh", "-c", WITHOUT_IPV6]))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        call(["ip", "netns", "del", self.name])

    def command(self, words: list[str]) -> list[str]:
        """Runs `words` in here, under the process id of what it starts itself."""
        return ["ip", "netns", "exec", self.name, *words]

    @contextlib.contextmanager
    def tap(self, mac: str) -> Iterator[str]:
        """An interface that is up and has no address of any protocol. It is a new one each time,
        for a ring lets go of its files some time after its process has ended."""
        name = f"tap{self.taps}"
        self.taps += 1
        inside = ["ip", "-netns", self.name]
        call([*inside, "tuntap", "add", "dev", name, "mode", "tap", "vnet_hdr"])
        try:
            length = ["txqueuelen", str(QUEUE_LENGTH)]
            call([*inside, "link", "set", "dev", name, "address", mac, *length, "up"])
            yield name
        finally:
            call([*inside, "link", "del", "dev", name])
