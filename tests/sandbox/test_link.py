"""The starter's link and the shadow's service, over real gRPC, with an engine played by the test."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import grpc
import pytest

from hpool.matchmaker.hosting import resuming, rpc
from hpool.matchmaker.hosting.resuming import Ledger
from hpool.sandbox.starter import call
from hpool.sandbox.starter.link import Link, LinkLost
from hpool.shadow.api import attach, custody, home, stdio
from hpool.shadow.api.job import Outcome
from hpool.shadow.home.epochs import RolledBack
from hpool.shadow.job.conversation import Conversation
from hpool.shadow.job.service import ShadowService
from tests.shadow.test_store import description

SECRET = "claim"
MANY = 64
LEASE_S = 1.0


class EchoHome:
    """Answers each batch with itself, backwards."""

    async def serve_lane(
        self,
        number: int,
        receive: Callable[[], Awaitable[bytes | memoryview]],
        send: Callable[[bytes], Awaitable[None]],
    ) -> None:
        while batch := await receive():
            if b"mistake" in bytes(batch):
                raise ZeroDivisionError("a mistake of ours")
            if bytes(batch) == b"much":
                for _ in range(MANY):
                    await send(bytes(1 << 20))
            await send(bytes([number]) + bytes(batch)[::-1])


class Shadow:
    """A shadow's server in a thread of its own."""

    def __init__(self, lease_s: float = LEASE_S, bandwidth: int = 0) -> None:
        self.lease_s = lease_s
        self.job = description()._replace(bandwidth=bandwidth)
        self.reports: list[custody.FromShadow] = []
        self.outcomes: list[Outcome] = []
        self.address = ""
        self.conversation: Conversation | None = None
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        service = ShadowService()
        server = rpc.aio_server()
        server.add_generic_rpc_handlers(service.handlers())
        self.address = rpc.bind(server, "127.0.0.1:0", None)
        await server.start()
        self.conversation = Conversation(
            *(self.job, self.reports.append, self._settle, b"k" * 32, self.lease_s), go_back=self._go_back
        )
        secrets = custody.Assignment("1.0", self.job, "attach", b"", "watch")
        service.take(self.conversation, secrets, self.lease_s)
        service.open(EchoHome().serve_lane)
        self.conversation.claimed(SECRET, "m")
        self._stop = asyncio.Event()
        self._ready.set()
        await self._stop.wait()
        await service.close()
        await server.stop(None)

    async def _go_back(self, _epoch: int) -> RolledBack:
        return RolledBack("there is no journal")

    async def _settle(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def terminal_says(self, message: attach.FromTerminal) -> None:
        """It is on its way to the starter when this returns."""
        assert self.conversation is not None
        is_said = threading.Event()
        self._loop.call_soon_threadsafe(self.conversation.terminal_said, message)
        self._loop.call_soon_threadsafe(is_said.set)
        assert is_said.wait(10)

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(10)


class PlayedEngine:
    """Only what the lanes need."""

    def __init__(self) -> None:
        self.out: list[queue.Queue[bytes]] = [queue.Queue(), queue.Queue()]
        self.fed: list[queue.Queue[bytes]] = [queue.Queue(), queue.Queue()]

    def next(self, lane: int, timeout_ms: int) -> bytes | None:
        try:
            return self.out[lane].get(timeout=timeout_ms / 1000)
        except queue.Empty:
            return b""

    def nudge(self, lane: int) -> None:
        self.out[lane].put(b"")

    def feed(self, lane: int, records: memoryview) -> bool:
        self.fed[lane].put(bytes(records))
        return b"malformed" not in bytes(records)


@pytest.fixture(params=["C", "core"], autouse=True)
def lanes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """By way of C where hpool was built with it, and by gRPC's own core."""
    if request.param == "core":
        monkeypatch.setattr("hpool.sandbox.starter.link.native_caller", lambda *_: None)
    elif not call.is_built():
        pytest.skip("built without nghttp2: apt-get install libnghttp2-dev")


@pytest.fixture
def shadow() -> Iterator[Shadow]:
    running = Shadow()
    yield running
    running.stop()


def until(condition: Callable[[], Any]) -> None:
    deadline_s = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


@contextlib.contextmanager
def linked(address: str, engine: Any = None) -> Iterator[tuple[Link, queue.Queue[str]]]:
    """A starter's link that has its task, with the lanes of this engine; why it was lost, if it was."""
    link = Link(address, SECRET, "m", "1")
    link.receive_task()
    lost: queue.Queue[str] = queue.Queue()
    link.follow(lambda message: None, lost.put)
    if engine is not None:
        link.open_lanes(engine)
    yield link, lost
    link.close()


def test_a_session_from_hello_to_release(shadow: Shadow) -> None:
    link = Link(shadow.address, SECRET, "m", "1")
    assert link.receive_task().job == description()
    assert abs(link.measure_clock()) < 50_000_000
    messages: queue.Queue[Any] = queue.Queue()
    link.follow(messages.put, messages.put)
    link.send(home.Started())
    link.send(stdio.Output(1, 0, b"x"))
    link.send(home.Finished(True, 5, 0, 0))
    assert isinstance(messages.get(timeout=5), home.Release)
    assert shadow.outcomes[0].shell_status == 5
    link.close()


def test_what_home_says_while_something_else_is_waited_for_is_heard_later(shadow: Shadow) -> None:
    """A signal while the time is asked for."""
    link = Link(shadow.address, SECRET, "m", "1")
    link.receive_task()
    shadow.terminal_says(stdio.Signal(1))
    shadow.terminal_says(stdio.Signal(10))
    link.measure_clock()
    messages: queue.Queue[Any] = queue.Queue()
    link.follow(messages.put, messages.put)
    assert messages.get(timeout=5) == stdio.Signal(1)
    assert messages.get(timeout=5) == stdio.Signal(10)
    link.close()


def test_each_lane_has_its_own_order_and_large_batches_pass(shadow: Shadow) -> None:
    engine: Any = PlayedEngine()
    with linked(shadow.address, engine) as (_, lost):
        large = bytes(range(256)) * 16384
        for lane in (0, 1):
            for batch in (b"abc", large, b"z"):
                engine.out[lane].put(batch)
            for batch in (b"abc", large, b"z"):
                assert engine.fed[lane].get(timeout=10) == bytes([lane]) + batch[::-1]
        assert lost.empty()


class EndlessUpload(PlayedEngine):
    """Always has more to write home."""

    PIECE = bytes(64 << 10)

    def next(self, lane: int, timeout_ms: int) -> bytes | None:
        return self.PIECE if lane == 1 else super().next(lane, timeout_ms)


def test_a_cap_is_kept_and_what_the_job_waits_for_passes_an_upload_without_end() -> None:
    rate = 1 << 20
    shadow = Shadow(bandwidth=rate)
    engine: Any = EndlessUpload()
    with linked(shadow.address) as (link, _):
        began_s = time.monotonic()
        link.open_lanes(engine)
        for number in range(5):
            engine.fed[1].get(timeout=20)  # the upload is under way, and so is what comes back for it
            engine.out[0].put(b"question %d" % number)
            assert engine.fed[0].get(timeout=20) == b"\0" + (b"question %d" % number)[::-1]
        until(lambda: engine.fed[1].qsize() >= 8)
        came = (5 + engine.fed[1].qsize()) * len(engine.PIECE)
        assert came <= (time.monotonic() - began_s) * rate + 2 * len(engine.PIECE)
    shadow.stop()


def test_a_malformed_answer_ends_the_session(shadow: Shadow) -> None:
    engine: Any = PlayedEngine()
    with linked(shadow.address, engine) as (_, lost):
        engine.out[0].put(b"malformed"[::-1])
        assert "malformed" in lost.get(timeout=10)


def test_an_answer_without_end_waits_for_receipts(shadow: Shadow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "PAUSE_BYTES", 8 << 20)
    monkeypatch.setattr(resuming, "MOST_KEPT_BYTES", 16 << 20)
    engine: Any = PlayedEngine()
    with linked(shadow.address, engine) as (_, lost):
        engine.out[0].put(b"much")
        for _ in range(3):  # questions that come meanwhile are put by, in order
            engine.out[0].put(b"more")
        answers = [engine.fed[0].get(timeout=20) for _ in range(MANY + 4)]
        assert [len(answer) for answer in answers[:MANY]] == [1 << 20] * MANY
        assert b"hcum" in answers[MANY] and b"erom" in answers[MANY + 3]
        assert lost.empty()


def test_a_mistake_of_the_shadow_ends_the_job_with_a_word(shadow: Shadow) -> None:
    engine: Any = PlayedEngine()
    with linked(shadow.address, engine) as (_, lost):
        engine.out[0].put(b"mistake")
        assert "a mistake of ours" in lost.get(timeout=10)
        until(lambda: shadow.outcomes)
        problem = shadow.outcomes[0].problem
        assert problem is not None and problem.code == "HPOOL-002"


def test_a_shadow_that_dies_is_not_waited_for() -> None:
    shadow = Shadow(lease_s=600)
    with linked(shadow.address) as (_, lost):
        shadow.stop()
        assert lost.get(timeout=10)


def test_a_stranger_is_not_admitted(shadow: Shadow) -> None:
    with pytest.raises(LinkLost, match="hpool-claim"):
        Link(shadow.address, "wrong", "m", "1").receive_task()
    channel = rpc.sync_channel(shadow.address)
    for method, key in ((home.LANE, home.CLAIM_KEY), (attach.ATTACH, attach.ATTACH_KEY)):
        with pytest.raises(grpc.RpcError) as refused:
            next(method.on(channel)(iter(()), metadata=((key, "wrong"),)))
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_starter_that_breaks_off_before_the_start_gives_the_job_back(shadow: Shadow) -> None:
    channel = rpc.sync_channel(shadow.address)
    outgoing: queue.SimpleQueue[Any] = queue.SimpleQueue()
    books = Ledger()
    outgoing.put(books.seal(home.FROM_STARTER.encode(home.Hello(home.PROTOCOL, "m", "1"))))
    call = home.SESSION.on(channel)(iter(outgoing.get, None), metadata=((home.CLAIM_KEY, SECRET),))
    assert isinstance(home.TO_STARTER.decode(bytes(books.unseal(next(call)))), home.Task)
    call.cancel()
    until(lambda: shadow.reports)
    assert isinstance(shadow.reports[0], custody.NeverStarted)


def test_another_protocol_is_refused(shadow: Shadow) -> None:
    channel = rpc.sync_channel(shadow.address)
    call = home.SESSION.on(channel)(
        iter([Ledger().seal(home.FROM_STARTER.encode(home.Hello(home.PROTOCOL + 1, "m", "9")))]),
        metadata=((home.CLAIM_KEY, SECRET),),
    )
    with pytest.raises(grpc.RpcError) as refused:
        next(call)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
