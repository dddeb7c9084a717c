"""Blocks of large files that are kept: given out as they were, and to nobody without the secret."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpool.sandbox.kept import BLOCK, Kept
from hpool.sandbox.starter.blocks import KeptBlocks
from hpool.sandbox.starter.engine import NativeEngine
from tests.sandbox import test_engine as base
from tests.sandbox.test_engine import FILL, OPEN, RETRY, Away

client_library = base.client_library
home = base.home

KEY = b"k" * 32
PATH = b"/home/me/large"
STAMP = b"stamp" * 10
CONTENT = os.urandom(5 * BLOCK + 777)
ALL = bytes([0b111111])


@pytest.fixture
def place(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    yield fd
    os.close(fd)


@pytest.fixture
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    file = tmp_path_factory.mktemp("source") / "large"
    file.write_bytes(CONTENT)
    fd = os.open(file, os.O_RDONLY)
    yield fd
    os.close(fd)


def keep(place: int, source: int, present: bytes = ALL, stamp: bytes = STAMP) -> bool:
    return Kept(place, KEY).keep(PATH, stamp, len(CONTENT), present, source)


def test_what_was_kept_comes_back_and_lies_sealed(place: int, source: int, tmp_path: Path) -> None:
    assert keep(place, source)
    held = Kept(place, KEY).find(PATH)
    assert held is not None
    assert (held.stamp, held.size, held.present) == (STAMP, len(CONTENT), ALL)
    assert held.read(0, 6) == CONTENT
    assert held.read(2, 3) == CONTENT[2 * BLOCK : 5 * BLOCK]
    held.close()
    (file,) = tmp_path.iterdir()
    assert file.name.startswith("memory-")
    assert CONTENT[:64] not in file.read_bytes()
    assert Kept(place, b"o" * 32).find(PATH) is None


def test_blocks_of_several_runs_join_and_another_stamp_begins_anew(place: int, source: int) -> None:
    assert keep(place, source, bytes([0b000011]))
    assert keep(place, source, bytes([0b100000]))
    assert not keep(place, source, bytes([0b100001])), "nothing new"
    held = Kept(place, KEY).find(PATH)
    assert held is not None
    assert held.present == bytes([0b100011])
    assert held.read(0, 2) == CONTENT[: 2 * BLOCK]
    assert held.read(5, 1) == CONTENT[5 * BLOCK :]
    assert held.read(1, 2) == b"", "one of them is missing"
    held.close()
    assert keep(place, source, bytes([0b000100]), stamp=b"other")
    held = Kept(place, KEY).find(PATH)
    assert held is not None
    assert held.present == bytes([0b000100])
    held.close()


def test_a_damaged_block_is_none_and_the_others_stay(place: int, source: int, tmp_path: Path) -> None:
    assert keep(place, source)
    (file,) = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    content[4096 + 3 * (BLOCK + 16) + 5] ^= 1
    file.write_bytes(content)
    held = Kept(place, KEY).find(PATH)
    assert held is not None
    assert held.read(3, 1) == held.read(2, 4) == b""
    assert held.read(4, 1) == CONTENT[4 * BLOCK : 5 * BLOCK]
    held.close()
    for damage in (bytes(content[:100]), b"", bytes(len(content))):
        file.write_bytes(damage)
        assert Kept(place, KEY).find(PATH) is None


def blocks_of(away: Away, place: int) -> KeptBlocks:
    engine = NativeEngine.__new__(NativeEngine)
    engine._engine = away.engine
    return KeptBlocks(engine, Kept(place, KEY))


def read(away: Away, file: Path, first: int, length: int) -> tuple[bytes, int]:
    """Its content there, and how many bytes of it came from home."""
    before = base.stats(away).bytes_read
    assert away.ask(OPEN, file, os.O_RDONLY) == RETRY
    inode = away.there(file).stat().st_ino
    assert away.ask(FILL, "", first, length, 0, base=inode) == 0
    with away.there(file).open("rb") as opened:
        opened.seek(first)
        return opened.read(length), int(base.stats(away).bytes_read - before)


def test_the_next_run_has_what_was_read_unless_home_has_changed_it(
    home: Path, client_library: ctypes.CDLL, place: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, file = os.urandom(40 * BLOCK + 5), home / "large"
    file.write_bytes(content)
    size = len(content)
    monkeypatch.setattr(base, "pump", functools.partial(base.pump, answer_s=0.002))
    with base.away_from(home, client_library) as away:
        assert read(away, file, 0, size) == (content, size)
        deadline_s = time.monotonic() + 30
        while not any(tmp_path.iterdir()) and time.monotonic() < deadline_s:
            blocks_of(away, place).keep()  # nothing yet: it has only just been written
            time.sleep(0.05)
    (kept,) = tmp_path.iterdir()
    with base.away_from(home, client_library) as away:
        blocks_of(away, place).serve()
        assert read(away, file, 0, size) == (content, 0)
    with base.away_from(home, client_library) as away:  # what is not written is taken, what is written is not
        blocks_of(away, place).serve()
        assert read(away, file, 0, BLOCK) == (content[:BLOCK], 0)
        assert away.ask(OPEN, file, os.O_RDWR) == RETRY
        assert read(away, file, 20 * BLOCK, BLOCK)[0] == content[20 * BLOCK : 21 * BLOCK]
        assert base.stats(away).bytes_read > 0
    sealed = bytearray(kept.read_bytes())
    sealed[4096 + 9 * (BLOCK + 16)] ^= 1
    kept.write_bytes(sealed)
    with base.away_from(home, client_library) as away:
        blocks_of(away, place).serve()
        got, came = read(away, file, 0, size)
        assert got == content
        assert 0 < came <= size
    with file.open("r+b") as changed:
        changed.seek(30 * BLOCK)
        changed.write(b"changed")
    with base.away_from(home, client_library) as away:
        blocks_of(away, place).serve()
        assert read(away, file, 0, size) == (file.read_bytes(), size)


def test_a_failing_store_leaves_all_to_home(
    home: Path, client_library: ctypes.CDLL, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_self: Kept, _path: bytes) -> None:
        raise OSError(errno.EIO, "the disk")

    file = home / "large"
    file.write_bytes(os.urandom(20 * BLOCK))
    monkeypatch.setattr(Kept, "find", fail)
    monkeypatch.setattr("threading.excepthook", lambda _args: None)
    with base.away_from(home, client_library) as away:
        blocks_of(away, place).serve()
        assert read(away, file, 0, 20 * BLOCK) == (file.read_bytes(), 20 * BLOCK)
