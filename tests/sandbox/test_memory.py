"""What a sandbox remembers of runs, and that it means nothing without the submitter's secret."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpool.sandbox.memory import NOTHING, Memory, Recalled, join

KEY = b"k" * 32


@pytest.fixture
def place(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def memory(place: int, key: bytes = KEY, program: bytes = b"/bin/p", *arguments: bytes) -> Memory:
    return Memory(place, key, program, arguments)


def test_what_was_kept_is_recalled_and_nothing_of_it_can_be_read(place: int, tmp_path: Path) -> None:
    kept = memory(place)
    assert kept.load() == NOTHING
    kept.save(b"R /home/me/secret-name\n")
    kept.save_pack(lambda fd: os.write(fd, b"secret content"))
    assert memory(place).load() == Recalled(b"R /home/me/secret-name\n", b"secret content")
    assert len(list(tmp_path.iterdir())) == 2
    for path in tmp_path.iterdir():
        assert b"secret" not in path.read_bytes()
        assert path.stat().st_mode & 0o777 == 0o600


def test_another_secret_program_or_argument_has_another_memory(place: int) -> None:
    memory(place).save(b"R /a\n")
    for other in (
        memory(place, b"x" * 32),
        memory(place, KEY, b"/bin/q"),
        memory(place, KEY, b"/bin/p", b"-v"),
    ):
        assert other.load() == NOTHING


def test_nothing_new_keeps_the_older_pack(place: int) -> None:
    kept = memory(place)
    kept.save_pack(lambda fd: os.write(fd, b"old"))
    kept.save_pack(lambda fd: 0)
    assert kept.load().pack == b"old"


@pytest.mark.parametrize("damage", [b"", b"short", bytes(100)])
def test_a_damaged_memory_is_none(place: int, tmp_path: Path, damage: bytes) -> None:
    kept = memory(place)
    kept.save(b"R /a\n")
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage)
    assert kept.load() == NOTHING


def test_old_and_new_join_each_question_once() -> None:
    assert join(b"R /a\nL /b\n", b"L /b\nC /c\n") == b"R /a\nL /b\nC /c\n"
