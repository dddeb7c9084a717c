"""A raw image in pieces, for the way between starter and shadow.

Owns: cutting it, putting it together, the credit. Leaves to others: what is in it (interpose_c.image),
when it travels.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import Final

import zstandard

from hpool.matchmaker.model.errors import BadMessage
from hpool.shadow.api.home import ImagePart

META: Final = 0
PAGES: Final = 1
PIECE: Final = 1 << 20
AHEAD: Final = 4  # pieces that may be on their way
_LEVEL: Final = 1
MOST_BYTES: Final = 1 << 42


def parts_of(meta_fd: int, pages_fd: int) -> Iterator[ImagePart]:
    """All of it, but holes; the last part has no content."""
    for file, fd in ((META, meta_fd), (PAGES, pages_fd)):
        for start, end in _data(fd):
            for position in range(start, end, PIECE):
                content = os.pread(fd, min(PIECE, end - position), position)
                yield ImagePart(file, position, zstandard.ZstdCompressor(level=_LEVEL).compress(content))
    yield ImagePart(META, 0, b"", last=True)


def _data(fd: int) -> Iterator[tuple[int, int]]:
    size, at = os.fstat(fd).st_size, 0
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:
            return  # holes up to the end
        at = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, at


class Gathering:
    """Two files that become an image. What comes is believed only as far as it fits into them."""

    def __init__(self, meta_fd: int, pages_fd: int, peer: str) -> None:
        self._fds = (meta_fd, pages_fd)
        self._peer = peer
        self._sizes = [0, 0]
        self.taken = 0  # parts
        self.is_complete = False

    def take(self, part: ImagePart) -> None:
        """Raises BadMessage; OSError if there is no room."""
        self.taken += 1
        if part.last:
            self.is_complete = True
            return
        if part.file > PAGES or part.position > MOST_BYTES or self.is_complete:
            raise BadMessage(self._peer, f"a part of an image at {part.position}")
        try:
            if not 0 <= zstandard.frame_content_size(part.content) <= PIECE:
                raise BadMessage(self._peer, "a part of an image that is too large")
            content = zstandard.ZstdDecompressor().decompress(part.content)
        except zstandard.ZstdError as error:
            raise BadMessage(self._peer, "a part of an image that cannot be unpacked") from error
        view, at = memoryview(content), part.position
        while view:
            done = os.pwrite(self._fds[part.file], view, at)
            view, at = view[done:], at + done
        self._sizes[part.file] = max(self._sizes[part.file], at)

    def finish(self, meta_bytes: int, pages_bytes: int) -> None:
        """Gives both their sizes; raises BadMessage if they cannot have them."""
        if meta_bytes != self._sizes[META] or not self._sizes[PAGES] <= pages_bytes <= MOST_BYTES:
            raise BadMessage(self._peer, "an image of another size than it said")
        os.ftruncate(self._fds[PAGES], pages_bytes)


class Credit:
    """How many parts the other end took. One thread sends."""

    def __init__(self) -> None:
        self._taken = 0
        self._change = threading.Condition()

    def taken(self, parts: int) -> None:
        with self._change:
            self._taken = max(self._taken, parts)
            self._change.notify_all()

    def send_all(self, parts: Iterator[ImagePart], send: Callable[[ImagePart], None]) -> None:
        """Blocks while too much is on its way."""
        for number, part in enumerate(parts):
            with self._change:
                while number - self._taken >= AHEAD:
                    self._change.wait()
            send(part)
