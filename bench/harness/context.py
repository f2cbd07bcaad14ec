# SPDX-License-Identifier: Apache-2.0
"""What every suite is given: where things are, and how often to measure."""

import dataclasses
import pathlib


class Unmeasurable(Exception):
    """Something is missing or broken; the message says what, and what to do."""


@dataclasses.dataclass(frozen=True)
class Context:
    root: pathlib.Path
    build: pathlib.Path
    rounds: int

    def built(self, name: str) -> str:
        """A file of the build directory, by its path in there."""
        path = self.build / name
        if not path.exists():
            raise Unmeasurable(
                f"{path} is missing -- build it: meson setup --buildtype=release {self.build} && "
                f"ninja -C {self.build}, or name another build with --build DIR"
            )
        return str(path)

    def guest(self, name: str) -> str:
        return self.built(f"guests/{name}.elf")
