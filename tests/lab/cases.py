# SPDX-License-Identifier: Apache-2.0
"""The lab's cases: Linux on Mote. To add one, add it here; fields: outer.Case."""

from disk_cases import DISK_CASES
from jail_cases import JAIL_CASES
from mote_command import COMPLAINTS, mote
from net_cases import NET_CASES
from outer import Case
from serve_cases import SERVE_CASES
from vfio_cases import VFIO_CASES


def reaches_init():
    """Every image kind, with 1 and 4 vCPUs, with ACPI and without; ends by power-off."""
    for image, file in (("bzimage", "bzImage"), ("pvh", "vmlinux"), ("elf64", "vmlinux-64")):
        for vcpus in (1, 4):
            for tables, argument in (("acpi", ""), ("mptable", "acpi=off ")):
                yield Case(f"linux.{image}.{vcpus}cpu.{tables}",
                           mote(f"/lab/{file}", f"{argument}mote.test=cpus", vcpus=vcpus),
                           contains=[r"init reached", rf"cpus: {vcpus}\b"], lacks=COMPLAINTS)


CASES = [
    Case("doctor.native", ["/lab/mote", "doctor"],
         contains=[r"\[ok\] guest ring 0 +native: the processor runs it", r"\[ok\] set-up +a ring can be made", r"(?m)^Mote can run here\.\r?$"]),
    *reaches_init(),
    Case("linux.no-legacy", mote("/lab/vmlinux", "mote.test=poweroff", "--no-legacy"),
         contains=[r"init reached"], lacks=COMPLAINTS),
    Case("linux.no-legacy.mptable", mote("/lab/vmlinux", "acpi=off mote.test=poweroff", "--no-legacy", "--no-acpi", vcpus=2),
         contains=[r"init reached"], lacks=COMPLAINTS),
    Case("linux.report", mote("/lab/vmlinux", "mote.test=report", vcpus=4),
         contains=[r"online cpus: 0-3", r"clock source: kvm-clock", r"clock event: lapic-deadline", r"acpi tables:.* DSDT",
                   r"IO-APIC +4-edge +ttyS0", r"memory: MemTotal: +1[0-2]\d{4} kB", r"apicid\s*: 3"],
         lacks=COMPLAINTS),
    Case("linux.32cpu", mote("/lab/vmlinux", "mote.test=cpus", vcpus=32, memory="256MiB"), timeout=180,
         contains=[r"cpus: 32\b"], lacks=COMPLAINTS),
    Case("linux.high-memory", mote("/lab/vmlinux", "mote.test=report", memory="4608MiB"), outer_memory=6144, timeout=120,
         contains=[r"100000000-15fffffff : System RAM", r"memory: MemTotal: +4[4-6]\d{5} kB"], lacks=COMPLAINTS),
    Case("linux.reboot.acpi", mote("/lab/vmlinux", "reboot=a mote.test=reboot"), exit=16, contains=[r"init reached"], lacks=COMPLAINTS),
    Case("linux.reboot.i8042", mote("/lab/vmlinux", "reboot=k mote.test=reboot"), exit=16, contains=[r"init reached"], lacks=COMPLAINTS),
    Case("linux.reboot.triple-fault", mote("/lab/vmlinux", "reboot=t mote.test=reboot"), exit=17, contains=[r"init reached"], lacks=COMPLAINTS),
    Case("linux.panic", mote("/lab/vmlinux", "panic=-1 reboot=k mote.test=crash"), exit=16, contains=[r"init reached", r"Kernel panic"]),
    Case("linux.console.pipe", mote("/lab/vmlinux", "mote.test=echo"), stdin="pipe",
         steps=[("wait", "waiting for a line"), ("send", r"live free\n")], contains=[r"reversed: eerf evil"], lacks=COMPLAINTS),
    Case("linux.console.pty", mote("/lab/vmlinux", "mote.test=echo"), stdin="pty",
         steps=[("wait", "waiting for a line"), ("send", r"live free\n")], contains=[r"reversed: eerf evil"], lacks=COMPLAINTS),
    Case("linux.console.escape", mote("/lab/vmlinux", "mote.test=hang"), stdin="pty", exit=20,
         steps=[("wait", "init reached"), ("send", r"\x01x")], lacks=COMPLAINTS),
    Case("linux.sigterm", mote("/lab/vmlinux", "mote.test=hang"), exit=143,
         steps=[("wait", "init reached"), ("pause", "300"), ("signal", "15")], lacks=COMPLAINTS),
    Case("linux.timeline", mote("/lab/vmlinux", "mote.test=poweroff", "--timeline"), contains=[r"init reached, uptime", r"\+[0-9.]+ +guest: init reached"]),
    Case("debian.kernel", mote("/lab/debian/vmlinuz", "mote.test=report", memory="256MiB", vcpus=2), timeout=120,
         contains=[r"online cpus: 0-1", r"clock source: kvm-clock"], lacks=COMPLAINTS),
    Case("debian.reboot", mote("/lab/debian/vmlinuz", "mote.test=reboot", memory="256MiB"), exit=16, timeout=120,
         contains=[r"init reached"], lacks=COMPLAINTS),
    Case("debian.initramfs", mote("/lab/debian/vmlinuz", "break=top", initrd="/lab/debian/initrd.img", memory="512MiB"), timeout=180,
         steps=[("wait", "(initramfs)"), ("pause", "500"), ("send", r"echo up $(uname -r); poweroff -f\n")],
         contains=[r"up 6\.\S+-cloud-amd64"], lacks=COMPLAINTS),
    *DISK_CASES,
    *NET_CASES,
    *JAIL_CASES,
    *SERVE_CASES,
    *VFIO_CASES,
]
