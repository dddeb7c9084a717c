"""Real programs, and jobs of several that talk to each other, killed, written down and moved at random
moments: they end with the bytes of an undisturbed native run.

HPOOL_CHAOS_ROUNDS: four times how often, with a seed each; a failure names its own.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.chaos import only_moves, run_through, some_kills, some_moves
from integration.conftest import needs_root
from integration.corpus_jobs import JOBS, Job, files_of, kept_places, missing_of
from integration.judge import lay_out
from integration.pool import StrictPool

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.timeout(300)]
ROUNDS = max(1, int(os.environ.get("HPOOL_CHAOS_ROUNDS", "4")) // 4)
SERVED = Path(__file__).parent / "served"
# Which of the corpus: those that are quick, and of each kind one.
CORPUS = ["qap-12", "hmmsearch", "R", "compile", "sqlite", "git", "perl", "go"]


def ring(place: Path) -> None:
    subprocess.run(["mpicc", "-O2", "-o", str(place / "ring"), str(SERVED / "ring.c")], check=True)


def served(name: str) -> Callable[[Path], None]:
    def prepare(place: Path) -> None:
        shutil.copy(SERVED / name, place)

    return prepare


RING = "mpirun --oversubscribe --mca btl_tcp_if_include lo --mca btl {},self -n 2 ./ring {}"
SERVERS = [
    Job("postgresql", ("sh database.sh",), (), ("/usr/lib/postgresql",), served("database.sh")),
    Job("redis", ("bash counters.sh",), (), ("redis-server",), served("counters.sh")),
    Job("mpi-tcp", (RING.format("tcp", 12000),), (), ("mpicc",), ring),
    Job("mpi", (RING.format("vader", 60000),), (), ("mpicc",), ring),
    Job("mirror", ("/usr/bin/python3 mirror.py",), ("client*",), (), served("mirror.py")),
]
REAL = SERVERS + [job for job in JOBS if job.name in CORPUS]


@pytest.fixture(scope="module")
def breaking_pool() -> Iterator[StrictPool]:
    needs_root()
    with StrictPool(lease_s=4) as pool:
        yield pool


@pytest.fixture(scope="module")
def prepared() -> Iterator[Callable[[Job], Path]]:
    yield from kept_places()


@pytest.mark.parametrize("seed", range(ROUNDS))
@pytest.mark.parametrize("job", REAL, ids=lambda job: job.name)
def test_a_real_job_ends_as_if_nothing_had_been(
    breaking_pool: StrictPool, prepared: Callable[[Job], Path], job: Job, seed: int
) -> None:
    missing = missing_of(job)
    if missing:
        pytest.skip(missing)
    pool, place, chance = breaking_pool, prepared(job), random.Random(f"{job.name} {seed}")
    argv, env = ["/bin/sh", "-c", " && ".join(job.commands)], pool.home.env | dict(job.env)

    def fill(work: Path) -> None:
        shutil.copytree(place, work, symlinks=True, dirs_exist_ok=True)

    lay_out(pool.home, pool.home.work, fill)
    expected = pool.home.run(argv, pool.home.work, env=env)
    assert expected.code in (0, 9), expected
    expected_files = files_of(pool, job)
    longest_s = max(0.4, expected.seconds)
    events = {
        "moves": lambda: only_moves(chance, 4, longest_s / 2),
        "both": lambda: some_moves(chance, longest_s / 2),
        "kills": lambda: some_kills(chance, longest_s),
    }[chance.choice(["moves", "both", "kills"])]()
    lay_out(pool.home, pool.home.work, fill)
    ended = run_through(pool, argv, events, env=env)
    assert (ended.code, ended.stdout) == (expected.code, expected.stdout), (events, ended.stderr)
    found = files_of(pool, job)
    assert {
        name for name in {*found, *expected_files} if found.get(name) != expected_files.get(name)
    } == set(), events
