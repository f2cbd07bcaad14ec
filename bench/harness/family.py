# SPDX-License-Identifier: Apache-2.0
"""The processes of a monitor: the one that was started, and those that it has made."""

import pathlib


def family(pid: int) -> list[int]:
    """`pid`, then its descendants, older ones first. Mote's is its supervisor; the VM is the next."""
    found = [pid]
    for process in found:
        for task in pathlib.Path(f"/proc/{process}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found
