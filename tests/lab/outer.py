# SPDX-License-Identifier: Apache-2.0
"""The outer Linux: its initramfs, QEMU around it, and the report that comes back (see drive.c)."""

import dataclasses
import os
import pathlib
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import disk
from artefacts import GENERIC_KERNEL, HERE, LINUX, QEMU, Artefacts, Missing, tool
from cpio import Archive

# TCG's SVM does not intercept XSETBV, so a nested guest's XCR0 passes kvm-amd by and its CPUID leaf 0Dh lies: no XSAVE.
CPU = "max,xsave=off"
# init_on_free: what is left of a guest's code in freed memory would slow the next guest down by a second, since TCG checks every
# write to a page that it has translated code from. no_timer_check: that check takes an emulator which is away for long for a broken timer.
KERNEL_ARGUMENTS = "console=ttyS0 quiet mitigations=off panic=-1 nowatchdog init_on_free=1 no_timer_check"
# In the order in which they are loaded. For KVM, for the outer disk, and for what some cases load themselves.
MODULES = ("irqbypass", "kvm", "kvm-amd",
           "virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "virtio_blk",
           "loop", "scsi_common", "scsi_mod", "scsi_debug", "sd_mod", "llc", "stp", "bridge", "tun",
           "vhost_iotlb", "vhost", "tap", "vhost_net")
# A machine with an IOMMU that remaps interrupts, and behind it Intel's 82576 and an NVMe controller, both with virtual functions: what cases with `sriov` want.
# The cloud kernel has no drivers for that.
SRIOV_KERNEL_ARGUMENTS = " intel_iommu=on iommu=pt"
IOMMUFD_KERNEL_ARGUMENTS = " kvm.halt_poll_ns=0"  # of a KVM that is built in; see outer-init
SRIOV_MODULES = ("ccp", "crc32c_generic", "crc16", "mbcache", "jbd2", "ext4",
                 "vfio", "vfio_virqfd", "vfio_iommu_type1", "vfio-pci-core", "vfio-pci", "dca", "i2c-algo-bit", "igb", "igbvf",
                 "crct10dif_common", "crc-t10dif", "crc64", "crc64-rocksoft", "t10-pi", "nvme-core", "nvme")
SRIOV_OPTIONS = ["-device", "intel-iommu,intremap=on,caching-mode=on,aw-bits=48", "-device", "pcie-root-port,id=rp0,slot=1",
                 "-device", "igb,bus=rp0,netdev=n0", "-netdev", "user,id=n0,restrict=on",
                 "-device", "pcie-root-port,id=rp1,slot=2", "-device", "nvme-subsys,id=s0",
                 "-device", "nvme,id=c0,bus=rp1,subsys=s0,serial=x,sriov_max_vfs=2,sriov_vq_flexible=8,sriov_vi_flexible=6", "-device", "nvme-ns,bus=c0,drive=ns0"]
NAMESPACE_MIB = 64  # of the NVMe controller
GRACE_SECONDS = 40  # for the outer Linux itself: its start, and what it may be late in reporting
IDLE_SECONDS = 20   # an emulator that takes no processor time for so long has stopped: a Linux that waits has its ticks
COUNTING_SLOWS = 5  # counting instructions makes its clock slower than ours: all limits of time outside are so many times longer


_packing = threading.Lock()  # what an initramfs is packed from is made and fetched once
_running = set()             # every emulator


def stop_all():
    """Ends every outer Linux, in whatever thread."""
    for qemu in list(_running):
        qemu.kill()


@dataclasses.dataclass
class Case:
    """One program run in the outer Linux, and what is expected of it. Paths in `args` are the outer Linux's (/lab/...)."""
    name: str
    args: list
    exit: int = 0                                # exit code
    steps: list = dataclasses.field(default_factory=list)   # ("wait" | "send" | "signal" | "pause", value)
    stdin: str = "pipe"                          # pipe, pty or null
    timeout: int = 60                            # seconds inside the outer Linux
    contains: list = dataclasses.field(default_factory=list)  # regular expressions that the output must match
    lacks: list = dataclasses.field(default_factory=list)     # ... must not match
    outer_memory: int = 2048                     # MiB that the outer Linux needs
    sriov: bool = False                          # the outer Linux needs a card with virtual functions
    iommufd: bool = False                        # ... and a kernel with iommufd
    files: list = dataclasses.field(default_factory=list)     # what the program opens under /lab/ besides what `args` names

    def machine(self):
        """Cases that have this in common share an outer Linux."""
        return self.sriov, self.iommufd, self.outer_memory

    def needs_disk(self):
        """Whether it wants the outer Linux's disk (disk.py)."""
        return any("/disk/" in word or word.startswith("/lab/scripts/") for word in (*self.args, *self.files))


