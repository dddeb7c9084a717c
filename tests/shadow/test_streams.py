"""The shadow's streams when connections break, with calls that are played."""

from __future__ import annotations

import asyncio

import pytest

from hpool.matchmaker.hosting import resuming
from hpool.shadow.job.streams import LongStream

PIECE = bytes(1000)


class PlayedCall:
    """A connection to a starter that takes everything and says nothing; empty: it broke."""

    def __init__(self, received: int) -> None:
        self._received = received
        self.written: list[bytes] = []
        self._broke = asyncio.Event()

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return ((resuming.RECEIVED_KEY, str(self._received)),)

    async def send_initial_metadata(self, metadata: object) -> None:
        pass

    async def write(self, message: bytes) -> None:
        self.written.append(message)

    async def read(self) -> bytes:
        await self._broke.wait()
        return b""

    def cut(self) -> None:
        self._broke.set()


async def _until_written(call: PlayedCall, count: int) -> None:
    while len(call.written) < count:
        await asyncio.sleep(0)


@pytest.mark.parametrize("is_cut_first", [True, False])
def test_who_waits_for_receipts_hears_of_them_by_a_new_connection(
    monkeypatch: pytest.MonkeyPatch, *, is_cut_first: bool
) -> None:
    monkeypatch.setattr(resuming, "PAUSE_BYTES", 5 * len(PIECE))

    async def answer(stream: LongStream) -> None:
        for _ in range(10):
            await stream.send(PIECE)

    async def play() -> None:
        stream = LongStream(60.0)
        first, second = PlayedCall(0), PlayedCall(5)
        calls = [asyncio.create_task(stream.connect(first))]
        sending = asyncio.create_task(answer(stream))
        await _until_written(first, 5)
        if is_cut_first:
            first.cut()
        calls.append(asyncio.create_task(stream.connect(second)))  # the other end lacks nothing: it is silent
        first.cut()
        await asyncio.wait_for(sending, 10)
        assert len(second.written) == 5
        stream.close()
        await asyncio.gather(*calls)

    asyncio.run(play())
