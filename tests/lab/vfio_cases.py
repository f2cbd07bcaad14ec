# SPDX-License-Identifier: Apache-2.0
"""The lab's cases with devices of the host: a network card and an NVMe controller with SR-IOV behind an IOMMU. The outer Linux's side: scripts/vfio."""

import os

from mote_command import COMPLAINTS
from outer import Case


GENERIC = ("/lab/generic/vmlinuz", "/lab/vfio.cpio")
SERVED = (*GENERIC, "/lab/ask")
ROOT_DISK = ("/lab/vmlinux", "/lab/vfio/guests", "/disk/root.ext4")
# How often Mote is killed; the full number is 50: MOTE_LAB_KILLS=50 tests/lab/run --only vfio.kill
KILLS = int(os.environ.get("MOTE_LAB_KILLS", "6"))


def vfio(name, *arguments, case=None, timeout=120, files=GENERIC, **more):
    """A case that is a shell script of the outer Linux, scripts/vfio/NAME, on the machine with such devices."""
    return Case(f"vfio.{case or name}", ["/bin/busybox", "sh", f"/lab/vfio/{name}", *arguments], timeout=timeout, sriov=True, lacks=[*COMPLAINTS, "FAIL"],
                files=["/lab/mote", *files], **more)


def told(name, *arguments, case=None, timeout=300, files=()):
    """One whose guests are the root disk's Linux, which does what it is told."""
    return vfio(name, *arguments, case=case, timeout=timeout, files=(*ROOT_DISK, *files), contains=[r"all is as it was"])


VFIO_CASES = [
    vfio("iommufd", timeout=300, iommufd=True, contains=[r"this user may not open /dev/iommu -- sudo chown \$USER /dev/iommu", r"cannot lock 262144 KiB .* -- raise the limit of locked memory: ulimit -l unlimited",
                                                         r"driver: igbvf", r"cannot bind 0000:01:10.0 to iommufd.* -- another process has it", r"all is as it was"]),
    vfio("prepare", contains=[r"cannot pass 0000:01:10.2: the driver igbvf has it, vfio-pci should -- sudo mote vfio prepare --bind 0000:01:10.2",
                              r"all is as it was"]),
    vfio("user", timeout=300, contains=[r"this user may not open /dev/vfio/\d+ -- sudo chown", r"cannot lock 262144 KiB .* -- raise the limit of locked memory: ulimit -l unlimited",
                                        r"driver_override.* -- this takes root: use sudo", r"function: good", r"another process has it, or another of its IOMMU group: end that VM first", r"all is said"]),
    vfio("guest", timeout=300, contains=[r"driver: igbvf", r"(?s)function: good.*function: good.*all is as it was"]),
    vfio("unplug", timeout=500, files=SERVED, contains=[r"other: in use", r'"unplug-asked".*"nic"', r"function: gone", r"asked: good", r"ejected: good", r"function: lost", r"taken: good"]),
    vfio("serve", timeout=400, files=SERVED, contains=[r"400 .*name it at the start \(mote serve --vfio 0000:01:00.0\)", r"never of a guest that has devices of the host: nic \(0000:01:10.0\)", r"named: good",
                                         r"400 .*there is no address space yet", r"passed: good", r"joe's: good"]),
    told("traffic"),
    told("devices"),
    told("isolation", files=["/lab/watched_page"]),
    told("kill", str(KILLS), timeout=240 + KILLS * 20),
    told("nvme", files=["/lab/nvme_virtualization"]),
]
