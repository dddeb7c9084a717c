"""The starter's link home: the session and two lanes.

Owns: connections, noticing that the link is gone for good. Leaves to others: what the session's messages
mean (job), the lanes' content (engine), going on after a broken connection (stream).

Threads and blocking calls on purpose: each step into C (engine, call) or gRPC's core drops the GIL.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import socket
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

import grpc

from hpool.matchmaker.hosting import rpc
from hpool.matchmaker.hosting.pacing import UNLIMITED, Budget
from hpool.matchmaker.model.errors import BadMessage
from hpool.sandbox.starter.call import Caller, native_caller
from hpool.sandbox.starter.engine import Engine
from hpool.sandbox.starter.stream import Stream
from hpool.shadow.api import batch, home

log = logging.getLogger("link")

CLOCK_PROBES: Final = 4
LANES: Final = 2
KNOCK_S: Final = 2.0
Kind = TypeVar("Kind")


class LinkLost(Exception):
    """The way home is gone; the text says why."""


class Link:
    """Open from construction to the end of the process."""

    def __init__(self, address: str, claim_secret: str, machine: str, version: str) -> None:
        self._address = address
        self._metadata = ((home.CLAIM_KEY, claim_secret),)
        self._channel = rpc.sync_channel(address)
        self._outgoing: queue.SimpleQueue[home.FromStarter | None] = queue.SimpleQueue()
        self._incoming: queue.SimpleQueue[home.ToStarter | LinkLost] = queue.SimpleQueue()
        self._early: list[home.ToStarter] = []  # came before follow()
        self._lost: Callable[[str], None] = lambda why: None
        self._is_over = threading.Event()
        self._lease_s = 0.0
        self._round_trip_ns = 0
        self._budget = UNLIMITED
        self._session = Stream(
            *(_caller(home.SESSION, self._channel), self._metadata),
            draw=self._next_message,
            on_message=lambda body: self._incoming.put(home.TO_STARTER.decode(bytes(body))),
            on_over=lambda why: self._incoming.put(LinkLost(why)),
            is_anybody_there=self._is_shadow_there,
            nudge=lambda: self._outgoing.put(None),
        )
        self._lanes = [native_caller(address, home.LANE.path) for _ in range(LANES)]  # dialling already
        self.send(home.Hello(home.PROTOCOL, machine, version))
        self._session.start("session")

    def send(self, message: home.FromStarter) -> None:
        """Queued, in order."""
        self._outgoing.put(message)

    def receive_task(self) -> home.Task:
        """What to run. Raises LinkLost."""
        task = self._receive()
        if not isinstance(task, home.Task):
            raise LinkLost("the shadow began with something else than a task")
        self._lease_s = self._session.lease_s = task.lease_ms / 1000
        self._session.budget = self._budget = Budget(task.job.bandwidth)
        return task

    def receive(self, kind: type[Kind]) -> Kind:
        """Before follow(): the next message of this kind; others wait for follow(). Raises LinkLost."""
        while not isinstance(message := self._receive(), kind):
            self._early.append(message)
        return message

    def measure_clock(self) -> int:
        """Home's clock minus ours in ns: the middle of the quickest of a few round trips."""
        best_ns, offset_ns = 1 << 62, 0
        sent_ns = []
        for number in range(CLOCK_PROBES):  # all at once: home may be far
            sent_ns.append(time.time_ns())
            self.send(home.ClockProbe(number))
        for before_ns in sent_ns:
            reading = self.receive(home.ClockReading)
            took_ns = time.time_ns() - before_ns
            if took_ns < best_ns:
                best_ns, offset_ns = took_ns, reading.home_ns - (before_ns + took_ns // 2)
        self._round_trip_ns = best_ns
        return offset_ns

    def follow(self, on_message: Callable[[home.ToStarter], None], on_lost: Callable[[str], None]) -> None:
        """From now on a thread of its own calls `on_message`; `on_lost` at most once."""
        self._lost = on_lost

        def listen() -> None:
            for early in self._early:
                on_message(early)
            while not isinstance(message := self._incoming.get(), LinkLost):
                on_message(message)
            self._say_lost(str(message))

        threading.Thread(target=listen, name="told", daemon=True).start()

    def open_lanes(self, engine: Engine) -> None:
        """Each has a connection of its own; by gRPC's own core lane 0 shares the session's, where no bulk is
        in its way."""
        for lane, call in enumerate(self._lanes):
            if call is None:
                channel = self._channel if lane == 0 else rpc.sync_channel(self._address)
                call = _caller(home.LANE, channel)
            self._open_lane(engine, lane, call)

    def await_release(self, within_s: float) -> None:
        """Before follow(): waits until home has taken the last word."""
        deadline_s = time.monotonic() + within_s
        with contextlib.suppress(queue.Empty):
            while not isinstance(
                self._incoming.get(timeout=max(0.0, deadline_s - time.monotonic())), home.Release | LinkLost
            ):
                pass

    def close(self) -> None:
        """Nothing that happens to the link from now on matters."""
        self._is_over.set()

    def _open_lane(self, engine: Engine, lane: int, call: Caller) -> None:
        def draw(timeout_s: float) -> tuple[bytes, ...] | None:
            records = engine.next(lane, round(timeout_s * 1000))
            if records is None:
                return None
            return (batch.batch_head(len(records)), records) if records else ()

        def feed(body: memoryview) -> None:
            if not engine.feed(lane, batch.reply_records(body)):
                raise BadMessage("the shadow", "a batch")

        is_waited_for_far_away = lane == 0 and self._round_trip_ns >= batch.FAR_NS
        squeeze = batch.ALWAYS if is_waited_for_far_away else batch.IF_SLOW
        metadata = [*self._metadata, (home.LANE_KEY, str(lane)), (batch.ZSTD_KEY, squeeze)]
        stream = Stream(
            *(call, metadata),
            draw=draw,
            on_message=feed,
            on_over=lambda why: self._say_lost(f"lane {lane}: {why}"),
            is_anybody_there=self._is_shadow_there,
            is_urgent=lane == 0,
            nudge=lambda: engine.nudge(lane),
        )
        stream.lease_s = self._lease_s
        stream.budget = self._budget
        stream.start(f"lane-{lane}")

    def _next_message(self, timeout_s: float) -> tuple[bytes, ...]:
        try:
            message = self._outgoing.get(timeout=timeout_s)
        except queue.Empty:
            return ()
        return () if message is None else (home.FROM_STARTER.encode(message),)

    def _is_shadow_there(self) -> bool:
        """A shadow listens as long as it lives: only a refusal says that it is gone, silence says nothing."""
        try:
            socket.create_connection(rpc.place(self._address), timeout=KNOCK_S).close()
        except ConnectionRefusedError:
            return False
        except OSError:
            pass
        return True

    def _receive(self) -> home.ToStarter:
        message = self._incoming.get()
        if isinstance(message, LinkLost):
            raise message
        return message

    def _say_lost(self, why: str) -> None:
        if not self._is_over.is_set():
            self._is_over.set()
            log.warning("link lost: %s", why)
            self._lost(why)


def _caller(method: rpc.StreamMethod[bytes, bytes], channel: grpc.Channel) -> Caller:
    """By gRPC's own core."""
    return lambda outgoing, metadata: method.on(channel)(outgoing, metadata=metadata)
