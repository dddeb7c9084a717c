"""The digest cache: only true content, whole or not at all, bounded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpool.sandbox import cache


@pytest.fixture
def directory_fd(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "cache").mkdir()
    # As the starter has it: a descriptor that is good for nothing but names below it.
    fd = os.open(tmp_path / "cache", os.O_PATH | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def source(tmp_path: Path, content: bytes) -> int:
    (tmp_path / "source").write_bytes(content)
    return os.open(tmp_path / "source", os.O_RDONLY)


def test_a_file_is_kept_under_its_digest(tmp_path: Path, directory_fd: int) -> None:
    content = os.urandom(3 << 20)
    digest = hashlib.sha256(content).digest()
    fd = source(tmp_path, content)
    assert cache.keep(directory_fd, digest, fd)
    assert cache.keep(directory_fd, digest, fd)  # again: no harm
    os.close(fd)
    (kept,) = (tmp_path / "cache").iterdir()
    assert (kept.name, kept.read_bytes()) == (digest.hex(), content)


def test_content_with_another_digest_is_not_kept(tmp_path: Path, directory_fd: int) -> None:
    fd = source(tmp_path, b"evil")
    assert not cache.keep(directory_fd, hashlib.sha256(b"good").digest(), fd)
    os.close(fd)
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_oldest_go_first_and_unfinished_ones_always(tmp_path: Path) -> None:
    for number in range(4):
        path = tmp_path / f"{number}"
        path.write_bytes(bytes(100))
        os.utime(path, (number, number))
    (tmp_path / ".new-1-x").write_bytes(b"x")
    cache.prune(tmp_path, 250)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "3"]
    cache.prune(tmp_path / "missing", 0)
