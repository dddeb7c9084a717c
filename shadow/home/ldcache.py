"""/etc/ld.so.cache, as ldconfig(8) writes it: which files carry a library's name.

Owns: reading its bytes. Leaves to others: reading the file, choosing among the answers.
"""

from __future__ import annotations

import struct
from typing import Final

MAGIC: Final = b"glibc-ld.so.cache1.1"
OLD_MAGIC: Final = b"ld.so-1.7.0"
HEADER: Final = struct.Struct("<20sII20x")
LIBRARY: Final = struct.Struct("<iIIIQ")


def libraries(cache: bytes) -> dict[str, list[str]]:
    """Paths by library name, in the cache's order, variants for better processors first.

    What cannot be understood is an empty answer: the default directories are searched anyway.
    """
    start = cache.find(MAGIC) if cache.startswith((MAGIC, OLD_MAGIC)) else -1
    found: dict[str, list[str]] = {}
    try:
        _, count, _ = HEADER.unpack_from(cache, start if start >= 0 else len(cache))
        for number in range(count):
            _, key, value, _, _ = LIBRARY.unpack_from(cache, start + HEADER.size + number * LIBRARY.size)
            found.setdefault(_string(cache, start + key), []).append(_string(cache, start + value))
    except (struct.error, ValueError):
        return {}
    return found


def _string(cache: bytes, at: int) -> str:
    return cache[at : cache.index(b"\0", at)].decode("utf-8", "surrogateescape")
