"""The front ends: the ways in which a job's system calls are met.

Owns: which there are, and which programs each runs. Leaves to others: compilers (manifest.py), the
runs (judge.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from integration.manifest import DYNAMIC, RELINKED, RELINKED_STATIC, STATIC, Program, Toolchain


@dataclass(frozen=True, slots=True)
class Front:
    """`intercept`: as `hpool run` takes it. `toolchain` makes the C programs. `each`: one of so many."""

    name: str
    toolchain: Toolchain = DYNAMIC
    intercept: str = "auto"
    each: int = 1

    def programs(self, programs: list[Program]) -> list[Program]:
        """What is not compiled would be the same run again."""
        served = [program for program in programs if self.intercept in program.fronts]
        compiled = [program for program in served if program.source.suffix == ".c"]
        return served if self.toolchain == DYNAMIC else compiled[:: self.each]


FRONTS: Final = (
    Front("shim"),  # the tracer takes over from it where it cannot serve
    Front("trace", intercept="trace"),
    Front("static", STATIC),
    Front("relinked", RELINKED_STATIC),
    Front("relinked-dynamic", RELINKED, each=4),  # its libraries' calls are the shim's: little differs
)
