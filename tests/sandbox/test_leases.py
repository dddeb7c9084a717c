"""Leases: locks of a file that nobody else has open are the job's own affair, until somebody opens it.

Owns: what asks home and what does not, and what is at home when somebody else gets the file. The other
program is this test; home is stopped and let go again by hand; no job runs.
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpool.sandbox.starter._engine import lib as engine_lib
from tests.sandbox import test_engine as base
from tests.sandbox.test_behind import make, write
from tests.sandbox.test_engine import FILL, MKDIR, NAME, OPEN, READ, RETRY, SYNC, UNLINK, Away, stats
from tests.sandbox.test_syncing import END, F_UNLCK, F_WRLCK, LOCK, RANGE, UNLOCKED, WHOLE, gate, gated

client_library = base.client_library
home = base.home


@pytest.fixture
def away(home: Path, client_library: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Away]:
    with gated(home, client_library, monkeypatch) as found:
        yield found


def native(fd: int, kind: int) -> None:
    """Of a description: a process's own locks would end when the engine, which is in it, closes the file."""
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", kind, os.SEEK_SET, 0, 0, 0))


class Locked:
    """A file of the job's, the lock of which it takes and gives back."""

    def __init__(self, away: Away, path: Path, space: int = RANGE) -> None:
        self._away = away
        self.path = path
        assert away.ask(OPEN, path, os.O_RDWR) == RETRY
        self.number = int(away.value[1])
        self.there = away.there(path)
        self._question = ("", space, F_WRLCK, 0, END)
        self.fd = os.open(self.there, os.O_RDWR)
        self._space = space

    def take(self) -> int:
        """As the shim does: home first for ranges, the native lock first for flock."""
        inode = self.there.stat().st_ino
        if self._space == WHOLE:
            fcntl.flock(self.fd, fcntl.LOCK_EX)
        answer = self._away.ask(LOCK, *self._question, base=inode)
        if answer == 0 and self._space == RANGE:
            native(self.fd, F_WRLCK)
        return answer

    def give_back(self) -> None:
        native(self.fd, F_UNLCK)
        fcntl.flock(self.fd, fcntl.LOCK_UN)
        inode = self.there.stat().st_ino
        assert self._away.ask(UNLOCKED, "", self._space, F_UNLCK, 0, END, base=inode) == 0

    def write(self, text: str) -> None:
        write(self._away, self.number, self.path, text)


@pytest.fixture(params=[RANGE, WHOLE], ids=["fcntl", "flock"])
def leased(away: Away, request: pytest.FixtureRequest) -> Locked:
    (away.home / "db").write_text("")
    locked = Locked(away, away.home / "db", request.param)
    for _ in range(3):
        assert locked.take() == 0
        locked.give_back()
    return locked


def opening(path: Path) -> tuple[threading.Thread, list[int]]:
    """Somebody else, who opens the file for reading and writing."""
    got: list[int] = []
    thread = threading.Thread(target=lambda: got.append(os.open(path, os.O_RDWR)))
    thread.start()
    return thread, got


def is_free(fd: int, kind: int) -> bool:
    try:
        if kind == WHOLE:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            native(fd, F_WRLCK)
    except BlockingIOError:
        return False
    return True


def test_locks_of_a_file_that_nobody_else_has_open_ask_nobody(away: Away, leased: Locked) -> None:
    before = stats(away).round_trips
    gate.answers.clear()
    for number in range(20):
        assert leased.take() == 0
        leased.write(f"{number:20}")
        leased.give_back()
    assert stats(away).round_trips == before


def test_who_opens_it_finds_what_was_written_and_what_is_locked(
    away: Away, leased: Locked, request: pytest.FixtureRequest
) -> None:
    kind = request.node.callspec.params["leased"]
    assert leased.take() == 0
    leased.write("under the lock")
    thread, got = opening(leased.path)
    thread.join(5)
    assert not thread.is_alive()
    assert os.read(got[0], 100) == b"under the lock"
    assert not is_free(got[0], kind)
    leased.give_back()
    assert engine_lib.hp_engine_barrier(away.engine) == 0
    assert is_free(got[0], kind)
    os.close(got[0])


@pytest.fixture
def unasked(away: Away) -> Locked:
    """A file whose locks the shim need not ask for."""
    (away.home / "db").write_text("")
    locked = Locked(away, away.home / "db")
    assert not away.client.client_locks_privately(locked.number)
    for _ in range(3):
        assert locked.take() == 0
        locked.give_back()
    return locked


def test_who_opens_it_meets_locks_that_were_never_asked_for(away: Away, unasked: Locked) -> None:
    assert away.client.client_locks_privately(unasked.number)
    native(unasked.fd, F_WRLCK)
    away.client.client_locked(unasked.number)
    unasked.write("under the lock")
    thread, got = opening(unasked.path)
    thread.join(5)
    assert os.read(got[0], 100) == b"under the lock"
    assert not is_free(got[0], RANGE)
    assert not away.client.client_locks_privately(unasked.number)
    unasked.give_back()
    assert engine_lib.hp_engine_barrier(away.engine) == 0
    assert is_free(got[0], RANGE)
    os.close(got[0])


