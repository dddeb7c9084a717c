"""Connections between a starter and its shadow that break: what of the link outlives them."""

from __future__ import annotations

import contextlib
import queue
import random
import socket
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from hpool.matchmaker.hosting import resuming, rpc
from hpool.shadow.api import custody, home, stdio
from tests.sandbox import test_link as base
from tests.sandbox.test_link import SECRET, PlayedEngine, Shadow, linked, until

lanes, shadow = base.lanes, base.shadow


@pytest.fixture
def patient_shadow() -> Iterator[Shadow]:
    """A machine that is busy with other things is not one that is gone."""
    running = Shadow(lease_s=60)
    yield running
    running.stop()


class Cutter:
    """A way to a shadow whose connections can be cut, and which can be closed for a while."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._target = (host, int(port))
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self.is_open = True
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            near, _ = self._server.accept()
            if not self.is_open:
                near.close()
                continue
            far = socket.create_connection(self._target)
            self.connections += 1
            self._pairs.append((near, far))
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while content := one.recv(65536):
                other.sendall(content)
        self._close(one, other)

    def _close(self, *ends: socket.socket) -> None:
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            self._close(*pair)


def test_a_call_that_another_one_takes_over_from_has_broken_and_not_ended(shadow: Shadow) -> None:
    """Two connections made soon one after the other are heard of in any order."""
    channel = rpc.sync_channel(shadow.address)
    metadata = ((home.CLAIM_KEY, SECRET), (home.LANE_KEY, "0"), (resuming.RECEIVED_KEY, "0"))
    still: queue.SimpleQueue[Any] = queue.SimpleQueue()
    first = home.LANE.on(channel)(iter(still.get, None), metadata=metadata)
    first.initial_metadata()
    second = home.LANE.on(channel)(iter(still.get, None), metadata=metadata)
    second.initial_metadata()
    with pytest.raises(grpc.RpcError) as broken:
        next(first)
    assert broken.value.code() is grpc.StatusCode.UNAVAILABLE
    second.cancel()


def test_cut_connections_lose_nothing_and_repeat_nothing(patient_shadow: Shadow) -> None:
    shadow = patient_shadow
    cutter = Cutter(shadow.address)
    engine: Any = PlayedEngine()
    with linked(cutter.address, engine) as (link, lost):
        link.send(home.Started())
        chance = random.Random(7)
        sizes = [chance.choice((5, 500, 300_000)) for _ in range(400)]
        batches = [number.to_bytes(4, "big") + bytes(size) for number, size in enumerate(sizes)]
        said: list[bytes] = []

        def speak() -> None:
            for number, batch in enumerate(batches):
                for lane in (0, 1):
                    engine.out[lane].put(batch)
                word = b"%d " % number
                link.send(stdio.Output(1, sum(map(len, said)), word))
                said.append(word)

        speaking = threading.Thread(target=speak)
        speaking.start()
        for number, batch in enumerate(batches):
            for lane in (0, 1):
                assert engine.fed[lane].get(timeout=20) == bytes([lane]) + batch[::-1]
            if number % 20 == 10:
                cutter.cut()
        speaking.join()
        assert cutter.connections > 10
        assert lost.empty()
    link.send(home.Finished(True, 0, 0, 0))
    until(lambda: shadow.outcomes)
    assert shadow.outcomes[0].problem is None, "a gap in the output would have ended the session"


def test_after_the_lease_both_sides_give_up(shadow: Shadow) -> None:
    cutter = Cutter(shadow.address)
    with linked(cutter.address) as (link, lost):
        link.send(home.Started())
        until(lambda: any(isinstance(report, custody.JobStarted) for report in shadow.reports))
        cutter.is_open = False
        cutter.cut()
        assert lost.get(timeout=10)
        until(lambda: shadow.outcomes)
        problem = shadow.outcomes[0].problem
        assert problem is not None
        assert problem.code == "LINK-002"
