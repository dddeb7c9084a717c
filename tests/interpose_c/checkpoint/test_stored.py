"""A real job's images in a store: restored from there, described, compared."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from hpool.interpose_c.image import report
from hpool.interpose_c.image.store import Committed, Store
from tests.interpose_c.checkpoint.world import World

pytestmark = pytest.mark.slow


def commit(world: World, store: Store) -> Committed:
    pages = os.open(world.image / "pages", os.O_RDONLY)
    done = store.commit((world.image / "meta").read_bytes(), pages)
    os.close(pages)
    return done


def test_a_job_goes_on_from_a_store(world: World, compiled: Callable[..., str]) -> None:
    store = Store(world.image / "store")
    world.start(compiled("memory.c"))
    world.await_output("ready\n")
    world.dump(kill=False)
    first = commit(world, store)
    world.dump()
    second = commit(world, store)
    assert second.new_chunks < first.new_chunks / 2  # what did not change is there
    for name in ("meta", "pages"):
        os.truncate(world.image / name, 0)
    epoch = store.newest()
    files = [os.open(world.image / name, os.O_RDWR) for name in ("meta", "pages")]
    store.unpack(epoch, *files)
    for fd in files:
        os.close(fd)
    world.restore()
    ended = world.end()
    assert (ended.code, ended.out) == (0, "ready\nas it was\n")
    image = store.verify(epoch)
    shown = "\n".join(report.show(epoch, image))
    assert "memory: runs, 1 threads" in shown
    assert "directory /work; descriptors: " in shown
    before = store.epoch(1)
    changes = list(report.differences(before, store.verify(before), epoch, image))
    assert changes[0].startswith("chunks: ")
    assert len(changes) > 1