@dataclasses.dataclass
class Result:
    """What the driver said of one case; times in seconds from just before its start."""
    output: bytes = b""
    end: str = "never"      # exit, signal, timeout, never (the outer Linux ended first)
    number: int = 0
    seconds: float = 0.0
    steps: list = dataclasses.field(default_factory=list)


def script(cases):
    """The driver's script."""
    lines = []
    for case in cases:
        lines += [f"case {case.name}", f"timeout {case.timeout}", f"stdin {case.stdin}"]
        lines += [f"arg {argument}" for argument in case.args]
        lines += [f"{kind} {value}" for kind, value in case.steps]
        lines += ["go"]
    return "\n".join(lines) + "\n"


def processor_seconds(process):
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def next_chunk(reader, process, deadline):
    """What comes next; queue.Empty when nothing comes until the deadline, or any more."""
    used, since = processor_seconds(process), time.monotonic()
    while True:
        try:
            return reader.chunks.get(timeout=max(0.0, min(2.0, deadline - time.monotonic())))
        except queue.Empty:
            now = time.monotonic()
            if now >= deadline or now - since > IDLE_SECONDS:
                raise
            if processor_seconds(process) - used > 0.02:
                used, since = processor_seconds(process), now


def pack(cases, artefacts, quiet, folder):
    """Writes the outer initramfs for these cases and returns (kernel, initramfs)."""
    sriov = any(case.sriov for case in cases)
    debian = tool(LINUX / "debian-package", GENERIC_KERNEL if sriov else "linux-image-cloud-amd64")
    driver = folder / "drive"
    subprocess.run(["gcc", "-static", "-O1", "-s", "-Wall", "-Wextra", "-Werror", "-o", driver, HERE / "drive.c"], check=True)
    archive = Archive()
    for name in ("proc", "sys", "dev", "tmp"):
        archive.folder(name)
    archive.character_device("dev/console", 5, 1)
    archive.copy("bin/busybox", "/bin/busybox")
    archive.copy("init", HERE / "outer-init")
    if any(case.iommufd for case in cases):
        kernel = tool(HERE / "iommufd-kernel")  # has no modules
    else:
        kernel = next(debian.glob("boot/vmlinuz-*"))
        for module in MODULES + (SRIOV_MODULES if sriov else ()):
            archive.copy(f"lab/modules/{module}.ko", next(debian.glob(f"lib/modules/*/kernel/**/{module}.ko")))
    archive.copy("lab/drive", driver)
    archive.file("lab/script", script(cases).encode())
    archive.file("lab/start", f"/lab/drive {'-q ' if quiet else ''}/lab/script\n".encode())
    for path in sorted({word for case in cases for word in (*case.args, *case.files) if word.startswith("/lab/")}):
        artefacts.add(archive, path)
    initramfs = folder / "outer.cpio"
    initramfs.write_bytes(archive.finish())
    return kernel, initramfs


def _namespace(folder):
    """Makes the file behind the NVMe controller's namespace."""
    path = folder / "namespace"
    with open(path, "wb") as file:
        file.truncate(NAMESPACE_MIB << 20)
    return path


class _Reader(threading.Thread):
    """Passes a pipe's bytes on through a queue, so that waiting for them can end; b'' at the end."""

    def __init__(self, pipe):
        super().__init__(daemon=True)
        self.chunks = queue.Queue()
        self._pipe = pipe
        self.start()

    def run(self):
        while chunk := os.read(self._pipe.fileno(), 65536):
            self.chunks.put(chunk)
        self.chunks.put(b"")


class Report:
    """Takes the driver's report apart as it comes; what cannot be understood ends it with `problem`."""

    def __init__(self, on_data, on_end):
        self.results = {}
        self.problem = None
        self._on_data = on_data
        self._on_end = on_end
        self._buffer = b""
        self.current = None  # the case that runs

    def feed(self, chunk):
        """Takes the next bytes; True when a case began or ended."""
        before = self.current
        self._take(chunk)
        return self.current != before

    def _take(self, chunk):
        self._buffer += chunk
        while self.problem is None and b"\n" in self._buffer:
            line, rest = self._buffer.split(b"\n", 1)
            words = line.decode(errors="replace").split()
            if words and words[0] == "data" and self.current:
                length = int(words[1])
                if len(rest) < length + 1:
                    return
                self.results[self.current].output += rest[:length]
                self._on_data(rest[:length])
                rest = rest[length + 1:]
            elif words and words[0] == "begin":
                self.current = " ".join(words[1:])
                self.results[self.current] = Result()
            elif words and words[0] == "end" and self.current:
                result = self.results[self.current]
                result.end, result.number = words[1], int(words[2])
                result.seconds = int(words[3]) / 1e6
                result.steps = [int(word) / 1e6 for word in words[5:]]
                self._on_end(self.current, result)
                self.current = None
            else:
                self.problem = line.decode(errors="replace")
            self._buffer = rest


