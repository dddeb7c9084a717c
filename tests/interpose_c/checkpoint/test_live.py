"""Memory that is copied while the job runs is what it was when the job stood still."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from tests.interpose_c.checkpoint.world import Ended, World

DUMPS = 5


def stay_alive(world: World, program: str, seed: int) -> None:
    """It is moved again and again, and ends."""
    chance = random.Random(seed)
    world.start(program, "/work/stop")
    world.await_output("ready\n")
    for _ in range(DUMPS):
        time.sleep(chance.uniform(0, 0.3))
        if chance.random() < 0.6:
            world.dump(kill=False)  # what it leaves behind is met by the next
        world.dump()
        world.restore()
    (world.place / "stop").touch()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", ["mutating.c", "moved.c"])
def test_memory_of_every_kind_that_changes_all_the_time(
    world: World, compiled: Callable[..., str], name: str, seed: int
) -> None:
    stay_alive(world, compiled(f"../live/{name}"), seed)
    assert world.end() == Ended(0, 0, "ready\nas it was\n")
    assert all(world.stopped_us)  # it was copied live
