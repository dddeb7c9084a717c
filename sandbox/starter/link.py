"""The starter's link home: the session and two lanes.

Owns: connections, the threads that pump them, noticing that the link is gone. Leaves to others: what the
session's messages mean (job), the lanes' content (engine).

Threads and blocking calls on purpose: a message and its answer cost 170 us this way, and each hop into
C (engine) and gRPC's core drops the GIL.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import grpc

from hpool.matchmaker.hosting import rpc
from hpool.matchmaker.model.errors import BadMessage
from hpool.sandbox.starter.engine import Engine
from hpool.shadow.api import home

log = logging.getLogger("link")

CLOCK_PROBES: Final = 4
LANE_TIMEOUT_MS: Final = 500
ANSWER_WITHIN_S: Final = 15.0


class LinkLost(Exception):
    """The way home is gone; the text says why."""


class Link:
    """Open from construction to the end of the process."""

    def __init__(self, address: str, claim_secret: str, machine: str, version: str) -> None:
        self._address = address
        self._metadata = ((home.CLAIM_KEY, claim_secret),)
        self._channel = rpc.sync_channel(address)
        self._outgoing: queue.SimpleQueue[home.FromStarter | None] = queue.SimpleQueue()
        self._messages = home.SESSION.on(self._channel)(
            iter(self._outgoing.get, None), metadata=self._metadata
        )
        self._lost: Callable[[str], None] = lambda why: None
        self._is_over = threading.Event()
        self.send(home.Hello(home.PROTOCOL, machine, version))

    def send(self, message: home.FromStarter) -> None:
        """Queued, in order."""
        self._outgoing.put(message)

    def receive_task(self) -> home.Task:
        """What to run. Raises LinkLost."""
        task = self._receive()
        if not isinstance(task, home.Task):
            raise LinkLost("the shadow began with something else than a task")
        return task

    def measure_clock(self) -> int:
        """Home's clock minus ours in ns: the middle of the quickest of a few round trips."""
        best_ns, offset_ns = 1 << 62, 0
        for number in range(CLOCK_PROBES):
            before_ns = time.time_ns()
            self.send(home.ClockProbe(number))
            reading = self._receive()
            if not isinstance(reading, home.ClockReading):
                raise LinkLost("the shadow did not tell the time")
            took_ns = time.time_ns() - before_ns
            if took_ns < best_ns:
                best_ns, offset_ns = took_ns, reading.home_ns - (before_ns + took_ns // 2)
        return offset_ns

    def follow(self, on_message: Callable[[home.ToStarter], None], on_lost: Callable[[str], None]) -> None:
        """From now on a thread of its own calls `on_message`; `on_lost` at most once."""
        self._lost = on_lost

        def listen() -> None:
            try:
                for message in self._messages:
                    on_message(message)
                self._say_lost("the shadow ended the session")
            except grpc.RpcError as error:
                self._say_lost(_details(error))

        threading.Thread(target=listen, name="session", daemon=True).start()

    def open_lanes(self, engine: Engine) -> None:
        """Lane 0 shares the session's connection; bulk has one of its own."""
        self._pump(engine, 0, self._channel)
        self._pump(engine, 1, rpc.sync_channel(self._address))

    def await_release(self, within_s: float) -> None:
        """Before follow(): waits until home has taken the last word."""

        def listen() -> None:
            with contextlib.suppress(LinkLost):
                while not isinstance(self._receive(), home.Release):
                    pass

        waiting = threading.Thread(target=listen, daemon=True)
        waiting.start()
        waiting.join(within_s)

    def close(self) -> None:
        """Nothing that happens to the link from now on matters."""
        self._is_over.set()

    def _pump(self, engine: Engine, lane: int, channel: grpc.Channel) -> None:
        def batches() -> Iterator[bytes]:
            while (records := engine.next(lane, LANE_TIMEOUT_MS)) is not None:
                if records:
                    yield home.frame_batch(records)

        call = home.LANE.on(channel)(batches(), metadata=(*self._metadata, (home.LANE_KEY, str(lane))))

        def listen() -> None:
            try:
                for message in call:
                    if not engine.feed(lane, home.batch_records(message)):
                        self._say_lost("the shadow sent a malformed batch")
                        return
                self._say_lost(f"the shadow ended lane {lane}")
            except BadMessage as error:
                self._say_lost(error.sentence)
            except grpc.RpcError as error:
                self._say_lost(_details(error))

        threading.Thread(target=listen, name=f"lane-{lane}", daemon=True).start()

    def _receive(self) -> Any:
        try:
            return next(self._messages)
        except StopIteration:
            raise LinkLost("the shadow ended the session") from None
        except grpc.RpcError as error:
            raise LinkLost(_details(error)) from error

    def _say_lost(self, why: str) -> None:
        if not self._is_over.is_set():
            self._is_over.set()
            log.warning("link lost: %s", why)
            self._lost(why)


def _details(error: grpc.RpcError) -> str:
    """What a failed call says of itself: calls raise themselves."""
    details = getattr(error, "details", None)
    return str(details()) if callable(details) else str(error)
