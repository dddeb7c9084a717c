"""A job's files, served: batches of requests in, batches of replies out.

Owns: the lanes (one for each stream, in order), requests that the C core leaves to its caller
(bundles, locks that wait), and what policy refused. Leaves to others: gRPC, the operations (csrc).

A lane runs in the event loop's own thread when a job waits for it: a batch takes microseconds and
a thread's hand-over would cost more. Bulk runs in a thread of its own, so that a slow disk there
does not hold up what the job waits for.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from hpool.matchmaker.model.errors import BadMessage, HomeUnusable
from hpool.shadow.api import wire
from hpool.shadow.home._home import ffi, lib
from hpool.shadow.home.bundle import Bundler
from hpool.shadow.home.digests import Digests
from hpool.shadow.home.epochs import NO_EPOCH, Epochs
from hpool.shadow.home.policy import Refusal, SharingPolicy, parse_refusals

Receive = Callable[[], Awaitable[bytes | memoryview]]
Batch = bytes | memoryview
Send = Callable[[Batch], Awaitable[None]]

# A waiting lock is tried again when one of ours is released, and at these intervals for the
# sake of other programs, which tell nobody.
LOCK_WAIT_S: Final = (0.001, 0.025)
CHANGES_ROOM: Final = 1 << 20
# A program starts as soon as its bundle is there: what else was asked for waits that long.
PROGRAMS_FIRST_S: Final = 0.02
GATHER_CHANGES_S: Final = 0.01
REFUSALS_ROOM: Final = 65536
JOURNAL_BYTES: Final = 8 << 30


class Lane:
    """One stream's buffers in C. One thread at a time."""

    def __init__(self, home: Any) -> None:
        self.c_lane = lib.hp_lane_create(home)
        if self.c_lane == ffi.NULL:
            raise MemoryError
        self._result = ffi.new("struct hp_lane_result *")
        self.unlocked = False

    def close(self) -> None:
        if self.c_lane is not None:
            lib.hp_lane_destroy(self.c_lane)
            self.c_lane = None

    def run(self, batch: Batch) -> Iterator[tuple[memoryview, list[wire.Request]]]:
        """Pieces of reply, good until the next, each with the requests that were left to the caller."""
        result = self._result
        given = ffi.from_buffer("uint8_t[]", batch)
        result.at = 0
        while True:
            code = lib.hp_lane_run(self.c_lane, given, len(given), result)
            if code == -2:
                raise MemoryError("a reply does not fit into memory")
            if code < 0:
                raise BadMessage("the starter", f"a file request at byte {result.at} of a batch")
            self.unlocked = self.unlocked or bool(result.unlocked)
            piece = memoryview(ffi.buffer(result.reply, result.reply_bytes) if result.reply_bytes else b"")
            left = [
                wire.Request.parse(memoryview(batch)[at:])
                for at in result.deferred[0 : result.deferred_count]
            ]
            more = result.more
            yield piece, left
            if not more:
                return

    def retry(self, request: bytes) -> bytes | None:
        """A lock's reply; None: it still has to wait."""
        code = lib.hp_lane_retry(self.c_lane, request, len(request), self._result)
        if code < 0:
            raise MemoryError
        if code == 0:
            return None
        reply: bytes = ffi.buffer(self._result.reply, self._result.reply_bytes)[:]
        return reply


