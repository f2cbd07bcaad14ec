# SPDX-License-Identifier: Apache-2.0
"""How cases spell Mote's command line, and what no healthy Linux prints."""

CONSOLE = "console=ttyS0"
COMPLAINTS = [r"BUG:", r"WARNING:", r"Firmware Bug", r"[Uu]nable to ", r"ACPI (BIOS )?Error", r"Kernel panic", r"Call Trace"]


def mote(kernel, cmdline, *options, initrd="/lab/init.cpio", memory="128MiB", vcpus=1):
    """`initrd` None: the guest has a disk to start from."""
    return ["/lab/mote", "run", "--kernel", kernel, *(("--initrd", initrd) if initrd else ()), "--memory", memory, "--vcpus", str(vcpus), *options,
            "--cmdline", f"{CONSOLE} {cmdline}"]
