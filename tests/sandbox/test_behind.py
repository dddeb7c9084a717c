"""Changes that nobody waits for: answered while home says nothing, done at home in the job's order.

Owns: what is answered without home and what is not, and what the job hears when home
refuses afterwards. Home is stopped and let go again by hand; no job runs.
"""

from __future__ import annotations

import errno
import os
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpool.sandbox.starter._engine import ffi as engine_ffi
from hpool.sandbox.starter._engine import lib as engine_lib
from hpool.shadow.home._home import ffi as home_ffi
from hpool.shadow.home._home import lib as home_lib
from tests.sandbox import test_engine as base
from tests.sandbox.test_engine import (
    FILL,
    MKDIR,
    NAME,
    OPEN,
    RENAME,
    RETRY,
    SETATTR,
    STAT,
    SYNC,
    UNLINK,
    Away,
)

client_library = base.client_library
home = base.home

NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
SET_MODE, SET_ATIME, SET_MTIME = 1, 8, 16
answers = threading.Event()


def pump(engine: Any, served: Any, lane_number: int) -> None:
    """As test_engine's, with watches, and home executes nothing while `answers` is not set."""
    lane = home_lib.hp_lane_create(served)
    assert home_lib.hp_home_watch(served) >= 0
    buffer = engine_ffi.new("uint8_t[]", base.ROOM_BYTES)
    result = home_ffi.new("struct hp_lane_result *")
    while (count := engine_lib.hp_engine_next(engine, lane_number, buffer, base.ROOM_BYTES, 200)) >= 0:
        batch = bytes(engine_ffi.buffer(buffer, count))
        result.at, result.more = 0, int(count > 0)
        answers.wait()
        while result.more:
            assert home_lib.hp_lane_run(lane, batch, len(batch), result) == 0
            reply = bytes(home_ffi.buffer(result.reply, result.reply_bytes)) if result.reply_bytes else b""
            assert engine_lib.hp_engine_feed(engine, lane_number, reply, len(reply)) == 0
    home_lib.hp_lane_destroy(lane)


@pytest.fixture
def away(home: Path, client_library: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Away]:
    """In it a directory "d" that the job has made, with files to be at hand."""
    monkeypatch.setattr(base, "pump", pump)
    answers.set()
    with base.away_from(home, client_library) as found:
        assert found.ask(MKDIR, home / "d", 0o755) == 0
        for number in range(12):
            make(found, home / f"d/warm{number}")
        assert found.ask(SYNC, "") == 0
        yield found
        answers.set()


def make(away: Away, file: Path, mode: int = 0o644) -> int:
    """The file's number, and the caller's note that it may be written."""
    assert away.ask(OPEN, file, NEW, mode) == RETRY
    return int(away.value[1])


def write(away: Away, number: int, file: Path, text: str) -> None:
    away.there(file).write_text(text)
    away.client.client_wrote(number, 0, len(text))


def lost(away: Away) -> str:
    room = engine_ffi.new("char[512]")
    engine_lib.hp_engine_lost(away.engine, room, 512)
    text = engine_ffi.string(room)
    assert isinstance(text, bytes)
    return text.decode()


def asked_while_stopped(away: Away, *question: Any, second: Path | str = "") -> threading.Thread:
    asking = threading.Thread(target=away.ask, args=question, kwargs={"second": second})
    asking.start()
    asking.join(0.3)
    return asking


def test_a_new_file_and_all_that_is_done_to_it_wait_for_nobody(away: Away) -> None:
    file = away.home / "d/new"
    answers.clear()
    number = make(away, file)
    assert not file.exists()
    write(away, number, file, "text")
    inode = away.there(file).stat().st_ino
    assert away.ask(SETATTR, "", SET_MODE, 0, 0o600, base=inode) == 0
    assert away.ask(SETATTR, "", SET_ATIME | SET_MTIME, 0, 0, 0, 5, 6, 7, 8, base=inode) == 0
    other = away.home / "d/other"
    make(away, other)
    assert away.ask(UNLINK, other) == 0
    make(away, other, 0o644)
    answers.set()
    assert engine_lib.hp_engine_barrier(away.engine) == 0
    st = file.stat()
    assert file.read_text() == "text"
    assert (st.st_mode & 0o777, st.st_atime_ns, st.st_mtime_ns) == (0o600, 5_000_000_006, 7_000_000_008)
    assert other.read_text() == ""
    assert lost(away) == ""


