"""An image in pieces, for the way between starter and shadow.

Owns: cutting it, putting it together, the credit. Leaves to others: how blocks are packed
(interpose_c.image), when it travels, which of them the other end has already.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Container, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import zstandard

from hpool.interpose_c.image import chunks
from hpool.interpose_c.image.chunks import BLOCK
from hpool.matchmaker.model.errors import BadMessage
from hpool.shadow.api.home import ImageBlock, ImagePart

PIECE: Final = 1 << 20
AHEAD: Final = 4  # pieces that may be on their way
MOST_NAMED: Final = 1024  # blocks of one part
MOST_RECORDS: Final = 1 << 30
_LEVEL: Final = 1
_WORKERS: Final = 2
_NICE: Final = 10  # a tenth of what others get, not nothing: it is to be gone soon
_AT_ONCE: Final = 64  # blocks that are looked at together
MOST_BYTES: Final = 1 << 42


def parts_of(meta: bytes, blocks: Iterable[ImageBlock], *, ahead: bool = False) -> Iterator[ImagePart]:
    """Records first. So much of blocks in each part that the other end says often how far it is."""
    for position in range(0, len(meta), PIECE):
        piece = meta[position : position + PIECE]
        yield ImagePart(zstandard.ZstdCompressor(level=_LEVEL).compress(piece))
    part: list[ImageBlock] = []
    weight = 0
    for block in blocks:
        part.append(block)
        weight += BLOCK if block.content else 0
        if weight >= PIECE or len(part) == MOST_NAMED:
            yield ImagePart(blocks=tuple(part), ahead=ahead)
            part, weight = [], 0
    yield ImagePart(blocks=tuple(part), last=True, ahead=ahead)


def blocks_of(pages_fd: int, has: Container[bytes], *, gives_way: bool = False) -> Iterator[ImageBlock]:
    """Of a raw image, packed but for zeros; of what the other end `has`, by digest, no more than the name.
    `gives_way`: others on this machine have its processors first."""

    def packed(index: int) -> ImageBlock | None:
        content = chunks.read(pages_fd, index)
        if not content:
            return None
        digest = bytes.fromhex(chunks.digest_of(content))
        return ImageBlock(index, digest, b"" if digest in has else chunks.pack(content))

    indexes = chunks.blocks_of(pages_fd)
    with ThreadPoolExecutor(_WORKERS, initializer=os.nice, initargs=(_NICE * gives_way,)) as workers:
        while now := list(itertools.islice(indexes, _AT_ONCE)):
            yield from (block for block in workers.map(packed, now) if block is not None)


class Gathering:
    """Parts that become an image. What comes is believed only as far as it fits into one."""

    def __init__(self, peer: str, keep: Callable[[ImageBlock], None]) -> None:
        """`keep`: what is done with a block, by any thread; it looks whether the content is what the digest
        says."""
        self._workers = ThreadPoolExecutor(_WORKERS)
        self._peer = peer
        self._keep = keep
        self._records = bytearray()
        self._last = -1
        self.taken = 0  # parts
        self.is_complete = False

    def take(self, part: ImagePart) -> None:
        """Raises BadMessage; what `keep` does."""
        self.taken += 1
        if self.is_complete:
            raise BadMessage(self._peer, "more of an image than there is")
        if part.records:
            self._records += self._unpacked(part.records)
        for block in part.blocks:
            if block.number <= self._last or len(block.digest) != chunks.DIGEST_BYTES:
                raise BadMessage(self._peer, f"a block {block.number} of an image")
            self._last = block.number
        for _ in self._workers.map(self._keep, part.blocks):
            pass  # raises what the first of them raised
        self.is_complete = part.last

    def _unpacked(self, records: bytes) -> bytes:
        try:
            length = zstandard.frame_content_size(records)
            if not 0 <= length <= PIECE or len(self._records) + length > MOST_RECORDS:
                raise BadMessage(self._peer, "a part of an image that is too large")
            return zstandard.ZstdDecompressor().decompress(records)
        except zstandard.ZstdError as error:
            raise BadMessage(self._peer, "a part of an image that cannot be unpacked") from error

    def finish(self, meta_bytes: int, pages_bytes: int) -> bytes:
        """Its records, if it can have those sizes; raises BadMessage."""
        if (
            not self.is_complete
            or meta_bytes != len(self._records)
            or not self._last < -(-pages_bytes // BLOCK)
            or pages_bytes > MOST_BYTES
        ):
            raise BadMessage(self._peer, "an image of another size than it said")
        return bytes(self._records)


class Credit:
    """How many parts the other end took. One thread sends."""

    def __init__(self) -> None:
        self._taken = 0
        self._change = threading.Condition()

    def taken(self, parts: int) -> None:
        with self._change:
            self._taken = max(self._taken, parts)
            self._change.notify_all()

    def send_all(
        self, parts: Iterable[ImagePart], send: Callable[[ImagePart], None], *, awaits_all: bool = False
    ) -> None:
        """Blocks while too much is on its way, or anything."""
        count = 0
        for part in parts:
            self._await(count - AHEAD + 1)
            send(part)
            count += 1
        if awaits_all:
            self._await(count)

    def _await(self, parts: int) -> None:
        with self._change:
            while self._taken < parts:
                self._change.wait()
