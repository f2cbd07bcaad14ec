# SPDX-License-Identifier: Apache-2.0
"""What a monitor weighs: its memory beside the guest's, and its binary."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable

from bench.harness.context import Unmeasurable
from bench.harness.family import family

SETTLE_SECONDS = 0.3
MAPPING = re.compile(r"^[0-9a-f]+-[0-9a-f]+ (?P<rights>\S+) \S+ \S+ (?P<inode>\d+)")


def read_mappings(pid: int) -> list[dict]:
    """The mappings of /proc/PID/smaps: rights, inode, and every field in KiB."""
    mappings: list[dict] = []
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if head := MAPPING.match(line):
            mappings.append({"rights": head["rights"], "inode": head["inode"]})
        elif line.endswith(" kB"):
            name, value = line[:-3].split(":")
            mappings[-1][name] = int(value)
    return mappings


def dirty(mapping: dict) -> int:
    """What the monitor has written, its share of pages that its processes have in common. In a
    private mapping of a file only anonymous pages are that: others are the page cache's, dirty when
    the file itself was written lately."""
    if mapping["inode"] != "0" and mapping["rights"].endswith("p"):
        return min(mapping["Pss_Dirty"], mapping["Anonymous"])
    return mapping["Pss_Dirty"]


def memory_without_guest(
    command: list[str],
    ready: bytes,
    guest_mib: int,
    use: Callable[[], None] = lambda: None,
) -> dict[str, int]:
    """Starts a monitor with a guest that prints `ready` and idles, and has it used. Returns KiB of
    `resident` and `dirty`, of all its processes together, the guest's RAM left out: that is the one
    writable mapping of exactly its size."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        output = b""
        while ready not in output:
            chunk = os.read(process.stdout.fileno(), 4096)
            if not chunk:
                raise Unmeasurable(f"the guest did not say {ready!r}: {' '.join(command)}")
            output += chunk
        use()
        time.sleep(SETTLE_SECONDS)
        mappings = [m for pid in family(process.pid) for m in read_mappings(pid)]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    guest = [m for m in mappings if m["Size"] == guest_mib * 1024 and m["rights"].startswith("rw")]
    if len(guest) != 1:
        raise Unmeasurable(
            f"{len(guest)} writable mappings of {guest_mib} MiB, expected the guest's one: "
            f"{' '.join(command)}"
        )
    mappings.remove(guest[0])
    return {
        "resident": sum(m["Pss"] for m in mappings),
        "dirty": sum(dirty(m) for m in mappings),
    }


def stripped_size(binary: str) -> int:
    """Bytes of the binary without symbols and debugging information."""
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copy(binary, folder)
        subprocess.run(["strip", copy], check=True)
        return os.path.getsize(copy)


def shared_objects(binary: str) -> int:
    """How many other files the binary needs to start: libraries and a program interpreter."""
    text = subprocess.run(
        ["readelf", "--wide", "--dynamic", "--program-headers", binary],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return len(re.findall(r"\(NEEDED\)|^\s+INTERP\s", text, re.MULTILINE))
