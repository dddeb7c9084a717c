"""A conversation that goes on when its connection breaks: what both ends keep for that.

Owns: numbering by counting, what was sent and is not yet known to have arrived, the field that says how
much did. Leaves to others: connections, threads or tasks (one end is the starter's, one the shadow's).

A message is a protobuf message whose field 15, `fixed64 received`, comes last: how many messages its
sender had taken from the other end by then. A message with nothing else only says that. On a new
connection each end says in the call's metadata how many it has, and the other sends again what lies
beyond. So every message arrives once and in order, whatever happens to connections.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import Final

from hpool.matchmaker.model.errors import BadMessage

RECEIVED_KEY: Final = "hpool-received"
# Field 15, wire type fixed64.
_TRAILER: Final = struct.Struct("<BQ")
_TAG: Final = 15 << 3 | 1
# Beyond these the other end is told although nothing else is to be said: it keeps what we do not tell.
UNTOLD_MESSAGES: Final = 64
UNTOLD_BYTES: Final = 4 << 20
# Who sends more than this waits for receipts. Many times what a far link has on its way.
PAUSE_BYTES: Final = 64 << 20
# A peer that keeps its receipts to itself shall not fill our memory.
MOST_KEPT_BYTES: Final = 256 << 20


class Ledger:
    """One end's books. One thread seals, one unseals; they may be different ones."""

    def __init__(self) -> None:
        self.received = 0
        self._sent = 0
        self._kept: deque[tuple[int, bytes]] = deque()
        self._kept_bytes = 0
        self._told = 0
        self._untold_bytes = 0

    def seal(self, *parts: bytes | memoryview) -> bytes:
        """The next message, kept until the other end has it. Raises BadMessage if that never says so."""
        if self._kept_bytes > MOST_KEPT_BYTES:
            raise BadMessage("the peer", "no receipts")
        self._sent += 1
        message = self._close(*parts)
        self._kept.append((self._sent, message))
        self._kept_bytes += len(message)
        return message

    @property
    def is_full(self) -> bool:
        """So much is on its way that receipts should come first."""
        return self._kept_bytes > PAUSE_BYTES

    @property
    def owes_receipt(self) -> bool:
        """It is time to say what came, though nothing else is to be said."""
        return self.received - self._told > UNTOLD_MESSAGES or self._untold_bytes > UNTOLD_BYTES

    def receipt(self) -> bytes | None:
        """A message that only says what came, if it is time for one."""
        return self._close() if self.owes_receipt else None

    def unseal(self, message: bytes) -> memoryview:
        """What is in it; empty: nothing but a receipt. Raises BadMessage."""
        view = memoryview(message)
        if len(view) < _TRAILER.size:
            raise BadMessage("the peer", "a message without its end")
        tag, theirs = _TRAILER.unpack(view[-_TRAILER.size :])
        if tag != _TAG or theirs > self._sent:
            raise BadMessage("the peer", "a receipt for what was never sent")
        self.forget(theirs)
        body = view[: -_TRAILER.size]
        if body:
            self.received += 1
            self._untold_bytes += len(body)
        return body

    def forget(self, theirs: int) -> None:
        """The other end has that many."""
        while self._kept and self._kept[0][0] <= theirs:
            self._kept_bytes -= len(self._kept.popleft()[1])

    def resume(self, theirs: str | bytes | None) -> None:
        """What the other end said when it came again. Raises BadMessage."""
        try:
            count = int(theirs or 0)
        except ValueError:
            raise BadMessage("the peer", f"{RECEIVED_KEY} {theirs!r}") from None
        if not self._sent - len(self._kept) <= count <= self._sent:
            raise BadMessage("the peer", "it lacks what it said it had, or has what was never sent")
        self.forget(count)

    def unanswered(self) -> list[bytes]:
        """To be sent again, in order."""
        return [message for _, message in self._kept]

    def _close(self, *parts: bytes | memoryview) -> bytes:
        self._told = self.received
        self._untold_bytes = 0
        return b"".join((*parts, _TRAILER.pack(_TAG, self._told)))