def run(cases, mote, *, processors=1, host_processor=None, counts_instructions=False, quiet=False, keep=False, on_data=lambda data: None, on_end=lambda name, result: None):
    """Boots the outer Linux, runs the cases in it, returns {name: Result}. `on_end` is called as each case ends. With more than
    one processor some guests end in triple faults and hangs: see README.md, "What it cannot show". With `counts_instructions` the outer Linux's
    time is the number of instructions it has run, one to a nanosecond: the same on a busy host.

    An outer Linux of one processor runs on one of the host's, `host_processor` or the last: TCG's VMRUN and #VMEXIT change the set of pending interrupts
    without a lock, so that one which another thread raises at that moment is lost, and a tick that is lost is the last. On one processor threads change
    it in turn."""
    if not shutil.which(QEMU):
        raise Missing(f"{QEMU}: not found -- apt-get install qemu-system-x86")
    if not os.path.exists("/bin/busybox"):
        raise Missing("/bin/busybox: not found -- apt-get install busybox-static")
    memory = max(case.outer_memory for case in cases)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mote-lab."))
    try:
        with _packing:
            kernel, initramfs = pack(cases, Artefacts(mote), quiet, folder)
        confined = ["taskset", "-c", str(max(os.sched_getaffinity(0)) if host_processor is None else host_processor)] if processors == 1 else []
        qemu_options = [QEMU]
        kernel_arguments = KERNEL_ARGUMENTS
        if any(case.sriov for case in cases):
            newer = tool(HERE / "newer-qemu")
            qemu_options = [newer / "bin" / QEMU, "-L", newer / "share/qemu", "-L", newer / "share/seabios", *SRIOV_OPTIONS,
                            "-drive", f"if=none,id=ns0,file={_namespace(folder)},format=raw,cache=unsafe"]
            kernel_arguments += SRIOV_KERNEL_ARGUMENTS
        if any(case.iommufd for case in cases):
            kernel_arguments += IOMMUFD_KERNEL_ARGUMENTS
        command = [*confined, *qemu_options, "-M", "q35", "-accel", f"tcg,thread={'single' if counts_instructions else 'multi'}", "-cpu", CPU, "-smp", str(processors), "-m", str(memory), "-nodefaults", "-no-user-config",
                   "-display", "none", "-no-reboot", "-kernel", kernel, "-initrd", initramfs,
                   "-append", kernel_arguments,
                   "-serial", f"file:{folder}/console", "-serial", "stdio"]
        if counts_instructions:
            command += ["-icount", "shift=0"]
        if any(case.needs_disk() for case in cases):
            command += disk.qemu_options(disk.make(folder))
        timeouts = {case.name: case.timeout for case in cases}
        patience = COUNTING_SLOWS if counts_instructions else 1
        deadline = time.monotonic() + patience * GRACE_SECONDS
        qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=open(folder / "qemu", "wb"))
        _running.add(qemu)
        report = Report(on_data, on_end)
        reader = _Reader(qemu.stdout)
        try:
            while report.problem is None:
                chunk = next_chunk(reader, qemu.pid, deadline)
                if not chunk:
                    break
                if report.feed(chunk):
                    deadline = time.monotonic() + patience * (GRACE_SECONDS + timeouts.get(report.current, 0))
            qemu.wait(timeout=20 if report.problem is None else 0.1)
        except queue.Empty:
            report.problem = "the outer Linux stopped responding"
        except subprocess.TimeoutExpired:
            pass
        finally:
            qemu.kill()
            qemu.wait()
            _running.discard(qemu)
        if not report.results:
            tail = "".join((folder / name).read_text(errors="replace")[-1500:] for name in ("qemu", "console") if (folder / name).exists())
            raise Missing(f"the outer Linux ran no case: {report.problem or 'it ended'}\n{tail}")
        return report.results
    finally:
        if keep:
            print(f"kept: {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
