"""What goes first in the bulk lane: what is wanted, then what is written."""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpool.sandbox.starter._engine import ffi as engine_ffi
from hpool.sandbox.starter._engine import lib as engine_lib
from hpool.shadow.home._home import ffi as home_ffi
from hpool.shadow.home._home import lib as home_lib
from tests.sandbox import test_engine as base
from tests.sandbox.test_engine import FILL, OPEN, RETRY, SYNC, Away

client_library, home = base.client_library, base.home
HEAD = struct.Struct("<IHHQ")  # of struct hpw_request: size, op
WIRE_READ, WIRE_WRITE = 12, 13
BULK = 1
passes = threading.Event()
drawn: list[list[int]] = []


def operations(batch: bytes) -> list[int]:
    found, at = [], 0
    while at < len(batch):
        size, operation, _, _ = HEAD.unpack_from(batch, at)
        found.append(operation)
        at += size
    return found


def pump(engine: Any, served: Any, lane_number: int) -> None:
    """As test_engine's; the bulk lane's batches are noted, and pass one by one while `passes` is set."""
    lane = home_lib.hp_lane_create(served)
    buffer = engine_ffi.new("uint8_t[]", base.ROOM_BYTES)
    result = home_ffi.new("struct hp_lane_result *")
    while (count := engine_lib.hp_engine_next(engine, lane_number, buffer, base.ROOM_BYTES, 200)) >= 0:
        batch = bytes(engine_ffi.buffer(buffer, count))
        if lane_number == BULK and batch:
            drawn.append(operations(batch))
            passes.wait()
        result.at, result.more = 0, int(count > 0)
        while result.more:
            assert home_lib.hp_lane_run(lane, batch, len(batch), result) == 0
            reply = bytes(home_ffi.buffer(result.reply, result.reply_bytes)) if result.reply_bytes else b""
            assert engine_lib.hp_engine_feed(engine, lane_number, reply, len(reply)) == 0
    home_lib.hp_lane_destroy(lane)


@pytest.fixture
def away(home: Path, client_library: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Away]:
    monkeypatch.setattr(base, "pump", pump)
    drawn.clear()
    passes.set()
    with base.away_from(home, client_library) as found:
        yield found
        passes.set()


def test_a_read_overtakes_an_upload_that_waits_for_its_turn(away: Away) -> None:
    wanted, written = away.home / "wanted", away.home / "written"
    wanted.write_bytes(os.urandom(2 << 20))
    assert away.ask(OPEN, wanted, os.O_RDONLY) == RETRY
    inode = away.there(wanted).stat().st_ino
    assert away.ask(OPEN, written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644) == RETRY
    number = int(away.value[1])
    passes.clear()
    content = os.urandom(8 << 20)
    away.there(written).write_bytes(content)
    away.client.client_wrote(number, 0, len(content))
    base_length = len(drawn)
    syncing = threading.Thread(target=engine_lib.hp_engine_barrier, args=(away.engine,))
    syncing.start()  # all of it is in the queue, but for what was drawn already
    while len(drawn) == base_length or WIRE_WRITE not in drawn[-1]:
        syncing.join(0.01)
    reading = threading.Thread(target=away.ask, args=(FILL, "", 0, 2 << 20), kwargs={"base": inode})
    reading.start()
    reading.join(0.3)
    assert reading.is_alive(), "it waits for the upload's first piece, which is at the door"
    at_the_door = len(drawn)
    passes.set()
    reading.join(20)
    syncing.join(20)
    assert not reading.is_alive()
    assert WIRE_READ in drawn[at_the_door], "the next piece brings the question"
    assert drawn[at_the_door][0] == WIRE_READ
    assert any(WIRE_WRITE in batch for batch in drawn[at_the_door:]), "before the rest of the upload"
    assert away.there(wanted).read_bytes() == wanted.read_bytes()
    assert away.ask(SYNC, "") == 0
    assert written.read_bytes() == content
