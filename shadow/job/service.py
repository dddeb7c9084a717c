"""The shadow's gRPC face: lanes and session for the starter, Attach for the terminal.

Owns: admission by secret (watchers have one of their own), streams in and out. Leaves to others:
meaning (conversation), files (home).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Final

import grpc

from hpool.matchmaker.hosting import rpc
from hpool.matchmaker.hosting.pacing import UNLIMITED, Budget
from hpool.matchmaker.model.errors import BadMessage, HpoolError, InternalFault
from hpool.shadow.api import attach, batch, custody, home
from hpool.shadow.job.conversation import Conversation
from hpool.shadow.job.streams import LongStream

log = logging.getLogger("service")

ServeLane = Callable[
    [int, Callable[[], Awaitable[bytes | memoryview]], Callable[[bytes | memoryview], Awaitable[None]]],
    Awaitable[None],
]
END_OF_STREAM: Final = b""
HANG_UP_WITHIN_S: Final = 5.0
WAYS_TO_WATCH: Final = frozenset({"calls", "process", "profile"})


class ShadowService:
    """Nobody is admitted before there is a job."""

    def __init__(self) -> None:
        self._conversation: Conversation | None = None
        self._serve_lane: ServeLane | None = None
        self._attach_secret = ""
        self._watch_secret = ""
        self._lease_s = 0.0
        self._budget = UNLIMITED
        self._streams: dict[str, LongStream] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self._is_open = asyncio.Event()
        self.is_attached = False
        self.detached = asyncio.Event()

    def take(
        self,
        conversation: Conversation,
        secrets: custody.Assignment,
        lease_s: float,
    ) -> None:
        """The job's terminal may come; its starter waits until files are open."""
        self._conversation = conversation
        self._lease_s = lease_s
        self._budget = Budget(conversation.job.bandwidth)
        self._attach_secret = secrets.attach_secret
        self._watch_secret = secrets.watch_secret

    def open(self, serve_lane: ServeLane) -> None:
        self._serve_lane = serve_lane
        self._is_open.set()

    def handlers(self) -> tuple[Any, ...]:
        return (
            rpc.service({home.LANE: self.lane, home.SESSION: self.session, home.GONE: self.gone}),
            rpc.service({attach.ATTACH: self.attach}),
            rpc.service({attach.WATCH: self.watch}),
        )

    async def lane(self, _requests: Any, context: Any) -> None:
        conversation = await self._admit_starter(context)
        said = dict(context.invocation_metadata())
        number = said.get(home.LANE_KEY, "")
        if number not in {"0", "1"} or self._serve_lane is None:
            await rpc.refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "no such lane")
        serve_lane = self._serve_lane
        is_bulk = number != "0"
        pace = batch.Pace()
        squeezer = batch.Squeezer(said.get(batch.ZSTD_KEY, batch.IF_SLOW), pace)

        async def serve(stream: LongStream) -> None:
            async def receive() -> bytes | memoryview:
                message = await stream.receive()
                return END_OF_STREAM if message is None else batch.batch_records(message)

            async def send(records: bytes | memoryview) -> None:
                if is_bulk and squeezer.is_worth_it:
                    # A copy: who is cancelled here lets go of the lane's buffer, the thread does not.
                    parts = await asyncio.to_thread(squeezer.message, bytes(records))
                else:
                    parts = squeezer.message(records)
                began_s = time.monotonic()
                await stream.send(*parts)
                pace.sent(len(parts[1]), time.monotonic() - began_s)

            try:
                await serve_lane(int(number), receive, send)
            except BadMessage as error:
                stream.fail(error)
                conversation.starter_gone(error.sentence)

        await self._carry(f"lane {number}", context, serve, lambda is_there: None, is_urgent=number == "0")

    async def session(self, _requests: Any, context: Any) -> None:
        conversation = await self._admit_starter(context)

        async def serve(stream: LongStream) -> None:
            try:
                why = await _converse(conversation, stream)
            except BadMessage as error:
                stream.fail(error)
                why = error.sentence
            conversation.starter_gone(why)
            self._end_streams()

        await self._carry("session", context, serve, conversation.starter_link)

    async def gone(self, request: home.StarterGone, context: Any) -> home.StarterGoneTaken:
        conversation = await self._admit_starter(context)
        conversation.starter_gone(request.why)
        self._end_streams()
        return home.StarterGoneTaken()

    async def _carry(
        self,
        name: str,
        context: Any,
        serve: Callable[[LongStream], Coroutine[Any, Any, None]],
        on_link: Callable[[bool], None],
        *,
        is_urgent: bool = True,
    ) -> None:
        """A stream's connection: the first one starts serving it, each holds its call open."""
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = LongStream(
                self._lease_s, on_link, budget=self._budget, is_urgent=is_urgent
            )
            task = asyncio.create_task(self._served(name, stream, serve))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        try:
            await stream.connect(context)
        except HpoolError as error:
            await rpc.refuse(context, grpc.StatusCode.INVALID_ARGUMENT, error.sentence)
        if not stream.is_closed:
            # Calls may arrive in another order than they were made: the newest one is made again then.
            await rpc.refuse(context, grpc.StatusCode.UNAVAILABLE, "another connection took over")

    async def _served(
        self, name: str, stream: LongStream, serve: Callable[[LongStream], Coroutine[Any, Any, None]]
    ) -> None:
        """A mistake of ours ends the job: nobody awaits this, and the starter would go on asking."""
        try:
            await serve(stream)
        except Exception as error:
            log.exception("%s", name)
            fault = InternalFault("the shadow", repr(error), "agent.log")
            if self._conversation is not None:
                self._conversation.fail(fault)
            stream.fail(fault)

    def _end_streams(self) -> None:
        """The next starter, if there is one, begins anew."""
        for stream in self._streams.values():
            stream.close()
        self._streams.clear()

    async def close(self) -> None:
        """Files are served no longer when this returns, to any starter that was admitted before."""
        self._end_streams()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def attach(self, messages: AsyncIterator[attach.FromTerminal], context: Any) -> None:
        await rpc.admit(context, attach.ATTACH_KEY, self._attach_secret)
        conversation = self._conversation
        if conversation is None or self.is_attached:
            await rpc.refuse(context, grpc.StatusCode.FAILED_PRECONDITION, "somebody is attached already")
        self.is_attached = True

        async def listen() -> None:
            async for message in messages:
                conversation.terminal_said(message)
            conversation.terminal_gone()

        listening = asyncio.create_task(listen())
        try:
            await _speak(conversation.for_terminal, context, attach.Ended)
            # Written is not arrived: this process ends after us, so wait until the terminal hangs up.
            await asyncio.wait({listening}, timeout=HANG_UP_WITHIN_S)
        finally:
            listening.cancel()
            conversation.terminal_gone()
            self.detached.set()

    async def watch(self, messages: AsyncIterator[home.Watch], context: Any) -> None:
        await rpc.admit(context, attach.WATCH_KEY, self._watch_secret)
        assert self._conversation is not None
        account = self._conversation.account
        request = await anext(aiter(messages), None)
        if request is None or request.how not in WAYS_TO_WATCH:
            await rpc.refuse(
                context, grpc.StatusCode.INVALID_ARGUMENT, "no way to watch that this version knows"
            )
        try:
            watcher = account.watch(request.how, request.pid)
        except BadMessage as error:
            await rpc.refuse(context, grpc.StatusCode.FAILED_PRECONDITION, error.why)
        try:
            while True:
                seen = await watcher.next()
                await context.write(seen)
                if seen.ended:
                    return
        finally:
            account.unwatch(watcher)

    async def _admit_starter(self, context: Any) -> Conversation:
        conversation = self._conversation
        await rpc.admit(context, home.CLAIM_KEY, conversation.claim_secret if conversation else "")
        assert conversation is not None
        await self._is_open.wait()
        return conversation


async def _speak(next_message: Callable[[], Awaitable[Any]], context: Any, last: type) -> None:
    """Sends until the last message is out."""
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            message = await next_message()
            await context.write(message)
            if isinstance(message, last):
                return


async def _converse(conversation: Conversation, stream: LongStream) -> str:
    """The session from hello to release. Why it ended. Raises BadMessage."""
    first = await stream.receive()
    hello = None if first is None else home.FROM_STARTER.decode(bytes(first))
    if not isinstance(hello, home.Hello) or hello.protocol != home.PROTOCOL:
        raise BadMessage("the starter", "not the hello this version expects")
    outgoing = conversation.starter_came()

    async def speak() -> None:
        while True:
            message = await outgoing.get()
            await stream.send(home.TO_STARTER.encode(message))
            if isinstance(message, home.Release):
                return

    speaking = asyncio.create_task(speak())
    try:
        while (raw := await stream.receive()) is not None:
            message = home.FROM_STARTER.decode(bytes(raw))
            conversation.starter_said(message)
            if isinstance(message, home.Finished):
                await speaking
                return "it finished"
    finally:
        speaking.cancel()
    return "the connection broke"
