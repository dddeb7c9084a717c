"""The image that a relinked program writes of itself: as much of it as is known outside of the program.

Owns: telling such a file, and which program it is of. Leaves to others: all else; the program itself reads
its images (csrc/alone/alone.h), and believes nothing before the sums are right.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

from hpool.matchmaker.model.image_errors import ImageDamaged, ImageTooNew

MAGIC: Final = int.from_bytes(b"hpoolown", "little")
VERSION: Final = 1
# magic, version, pid; total, sum, features, vdso_sum, tables_at, tables_bytes; vmas .. exe
_HEAD: Final = struct.Struct("<QIIQQQQQQ8I")
LONGEST_PATH: Final = 4096


def program_of(path: Path) -> str | None:
    """None: it is no such file. Raises ImageDamaged, ImageTooNew, OSError."""
    with path.open("rb") as file:
        raw = file.read(_HEAD.size)
        if len(raw) < _HEAD.size:
            return None
        magic, version, _, total, _, _, _, tables_at, tables_bytes, *numbers = _HEAD.unpack(raw)
        if magic != MAGIC:
            return None
        if version != VERSION:
            raise ImageTooNew(str(path), version, VERSION)
        string_bytes, exe = numbers[4], numbers[7]
        if total != file.seek(0, 2) or not exe < string_bytes <= tables_bytes:
            raise ImageDamaged(str(path), "it is torn")
        file.seek(tables_at + tables_bytes - string_bytes + exe)
        name, end, _ = file.read(LONGEST_PATH).partition(b"\0")
        if not end or not name.startswith(b"/"):
            raise ImageDamaged(str(path), "it does not name its program")
        return name.decode("utf-8", "surrogateescape")
