"""Lanes: order, requests that have to wait, malformed batches, locks."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import struct
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

from hpool.matchmaker.model.errors import BadMessage
from hpool.shadow.api import wire
from hpool.shadow.api.wire import Flag, Op, Request

if TYPE_CHECKING:
    from tests.shadow.home.conftest import Client

OFD_GETLK, OFD_SETLK, OFD_SETLKW = 36, 37, 38


class Stream:
    """The far end of one lane."""

    def __init__(self, client: Client, number: int = 0) -> None:
        self.client = client
        self.inbound: asyncio.Queue[bytes] = asyncio.Queue()
        self.outbound: asyncio.Queue[wire.Reply] = asyncio.Queue()
        self.serving = asyncio.create_task(client.home.serve_lane(number, self.inbound.get, self._send))

    async def _send(self, stream: bytes | memoryview) -> None:
        """News of what others change (in /tmp, say) may come between any two replies."""
        for reply in wire.parse_replies(stream):
            if reply.op != Op.CHANGED:
                self.outbound.put_nowait(reply)

    def ask(self, *requests: Request) -> None:
        self.inbound.put_nowait(wire.batch(requests))

    async def reply(self, within_s: float = 5.0) -> wire.Reply:
        async with asyncio.timeout(within_s):
            return await self.outbound.get()

    async def end(self) -> None:
        self.inbound.put_nowait(b"")
        await self.serving


def run(script: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(script, 30))


@pytest.mark.parametrize("number", [0, 1])
def test_a_lane_answers_in_order_and_ends(client: Client, number: int) -> None:
    async def script() -> None:
        stream = Stream(client, number)
        for name in ("a", "a/b", "a/b/c"):
            stream.ask(client.request(Op.MKDIR, name, mode=0o755), client.request(Op.RESOLVE, name))
        replies = [await stream.reply() for _ in range(6)]
        assert [(reply.id, reply.error) for reply in replies] == [(n, 0) for n in range(1, 7)]
        await stream.end()

    run(script())


def test_a_bundle_holds_nobody_up_and_comes_later(client: Client) -> None:
    async def script() -> None:
        stream = Stream(client)
        stream.ask(Request(Op.BUNDLE, 1, b"/bin/sh"), client.request(Op.RESOLVE, "", id=2))
        stream.ask(client.request(Op.RESOLVE, "", id=3))
        assert sorted([(await stream.reply()).id for _ in range(3)]) == [1, 2, 3]
        stream.ask(Request(Op.BUNDLE, 4, b"/bin/sh"))
        await stream.end()
        assert (await stream.reply()).id == 4

    run(script())


def flock(client: Client, handle: int, operation: int, owner: int = 0, **fields: int) -> Request:
    return client.request(Op.FLOCK, handle=handle, arg=operation, offset=owner, **fields)


def ranged(
    client: Client, handle: int, command: int, kind: int, start: int, length: int, owner: int
) -> Request:
    return client.request(
        Op.FCNTL_LOCK,
        struct.pack("<Q", owner),
        handle=handle,
        arg=command,
        mode=kind,
        offset=start,
        length=length,
    )


def test_a_lock_waits_until_it_is_free_and_others_go_on(client: Client) -> None:
    (client.root / "f").touch()
    one, two = client.open("f", os.O_RDWR), client.open("f", os.O_RDWR)

    async def script() -> None:
        stream, other = Stream(client), Stream(client, 1)
        stream.ask(flock(client, one, fcntl.LOCK_EX))
        assert (await stream.reply()).error == 0
        stream.ask(flock(client, two, fcntl.LOCK_EX | fcntl.LOCK_NB))
        assert (await stream.reply()).error == errno.EAGAIN
        waiting = flock(client, two, fcntl.LOCK_EX)
        stream.ask(waiting, client.request(Op.RESOLVE, "f"))
        assert (await stream.reply()).op == Op.RESOLVE
        with pytest.raises(TimeoutError):
            await stream.reply(0.1)
        other.ask(flock(client, one, fcntl.LOCK_UN))
        granted = await stream.reply()
        assert (granted.id, granted.error) == (waiting.id, 0)
        await stream.end()
        await other.end()

    run(script())


def blocking_open(path: Path) -> IO[bytes]:
    return open(path, "rb")


def test_a_lock_held_by_another_program_is_waited_for(client: Client) -> None:
    (client.root / "f").touch()
    handle = client.open("f", os.O_RDWR)

    async def script() -> None:
        stream = Stream(client)
        with blocking_open(client.root / "f") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            stream.ask(flock(client, handle, fcntl.LOCK_SH))
            with pytest.raises(TimeoutError):
                await stream.reply(0.1)
        assert (await stream.reply()).error == 0
        await stream.end()

    run(script())


def test_a_closed_handle_frees_its_locks_and_ends_its_waits(client: Client) -> None:
    (client.root / "f").touch()
    one, two, three = (client.open("f", os.O_RDWR) for _ in range(3))

    async def script() -> None:
        stream = Stream(client)
        stream.ask(flock(client, one, fcntl.LOCK_EX), flock(client, two, fcntl.LOCK_EX, id=50))
        stream.ask(flock(client, three, fcntl.LOCK_EX, id=51))
        assert (await stream.reply()).error == 0
        stream.ask(client.request(Op.CLOSE, handle=three))
        assert {(await stream.reply()).op, (await stream.reply()).op} == {Op.CLOSE, Op.FLOCK}
        stream.ask(client.request(Op.CLOSE, handle=one))
        got = {reply.id: reply.error for reply in [await stream.reply(), await stream.reply()]}
        assert got[50] == 0
        await stream.end()

    run(script())


def test_a_stream_that_breaks_takes_its_waits_along(client: Client) -> None:
    (client.root / "f").touch()
    one, two = client.open("f", os.O_RDWR), client.open("f", os.O_RDWR)

    async def script() -> None:
        before = asyncio.all_tasks()
        stream = Stream(client)
        stream.ask(flock(client, one, fcntl.LOCK_EX), flock(client, two, fcntl.LOCK_EX))
        await stream.reply()
        await asyncio.sleep(0.01)
        stream.serving.cancel()
        await asyncio.gather(stream.serving, return_exceptions=True)
        assert asyncio.all_tasks() == before

    run(script())


def test_owners_of_one_handle_lock_against_each_other(client: Client) -> None:
    (client.root / "f").touch()
    handle = client.open("f", os.O_RDWR)

    def error(request: Request) -> int:
        (reply,) = client.batch(request)
        return reply.error

    now = fcntl.LOCK_NB
    assert error(flock(client, handle, fcntl.LOCK_EX | now, 1)) == 0
    assert error(flock(client, handle, fcntl.LOCK_SH | now, 2)) == errno.EAGAIN
    assert error(flock(client, handle, fcntl.LOCK_SH | now, 1)) == 0
    assert error(flock(client, handle, fcntl.LOCK_SH | now, 2)) == 0
    assert error(flock(client, handle, fcntl.LOCK_UN, 1)) == 0
    assert error(flock(client, handle, fcntl.LOCK_EX | now, 2)) == 0
    assert error(flock(client, handle, 77, 2)) == errno.EINVAL

    write, unlock = fcntl.F_WRLCK, fcntl.F_UNLCK
    assert error(ranged(client, handle, OFD_SETLK, write, 10, 5, 1)) == 0
    assert error(ranged(client, handle, OFD_SETLK, write, 14, 5, 2)) == errno.EAGAIN
    assert error(ranged(client, handle, OFD_SETLK, write, 15, 5, 2)) == 0
    (asked,) = client.batch(ranged(client, handle, OFD_GETLK, write, 0, 0, 1))
    assert wire.FLOCK.unpack(asked.data)[:4] == (write, os.SEEK_SET, 15, 5)
    assert error(ranged(client, handle, OFD_SETLK, unlock, 0, 0, 2)) == 0
    (asked,) = client.batch(ranged(client, handle, OFD_GETLK, write, 0, 0, 1))
    assert wire.FLOCK.unpack(asked.data)[0] == unlock
    assert error(ranged(client, handle, 5, write, 0, 0, 1)) == errno.EINVAL


HEADER = wire.REQUEST
GOOD = Request(Op.RESOLVE, 1, b"/").pack()
BAD = {
    "short": GOOD[:40],
    "cut off": GOOD[:-8],
    "size 0": struct.pack("<I", 0) + GOOD[4:],
    "size of a smaller record": struct.pack("<I", 56) + GOOD[4:],
    "odd size": struct.pack("<I", len(GOOD) + 1) + GOOD[4:] + b"\0",
    "too much padding": struct.pack("<I", len(GOOD) + 8) + GOOD[4:] + bytes(8),
    "unknown operation": Request(99, 1, b"/").pack(),
    "operation 0": Request(0, 1, b"/").pack(),
    "operation 5": Request(5, 1, b"/").pack(),
    "relative path": Request(Op.RESOLVE, 1, b"etc").pack(),
    "NUL in a path": Request(Op.RESOLVE, 1, b"/etc\0/passwd").pack(),
    "NUL in a second path": Request(Op.RENAME, 1, b"/a", b"/b\0c").pack(),
    "NUL in a symlink's text": Request(Op.SYMLINK, 1, b"/a", b"b\0c").pack(),
    "a text too many": Request(Op.MKDIR, 1, b"/a", b"/b").pack(),
    "a text nobody asked for": Request(Op.READ, 1, b"/a").pack(),
    "no attributes": Request(Op.SETATTR, 1, b"/a", b"short").pack(),
    "no value": Request(Op.SETXATTR, 1, b"/a", b"user.x").pack(),
    "a lock's owner cut off": Request(Op.FCNTL_LOCK, 1, b"1234").pack(),
    "lengths that overflow": HEADER.pack(56, Op.RENAME, 0, 1, 0, 0, 0, 0, 0, 0xFFFFFFFF, 1),
    "a huge record": HEADER.pack(0x7FFFFFF8, Op.WRITE, 0, 1, 0, 0, 0, 0, 0, 0x7FFFFFC0, 0),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_malformed_record_ends_the_lane_and_nothing_after_it_is_done(client: Client, bad: str) -> None:
    before = client.request(Op.MKDIR, "before", mode=0o755).pack()
    after = client.request(Op.MKDIR, "after", mode=0o755).pack()
    with pytest.raises(BadMessage):
        client.home.execute(before + BAD[bad] + after)
    assert os.listdir(client.root) == ["before"]
    assert client.error(Op.RESOLVE, "before") == 0

    async def batches() -> AsyncIterator[bytes]:
        yield BAD[bad]

    async def drain() -> None:
        with pytest.raises(BadMessage):
            async for _ in client.home.lane(batches()):
                pass

    run(drain())


def test_empty_and_long_paths_are_errors_of_the_job(client: Client) -> None:
    assert client.error(Op.RESOLVE, b"") == errno.ENOENT
    assert client.error(Op.RESOLVE, b"/" + b"x" * 65536) == errno.ENAMETOOLONG
    assert client.error(Op.MKDIR, client.path("x" * 256)) == errno.ENAMETOOLONG


def test_a_reply_stays_below_the_record_limit(client: Client) -> None:
    for number in range(30):
        (client.root / f"f{number}").write_bytes(b"x" * (400 << 10))
    replies = client.batch(client.request(Op.LIST, "", flags=Flag.CONTENT, length=1 << 20, mode=20 << 20))
    assert max(len(reply.pack()) for reply in replies) < 1 << 20
    assert sum(entry.content is not None for reply in replies for entry in reply.entries) == 30
