"""Content on its way from before a change of the file: it is not taken, and asked for again.

Owns: answers of the bulk lane that arrive behind a change. They are held by hand; no job runs.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from hpool.sandbox.starter._engine import ffi as engine_ffi
from hpool.sandbox.starter._engine import lib as engine_lib
from hpool.shadow.home._home import ffi as home_ffi
from hpool.shadow.home._home import lib as home_lib
from tests.sandbox import test_engine as base
from tests.sandbox.test_engine import ALLOCATE, FILL, OPEN, RETRY, TRUNCATE, Away

client_library = base.client_library
home = base.home

BULK = 1
KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16
SIZE, AT, CUT = 3_000_000, 300_000, 305_000


class Gate:
    """Home's answers in the bulk lane: executed, and held back until `open`."""

    def __init__(self) -> None:
        self.open, self.held, self.fed = threading.Event(), threading.Event(), threading.Event()


def pump(gate: Gate, engine: Any, served: Any, lane_number: int) -> None:
    """As test_engine's, with the gate in front of what goes back."""
    lane = home_lib.hp_lane_create(served)
    buffer = engine_ffi.new("uint8_t[]", base.ROOM_BYTES)
    result = home_ffi.new("struct hp_lane_result *")
    while (count := engine_lib.hp_engine_next(engine, lane_number, buffer, base.ROOM_BYTES, 1000)) >= 0:
        batch = bytes(engine_ffi.buffer(buffer, count))
        result.at, result.more = 0, int(count > 0)
        while result.more:
            assert home_lib.hp_lane_run(lane, batch, len(batch), result) == 0
            reply = bytes(home_ffi.buffer(result.reply, result.reply_bytes)) if result.reply_bytes else b""
            if lane_number == BULK and reply:
                gate.held.set()
                gate.open.wait()
            assert engine_lib.hp_engine_feed(engine, lane_number, reply, len(reply)) == 0
            if lane_number == BULK and reply:
                gate.fed.set()
    home_lib.hp_lane_destroy(lane)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def away(home: Any, client_library: Any, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> Iterator[Away]:
    monkeypatch.setattr(base, "pump", functools.partial(pump, gate))
    with base.away_from(home, client_library) as found:
        yield found
        gate.open.set()


@pytest.mark.parametrize(
    ("op", "arguments"),
    [
        (TRUNCATE, (CUT,)),
        (ALLOCATE, (PUNCH_HOLE | KEEP_SIZE, AT, SIZE)),
        (ALLOCATE, (ZERO_RANGE, AT, SIZE)),
    ],
    ids=["cut off", "punched", "zeroed"],
)
def test_what_was_read_before_a_change_does_not_undo_it(
    away: Away, gate: Gate, op: int, arguments: tuple[int, ...]
) -> None:
    file = away.home / "big"
    file.write_bytes(os.urandom(SIZE))
    assert away.ask(OPEN, file, os.O_RDWR) == RETRY
    inode = away.there(file).stat().st_ino
    assert away.ask(FILL, "", 0, 4096, base=inode) == 0  # and all that comes next, behind it
    assert gate.held.wait(10)
    assert away.ask(op, "", *arguments, base=inode) == 0
    gate.open.set()
    assert gate.fed.wait(10)
    assert away.ask(FILL, "", 0, SIZE + AT, base=inode) == 0
    assert away.there(file).read_bytes() == file.read_bytes()
