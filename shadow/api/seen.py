"""Watched calls as values: shm.h's struct hp_seen.

Owns: its bytes, both ways. Everything in an entry was written by the job or the machine it runs on: lengths
are checked, meaning is not. Leaves to others: who writes entries, how they are shown.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from hpool.matchmaker.model.errors import BadMessage

BEGUN: Final = 1  # the call goes on
PASSED: Final = 2  # the kernel was given the call as it was made
OWN: Final = 4  # made by hpool itself, on the program's behalf (seen from outside only)
NOW: Final = 8  # it was under way when the watching began (seen from outside only)
BATCH_MOST: Final = 256
TEXT_BYTES: Final = 400
_ENTRY: Final = struct.Struct(f"<3Qq6Q2I2i2I2H2B2x{TEXT_BYTES}s")
ENTRY_BYTES: Final = 512
assert _ENTRY.size == ENTRY_BYTES


class SeenCall(NamedTuple):
    """One entry: a call that begins, or one that is over."""

    start_ns: int  # CLOCK_MONOTONIC of that machine
    duration_ns: int
    result: int
    arguments: tuple[int, ...]
    number: int
    flags: int
    pid: int
    tid: int
    asked: int
    trips: int
    texts: dict[int, bytes]  # by argument

    def pack(self) -> bytes:
        kept = list(self.texts.items())[:2]
        kept += [(0, b"")] * (2 - len(kept))
        first = kept[0][1][:TEXT_BYTES]
        second = kept[1][1][: TEXT_BYTES - len(first)]
        return _ENTRY.pack(
            *(0, self.start_ns, self.duration_ns, self.result, *self.arguments, self.number, self.flags),
            *(self.pid, self.tid, self.asked, self.trips, len(first), len(second), kept[0][0], kept[1][0]),
            first + second,
        )


def unpack(content: bytes) -> Iterator[SeenCall]:
    """A batch as Seen carries it. Raises BadMessage."""
    try:
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(content, BATCH_MOST * ENTRY_BYTES)
    except zlib.error as error:
        raise BadMessage("the machine", f"watched calls: {error}") from error
    if not unpacker.eof or len(raw) % ENTRY_BYTES:
        raise BadMessage("the machine", "watched calls of the wrong length")
    for words in _ENTRY.iter_unpack(raw):
        texts, at = {}, 0
        for length, argument in zip(words[16:18], words[18:20], strict=True):
            if length and at + length <= TEXT_BYTES:
                texts[argument] = words[20][at : at + length]
                at += length
        number, flags, pid, tid, asked, trips = words[10:16]
        yield SeenCall(
            start_ns=words[1],
            duration_ns=words[2],
            result=words[3],
            arguments=tuple(words[4:10]),
            number=number,
            flags=flags,
            pid=pid,
            tid=tid,
            asked=asked,
            trips=trips,
            texts=texts,
        )


def pack(calls: list[SeenCall]) -> bytes:
    """As many as unpack takes at once."""
    return zlib.compress(b"".join(call.pack() for call in calls[:BATCH_MOST]), 1)
