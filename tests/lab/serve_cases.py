# SPDX-License-Identifier: Apache-2.0
"""The lab's cases with a VM behind its API. Its side: scripts/ctrl_alt_del."""

from outer import Case

SERVE_CASES = [
    Case("serve.ctrl-alt-del", ["/bin/busybox", "sh", "/lab/scripts/ctrl_alt_del"], timeout=240,
         files=["/lab/mote", "/lab/debian/vmlinuz", "/lab/debian/initrd.img"], contains=[r"state: +Running", "all as expected"]),
]
