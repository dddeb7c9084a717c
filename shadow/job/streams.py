"""The shadow's end of the streams that outlive their connections.

Owns: which connection a stream runs on, waiting for the next one until the lease is over. Leaves to
others: what is kept for that (hosting.resuming), who is admitted (service), what messages mean.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import grpc

from hpool.matchmaker.hosting.pacing import UNLIMITED, Budget
from hpool.matchmaker.hosting.resuming import MOST_KEPT_BYTES, RECEIVED_KEY, Ledger
from hpool.matchmaker.model.errors import BadMessage, HpoolError

_BROKEN: Final = (grpc.RpcError, grpc.aio.BaseError, asyncio.CancelledError)


class _Connection:
    def __init__(self, context: Any) -> None:
        self.context = context
        self.over = asyncio.Event()


class LongStream:
    """One task receives, any number send. Connections come and go."""

    def __init__(
        self,
        lease_s: float,
        on_link: Callable[[bool], None] = lambda is_there: None,
        *,
        budget: Budget = UNLIMITED,
        is_urgent: bool = True,
    ) -> None:
        """`on_link` is told whenever a connection comes (True) or is gone. `is_urgent`: the job waits
        for it."""
        self._budget = budget
        self._is_urgent = is_urgent
        self._lease_s = lease_s
        self._on_link = on_link
        self._ledger = Ledger()
        self._connection: _Connection | None = None
        self._arrived = asyncio.Event()
        self._sending = asyncio.Lock()
        self._reading = asyncio.Lock()
        self._inbox: deque[memoryview] = deque()
        self.is_closed = False
        self._failure: HpoolError | None = None

    async def connect(self, context: Any) -> None:
        """A call's life: returns when another connection took over or the stream is closed. Raises
        BadMessage, and what fail() was told."""
        mine = _Connection(context)
        self._drop(self._connection)  # a write that hangs there lets go of the lock
        try:
            async with self._sending:
                self._drop(self._connection)  # from now on nothing it still brings counts
                given = dict(context.invocation_metadata() or ())
                self._ledger.resume(given.get(RECEIVED_KEY))
                await context.send_initial_metadata(((RECEIVED_KEY, str(self._ledger.received)),))
                for message in self._ledger.unanswered():
                    self._budget.sent(len(message), is_urgent=self._is_urgent)
                    await context.write(message)
                if not self.is_closed:
                    self._connection = mine
                    self._arrived.set()
                    self._on_link(True)
            if not self.is_closed:
                await mine.over.wait()
        finally:
            self._drop(mine)
        if self._failure is not None:
            raise self._failure

    async def send(self, *parts: bytes | memoryview) -> None:
        """Returns when it is on its way, or kept for the next connection. Raises BadMessage."""
        await self._await_receipts()
        while (wait_s := self._budget.wait_s(is_urgent=self._is_urgent)) > 0:
            await asyncio.sleep(wait_s)
        async with self._sending:
            message = self._ledger.seal(*parts)
            self._budget.sent(len(message), is_urgent=self._is_urgent)
            await self._write(message)

    async def receive(self) -> memoryview | None:
        """The next message; None: closed, or nobody came back within the lease. Raises BadMessage."""
        body: memoryview | None = memoryview(b"")
        while body is not None and not body:
            async with self._reading:
                body = self._inbox.popleft() if self._inbox else await self._next()
        return body

    async def _await_receipts(self) -> None:
        """A long answer is sent while nobody receives: what comes meanwhile is put by."""
        while self._ledger.is_full:
            async with self._reading:
                body = await self._next() if self._ledger.is_full else None
                if body is None:
                    return
                if body:
                    self._inbox.append(body)
                    if sum(map(len, self._inbox)) > MOST_KEPT_BYTES:
                        raise BadMessage("the peer", "no receipts")

    async def _next(self) -> memoryview | None:
        """What the next message says, empty if it was a receipt; None as receive(). A new connection brings a
        receipt too: who waits for one looks again, as the other end may have nothing more to say."""
        while not self.is_closed:
            connection = self._connection
            if connection is None:
                try:
                    async with asyncio.timeout(self._lease_s):
                        await self._arrived.wait()
                except TimeoutError:
                    return None
                return memoryview(b"")
            message = await self._read(connection)
            if connection is not self._connection:
                return memoryview(b"")
            if not message:
                self._drop(connection)
                continue
            body = self._ledger.unseal(message)
            receipt = self._ledger.receipt()
            if receipt is not None:
                async with self._sending:
                    await self._write(receipt)
            return body
        return None

    def close(self) -> None:
        """Nobody listens any more."""
        self.is_closed = True
        self._arrived.set()
        self._drop(self._connection)

    def fail(self, error: HpoolError) -> None:
        """Closes it; the other end is told why."""
        self._failure = error
        self.close()

    async def _read(self, connection: _Connection) -> bytes | None:
        try:
            message: bytes | None = await connection.context.read()
        except _BROKEN:
            _if_cancelled_raise()
            return None
        return message

    async def _write(self, message: bytes) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            await connection.context.write(message)
        except _BROKEN:
            _if_cancelled_raise()
            self._drop(connection)

    def _drop(self, connection: _Connection | None) -> None:
        if connection is None:
            return
        connection.over.set()
        if self._connection is connection:
            self._connection = None
            if not self.is_closed:
                self._arrived.clear()
                self._on_link(False)


def _if_cancelled_raise() -> None:
    """A broken call may raise CancelledError as well: only who is cancelled himself obeys."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
