"""Dumped, killed, restored, more than once and at any moment: the output is that of a run left alone.

One program for each kind of thing the kernel keeps for a process; each looks for itself whether all of it
is as it was.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.interpose_c.checkpoint.world import HERE, Ended, World

PROGRAMS: Final = sorted(path.name for path in (HERE / "programs").glob("*.c"))
QUICK: Final = {"family.c"}
TIMES: Final = 2
LONGEST_S: Final = 0.35


def lead_two_lives(world: World, *argv: str, seed: int, first_word: str | None = None) -> Ended:
    chance = random.Random(seed)
    world.start(*argv)
    if first_word:
        world.await_output(first_word)
    for _ in range(TIMES):
        time.sleep(chance.uniform(0, LONGEST_S))  # any moment will do: that is what is tested
        world.dump()
        world.restore()
    return world.end()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in PROGRAMS]
)
def test_everything_is_as_it_was(world: World, compiled: Callable[..., str], name: str) -> None:
    ended = lead_two_lives(world, compiled(name), seed=len(name), first_word="ready\n")
    assert (ended.code, ended.signal) == (0, 0), ended.out
    assert ended.out.startswith("ready\n") and ended.out.endswith("as it was\n")


@pytest.mark.slow
def test_scratch_files_may_be_more_than_descriptors(world: World, compiled: Callable[..., str]) -> None:
    world.descriptors = 256
    ended = lead_two_lives(world, compiled("scratch.c"), seed=2, first_word="ready\n")
    assert ended == Ended(0, 0, "ready\nas it was\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "family.c",
        "sessions.c",
        "events.c",
        "threads.c",
        "system_v.c",
        "loopback.c",
        "half_ended.c",
        "groups.c",
        "unix_names.c",
        "shared_port.c",
        "scratch.c",
        "message_queues.c",
        "shown.c",
        "nameless.c",
        "asked_once.c",
    ],
)
def test_no_privilege_is_needed(world: World, compiled: Callable[..., str], name: str) -> None:
    world.ordinary = True
    ended = lead_two_lives(world, compiled(name), seed=6, first_word="ready\n")
    assert ended == Ended(0, 0, "ready\nas it was\n")


@pytest.mark.slow
def test_a_static_program(world: World, compiled: Callable[..., str]) -> None:
    ended = lead_two_lives(world, compiled("threads.c", "-static"), seed=1, first_word="ready\n")
    assert ended == Ended(0, 0, "ready\nas it was\n")


def native(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_python(world: World, seed: int) -> None:
    script = (
        "import hashlib\nh = b''\nfor n in range(3000000): h = hashlib.sha256(h).digest()\nprint(h.hex())"
    )
    assert lead_two_lives(world, "/usr/bin/python3", "-c", script, seed=seed).out == native(
        "/usr/bin/python3", "-c", script
    )


PIPELINE: Final = r"""
seq 1 6000000 | cat | sed 's/$/ x/' | awk '{ if ($1 != NR) print "lost", NR; s += $1 } END { print NR, s }'
trap 'echo caught' USR1
(sleep 0.2; kill -USR1 $$) &
wait; wait; (exit 3); echo $?
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_pipeline_of_bash(world: World, seed: int) -> None:
    ended = lead_two_lives(world, "/bin/bash", "-c", PIPELINE, seed=seed)
    assert ended == Ended(0, 0, native("/bin/bash", "-c", PIPELINE))


def go_on_in_go(world: World, program: str) -> None:
    assert lead_two_lives(world, program, seed=3).out == native(str(world.place / "goroutines"))


def go_on_in_java(world: World, *options: str) -> None:
    java = shutil.which("java")
    if java is None or shutil.which("javac") is None:
        pytest.skip("needs a JDK")
    subprocess.run(["javac", "-d", world.place, HERE / "programs" / "Pool.java"], check=True)
    argv = (str(Path(java).resolve()), *options, "-cp")
    ended = lead_two_lives(world, *argv, "/work", "Pool", seed=4)
    assert ended.out == native(*argv, str(world.place), "Pool")


@pytest.mark.slow
def test_go(world: World, compiled: Callable[..., str]) -> None:
    go_on_in_go(world, compiled("goroutines.go"))


@pytest.mark.slow
def test_java(world: World) -> None:
    go_on_in_java(world)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_a_dumper_that_is_killed_leaves_no_cripples(
    world: World, compiled: Callable[..., str], seed: int
) -> None:
    """The job has not noticed, or it is dead: never something in between."""
    world.start(compiled("threads.c"))
    world.await_output("ready\n")
    world.crash(random.Random(seed).uniform(0, 0.03))
    ended = world.end()
    assert (ended.signal == 9 and ended.out == "ready\n") or ended == Ended(0, 0, "ready\nas it was\n")


def test_who_is_only_written_down_goes_on(world: World, compiled: Callable[..., str]) -> None:
    world.start(compiled("signals.c"))
    world.await_output("ready\n")
    for _ in range(5):
        world.dump(kill=False)
    assert world.end() == Ended(0, 0, "ready\nas it was\n")