class Home:
    """The file service of one job. Several lanes may be served at once."""

    def __init__(
        self,
        policy: SharingPolicy,
        *,
        search_path: Iterable[bytes] = (),
        digests: Digests | None = None,
        journal: Path | None = None,
        journal_bytes: int = JOURNAL_BYTES,
    ) -> None:
        """`search_path`: the job's PATH, for scripts that begin with env. Sets the umask to 0. `journal`: a
        directory of the job's own; what it changes can then be undone (epochs)."""
        paths = [ffi.new("char[]", rule.path) for rule in policy.rules]
        rules = ffi.new("struct hp_home_rule[]", len(paths))
        for number, rule in enumerate(policy.rules):
            rules[number].path = paths[number]
            rules[number].share = rule.share
        given = ffi.new("struct hp_home_policy *", (rules, len(paths), policy.fallback))
        message = ffi.new("char[]", 512)
        self._home = lib.hp_home_create(given, message, len(message))
        if self._home == ffi.NULL:
            raise HomeUnusable(ffi.string(message).decode(errors="replace"))
        if journal is not None:
            failed = lib.hp_home_journal(self._home, os.fsencode(journal), journal_bytes)
            if failed < 0:
                lib.hp_home_destroy(self._home)
                raise HomeUnusable(f"the undo journal {journal}: {os.strerror(-failed)}")
        self._lanes: set[Lane] = set()
        self._unlocked = asyncio.Event()
        self._locks = self._new_lane()
        self._bundle_lane = self._new_lane()
        self._bundler = Bundler(self._bundle_lane, digests or Digests(None), tuple(search_path))
        self._bundle_thread = ThreadPoolExecutor(1, "bundle")
        self._bulk_thread = ThreadPoolExecutor(2, "bulk")

    def close(self) -> None:
        """Ends everything; no lane may be in use any more."""
        if self._home is None:
            return
        self._bundle_thread.shutdown(cancel_futures=True)
        self._bulk_thread.shutdown(cancel_futures=True)
        for lane in self._lanes:
            lane.close()
        self._lanes.clear()
        lib.hp_home_destroy(self._home)
        self._home = None

    def execute(self, batch: Batch) -> bytes:
        """A whole batch at once; bundles are answered, locks that would wait give EAGAIN."""
        lane = self._new_lane()
        try:
            parts = []
            for piece, left in lane.run(batch):
                parts.append(bytes(piece))
                parts += [
                    self._bundler.answer(request) if _is_bundle(request) else _would_wait(request)
                    for request in left
                ]
            return b"".join(parts)
        finally:
            self._drop_lane(lane)

    async def serve_lane(self, number: int, receive: Receive, send: Send) -> None:
        """Serves a stream until `receive` gives b"". Replies of requests that had to wait come when they can.

        Lane 0 is what the job waits for, others are bulk. Raises BadMessage on a malformed batch.
        """
        sending = asyncio.Lock()

        async def send_one(reply: Batch) -> None:
            async with sending:
                await send(reply)

        telling = asyncio.create_task(self._tell_changes(send_one)) if number == 0 else None
        try:
            lane = self._lane_pieces(_batches(receive), is_bulk=number != 0)
            async with contextlib.aclosing(lane) as replies:
                async for reply in replies:
                    await send_one(reply)
        finally:
            if telling is not None:
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)

    async def _tell_changes(self, send: Send) -> None:
        """What others change at home, a little gathered: the starter asks again for what it holds."""
        descriptor = lib.hp_home_watch(self._home)
        if descriptor < 0:
            return
        loop, changed = asyncio.get_running_loop(), asyncio.Event()
        room = ffi.new("uint8_t[]", CHANGES_ROOM)
        loop.add_reader(descriptor, changed.set)
        try:
            told_s = 0.0
            while True:
                await changed.wait()
                loop.remove_reader(descriptor)
                # The first at once; of many, what comes in a while together.
                await asyncio.sleep(max(0.0, told_s + GATHER_CHANGES_S - loop.time()))
                told_s = loop.time()
                changed.clear()
                length = lib.hp_home_changes(self._home, room, CHANGES_ROOM)
                if length > 0:
                    await send(bytes(ffi.buffer(room, length)))
                loop.add_reader(descriptor, changed.set)
        finally:
            loop.remove_reader(descriptor)

    async def lane(
        self, batches: AsyncIterator[Batch], *, is_bulk: bool = False
    ) -> AsyncGenerator[bytes, None]:
        """The same as a generator of replies."""
        async with contextlib.aclosing(self._lane_pieces(batches, is_bulk=is_bulk)) as pieces:
            async for piece in pieces:
                yield bytes(piece)

    async def _lane_pieces(
        self, batches: AsyncIterator[Batch], *, is_bulk: bool
    ) -> AsyncGenerator[Batch, None]:
        """Each is good until the next is asked for: a copy less."""
        lane = self._new_lane()
        waiting: set[asyncio.Task[bytes]] = set()
        next_batch: asyncio.Task[Batch | None] | None = None
        try:
            while True:
                if not waiting and next_batch is None:
                    batch = await anext(batches, None)
                else:
                    next_batch = next_batch or asyncio.create_task(_next(batches))
                    await asyncio.wait({next_batch, *waiting}, return_when=asyncio.FIRST_COMPLETED)
                    for task in _take_done(waiting):
                        yield await task
                    if not next_batch.done():
                        continue
                    batch, next_batch = await next_batch, None
                if batch is None:
                    break
                pieces = lane.run(batch)
                while (piece := await self._step(pieces, is_bulk)) is not None:
                    if lane.unlocked:
                        lane.unlocked = False
                        self._wake_locks()
                    reply, left = piece
                    tasks = {asyncio.create_task(self._answer(request)): request for request in left}
                    waiting |= tasks.keys()
                    if reply:
                        yield reply
                    if bundles := [task for task, request in tasks.items() if _is_bundle(request)]:
                        await asyncio.wait(bundles, timeout=PROGRAMS_FIRST_S)
                        for task in _take_done(waiting):
                            yield await task
            for task in waiting:
                yield await task
        finally:
            for pending in (*waiting, *((next_batch,) if next_batch else ())):
                pending.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            self._drop_lane(lane)

    def acknowledge(self, request_id: int) -> None:
        """The starter has every reply up to this one: they need not be kept for replays."""
        lib.hp_home_acknowledge(self._home, request_id)

    def commit(self, epoch: int) -> None:
        """Nobody will go back to before this epoch. Raises HomeUnusable if it is not one."""
        failed = lib.hp_home_commit(self._home, epoch)
        if failed < 0:
            raise HomeUnusable(f"epoch {epoch} cannot be committed: {os.strerror(-failed)}")

    def epochs(self) -> Epochs:
        state = ffi.new("struct hp_home_epochs *")
        lib.hp_home_epochs(self._home, state)
        oldest = None if state.oldest == NO_EPOCH else state.oldest
        return Epochs(
            oldest, state.newest, state.records, state.log_bytes, state.data_bytes, state.held_bytes
        )

    def refusals(self) -> list[Refusal]:
        """What policy refused since last asked, each kind and directory once in a job's life."""
        room = ffi.new("char[]", REFUSALS_ROOM)
        return parse_refusals(ffi.buffer(room, lib.hp_home_refusals(self._home, room, REFUSALS_ROOM))[:])

    def statistics(self) -> dict[str, int]:
        counters = ffi.new("struct hp_home_stats *")
        lib.hp_home_stats(self._home, counters)
        return {name: getattr(counters, name) for name, _ in ffi.typeof(counters[0]).fields}

    def _new_lane(self) -> Lane:
        lane = Lane(self._home)
        self._lanes.add(lane)
        return lane

    def _drop_lane(self, lane: Lane) -> None:
        self._lanes.discard(lane)
        lane.close()

    async def _step(
        self, pieces: Iterator[tuple[memoryview, list[wire.Request]]], is_bulk: bool
    ) -> tuple[memoryview, list[wire.Request]] | None:
        if not is_bulk:
            return next(pieces, None)
        running = asyncio.get_running_loop().run_in_executor(self._bulk_thread, next, pieces, None)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            # The thread is in the lane's buffers: they may not go away under it.
            await asyncio.wait({running})
            raise

    async def _answer(self, request: wire.Request) -> bytes:
        if _is_bundle(request):
            loop = asyncio.get_running_loop()
            running = loop.run_in_executor(self._bundle_thread, self._bundler.answer, request)
            return await asyncio.shield(running)
        return await self._wait_for_lock(request.pack())

    async def _wait_for_lock(self, request: bytes) -> bytes:
        pause_s, longest_s = LOCK_WAIT_S
        while True:
            unlocked = self._unlocked
            reply = self._locks.retry(request)
            if reply is not None:
                return reply
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await unlocked.wait()
            pause_s = min(pause_s * 1.5, longest_s)

    def _wake_locks(self) -> None:
        self._unlocked.set()
        self._unlocked = asyncio.Event()


def _is_bundle(request: wire.Request) -> bool:
    return request.op == wire.Op.BUNDLE


def _take_done(waiting: set[asyncio.Task[bytes]]) -> list[asyncio.Task[bytes]]:
    """Out of the set, those that need not be waited for."""
    done = [task for task in waiting if task.done()]
    waiting.difference_update(done)
    return done


def _would_wait(request: wire.Request) -> bytes:
    return wire.Reply(request.op, wire.Flag(0), request.id, errno.EAGAIN, (), b"").pack()


async def _next(batches: AsyncIterator[Batch]) -> Batch | None:
    return await anext(batches, None)


async def _batches(receive: Receive) -> AsyncIterator[Batch]:
    while batch := await receive():
        yield batch
