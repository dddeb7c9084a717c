"""Epochs: whole or not there, each chunk once, damage found and named, the one before used instead."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from hpool.interpose_c.image import store as stores
from hpool.interpose_c.image.chunks import BLOCK
from hpool.interpose_c.image.store import Store
from hpool.matchmaker.model.image_errors import ImageDamaged, ImageTooNew, NoImage
from hpool.shadow.cli.image import image as command
from tests.interpose_c.image.test_records import ended, job_record

META = ended(job_record(), 2)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def pages() -> Iterator[int]:
    fd = os.memfd_create("pages")
    yield fd
    os.close(fd)


def fill(fd: int, contents: dict[int, bytes], size: int = 40 * BLOCK) -> None:
    os.ftruncate(fd, 0)
    os.ftruncate(fd, size)
    for at, content in contents.items():
        os.pwrite(fd, content, at)


NOISE = random.Random(5).randbytes(3 * BLOCK)


def test_what_goes_in_comes_out(store: Store, pages: int) -> None:
    contents = {100: b"early", 5 * BLOCK: NOISE, 20 * BLOCK - 3: b"across", 39 * BLOCK: bytes(BLOCK)}
    fill(pages, contents)
    done = store.commit(META, pages)
    assert (done.number, done.old_chunks) == (1, 0)
    meta, out = os.memfd_create("meta"), os.memfd_create("out")
    store.unpack(store.newest(), meta, out)
    assert os.pread(meta, len(META) + 1, 0) == META
    assert os.fstat(out).st_size == 40 * BLOCK
    assert os.pread(out, 40 * BLOCK, 0) == os.pread(pages, 40 * BLOCK, 0)
    os.close(meta)
    os.close(out)


def test_a_chunk_is_there_once_and_zeros_never(store: Store, pages: int) -> None:
    fill(pages, {0: NOISE, 10 * BLOCK: NOISE, 30 * BLOCK: bytes(5 * BLOCK)})
    assert store.commit(META, pages).new_chunks >= 3
    assert len(list((store._chunks).glob("*/*"))) == 3
    fill(pages, {0: NOISE, 7 * BLOCK: b"a little"})
    second = store.commit(META, pages)
    assert (second.number, second.new_chunks, second.old_chunks) == (2, 1, 3)
    assert second.new_bytes < 200  # a block with a few bytes in it is nothing after zstd


def test_only_the_last_epochs_are_kept(store: Store, pages: int) -> None:
    for number in range(4):
        fill(pages, {0: NOISE[:BLOCK], BLOCK: bytes([number + 1]) * BLOCK})
        store.commit(META, pages)
    assert store.collect() > 0
    assert store.numbers() == [3, 4]
    for number in store.numbers():
        store.verify(store.epoch(number))
    assert len(list((store._chunks).glob("*/*"))) == 3
    assert store.collect() == 0


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def alter(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncate, alter, Path.unlink])
@pytest.mark.parametrize("what", ["manifest", "meta", "chunk"])
def test_damage_is_named_and_the_epoch_before_is_used(
    store: Store, pages: int, damage: Callable[[Path], None], what: str
) -> None:
    fill(pages, {0: NOISE})
    store.commit(META, pages)
    fill(pages, {0: NOISE, 9 * BLOCK: b"new"})
    before = set((store._chunks).glob("*/*"))
    store.commit(META, pages)
    (chunk,) = set((store._chunks).glob("*/*")) - before
    newest = store._epochs / "000002"
    damage(chunk if what == "chunk" else newest / what)
    if (what, damage) == ("manifest", Path.unlink):
        with pytest.raises(NoImage, match="000002"):
            store.epoch(2)
        newest.rmdir() if not list(newest.iterdir()) else None
        return
    with pytest.raises(ImageDamaged, match="000002"):
        store.verify(store.epoch(2))
    assert store.newest().number == 1
    damage(store._epochs / "000001" / "meta")
    with pytest.raises(ImageDamaged, match="000002"):
        store.newest()


def test_a_commit_that_was_cut_off_is_nothing(store: Store, pages: int) -> None:
    fill(pages, {0: NOISE})
    store.commit(META, pages)
    (store._epochs / ".000002").mkdir()
    assert store.numbers() == [1]
    assert store.commit(META, pages).number == 2


def test_what_is_no_image_is_not_committed(store: Store, pages: int) -> None:
    with pytest.raises(ImageDamaged):
        store.commit(META[:-1], pages)
    assert store.numbers() == []


def test_another_format_and_a_manifest_that_lies(store: Store, pages: int) -> None:
    fill(pages, {0: NOISE})
    store.commit(META, pages)
    manifest = store._epochs / "000001" / "manifest"
    manifest.write_bytes(stores.seal({"format": 2}))
    with pytest.raises(ImageTooNew):
        store.epoch(1)
    for blocks in ([[0, "../../etc/passwd"]], [[99, "a" * 64]], [[-1, "a" * 64]], "x", [[0]]):
        fields = {"format": 1, "pages_bytes": BLOCK, "meta": "", "blocks": blocks}
        manifest.write_bytes(stores.seal(fields))
        with pytest.raises(ImageDamaged):
            store.epoch(1)


def test_the_commands(store: Store, pages: int) -> None:
    for number in range(2):
        fill(pages, {0: NOISE, BLOCK * 4: bytes([number]) * 100})
        store.commit(META, pages)
    runner = CliRunner()
    place = str(store._directory)
    assert "epoch 2" in runner.invoke(command, ["show", place]).output
    assert "is whole: 2 records" in runner.invoke(command, ["verify", f"{place}/epochs/000001"]).output
    out = runner.invoke(command, ["diff", f"{place}/epochs/000001", f"{place}/epochs/000002"]).output
    assert out.startswith("chunks: 4, of which 1 (64.0 KiB) are new")