def test_who_opens_it_waits_for_a_lock_that_is_being_taken(away: Away, unasked: Locked) -> None:
    assert away.client.client_locks_privately(unasked.number)
    thread, got = opening(unasked.path)
    thread.join(0.05)
    assert thread.is_alive()
    native(unasked.fd, F_WRLCK)
    away.client.client_locked(unasked.number)
    thread.join(5)
    assert not is_free(got[0], RANGE)
    os.close(got[0])


def test_who_was_killed_taking_a_lock_is_not_waited_for(away: Away, unasked: Locked) -> None:
    assert away.client.client_locks_privately(unasked.number)
    thread, got = opening(unasked.path)
    thread.join(5)
    assert is_free(got[0], RANGE)
    os.close(got[0])


def test_who_opens_it_waits_until_the_data_is_there(away: Away, leased: Locked) -> None:
    assert leased.take() == 0
    leased.write("late")
    leased.give_back()
    gate.answers.clear()
    thread, got = opening(leased.path)
    thread.join(0.5)
    assert thread.is_alive()
    gate.answers.set()
    thread.join(5)
    assert os.read(got[0], 10) == b"late"
    os.close(got[0])


def test_what_others_wrote_meanwhile_is_seen_with_the_next_lock(away: Away, leased: Locked) -> None:
    thread, got = opening(leased.path)
    thread.join(5)
    os.write(got[0], b"theirs")
    os.close(got[0])
    assert leased.take() == 0
    assert away.ask(FILL, "", 0, 6, base=leased.there.stat().st_ino) == 0
    assert leased.there.read_text() == "theirs"


def test_our_own_looks_and_openings_do_not_end_it(away: Away, leased: Locked) -> None:
    os.link(leased.path, away.home / "other name")
    assert leased.take() == 0
    leased.write("text")
    leased.give_back()
    assert engine_lib.hp_engine_await_synced(away.engine) is None
    assert away.ask(NAME, away.home / "other name", READ) == RETRY
    assert away.ask(OPEN, away.home / "other name", os.O_RDWR) == RETRY
    before = stats(away).round_trips
    assert leased.take() == 0
    leased.give_back()
    assert stats(away).round_trips == before


def test_at_the_end_nobody_waits_for_it(away: Away, leased: Locked) -> None:
    assert engine_lib.hp_engine_barrier(away.engine) == 0
    gate.answers.clear()
    os.close(os.open(leased.path, os.O_RDONLY | os.O_NONBLOCK))


def test_a_file_that_others_have_open_is_asked_for_each_time(away: Away) -> None:
    (away.home / "db").write_text("")
    with open(away.home / "db", "rb"):
        locked = Locked(away, away.home / "db")
        for _ in range(5):
            before = stats(away).round_trips
            assert locked.take() == 0
            assert stats(away).round_trips > before
            locked.give_back()


def test_under_such_a_lock_files_are_made_without_waiting(away: Away) -> None:
    """Without O_TRUNC too: who was quicker keeps what he wrote, as if the job had come before that."""
    assert away.ask(MKDIR, away.home / "d", 0o755) == 0
    for number in range(6):
        make(away, away.home / f"d/warm{number}")
    assert away.ask(SYNC, "") == 0
    (away.home / "db").write_text("")
    locked = Locked(away, away.home / "db")
    for _ in range(3):
        assert locked.take() == 0
        locked.give_back()
    assert locked.take() == 0
    gate.answers.clear()
    journal, raced = away.home / "d/journal", away.home / "d/raced"
    for file, text in ((journal, "ours"), (raced, "our")):
        assert away.ask(OPEN, file, os.O_RDWR | os.O_CREAT, 0o644) == RETRY
        write(away, int(away.value[1]), file, text)
    assert away.ask(OPEN, away.home / "d/gone", os.O_RDWR | os.O_CREAT, 0o644) == RETRY
    assert away.ask(UNLINK, away.home / "d/gone") == 0
    raced.write_text("theirs")
    gate.answers.set()
    assert engine_lib.hp_engine_barrier(away.engine) == 0
    assert (journal.read_text(), raced.read_text()) == ("ours", "ourirs")
    assert not (away.home / "d/gone").exists()


@pytest.mark.slow
def test_who_opens_it_waits_for_a_lost_machine_only_so_long_and_finds_it_locked(
    away: Away, leased: Locked, request: pytest.FixtureRequest
) -> None:
    gate.answers.clear()
    began_s = time.monotonic()
    thread, got = opening(leased.path)
    thread.join(30)
    assert 5 < time.monotonic() - began_s < 25
    kind = request.node.callspec.params["leased"]
    assert not is_free(got[0], kind)
    gate.answers.set()
    deadline_s = time.monotonic() + 5
    while not is_free(got[0], kind):
        assert time.monotonic() < deadline_s
    os.close(got[0])
