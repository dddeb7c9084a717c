"""A block of an image's `pages` on its own: by its digest, packed, as it lies in a store and travels.

Owns: how it is packed, that what is unpacked is what the digest says. Leaves to others: where it lies
(store.py), how it travels (shadow.api.image_parts).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from typing import Final

import zstandard

from hpool.matchmaker.model.image_errors import ImageDamaged

BLOCK: Final = 65536
DIGEST_BYTES: Final = 32
_LEVEL: Final = 1
_WORTH: Final = 0.9  # of its size: above that, a block stays as it is
_ZEROS: Final = bytes(BLOCK)


def digest_of(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).hexdigest()


def pack(content: bytes) -> bytes:
    """`z` and a zstd frame, or `r` and the bytes."""
    packed = zstandard.ZstdCompressor(level=_LEVEL).compress(content)
    return b"z" + packed if len(packed) < len(content) * _WORTH else b"r" + content


def unpack(stored: bytes, digest: str, source: str) -> bytes:
    """Raises ImageDamaged if it is not what the digest says."""
    content = stored[1:]
    if stored[:1] == b"z":
        try:
            if not 0 <= zstandard.frame_content_size(content) <= BLOCK:
                raise ImageDamaged(source, f"chunk {digest[:12]} is larger than a chunk")
            content = zstandard.ZstdDecompressor().decompress(content)
        except zstandard.ZstdError as error:
            raise ImageDamaged(source, f"chunk {digest[:12]} cannot be unpacked") from error
    if len(content) > BLOCK or digest_of(content) != digest:
        raise ImageDamaged(source, f"chunk {digest[:12]} is not what was written")
    return content


def blocks_of(pages_fd: int) -> Iterator[int]:
    """Numbers of the blocks of a sparse file that have any data."""
    size, at, last = os.fstat(pages_fd).st_size, 0, -1
    while at < size:
        try:
            start = os.lseek(pages_fd, at, os.SEEK_DATA)
        except OSError:
            return  # holes up to the end
        end = os.lseek(pages_fd, start, os.SEEK_HOLE)
        for index in range(max(start // BLOCK, last + 1), -(-end // BLOCK)):
            yield index
            last = index
        at = end


def read(pages_fd: int, index: int) -> bytes:
    """Empty if it is all zeros, which no image lists."""
    content = os.pread(pages_fd, BLOCK, index * BLOCK)
    return b"" if content == _ZEROS[: len(content)] else content


def write(fd: int, content: bytes, at: int) -> None:
    view = memoryview(content)
    while view:
        done = os.pwrite(fd, view, at)
        view, at = view[done:], at + done
