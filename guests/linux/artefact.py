# SPDX-License-Identifier: Apache-2.0
"""What the scripts here that make images share: the cache, and static programs for the guest."""

import hashlib
import os
import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "mote/linux"


def compile_static(source, target):
    """Compiles one C file of this folder for the guest. Needs gcc and glibc's static archive (libc6-dev)."""
    subprocess.run(["gcc", "-static", "-Os", "-s", "-Wall", "-Wextra", "-Werror", "-o", target, HERE / source], check=True)


def cached(name, sources, make, more=""):
    """The path of CACHE/NAME with a key of `sources` (files here) and of the text `more` in it; `make(path, folder)` writes it when it is
    missing, with a folder that is thrown away afterwards."""
    key = hashlib.sha256(more.encode())
    for source in ("artefact.py", *sorted(sources)):
        key.update(source.encode() + b"\0" + (HERE / source).read_bytes())
    stem, suffix = os.path.splitext(name)
    target = CACHE / f"{stem}-{key.hexdigest()[:16]}{suffix}"
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE, prefix=".make.") as folder:
            draft = pathlib.Path(folder) / name
            make(draft, pathlib.Path(folder))
            draft.rename(target)
    return target
