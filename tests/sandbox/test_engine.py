"""The engine against a real home, asked as the shim asks.

Owns: faults, name changes, blocks and write-behind seen from the mirror and
from home. The mirror is an ordinary directory here; no job runs.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hpool.sandbox.starter._engine import ffi as engine_ffi
from hpool.sandbox.starter._engine import lib as engine_lib
from hpool.shadow.home._home import ffi as home_ffi
from hpool.shadow.home._home import lib as home_lib

TOP = Path(__file__).resolve().parents[2]
RETRY, LOCAL = 1, 2
NAME, OPEN, FILL, MAP, ROOM, SYNC, ATTR, EXEC = range(1, 9)
MKDIR, RMDIR, UNLINK, RENAME, LINK, SYMLINK, MKNOD, SETATTR, TRUNCATE, ALLOCATE, STATFS = range(9, 20)
STAT, READ, LIST = 0, 1, 2
ROOM_BYTES = 8 << 20
WIRE = threading.Lock()


@dataclass
class Away:
    """A home directory, a mirror of it, and the shim's voice."""

    home: Path
    mirror: Path
    engine: Any
    client: ctypes.CDLL
    value: Any

    def ask(self, op: int, path: Path | str, *arg: int, base: int = 0, second: Path | str = "") -> int:
        args = (ctypes.c_int64 * 8)(*arg)
        return int(
            self.client.client_ask(
                op, base, os.fsencode(path), os.fsencode(second), args, ctypes.byref(self.value)
            )
        )

    def there(self, path: Path) -> Path:
        return Path(f"{self.mirror}{path}")


def pump(
    engine: Any, home: Any, lane_number: int, answer_s: float = 0.0, bytes_per_s: float = math.inf
) -> None:
    """`answer_s`: so far away is home; `bytes_per_s`: so many come from there, in both lanes."""
    lane = home_lib.hp_lane_create(home)
    buffer = engine_ffi.new("uint8_t[]", ROOM_BYTES)
    result = home_ffi.new("struct hp_lane_result *")
    while (count := engine_lib.hp_engine_next(engine, lane_number, buffer, ROOM_BYTES, 1000)) >= 0:
        batch = bytes(engine_ffi.buffer(buffer, count))
        result.at, result.more = 0, int(count > 0)
        time.sleep(answer_s)
        while result.more:
            assert home_lib.hp_lane_run(lane, batch, len(batch), result) == 0
            reply = bytes(home_ffi.buffer(result.reply, result.reply_bytes)) if result.reply_bytes else b""
            with WIRE:
                time.sleep(len(reply) / bytes_per_s)
            assert engine_lib.hp_engine_feed(engine, lane_number, reply, len(reply)) == 0
    home_lib.hp_lane_destroy(lane)


@pytest.fixture(scope="module")
def client_library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    library = tmp_path_factory.mktemp("client") / "client.so"
    headers = [f"-I{TOP / 'interpose_c/csrc/include'}", f"-I{TOP / 'shadow/api'}"]
    source = str(TOP / "tests/sandbox/engine_client.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", *headers, source, "-o", str(library)], check=True)
    loaded = ctypes.CDLL(str(library))
    loaded.client_ask.restype = ctypes.c_long
    loaded.client_ask.argtypes = [
        ctypes.c_int, ctypes.c_uint64, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p
    ]  # fmt: skip
    loaded.client_wrote.argtypes = [ctypes.c_int, ctypes.c_uint64, ctypes.c_uint64]
    return loaded


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/var") as top:  # not below /tmp: that is local to the sandbox
        yield Path(top)


@contextlib.contextmanager
def away_from(home: Path, client: ctypes.CDLL, *, strict: int = 0) -> Iterator[Away]:
    """A mirror of `home` with an engine; one at a time."""
    with tempfile.TemporaryDirectory(dir="/var") as top:
        mirror = Path(top)
        error = home_ffi.new("char[256]")
        path = home_ffi.new("char[]", os.fsencode(home))
        rules = home_ffi.new("struct hp_home_rule[1]", [{"path": path, "share": 1}])
        policy = home_ffi.new("struct hp_home_policy *", {"rules": rules, "count": 1, "fallback": 0})
        served = home_lib.hp_home_create(policy, error, 256)
        assert served, home_ffi.string(error)
        root = os.open(mirror, os.O_PATH)
        loader = os.open("/bin/true", os.O_RDONLY)
        config = engine_ffi.new("struct hp_engine_config *")
        config.root_fd, config.loader_fd, config.cache_fd, config.mirror_bytes = root, loader, -1, 1 << 30
        config.strict = strict
        engine = engine_lib.hp_engine_create(config, engine_ffi.new("char[256]"), 256)
        assert engine
        lanes = [threading.Thread(target=pump, args=(engine, served, lane)) for lane in (0, 1)]
        for thread in lanes:
            thread.start()
        assert client.client_open(os.fsencode(mirror / ".hpool/channel")) == 0
        yield Away(home, mirror, engine, client, (ctypes.c_uint64 * 4)())
        client.client_close()
        # the lanes see the stop before the engine's memory goes
        stopper = threading.Thread(target=engine_lib.hp_engine_fail, args=(engine, errno.EIO))
        stopper.start()
        stopper.join()
        engine_lib.hp_engine_close(engine)
        for thread in lanes:
            thread.join()
        engine_lib.hp_engine_stop(engine)
        home_lib.hp_home_destroy(served)
        os.close(root)
        os.close(loader)


