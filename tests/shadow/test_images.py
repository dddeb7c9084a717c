"""Which image a job goes on from, and how far home may forget meanwhile."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from hpool.shadow.api import home
from hpool.shadow.api.image_parts import Gathering, parts_of
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
    meta_fd, pages_fd = (os.memfd_create(name) for name in ("meta", "pages"))
    os.write(meta_fd, META)
    os.ftruncate(pages_fd, PAGES)
    os.pwrite(pages_fd, b"%d" % epoch, 100)
    for part in parts_of(meta_fd, pages_fd):
        images.take(part)
    os.close(meta_fd)
    os.close(pages_fd)
    return asyncio.run(images.commit(going(epoch)))


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
    def full(gathering: Gathering, part: home.ImagePart) -> None:
        raise OSError(errno.ENOSPC, "no room")

    keep(images, 1)
    with monkeypatch.context() as disk:
        disk.setattr(Gathering, "take", full)
        with pytest.raises(OSError, match="no room"):
            keep(images, 2)
    assert keep(images, 3)
    assert newest(images) == going(3)
