"""The message of a lane: file requests or replies, framed by hand, home's squeezed where that pays.

Owns: the two fields of Batch (home.proto), when zstd is tried. Leaves to others: records (home_wire.h),
streams.

Squeezed is what a starter waits for that is far from home: listings shrink four times, and a new
connection doubles what it carries once a round trip. So is all that a slow link carries; on a fast one
sending is as quick as squeezing (integration/README.md).
"""

from __future__ import annotations

from typing import Final

import zstandard

from hpool.matchmaker.model.errors import BadMessage

ZSTD_KEY: Final = "hpool-zstd"
FAR_NS: Final = 2_000_000
"""Round trip from which a starter wants what it waits for squeezed, however fast the link."""
ALWAYS, IF_SLOW = "1", "slow"

_RECORDS: Final = 0x0A
_SQUEEZED: Final = 0x12
_LEAST_BYTES: Final = 4096
_LEVEL: Final = 1
_WORTH: Final = 0.75
_MOST_PLAIN: Final = 64
_TELLING_BYTES: Final = 64 << 10  # smaller messages find room in buffers, whatever the link
_MEASURED_BYTES: Final = 1 << 20
_SLOW_BYTES_PER_S: Final = 25e6
MOST_BYTES: Final = 80 << 20  # of records: a reply to one request and a piece


class Pace:
    """How fast messages left, lately."""

    def __init__(self) -> None:
        self._bytes = self._seconds = 0.0

    def sent(self, length: int, seconds: float) -> None:
        """A message of so many bytes, and how long it took until the link had taken it."""
        if length < _TELLING_BYTES:
            return
        if self._bytes >= 2 * _MEASURED_BYTES:
            self._bytes, self._seconds = self._bytes / 2, self._seconds / 2
        self._bytes += length
        self._seconds += seconds

    @property
    def is_slow(self) -> bool:
        """Known, and slower than squeezing is."""
        return self._bytes >= _MEASURED_BYTES and self._bytes < _SLOW_BYTES_PER_S * self._seconds


class Squeezer:
    """One lane's replies. Those that do not shrink are followed by more and more that are not tried."""

    def __init__(self, when: str, pace: Pace) -> None:
        """`when`: ALWAYS, or IF_SLOW: only while `pace` says so."""
        self._when = when
        self._pace = pace
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL)
        self._plain = self._left = 0

    @property
    def is_worth_it(self) -> bool:
        return self._when == ALWAYS or self._pace.is_slow

    def message(self, records: bytes | memoryview) -> tuple[bytes, bytes | memoryview]:
        """Head and body of a Batch."""
        if not self.is_worth_it:
            return batch_head(len(records)), records
        if len(records) < _LEAST_BYTES or self._left > 0:
            self._left -= self._left > 0
            return batch_head(len(records)), records
        squeezed = self._compressor.compress(records)
        if len(squeezed) > _WORTH * len(records):
            self._plain = self._left = min(2 * self._plain + 1, _MOST_PLAIN)
            return batch_head(len(records)), records
        self._plain = 0
        return _head(_SQUEEZED, len(squeezed)), squeezed


def batch_head(length: int) -> bytes:
    """What goes before that many bytes of records to make them a Batch."""
    return _head(_RECORDS, length)


def batch_records(message: memoryview) -> memoryview:
    """The records inside a Batch that is not squeezed; raises BadMessage."""
    return _body(_RECORDS, message)


def reply_records(message: memoryview) -> memoryview:
    """The records inside a Batch of home's; raises BadMessage."""
    if len(message) == 0 or message[0] != _SQUEEZED:
        return _body(_RECORDS, message)
    squeezed = _body(_SQUEEZED, message)
    try:
        if not 0 <= zstandard.frame_content_size(squeezed) <= MOST_BYTES:
            raise BadMessage("the peer", "a Batch that swells too much")
        return memoryview(zstandard.ZstdDecompressor().decompress(squeezed))
    except zstandard.ZstdError as error:
        raise BadMessage("the peer", f"a Batch that was not squeezed well: {error}") from error


def _head(tag: int, length: int) -> bytes:
    head = bytearray((tag,))
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head)


def _body(tag: int, message: memoryview) -> memoryview:
    length = shift = 0
    if len(message) < 2 or message[0] != tag:
        raise BadMessage("the peer", "not a Batch")
    for place in range(1, min(len(message), 6)):
        byte = message[place]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            if len(message) - place - 1 != length:
                break
            return message[place + 1 :]
    raise BadMessage("the peer", "a Batch of the wrong length")
