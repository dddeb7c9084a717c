"""Landlock around the shadow: writes land below the shared roots or nowhere.

Owns: what this process itself has to write, and the line that says what was reached. Leaves to
others: the ruleset (csrc/confine.c).

Reading is not restricted. Landlock can only allow, never except: to keep one secret from being
read, everything around it would have to be listed, and a file made later next to it would be
refused to the job by mistake. Secrets are kept by the walk (csrc/walk.c) alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from hpool.shadow.home._home import ffi, lib


@dataclass(frozen=True, slots=True)
class Confinement:
    abi: int  # 0: this kernel has no Landlock, or one that forbids renames
    errno: int = 0

    @property
    def sentence(self) -> str:
        if self.errno:
            return f"landlock=no:{os.strerror(self.errno)}"
        return f"landlock=yes:abi {self.abi}" if self.abi else "landlock=no:not in this kernel"


def confine(writable: Iterable[bytes]) -> Confinement:
    """Confines this thread and those it starts from now on, for good: call it before others start.

    `writable`: the policy's writable roots and the process's own places (spool, log, cache).
    Missing ones are left out: what does not exist now cannot be made later.
    """
    paths = [ffi.new("char[]", path) for path in dict.fromkeys([b"/dev/null", *writable])]
    abi = lib.hp_home_confine(ffi.new("char *[]", paths), len(paths))
    return Confinement(abi) if abi >= 0 else Confinement(0, -abi)
