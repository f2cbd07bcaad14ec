# SPDX-License-Identifier: Apache-2.0
"""The lab's cases with networks: two guests on a bridge. The outer Linux's side: scripts/net; the guests': guests/linux/tests/net."""

import os

from artefacts import QEMU
from mote_command import COMPLAINTS
from outer import Case

# The full number is 100000: MOTE_LAB_CONNECTIONS=100000 tests/lab/run --only net.connections
CONNECTIONS = int(os.environ.get("MOTE_LAB_CONNECTIONS", "500"))
# qemu, qemu-vhost: the same guests on QEMU's microvm, to tell a fault of Mote from one of the lab.
MONITOR = os.environ.get("MOTE_LAB_MONITOR", "mote")


def net(name, *arguments, case=None, files=(), timeout=180, monitor=MONITOR):
    """A case that is a shell script of the outer Linux, scripts/net/NAME, in a network namespace of its own; it runs the monitor itself."""
    program = "/lab/mote" if monitor == "mote" else f"/lab/{QEMU}"
    return Case(f"net.{case or name}", ["/bin/busybox", "env", f"MONITOR={monitor}", "unshare", "-n", "sh", f"/lab/scripts/net/{name}", *arguments],
                timeout=timeout, files=[program, "/lab/vmlinux", "/lab/ip", *files], lacks=COMPLAINTS)


NET_CASES = [
    net("basic"),
    *(net("traffic", str(queues), str(mtu), case=f"traffic.{queues}q.{mtu}", timeout=300) for queues in (1, 4) for mtu in (1500, 9000)),
    net("connections", str(CONNECTIONS), timeout=180 + CONNECTIONS // 4),
    net("capture", files=["/lab/tcpdump"]),
    net("link"),
    net("reboot"),
]