@pytest.fixture
def away(home: Path, client_library: ctypes.CDLL) -> Iterator[Away]:
    with away_from(home, client_library) as found:
        yield found


def test_a_name_comes_when_asked_for_and_its_content_when_read(away: Away) -> None:
    file = away.home / "a"
    file.write_text("hello" * 10000)
    assert away.ask(NAME, file, STAT) == RETRY
    assert away.there(file).stat().st_mode & 0o777 == 0, "a placeholder cannot be opened"
    assert away.ask(NAME, file, READ) == RETRY
    assert away.there(file).read_text() == "hello" * 10000
    assert away.there(file).stat().st_mtime_ns == file.stat().st_mtime_ns


def test_one_question_brings_the_whole_path_with_its_symlinks(away: Away) -> None:
    deep = away.home / "x/y"
    deep.mkdir(parents=True)
    (deep / "f").write_text("deep")
    (away.home / "link").symlink_to("x/y")
    before = stats(away).round_trips
    assert away.ask(NAME, away.home / "link/f", READ) == RETRY
    assert stats(away).round_trips == before + 1
    assert away.there(deep / "f").read_text() == "deep"
    assert away.there(away.home / "link").readlink() == Path("x/y")


def stats(away: Away) -> Any:
    found = engine_ffi.new("struct hp_engine_stats *")
    engine_lib.hp_engine_stats(away.engine, found)
    return found


def test_a_directory_that_misses_often_is_listed_and_then_final(away: Away) -> None:
    for name in "abc":
        (away.home / name).touch()
    for name in ("n1", "n2", "n3", "n4"):
        assert away.ask(NAME, away.home / name, STAT) == -errno.ENOENT
    before = stats(away).round_trips
    assert away.ask(NAME, away.home / "n5", STAT) == -errno.ENOENT
    assert stats(away).round_trips == before
    assert sorted(os.listdir(away.there(away.home))) == ["a", "b", "c"]


def test_a_large_directory_is_known_at_once_and_shown_when_it_is_read(away: Away) -> None:
    names = [f"name{number}" for number in range(600)]
    for name in names:
        (away.home / name).write_text(name)
    for name in ("n1", "n2", "n3", "n4"):
        assert away.ask(NAME, away.home / name, STAT) == -errno.ENOENT
    before = stats(away).round_trips
    assert away.ask(NAME, away.home / "n5", STAT) == -errno.ENOENT
    assert away.ask(NAME, away.home / "name7", STAT) == RETRY
    assert os.listdir(away.there(away.home)) == ["name7"]
    assert away.ask(NAME, away.home, LIST) == RETRY
    assert sorted(os.listdir(away.there(away.home))) == sorted(names)
    assert stats(away).round_trips == before


def remembered(away: Away, pack: Path) -> bytes:
    """As the starter does it: what came unasked and was read joins what is remembered while it is packed."""
    room = engine_ffi.new("char[]", 1 << 20)
    with pack.open("wb") as file:
        engine_lib.hp_engine_pack(away.engine, file.fileno())
    length = engine_lib.hp_engine_remembered(away.engine, room, 1 << 20)
    return bytes(engine_ffi.buffer(room, length))


def recall(away: Away, text: bytes, pack: bytes) -> int:
    """How many bytes came."""
    before = stats(away).bytes_in
    engine_lib.hp_engine_recall(away.engine, text, len(text), engine_ffi.from_buffer(pack), len(pack))
    engine_lib.hp_engine_await_recalled(away.engine)
    return int(stats(away).bytes_in - before)