def shown(away: Away, directory: Path) -> tuple[bool, int, int]:
    """Whether `stat` of it would have to wait; its mtime and ctime in ns."""
    inode = away.there(directory).stat().st_ino
    with (away.mirror / ".hpool/attrs").open("rb") as entries:
        entries.seek(inode % (entries.seek(0, os.SEEK_END) // 192) * 192)
        entry = entries.read(192)
    (flags,) = struct.unpack_from("<I", entry, 4)
    _, mtime_s, ctime_s, _, _, mtime_ns, ctime_ns = struct.unpack_from("<4q3I", entry, 32 + 72)
    return bool(flags & 64), mtime_s * 10**9 + mtime_ns, ctime_s * 10**9 + ctime_ns


def test_times_of_a_directory_are_told_at_once_and_stay_until_it_changes_again(away: Away) -> None:
    directory = away.home / "d"
    before = shown(away, directory)
    answers.clear()
    make(away, directory / "one")
    make(away, directory / "two")
    told = shown(away, directory)
    assert not told[0]
    assert told[1] == told[2] > before[1]
    answers.set()
    assert away.ask(SYNC, "") == 0
    assert shown(away, directory) == told
    assert directory.stat().st_mtime_ns != told[1], "home made them a little later"
    assert away.ask(MKDIR, directory / "other", 0o755) == 0
    assert shown(away, directory) == (False, directory.stat().st_mtime_ns, directory.stat().st_ctime_ns)


def test_a_directory_that_nobody_looked_into_takes_new_files_as_well(away: Away) -> None:
    (away.home / "plain").mkdir()
    assert away.ask(NAME, away.home / "plain", STAT) == RETRY  # home has nothing to watch yet
    before = base.stats(away).round_trips
    for number in range(100):
        make(away, away.home / f"plain/{number}")
    assert base.stats(away).round_trips - before < 6
    assert engine_lib.hp_engine_barrier(away.engine) == 0
    assert len(os.listdir(away.home / "plain")) == 100


def test_with_the_first_new_file_of_a_directory_the_next_ones_are_made_ready(away: Away) -> None:
    (away.home / "plain").mkdir()
    before = base.stats(away).round_trips
    make(away, away.home / "plain/first")
    assert base.stats(away).round_trips - before <= 2
    answers.clear()
    for number in range(10):
        make(away, away.home / f"plain/{number}")
    assert os.listdir(away.home / "plain") == ["first"]
    answers.set()
    assert engine_lib.hp_engine_barrier(away.engine) == 0
    assert len(os.listdir(away.home / "plain")) == 11


def test_its_inode_number_is_the_one_that_home_has(away: Away) -> None:
    file = away.home / "d/new"
    answers.clear()
    make(away, file)
    with Path(f"{away.mirror}/.hpool/attrs").open("rb") as attributes:  # struct hp_attr_entry
        attributes.seek(away.there(file).stat().st_ino % (1 << 19) * 192 + 40)
        told = int.from_bytes(attributes.read(8), "little")
    answers.set()
    assert away.ask(SYNC, "") == 0
    assert file.stat().st_ino == told


def test_locks_of_names_wait_for_home(away: Away) -> None:
    theirs = away.home / "theirs"
    theirs.write_text("made at home")
    assert away.ask(NAME, theirs, STAT) == RETRY
    for question in (
        (OPEN, away.home / "d/lock", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600),
        (MKDIR, away.home / "d/lockdir", 0o700),
        (UNLINK, theirs),
    ):
        answers.clear()
        asking = asked_while_stopped(away, *question)
        assert asking.is_alive(), question
        answers.set()
        asking.join(5)
        assert not asking.is_alive()


def test_what_was_made_aside_takes_its_place_without_waiting(away: Away) -> None:
    part, whole = away.home / "d/part", away.home / "d/whole"
    write(away, make(away, whole), whole, "old content")
    assert away.ask(SYNC, "") == 0
    for text in ("first", "second and longer"):
        answers.clear()
        write(away, make(away, part), part, text)
        assert away.ask(RENAME, part, second=whole) == 0
        assert away.there(whole).read_text() == text
        assert not away.there(part).exists()
        assert whole.read_text() != text
        answers.set()
        assert away.ask(SYNC, "") == 0
        assert (whole.read_text(), part.exists()) == (text, False)
    assert lost(away) == ""


def test_nobody_outside_hears_of_a_renaming_before_home_has_it(away: Away) -> None:
    part, whole = away.home / "d/part", away.home / "d/whole"
    answers.clear()
    write(away, make(away, part), part, "content")
    assert away.ask(RENAME, part, second=whole) == 0
    seen: list[str] = []

    def hear() -> None:
        engine_lib.hp_engine_await_synced(away.engine)
        seen.append(whole.read_text())

    hearing = threading.Thread(target=hear)
    hearing.start()
    hearing.join(0.3)
    assert hearing.is_alive()
    answers.set()
    hearing.join(5)
    assert seen == ["content"]


def test_renamings_that_others_may_race_for_wait_for_home(away: Away) -> None:
    directory = away.home / "e"
    directory.mkdir()
    (away.home / "other").mkdir()
    theirs, link = directory / "theirs", directory / "link"
    theirs.write_text("made at home")
    link.symlink_to("theirs")
    assert away.ask(NAME, theirs, STAT) == RETRY
    for number in range(4):
        make(away, directory / f"part{number}")
    make(away, directory / "public")
    assert away.ask(SYNC, "") == 0
    for old, new, flags in (
        (theirs, directory / "taken", 0),
        (directory / "part1", away.home / "other/elsewhere", 0),
        (directory / "part2", directory / "exclusive", 1),
        (directory / "part3", link, 0),
    ):
        answers.clear()
        asking = asked_while_stopped(away, RENAME, old, flags, second=new)
        assert asking.is_alive(), (old, new)
        answers.set()
        asking.join(5)
        assert new.exists() and not old.exists()
    answers.clear()
    assert away.ask(RENAME, directory / "public", second=directory / "known") == 0
    asking = asked_while_stopped(away, RENAME, directory / "known", second=directory / "again")
    assert asking.is_alive(), "others may know it by the name that it has now"
    answers.set()
    asking.join(5)


def test_a_renaming_that_home_refuses_is_told_and_both_names_are_asked_for_again(away: Away) -> None:
    part, whole = away.home / "d/part", away.home / "d/whole"
    write(away, make(away, whole), whole, "old content")
    write(away, make(away, part), part, "new content")
    assert away.ask(SYNC, "") == 0
    answers.clear()
    assert away.ask(RENAME, part, second=whole) == 0
    part.unlink()
    answers.set()
    assert engine_lib.hp_engine_barrier(away.engine) == errno.ENOENT
    assert lost(away) == f"renaming to {whole}: No such file or directory"
    assert away.ask(NAME, part, STAT) == -errno.ENOENT
    assert away.ask(OPEN, whole, os.O_RDONLY) == RETRY
    assert away.there(whole).read_text() == whole.read_text() == "old content"


def test_a_refusal_that_comes_later_is_told_in_words(away: Away) -> None:
    directory = away.home / "d"
    answers.clear()
    number = make(away, directory / "new")
    write(away, number, directory / "new", "text")
    for file in directory.iterdir():
        file.unlink()
    directory.rmdir()
    answers.set()
    assert engine_lib.hp_engine_barrier(away.engine) == errno.ENOENT
    assert lost(away) == f"creating {directory}/new: No such file or directory"
    assert not away.there(directory / "new").exists()


def test_who_was_quicker_at_home_is_emptied_as_by_any_open(away: Away) -> None:
    file = away.home / "d/new"
    answers.clear()
    number = make(away, file)
    write(away, number, file, "ours")
    file.write_text("theirs, which is longer")
    theirs = file.stat().st_ino
    answers.set()
    assert engine_lib.hp_engine_barrier(away.engine) == 0
    assert (file.read_text(), file.stat().st_ino) == ("ours", theirs)


def test_a_file_is_emptied_and_written_anew_without_waiting(away: Away) -> None:
    file = away.home / "d/state"
    number = make(away, file)
    write(away, number, file, "the first and longer text")
    assert away.ask(SYNC, "") == 0
    answers.clear()
    assert away.ask(OPEN, file, NEW, 0o644) == RETRY
    assert away.there(file).read_text() == ""
    write(away, int(away.value[1]), file, "second")
    assert file.read_text() == "the first and longer text"
    answers.set()
    assert engine_lib.hp_engine_barrier(away.engine) == 0
    assert file.read_text() == "second"
    assert file.stat().st_mtime_ns == away.there(file).stat().st_mtime_ns


def test_a_write_whose_time_a_fill_has_put_back_is_one_of_now(away: Away) -> None:
    """A block that comes while another one is written: the mirror's time is set to that of before."""
    file = away.home / "large"
    file.write_bytes(bytes(4 << 20))
    os.utime(file, ns=(10**18, 10**18))
    assert away.ask(OPEN, file, os.O_RDWR) == RETRY
    number, there, before_ns = away.value[1], away.there(file), time.time_ns()
    assert away.ask(FILL, "", 0, 4096, 0, base=there.stat().st_ino) == 0
    local = there.stat().st_mtime_ns
    with there.open("r+b") as writing:
        writing.write(b"written")
    os.utime(there, ns=(there.stat().st_atime_ns, local))
    away.client.client_wrote(number, 0, 7)
    assert engine_lib.hp_engine_barrier(away.engine) == 0
    assert file.read_bytes()[:7] == b"written"
    assert file.stat().st_mtime_ns >= before_ns - 10**9
