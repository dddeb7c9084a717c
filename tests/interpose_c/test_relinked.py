"""Relinked programs without a mirror: at home and through the loader they do what the plain one does.

Owns: every kind of link, the loader's small programs relinked, that nothing of them is rewritten
while they run. Leaves to others: the driver's words (test_link.py), the decisions (test_sites.py).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from hpool.interpose_c.executables import LOADER as INSTALLED
from hpool.interpose_c.relinked import find_note, read_note

CSRC: Final = INSTALLED.parents[1] / "csrc"
BARE: Final = INSTALLED.parents[2] / "build" / "bare" / "hpool-loader-bare"
HERE: Final = Path(__file__).parent
SOURCES: Final = sorted(path for path in (HERE / "loader").iterdir() if path.suffix in {".c", ".cc"} and path.stem != "musl")
ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TELL": "me"}
HPOOL: Final = f"{sys.prefix}/bin/hpool"
WARNINGS: Final = ("-Wall", "-Wextra", "-D_GNU_SOURCE", "-O1", "-pthread")


def compiled(source: Path, target: Path, *flags: str, relinked: bool = True) -> Path:
    name = "c++" if source.suffix == ".cc" else "cc"
    command = [HPOOL, name] if relinked else ["g++" if name == "c++" else "gcc"]
    subprocess.run([*command, *WARNINGS, *flags, "-o", target, source], check=True)
    return target
