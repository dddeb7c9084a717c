"""fsync by external synchrony: the job goes on, others see nothing that came later too early.

Owns: what waits and what does not, the order at home, what is heard of home's refusal. Home is stopped and
let go again by hand; no job runs.
"""

from __future__ import annotations

import contextlib
import errno
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
from tests.sandbox.test_behind import lost, make, write
from tests.sandbox.test_engine import MKDIR, OPEN, RETRY, SYNC, Away, stats

client_library = base.client_library
home = base.home

LOCK, LOCKED, UNLOCKED = 27, 28, 29
WHOLE, RANGE = 0, 1
F_RDLCK, F_WRLCK, F_UNLCK = 0, 1, 2
END = (1 << 63) - 1
WRITE, FSYNC, MADE_DIRECTORY, FCNTL_LOCK = 13, 16, 30, 41
REQUEST = struct.Struct("<IHHQ")
REPLY = struct.Struct("<IHHQiI")


class Gate:
    """What home was asked for, in order, and what it is made to answer."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.executed: list[int] = []
        self.refused: dict[int, int] = {}
        self.reset()

    def reset(self) -> None:
        self.answers.set()
        self.executed.clear()
        self.refused.clear()


gate = Gate()


def pump(engine: Any, served: Any, lane_number: int) -> None:
    """As test_engine's, with what home tells unasked."""
    lane = home_lib.hp_lane_create(served)
    assert home_lib.hp_home_watch(served) >= 0
    news = home_ffi.new("uint8_t[]", base.ROOM_BYTES)
    buffer = engine_ffi.new("uint8_t[]", base.ROOM_BYTES)
    result = home_ffi.new("struct hp_lane_result *")
    while (count := engine_lib.hp_engine_next(engine, lane_number, buffer, base.ROOM_BYTES, 20)) >= 0:
        batch = bytes(engine_ffi.buffer(buffer, count))
        result.at, result.more = 0, int(count > 0)
        gate.answers.wait()
        told = home_lib.hp_home_changes(served, news, base.ROOM_BYTES) if lane_number == 0 else 0
        if told:
            record = bytes(home_ffi.buffer(news, told))
            assert engine_lib.hp_engine_feed(engine, 0, record, told) == 0
        at = 0
        while at < len(batch):
            size, op, _, _ = REQUEST.unpack_from(batch, at)
            gate.executed.append(op)
            at += size
        while result.more:
            assert home_lib.hp_lane_run(lane, batch, len(batch), result) == 0
            reply = bytearray(
                home_ffi.buffer(result.reply, result.reply_bytes) if result.reply_bytes else b""
            )
            refuse(reply)
            assert engine_lib.hp_engine_feed(engine, lane_number, bytes(reply), len(reply)) == 0
    home_lib.hp_lane_destroy(lane)


def refuse(reply: bytearray) -> None:
    at = 0
    while at < len(reply):
        size, op, flags, number, error, count = REPLY.unpack_from(reply, at)
        REPLY.pack_into(reply, at, size, op, flags, number, gate.refused.get(op, error), count)
        at += size


@contextlib.contextmanager
def gated(home: Path, library: Any, monkeypatch: pytest.MonkeyPatch, *, strict: int = 0) -> Iterator[Away]:
    """A mirror whose home can be stopped and asked what it did."""
    monkeypatch.setattr(base, "pump", pump)
    gate.reset()
    with base.away_from(home, library, strict=strict) as found:
        yield found
        gate.reset()


@pytest.fixture
def away(home: Path, client_library: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Away]:
    with gated(home, client_library, monkeypatch) as found:
        yield found


def opened(away: Away, name: str) -> tuple[Path, int, int]:
    """A new file: its path, number and inode in the mirror."""
    file = away.home / name
    number = make(away, file)
    return file, number, away.there(file).stat().st_ino


def shown(away: Away) -> threading.Thread:
    """Somebody who wants to show what the job has said."""
    showing = threading.Thread(target=engine_lib.hp_engine_await_synced, args=(away.engine,))
    showing.start()
    showing.join(0.3)
    return showing


def test_the_job_goes_on_and_what_others_see_waits(away: Away) -> None:
    file, number, inode = opened(away, "file")
    gate.answers.clear()
    write(away, number, file, "durable")
    before = stats(away).round_trips
    for _ in range(3):
        assert away.ask(SYNC, "", base=inode) == 0
    assert stats(away).round_trips == before
    assert file.read_text() == ""
    showing = shown(away)
    assert showing.is_alive()
    gate.answers.set()
    showing.join(5)
    assert not showing.is_alive()
    assert file.read_text() == "durable"


def test_home_syncs_behind_the_bytes_and_before_what_follows(away: Away) -> None:
    first, first_number, first_inode = opened(away, "first")
    second, second_number, second_inode = opened(away, "second")
    gate.executed.clear()
    write(away, first_number, first, "first")
    assert away.ask(SYNC, "", base=first_inode) == 0
    write(away, second_number, second, "second")
    assert away.ask(SYNC, "", base=second_inode) == 0
    engine_lib.hp_engine_await_synced(away.engine)
    assert [op for op in gate.executed if op in {WRITE, FSYNC}] == [WRITE, FSYNC, WRITE, FSYNC]


