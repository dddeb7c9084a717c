"""Held still and let go, at any moment and as often as one likes: no job can tell, except by the clock."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from tests.interpose_c.checkpoint.test_what_comes_back import PROGRAMS, QUICK
from tests.interpose_c.checkpoint.world import World

TIMES = 8


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in PROGRAMS]
)
def test_nothing_of_it_runs_and_nothing_is_changed(
    world: World, compiled: Callable[..., str], name: str
) -> None:
    chance = random.Random(name)
    world.start(compiled(name))
    world.await_output("ready\n")
    for _ in range(TIMES):
        time.sleep(chance.uniform(0, 0.1))  # any moment will do: that is what is tested
        states, took_us = world.stand_still(chance.uniform(0, 0.04))
        assert set(states) <= set("tTZXD"), states  # D: in the kernel, for a vfork child
        assert took_us < 2_000_000
    ended = world.end()
    assert (ended.code, ended.signal) == (0, 0), ended.out
    assert ended.out.startswith("ready\n") and ended.out.endswith("as it was\n")
