"""The starter's end of a stream that outlives its connections.

Owns: one stream: calling again until the lease is over, in which order messages leave. Leaves to others:
what is kept for that (hosting.resuming), what messages mean (link).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import grpc

from hpool.matchmaker.hosting.pacing import UNLIMITED
from hpool.matchmaker.hosting.resuming import RECEIVED_KEY, Ledger
from hpool.matchmaker.model.errors import BadMessage
from hpool.sandbox.starter.call import Caller

WAIT_S: Final = 0.5
CALL_AGAIN_S: Final = (0.02, 1.0)
MOST_IN_VAIN: Final = 4
# Only the connection broke. Everything else is an answer: calling again would get the same.
_BROKEN: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }
)

Draw = Callable[[float], Sequence[bytes] | None]


class Over(Exception):
    """The stream is at its end; the text says why."""


class Stream:
    """Runs in a thread of its own until it is over."""

    def __init__(
        self,
        call: Caller,
        metadata: Sequence[tuple[str, str]],
        draw: Draw,
        on_message: Callable[[memoryview], None],
        on_over: Callable[[str], None],
        is_anybody_there: Callable[[], bool],
        is_urgent: bool = True,
        nudge: Callable[[], None] = lambda: None,
    ) -> None:
        """`draw` waits so many seconds at most for the parts of the next message, () if there is none,
        None: there will be no more; `nudge` ends its wait. `on_message` raises BadMessage; `on_over` is
        called once. `is_anybody_there` says whether calling again makes sense at all. `is_urgent`: the job
        waits for it."""
        self.budget = UNLIMITED
        self.lease_s = 0.0
        """Until it is set, the first broken connection is the last."""
        self._call = call
        self._metadata = tuple(metadata)
        self._draw = draw
        self._on_message = on_message
        self._on_over = on_over
        self._is_anybody_there = is_anybody_there
        self._is_urgent = is_urgent
        self._nudge = nudge
        self._ledger = Ledger()
        self._turn = threading.Lock()
        self._was_connected = False
        self._call_number = 0

    def start(self, name: str) -> None:
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def _run(self) -> None:
        pause_s, since_s, in_vain = CALL_AGAIN_S[0], 0.0, 0
        try:
            while True:
                self._was_connected = self._call_number == 0
                why = self._one_call()
                if self._was_connected:
                    pause_s, since_s = CALL_AGAIN_S[0], time.monotonic()
                in_vain = 0 if self._is_anybody_there() else in_vain + 1
                if in_vain == MOST_IN_VAIN:
                    raise Over("nobody listens there any more")
                if time.monotonic() - since_s >= self.lease_s:
                    raise Over(why)
                time.sleep(pause_s)
                pause_s = min(pause_s * 2, CALL_AGAIN_S[1])
        except (Over, BadMessage) as error:
            self._call_number += 1
            self._on_over(str(error))

    def _one_call(self) -> str:
        """Returns why the connection broke. Raises Over, BadMessage."""
        self._call_number += 1
        is_first = self._call_number == 1
        resumed = threading.Event()
        metadata = (*self._metadata, (RECEIVED_KEY, str(self._ledger.received)))
        try:
            call = self._call(self._outgoing(self._call_number, resumed), metadata)
            if not is_first:
                told: dict[str, Any] = dict(call.initial_metadata() or ())
                if RECEIVED_KEY in told:
                    self._ledger.resume(told[RECEIVED_KEY])
                    self._was_connected = True
                    resumed.set()
            else:
                resumed.set()
            for message in call:
                body = self._ledger.unseal(message)
                if body:
                    self._on_message(body)
                if self._ledger.owes_receipt:
                    self._nudge()
        except grpc.RpcError as error:
            if error.code() not in _BROKEN:
                raise Over(_details(error)) from error
            return _details(error)
        raise Over("the shadow ended it")

    def _outgoing(self, number: int, resumed: threading.Event) -> Iterator[bytes]:
        """What a call sends: first again what the other end lacks. Calls overlap for a moment, and only
        the last one's own messages count: what an older one still drew is kept, and sent by the newer."""
        while not resumed.wait(WAIT_S):
            if number != self._call_number:
                return
        with self._turn:
            again = self._ledger.unanswered() if number > 1 else []
        for kept in again:
            self.budget.sent(len(kept), is_urgent=self._is_urgent)
            yield kept
        while True:
            # First the turn, then what to send: until then what is urgent may still come.
            while (wait_s := self.budget.wait_s(is_urgent=self._is_urgent)) > 0:
                time.sleep(wait_s)
                if number != self._call_number:
                    return
            with self._turn:
                if number != self._call_number:
                    return
                parts = self._draw(WAIT_S)
                if parts is None:
                    return
                message = self._ledger.seal(*parts) if parts else self._ledger.receipt()
            if message is not None and number == self._call_number:
                self.budget.sent(len(message), is_urgent=self._is_urgent)
                yield message


def _details(error: grpc.RpcError) -> str:
    """What a failed call says of itself: calls raise themselves."""
    details = getattr(error, "details", None)
    return str(details()) if callable(details) else str(error)