def test_a_directory_is_synced_behind_its_names(away: Away) -> None:
    make(away, away.home / "name")
    inode = away.there(away.home).stat().st_ino
    assert away.ask(SYNC, "", base=inode) == 0
    engine_lib.hp_engine_await_synced(away.engine)
    gate.executed.clear()
    before = stats(away).round_trips
    assert away.ask(MKDIR, away.home / "d", 0o755) == 0
    assert away.ask(SYNC, "", base=inode) == 0
    assert stats(away).round_trips == before + 1  # the directory's, not the sync's
    engine_lib.hp_engine_await_synced(away.engine)
    assert [op for op in gate.executed if op in {MADE_DIRECTORY, FSYNC}] == [MADE_DIRECTORY, FSYNC]
    assert engine_lib.hp_engine_barrier(away.engine) == 0
    assert lost(away) == ""


@pytest.fixture
def strict(home: Path, client_library: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Away]:
    with gated(home, client_library, monkeypatch, strict=1) as found:
        yield found


def test_who_waits_for_a_new_file_and_its_directory_again_and_again_waits_once(strict: Away) -> None:
    waited, synced = [], []
    for number in range(3):
        file, handle, inode = opened(strict, f"file{number}")
        gate.executed.clear()
        write(strict, handle, file, "text")
        before = stats(strict).round_trips
        assert strict.ask(SYNC, "", base=inode) == 0
        assert strict.ask(SYNC, "", base=strict.there(strict.home).stat().st_ino) == 0
        assert file.read_text() == "text"
        waited.append(stats(strict).round_trips - before)
        synced.append(gate.executed.count(FSYNC))
    assert (waited, synced) == ([2, 1, 1], [2, 2, 2])
    gate.executed.clear()
    assert strict.ask(MKDIR, strict.home / "d", 0o755) == 0
    assert strict.ask(SYNC, "", base=strict.there(strict.home).stat().st_ino) == 0
    assert [op for op in gate.executed if op in {MADE_DIRECTORY, FSYNC}] == [MADE_DIRECTORY, FSYNC]


def test_a_directory_that_is_gone_from_home_is_no_loss(away: Away) -> None:
    assert away.ask(MKDIR, away.home / "d", 0o755) == 0
    inode = away.there(away.home / "d").stat().st_ino
    (away.home / "d").rmdir()
    assert away.ask(SYNC, "", base=inode) == 0
    engine_lib.hp_engine_await_synced(away.engine)
    assert engine_lib.hp_engine_barrier(away.engine) == 0
    assert lost(away) == ""


def test_nothing_is_held_back_for_what_was_not_synced(away: Away) -> None:
    file, number, _ = opened(away, "file")
    gate.answers.clear()
    write(away, number, file, "written")
    showing = shown(away)
    assert not showing.is_alive()


def test_what_travels_in_bulk_is_waited_for(away: Away) -> None:
    file, number, inode = opened(away, "file")
    gate.answers.clear()
    write(away, number, file, "x" * (1 << 20))
    asking = threading.Thread(target=away.ask, args=(SYNC, ""), kwargs={"base": inode})
    asking.start()
    asking.join(0.3)
    assert asking.is_alive()
    gate.answers.set()
    asking.join(5)
    assert file.stat().st_size == 1 << 20


def test_a_refusal_is_heard_at_the_next_sync_and_at_the_end(away: Away) -> None:
    file, number, inode = opened(away, "file")
    gate.refused[FSYNC] = errno.EIO
    write(away, number, file, "lost")
    assert away.ask(SYNC, "", base=inode) == 0
    engine_lib.hp_engine_await_synced(away.engine)
    assert away.ask(SYNC, "", base=inode) == -errno.EIO
    assert engine_lib.hp_engine_barrier(away.engine) == errno.EIO
    assert lost(away) == f"syncing {file}: Input/output error"


def test_a_lock_is_given_back_behind_what_was_synced_and_nobody_waits(away: Away) -> None:
    file = away.home / "db"
    file.write_text("")
    assert away.ask(OPEN, file, os.O_RDWR) == RETRY
    number, inode = int(away.value[1]), away.there(file).stat().st_ino
    assert away.ask(LOCK, "", RANGE, F_WRLCK, 0, END, base=inode) == 0
    gate.executed.clear()
    gate.answers.clear()
    write(away, number, file, "under the lock")
    assert away.ask(SYNC, "", base=inode) == 0
    before = stats(away).round_trips
    assert away.ask(UNLOCKED, "", RANGE, F_UNLCK, 0, END, base=inode) == 0
    assert stats(away).round_trips == before
    gate.answers.set()
    assert engine_lib.hp_engine_barrier(away.engine) == 0
    wanted = [op for op in gate.executed if op in {WRITE, FSYNC, FCNTL_LOCK}]
    assert wanted[:3] == [WRITE, FSYNC, FCNTL_LOCK]
