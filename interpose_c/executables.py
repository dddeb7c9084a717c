"""Where the executables are that setup.py builds and installs beside this file.

Owns: their paths. Leaves to others: placing, starting and feeding them (sandbox only).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_BIN: Final = Path(__file__).resolve().parent / "bin"

# The shim with its userland exec loader: placed in each job's mirror.
LOADER: Final = _BIN / "hpool-loader"
# PID 1 of a job.
KEEPER: Final = _BIN / "hpool-keeper"