def test_a_second_run_has_at_its_start_what_the_first_asked_for(
    home: Path, client_library: ctypes.CDLL, tmp_path: Path
) -> None:
    same, other, content = home / "d/same", home / "d/other", "x" * 100_000
    same.parent.mkdir()
    for file in (same, other):
        file.write_text(content)
    with away_from(home, client_library) as away:
        assert away.ask(NAME, same.parent, LIST) == RETRY
        for file in (same, other):
            assert away.ask(NAME, file, READ) == RETRY
            assert away.there(file).read_text() == content  # unread, it would count as not asked for
        text = remembered(away, tmp_path / "pack")
    pack = (tmp_path / "pack").read_bytes()
    with away_from(home, client_library) as away:
        assert recall(away, text, pack) < 10_000
        assert [away.there(file).read_text() for file in (same, other)] == [content, content]
    other.write_text("y" * 100_000)
    damaged = pack[: len(pack) // 2]
    for held, least, most in ((pack, 100_000, 110_000), (damaged, 100_000, 210_000), (b"", 200_000, 210_000)):
        with away_from(home, client_library) as away:
            assert least < recall(away, text, held) < most
            assert away.there(same).read_text() == content
            assert away.there(other).read_text() == "y" * 100_000


def test_the_names_of_a_small_directory_come_behind_the_first_answer(away: Away) -> None:
    (away.home / "one").write_text("1" * 100_000)
    assert recall(away, b"N " + os.fsencode(away.home) + b"\n", b"") < 10_000
    before = stats(away).round_trips
    for name in ("a", "b", "c", "d"):
        assert away.ask(NAME, away.home / name, STAT) == -errno.ENOENT
    assert stats(away).round_trips - before <= 1, "the listing itself may still be on its way"
    assert os.listdir(away.there(away.home)) == ["one"]


def test_a_listing_at_the_start_brings_very_small_files_only(away: Away) -> None:
    for name, size in (("tiny", 100), ("large", 100_000)):
        (away.home / name).write_text("x" * size)
    assert recall(away, b"D " + os.fsencode(away.home) + b"\n", b"") < 10_000
    assert away.there(away.home / "tiny").read_text() == "x" * 100


def listed(away: Away, directory: Path) -> list[str]:
    assert away.ask(NAME, directory, LIST) == RETRY
    return sorted(os.listdir(away.there(directory)))


def test_who_walks_through_directories_waits_for_a_few_of_them_only(away: Away) -> None:
    for number in range(90):
        (away.home / f"d{number}/below").mkdir(parents=True)
        (away.home / f"d{number}/below/f{number}").touch()
    listed(away, away.home)
    before = stats(away).round_trips
    for number in range(90):
        assert listed(away, away.home / f"d{number}") == ["below"]
        assert listed(away, away.home / f"d{number}/below") == [f"f{number}"]
    # Each listing that is still on its way when it is wanted counts as well.
    assert stats(away).round_trips - before < 90


def test_a_name_in_a_small_directory_brings_the_others_and_what_is_not_there(away: Away) -> None:
    (away.home / "small").mkdir()
    for name in ("one", "two"):
        (away.home / "small" / name).write_text(name)
    assert away.ask(NAME, away.home / "small", STAT) == RETRY
    assert away.ask(NAME, away.home / "small/one", READ) == RETRY
    assert listed(away, away.home / "small") == ["one", "two"]
    before = stats(away).round_trips
    assert away.ask(NAME, away.home / "small/three", STAT) == -errno.ENOENT
    assert away.there(away.home / "small/two").read_text() == "two"
    assert stats(away).round_trips == before


def test_small_files_come_with_the_listings_to_who_reads_them(away: Away) -> None:
    for number in range(30):
        (away.home / f"d{number}").mkdir()
        for part in range(5):
            (away.home / f"d{number}/f{part}").write_text(f"{number} {part}")
    before = stats(away).round_trips
    for directory in listed(away, away.home):
        for file in listed(away, away.home / directory):
            path = away.there(away.home / directory / file)
            if not os.stat(path).st_mode & 0o400:  # else a program reads it without a question
                assert away.ask(NAME, away.home / directory / file, READ) == RETRY
            assert path.read_text() == f"{directory[1:]} {file[1:]}"
    assert stats(away).round_trips - before < 60, "150 files in 30 directories"


def test_reads_here_and_there_bring_all_of_a_file_that_takes_no_longer(
    home: Path, client_library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = os.urandom(1_000_000)
    (home / "middling").write_bytes(content)
    monkeypatch.setattr(sys.modules[__name__], "pump", functools.partial(pump, answer_s=0.02))
    with away_from(home, client_library) as away:
        assert away.ask(OPEN, home / "middling", os.O_RDONLY) == RETRY
        inode = away.there(home / "middling").stat().st_ino
        assert away.ask(FILL, "", 700_000, 10, 0, base=inode) == 0
        deadline_s = time.monotonic() + 30
        while stats(away).bytes_read < len(content) and time.monotonic() < deadline_s:
            time.sleep(0.01)
        before = stats(away).round_trips
        assert away.ask(FILL, "", 0, len(content), 0, base=inode) == 0
        assert stats(away).round_trips == before
        assert away.there(home / "middling").read_bytes() == content


def test_what_is_written_reaches_home_by_the_barrier(away: Away) -> None:
    file = away.home / "out"
    assert away.ask(OPEN, file, os.O_CREAT | os.O_RDWR, 0o640) == RETRY
    assert file.stat().st_mode & 0o777 == 0o640
    number = away.value[1]
    away.there(file).write_text("written away")
    away.client.client_wrote(number, 0, 12)
    assert engine_lib.hp_engine_barrier(away.engine) == 0
    assert file.read_text() == "written away"
    assert file.stat().st_mtime_ns == away.there(file).stat().st_mtime_ns


def test_a_write_whose_note_was_lost_with_its_process_still_reaches_home(away: Away) -> None:
    file = away.home / "out"
    assert away.ask(OPEN, file, os.O_CREAT | os.O_RDWR, 0o600) == RETRY
    away.there(file).write_text("no note")
    assert engine_lib.hp_engine_barrier(away.engine) == 0
    assert file.read_text() == "no note"


def test_large_files_come_by_blocks_and_only_those_asked_for(away: Away) -> None:
    file = away.home / "big"
    content = os.urandom(5_000_000)
    file.write_bytes(content)
    assert away.ask(OPEN, file, os.O_RDONLY) == RETRY
    inode = away.there(file).stat().st_ino
    assert away.ask(FILL, "", 3_000_000, 5000, base=inode) == 0
    with away.there(file).open("rb") as mirrored:
        mirrored.seek(3_000_000)
        assert mirrored.read(5000) == content[3_000_000:3_005_000]
    assert stats(away).bytes_read < 1_000_000
    assert away.ask(MAP, "", 0, len(content), 0, base=inode) == 0
    assert away.there(file).read_bytes() == content


def test_name_changes_happen_at_home_and_in_the_mirror(away: Away) -> None:
    directory, file = away.home / "d", away.home / "f"
    file.write_text("content")
    assert away.ask(MKDIR, directory, 0o755) == 0
    assert away.ask(MKDIR, directory, 0o755) == -errno.EEXIST
    assert away.ask(RENAME, file, second=directory / "g") == 0
    assert away.ask(LINK, directory / "g", second=away.home / "h") == 0
    assert away.ask(SYMLINK, away.home / "s", second="d/g") == 0
    for root in (away.home, away.there(away.home)):
        assert not (root / "f").exists()
        assert (root / "d/g").stat().st_nlink == 2
        assert (root / "s").readlink() == Path("d/g")
    assert away.ask(TRUNCATE, away.home / "h", 3) == 0
    assert file_text(away, directory / "g") == ("con", "con")
    assert away.ask(RMDIR, directory) == -errno.ENOTEMPTY
    assert away.ask(UNLINK, directory / "g") == 0
    assert away.ask(RMDIR, directory) == 0
    assert away.ask(NAME, directory, STAT) == -errno.ENOENT
    assert not away.there(directory).exists()


def file_text(away: Away, path: Path) -> tuple[str, str]:
    assert away.ask(NAME, path, READ) == RETRY
    return path.read_text(), away.there(path).read_text()


def test_the_job_may_write_below_what_is_shared_only(away: Away) -> None:
    assert away.ask(OPEN, "/var/elsewhere", os.O_CREAT | os.O_WRONLY, 0o600) == -errno.EACCES
    assert not Path("/var/elsewhere").exists()


def test_local_places_are_the_kernels_affair(away: Away) -> None:
    assert away.ask(NAME, "/tmp/anything", STAT) == LOCAL
    assert away.ask(RENAME, away.home / "x", second="/tmp/y") in (-errno.ENOENT, -errno.EXDEV)


def test_a_link_that_is_gone_fails_what_waits_and_what_comes(away: Away) -> None:
    engine_lib.hp_engine_fail(away.engine, errno.EIO)
    assert away.ask(NAME, away.home / "late", STAT) == -errno.EIO
