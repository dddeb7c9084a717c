"""Which image a job goes on from, and how far home may forget meanwhile."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hpool.interpose_c.image.chunks import BLOCK
from hpool.interpose_c.image.store import Store
from hpool.matchmaker.model.errors import HpoolError
from hpool.shadow.api import home
from hpool.shadow.api.image_parts import Gathering, blocks_of, parts_of
from hpool.shadow.job.images import Images
from tests.interpose_c.image.test_records import ended, job_record

META = ended(job_record(), 2)
PAGES = 1 << 16


@pytest.fixture
def images(tmp_path: Path) -> Images:
    return Images(tmp_path / "images")


def going(epoch: int) -> home.Going:
    return home.Going(epoch, len(META), PAGES, 0, epoch * 10, 0)


def keep(images: Images, epoch: int) -> int:
    """As a starter sends one; its number."""
    pages_fd = os.memfd_create("pages")
    os.ftruncate(pages_fd, PAGES)
    os.pwrite(pages_fd, b"%d" % epoch, 100)
    for part in parts_of(META, blocks_of(pages_fd, frozenset())):
        images.take(part)
    os.close(pages_fd)
    return asyncio.run(images.commit(going(epoch))).number


def newest(images: Images, *, shown: bool = False) -> home.Going | None:
    return asyncio.run(images.newest(shown=shown))


def test_another_shadow_goes_on_from_the_newest_that_the_terminal_has_seen(images: Images) -> None:
    images.mark_shown(keep(images, 1))
    keep(images, 2)
    keep(images, 3)
    assert newest(images, shown=True) == going(1)
    assert newest(images) == going(1), "what came after it is forgotten"


def test_a_lost_machine_costs_no_more_than_came_after_the_newest(images: Images) -> None:
    images.mark_shown(keep(images, 1))
    keep(images, 2)
    assert newest(images) == going(2)


def test_home_forgets_nothing_while_no_image_would_do_for_another_shadow(images: Images) -> None:
    for epoch in (1, 2, 3):
        keep(images, epoch)
    assert images.oldest_epoch() == 0
    images.mark_shown(keep(images, 4))
    keep(images, 5)
    assert images.oldest_epoch() == 4


def test_a_damaged_one_is_passed_over(images: Images, tmp_path: Path) -> None:
    keep(images, 1)
    number = keep(images, 2)
    (tmp_path / "images" / "epochs" / f"{number:06d}" / "meta").write_bytes(META[:-8])
    assert newest(images) == going(1)


def test_what_nobody_could_go_on_from_is_given_up(images: Images) -> None:
    keep(images, 1)
    keep(images, 2)
    asyncio.run(images.give_up(going(2)))
    assert newest(images) == going(1)
    asyncio.run(images.give_up(going(1)))
    assert newest(images) is None
    assert keep(images, 1) == 1
    assert newest(images) == going(1)


def test_one_that_finds_no_room_is_refused_and_the_next_is_kept(
    images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(store: Store, digest: str, stored: bytes) -> None:
        raise OSError(errno.ENOSPC, "no room")

    keep(images, 1)
    with monkeypatch.context() as disk:
        disk.setattr(Store, "keep", full)
        with pytest.raises(OSError, match="no room"):
            keep(images, 2)
    assert keep(images, 3)
    assert newest(images) == going(3)


def pages(*blocks: bytes) -> int:
    fd = os.memfd_create("pages")
    for number, content in enumerate(blocks):
        os.pwrite(fd, content, number * BLOCK)
    os.ftruncate(fd, len(blocks) * BLOCK)
    return fd


def digests(parts: list[home.ImagePart]) -> frozenset[bytes]:
    return frozenset(block.digest for part in parts for block in part.blocks)


def test_what_home_has_of_the_image_before_is_only_named(images: Images) -> None:
    old, other, new = os.urandom(BLOCK), os.urandom(BLOCK), os.urandom(BLOCK)
    states = [home.Going(epoch, len(META), 3 * BLOCK, 0, 0, 0) for epoch in (1, 2)]
    first = list(parts_of(META, blocks_of(pages(old, bytes(BLOCK), other), frozenset())))
    for part in first:
        images.take(part)
    assert asyncio.run(images.commit(states[0])).sent_bytes > 2 * BLOCK
    second = list(parts_of(META, blocks_of(pages(old, new, other), digests(first))))
    assert [len(block.content) > BLOCK for part in second for block in part.blocks] == [False, True, False]
    for part in second:
        images.take(part)
    assert BLOCK < asyncio.run(images.commit(states[1])).sent_bytes < 2 * BLOCK
    assert newest(images) == states[1]

    came: list[home.ImagePart] = []

    async def give() -> None:
        async def send(part: home.ImagePart) -> None:
            came.append(part)
            images.taken(len(came), states[1], send)

        images.taken(0, states[1], send)
        while not came or not came[-1].last:
            await asyncio.sleep(0)

    asyncio.run(give())
    content: dict[int, bytes] = {}
    gathering = Gathering("home", lambda block: content.update({block.number: block.content[1:]}))
    for part in came:
        gathering.take(part)
    assert gathering.finish(len(META), 3 * BLOCK) == META
    assert content == {0: old, 1: new, 2: other}


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda block: block._replace(digest=bytes(32)), "is not what was written"),
        (lambda block: block._replace(content=b""), "that home does not have"),
        (lambda block: block._replace(content=b"z" + block.content[1:]), "cannot be unpacked"),
        (lambda block: block._replace(digest=b"../../../etc"), "a block 0"),
        (lambda block: block._replace(number=1 << 40), "another size"),
    ],
    ids=["altered", "unknown", "torn", "digest", "number"],
)
def test_a_block_that_cannot_be_is_no_image(
    images: Images, spoil: Callable[[home.ImageBlock], home.ImageBlock], why: str
) -> None:
    keep(images, 1)
    (part,) = parts_of(b"", blocks_of(pages(os.urandom(BLOCK)), frozenset()))
    for each in parts_of(META, ()):
        images.take(each._replace(last=False))
    images.take(part._replace(blocks=(spoil(part.blocks[0]),)))
    with pytest.raises(HpoolError, match=why):
        asyncio.run(images.commit(home.Going(2, len(META), BLOCK, 0, 0, 0)))
    assert keep(images, 2) == 2
    assert newest(images) == going(2)


def test_what_came_of_a_refused_image_takes_no_room(images: Images, tmp_path: Path) -> None:
    keep(images, 1)
    before = set((tmp_path / "images/chunks").glob("*/*"))
    for part in parts_of(META, blocks_of(pages(os.urandom(BLOCK)), frozenset())):
        images.take(part)
    assert set((tmp_path / "images/chunks").glob("*/*")) > before
    with pytest.raises(HpoolError, match="another size"):
        asyncio.run(images.commit(home.Going(2, len(META) + 8, BLOCK, 0, 0, 0)))
    assert set((tmp_path / "images/chunks").glob("*/*")) == before


def test_blocks_may_come_ahead_of_the_image_that_names_them(images: Images) -> None:
    first, second = os.urandom(BLOCK), os.urandom(BLOCK)
    ahead = list(parts_of(b"", blocks_of(pages(first), frozenset()), ahead=True))
    assert [images.take(part) for part in ahead] == [1]
    image = list(parts_of(META, blocks_of(pages(first, second), digests(ahead))))
    assert [bool(block.content) for part in image for block in part.blocks] == [False, True]
    assert [images.take(part) for part in image] == [1, 2]
    state = home.Going(1, len(META), 2 * BLOCK, 0, 0, 0)
    assert asyncio.run(images.commit(state)).sent_bytes > 2 * BLOCK
    assert newest(images) == state


def test_an_image_is_not_kept_if_what_came_ahead_was_not(
    images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(store: Store, digest: str, stored: bytes) -> None:
        raise OSError(errno.ENOSPC, "no room")

    ahead = list(parts_of(b"", blocks_of(pages(os.urandom(BLOCK)), frozenset()), ahead=True))
    with monkeypatch.context() as disk:
        disk.setattr(Store, "keep", full)
        assert [images.take(part) for part in ahead] == [1], "the sender has its credit"
    for part in parts_of(META, blocks_of(pages(b"all"), digests(ahead))):
        images.take(part)
    with pytest.raises(OSError, match="no room"):
        asyncio.run(images.commit(home.Going(1, len(META), BLOCK, 0, 0, 0)))
    assert keep(images, 1) == 1


def test_nobody_else_looks_into_images(images: Images, tmp_path: Path) -> None:
    keep(images, 1)
    assert (tmp_path / "images").stat().st_mode & 0o777 == 0o700


def test_one_that_was_refused_half_way_leaves_nothing_to_the_next(images: Images) -> None:
    for part in list(parts_of(META, blocks_of(pages(os.urandom(BLOCK)), frozenset())))[:-1]:
        images.take(part)
    images.forget_arriving()
    assert keep(images, 1) == 1
    assert newest(images) == going(1)
