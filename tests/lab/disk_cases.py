# SPDX-License-Identifier: Apache-2.0
"""The lab's cases with disks. The outer Linux's files for them: disk.py; the guests' side: guests/linux/tests."""

from mote_command import COMPLAINTS, mote
from outer import Case

ROOT_DISK = ("--block", "/disk/root.ext4,id=system,read_only,root")
PASSED = r"test {}: exit code 0"


def on_root_disk(name, kernel, cmdline, *options, at, initrd=None, words, **more):
    """Linux from an ext4 root on its only disk; `at` is where the guest finds it, `words` how the command line ends."""
    return Case(name, mote(kernel, f"panic=-1 {cmdline}mote.test=disks", *ROOT_DISK, *options, initrd=initrd, **more), timeout=120,
                contains=[r"init reached", rf"disk vda: sectors 65536 ro 1 serial 'system' .* at {at}", r"root: \S+ ext4 ro",
                          rf"cmdline: .*{words}", PASSED.format("disks")],
                lacks=COMPLAINTS)


def announcements():
    """Each way to tell a Linux of its disk, and never two at once."""
    by_line = {"at": r"/sys/devices/virtio-mmio-cmdline/virtio-mmio\.0", "words": r"virtio_mmio\.device=4K@0xd0000000:5"}
    by_acpi = {"at": r"LNRO0005:00", "words": r"root=/dev/vda ro\r?\n"}
    # A Linux with hardware-reduced ACPI has no ISA interrupts: the command line is for one without ACPI.
    yield on_root_disk("disk.root.cmdline", "/lab/vmlinux", "acpi=off ", "--no-acpi", **by_line)
    yield on_root_disk("disk.root.acpi", "/lab/bzImage", "", vcpus=2, **by_acpi)
    yield on_root_disk("disk.root.acpi.pvh", "/lab/vmlinux", "", "--announce", "acpi", **by_acpi)
    yield on_root_disk("disk.root.mptable", "/lab/bzImage", "acpi=off ", vcpus=2, **by_line)
    by_pci = {"at": r"/sys/devices/pci0000:00/0000:00:01\.0", "words": r"root=/dev/vda ro\r?\n"}
    yield on_root_disk("disk.root.pci", "/lab/bzImage", "", "--transport", "pci", vcpus=2, **by_pci)
    yield on_root_disk("disk.root.pci.pvh", "/lab/vmlinux", "", "--transport", "pci", **by_pci)
    yield on_root_disk("disk.root.pci.mptable", "/lab/bzImage", "acpi=off ", "--no-acpi", "--transport", "pci", **by_pci)
    yield on_root_disk("disk.root.pci.debian", "/lab/debian/vmlinuz", "", "--transport", "pci", initrd="/lab/debian/initrd.img", memory="512MiB", **by_pci)
    yield on_root_disk("disk.root.debian", "/lab/debian/vmlinuz", "", initrd="/lab/debian/initrd.img", memory="512MiB", **by_acpi)


def verified():
    """fio with one queue and with four, cached by the host and past its cache."""
    for queues, engine in ((1, "libaio"), (4, "io_uring")):
        for cache in ("writeback", "direct"):
            yield Case(f"disk.fio.{queues}q.{cache}",
                       mote("/lab/vmlinux", f"mote.test=fio mote.jobs={queues} mote.size={32 // queues}m mote.engine={engine}", *ROOT_DISK,
                            "--announce", "acpi", "--block", f"/disk/data.img,queues={queues},cache={cache}", initrd=None, vcpus=queues, memory="256MiB"),
                       timeout=120, contains=[rf"{queues}/0/0 default/read/poll queues", r"verify: .*err= 0", PASSED.format("fio")], lacks=COMPLAINTS)


def by_pci():
    """fio on a disk with an interrupt for each queue, beside a root by mmio."""
    yield Case("disk.fio.4q.pci",
               mote("/lab/vmlinux", "mote.test=fio mote.jobs=4 mote.size=8m mote.engine=libaio", *ROOT_DISK, "--announce", "acpi",
                    "--block", "/disk/data.img,queues=4,transport=pci", initrd=None, vcpus=4, memory="256MiB"),
               timeout=120, contains=[r"4/0/0 default/read/poll queues", r"verify: .*err= 0", PASSED.format("fio")], lacks=COMPLAINTS)


def script(name, *arguments, case=None, files=(), may_say=(), **more):
    """A case that is a shell script of the outer Linux, scripts/NAME; it runs Mote itself."""
    return Case(f"disk.{case or name}", ["/bin/busybox", "sh", f"/lab/scripts/{name}", *arguments], timeout=180,
                files=["/lab/mote", "/lab/vmlinux", *files], lacks=[c for c in COMPLAINTS if c not in may_say], **more)


def killed(tries):
    """Mote is killed so many times, at random moments."""
    return script("kill", str(tries), files=["/lab/records.cpio", "/lab/records"], contains=[rf"\d+ records in {tries} tries"])


DISK_CASES = [
    *announcements(),
    *verified(),
    *by_pci(),
    script("order"),
    script("crash", may_say=("Kernel panic", "Call Trace")),
    *(script("discard", way, case=f"discard.{way}") for way in ("discard", "zeroes", "punch", "trim")),
    script("resize"),
    script("truncated"),
    script("full"),
    script("device"),
    killed(12),
]
