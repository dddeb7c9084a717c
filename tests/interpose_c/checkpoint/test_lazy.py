"""Memory that follows while the restored job runs: nobody in it can tell.

As little of it as there is follows here, so that every program of the other tests is one whose stacks of
threads, heaps and arenas are missing when it goes on.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Final

import pytest

from tests.interpose_c.checkpoint.test_live import stay_alive
from tests.interpose_c.checkpoint.test_what_comes_back import (
    PROGRAMS,
    go_on_in_go,
    go_on_in_java,
    lead_two_lives,
    native,
)
from tests.interpose_c.checkpoint.world import Ended, World

DEVICE: Final = "/dev/userfaultfd"
GO: Final = "/work/go"

pytestmark = pytest.mark.skipif(
    not os.access(DEVICE, os.R_OK | os.W_OK), reason=f"{DEVICE} is not for this user"
)


@pytest.fixture
def lazy(world: World) -> World:
    world.lazy_bytes = 0
    return world


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_everything_is_as_it_was(lazy: World, compiled: Callable[..., str], name: str) -> None:
    ended = lead_two_lives(lazy, compiled(name), seed=len(name), first_word="ready\n")
    assert (ended.code, ended.signal) == (0, 0), ended.out
    assert ended.out.startswith("ready\n") and ended.out.endswith("as it was\n")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", ["mutating.c", "moved.c"])
def test_memory_that_changes_all_the_time(
    lazy: World, compiled: Callable[..., str], name: str, seed: int
) -> None:
    stay_alive(lazy, compiled(f"../live/{name}"), seed)
    assert lazy.end() == Ended(0, 0, "ready\nas it was\n")


def leave(world: World, program: str, *words: str) -> None:
    """It is written down and ends; what it waits for is there when it goes on."""
    world.start(program, GO, *words)
    world.await_output("ready\n")
    world.dump()
    (world.place / "go").touch()


@pytest.mark.slow
@pytest.mark.parametrize("least", [0, 32 << 20])
def test_missing_memory_is_called_with_given_up_moved_and_forked(
    lazy: World, compiled: Callable[..., str], least: int
) -> None:
    lazy.lazy_bytes = least
    leave(lazy, compiled("../lazy/touched.c"))
    lazy.restore()
    assert lazy.end() == Ended(0, 0, "ready\nas it was\n")


def test_a_job_may_end_before_its_memory_is_there(lazy: World, compiled: Callable[..., str]) -> None:
    leave(lazy, compiled("../lazy/touched.c"), "exit")
    lazy.restore()
    assert lazy.end() == Ended(7, 0, "ready\n")


@pytest.mark.slow
def test_a_dump_waits_until_all_memory_is_there(lazy: World, compiled: Callable[..., str]) -> None:
    lazy.start(compiled("../lazy/touched.c"), GO)
    lazy.await_output("ready\n")
    for _ in range(3):
        lazy.dump()
        lazy.restore()
    (lazy.place / "go").touch()
    assert lazy.end() == Ended(0, 0, "ready\nas it was\n")


@pytest.mark.slow
def test_a_job_is_lost_rather_than_wrong_when_its_image_fails(
    lazy: World, compiled: Callable[..., str]
) -> None:
    lazy.start(compiled("../lazy/touched.c"), GO)
    lazy.await_output("ready\n")
    lazy.dump()
    lazy.restore()
    os.truncate(lazy.image / "pages.old", 1 << 20)
    (lazy.place / "go").touch()
    assert lazy.lost()
    assert lazy.output == b"ready\n"


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["hpool-restore", "hpool-init", "hpool-keeper"])
def test_nobody_reads_zeros_when_one_of_the_keepers_is_killed(
    lazy: World, compiled: Callable[..., str], victim: str
) -> None:
    lazy.start(compiled("../lazy/touched.c"), GO)
    lazy.await_output("ready\n")
    lazy.dump()
    (lazy.place / "go").touch()
    lazy.restore()
    os.kill(lazy.process_called(victim), signal.SIGKILL)
    assert lazy.lost()
    assert lazy.output == b"ready\n"


@pytest.mark.slow
def test_what_is_still_in_the_image_is_not_memory_of_the_job(
    lazy: World, compiled: Callable[..., str]
) -> None:
    lazy.memory_bytes = 700 << 20  # of which it needs 450
    leave(lazy, compiled("../lazy/touched.c"))
    lazy.restore()
    assert lazy.end() == Ended(0, 0, "ready\nas it was\n")


@pytest.mark.slow
def test_go(lazy: World, compiled: Callable[..., str]) -> None:
    go_on_in_go(lazy, compiled("goroutines.go"))


@pytest.mark.slow
def test_java(lazy: World) -> None:
    go_on_in_java(lazy, "-Xms256m", "-XX:+AlwaysPreTouch")


PYTHON: Final = """
import hashlib, os
table = {n: str(n) * 20 for n in range(400000)}
for n in range(0, 400000, 3): table[n] += "x"
sums = []
for part in range(60):
    if (child := os.fork()) == 0: os._exit(table[part * 3].endswith("x") and 5)
    sums.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    for n in range(part, 400000, 8): table[n] = table[n][::-1]
print(sums, hashlib.sha256("".join(map(table.get, range(400000))).encode()).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_python(lazy: World, seed: int) -> None:
    argv = ("/usr/bin/python3", "-c", PYTHON)
    assert lead_two_lives(lazy, *argv, seed=seed).out == native(*argv)
