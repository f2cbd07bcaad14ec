#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Keeps the arrows of docs/architecture.md: which folder may include which, and who may see KVM and toml++."""

import pathlib
import re
import subprocess
import sys

# Folder: the folders it may include besides itself. A parent's name stands for all below it.
ALLOWED = {
    "core": [],
    "devices": ["core"],
    "vmm/config": ["core"],
    "vmm/arch": ["core", "vmm/config"],
    "vmm/kvm": ["core", "vmm/arch"],
    "vmm/boot": ["core", "vmm/arch", "vmm/config"],
    "vmm/machine": ["core", "devices", "vmm"],
    "jail": ["core"],
    "api": ["core", "vmm"],
    "cli": ["core", "devices", "vmm", "jail", "api", "cli"],
}
# Header: the only files that may include it.
RESERVED = {
    "linux/kvm.h": r"vmm/kvm/|jail/seccomp/table\.hpp$",
    "toml++/toml.h": r"vmm/config/toml_library\.hpp$",
    "rapidjson/reader.h": r"core/json/value\.cpp$",
    "llhttp.h": r"api/http/(request_parser\.hpp|client\.cpp)$",
    "iostream": r"$^",
    "regex": r"$^",
    "locale": r"$^",
}


def room_of(path):
    """The entry of ALLOWED that a path belongs to, or None."""
    parts = pathlib.PurePosixPath(path).parts
    for depth in range(len(parts) - 1, 0, -1):
        name = "/".join(parts[:depth])
        if name in ALLOWED:
            return name
    return None


def main():
    files = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.cpp", "*.hpp"],
                           check=True, capture_output=True, text=True).stdout.split()
    problems = []
    for path in files:
        room = room_of(path)
        if room is None or not pathlib.Path(path).exists():
            continue
        for number, line in enumerate(pathlib.Path(path).read_text().splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
            if not match:
                continue
            target = match.group(2)
            if target in RESERVED and not re.match(RESERVED[target], path):
                problems.append(f"{path}:{number}: <{target}> is not for this file")
            other = room_of(target)
            if match.group(1) == "<" or other is None or other == room:
                continue
            if not any(other == name or other.startswith(name + "/") for name in ALLOWED[room]):
                problems.append(f"{path}:{number}: {room} may not include {other} ({target})")
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
