# SPDX-License-Identifier: Apache-2.0
"""The lab's cases with control groups of v2, which the outer Linux has alone, and with the sandbox on its kernel. Its side: scripts/jail."""

from outer import Case


def jail(name, *files, contains, lacks=(), timeout=120):
    return Case(f"jail.{name}", ["/bin/busybox", "sh", f"/lab/scripts/jail/{name}"], timeout=timeout, files=list(files), contains=contains, lacks=list(lacks))


JAIL_CASES = [
    jail("cgroup2", "/lab/mote-jailer", "/lab/jailed", contains=["all as expected"]),
    jail("groups", "/lab/unit_tests", contains=[r"PASSED", r"OK \] CgroupUnifiedHostTest\."], lacks=["SKIPPED"]),
    jail("acts", "/lab/acts_tests", contains=[r"PASSED"], lacks=["SKIPPED", "FAILED"], timeout=400),
]
