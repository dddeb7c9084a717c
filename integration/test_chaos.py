"""Jobs whose starter, keeper, sandbox or shadow is killed at random moments, or that are written down and
moved between, end as if nothing had been.

HPOOL_CHAOS_ROUNDS: how often, with a seed each; a failure names its own.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.chaos import MOVES, ROLES, Events, kill, run_through, some_kills, some_moves
from integration.conftest import needs_root
from integration.judge import snapshot
from integration.pool import HPOOL, StrictPool

pytestmark = [pytest.mark.slow, pytest.mark.root]
ROUNDS = int(os.environ.get("HPOOL_CHAOS_ROUNDS", "4"))
# It appends, overwrites, cuts off, replaces, links, moves, removes, commits; a second run sees a first one.
CHANGES = """
import os, sqlite3, sys, time
count = int(open("count").read())
print("count", count, flush=True)
with open("count", "r+") as file:
    file.write(str(count + 1))
log = open("log", "ab", buffering=0)
base = sqlite3.connect("base")
for number in range(40):
    log.write(b"line %d\\n" % number)
    with open("block", "r+b", buffering=0) as file:
        file.seek(number * 5000)
        file.write(b"%d" % number * 700)
        os.fsync(file.fileno())
    with open("new", "w") as file:
        file.write(f"state {number}\\n")
    os.rename("new", "state")
    with base:
        base.execute("UPDATE total SET n = n + ?", (number,))
        base.execute("INSERT INTO entries VALUES (?)", (number,))
    os.unlink(f"old/{number}")
    os.mkdir(f"made{number}")
    os.link("state", f"made{number}/link")
    os.chmod("old", 0o700 + number % 8)
    print(number, base.execute("SELECT n FROM total").fetchone(), flush=True)
    time.sleep(0.01)
os.rename("old", "made0/old")
os.truncate("block", 100_000)
print("read", sys.stdin.read())
sys.exit(7)
"""
PIPELINE = """
n=$(cat count); echo $((n + 1)) > count; echo count $n
for i in $(seq 40); do
    echo $i >> log; sort -r log | head -5 > new && mv new state; rm old/$((i - 1)); mkdir made$i; sleep 0.01
done
cat log | tr '1' 'x' | sort | tee sorted | tail -3; cat
exit 7
"""
JOBS = {
    "changes": ["/usr/bin/python3", "-c", CHANGES],
    "pipeline": ["/bin/bash", "-c", PIPELINE],
}


@pytest.fixture(scope="module")
def breaking_pool() -> Iterator[StrictPool]:
    needs_root()
    with StrictPool(lease_s=4) as pool:
        yield pool


def lay_out(pool: StrictPool) -> Path:
    pool.home.fresh_work()
    table = "import sqlite3; d = sqlite3.connect('base'); d.execute('CREATE TABLE total(n)');"
    table += "d.execute('CREATE TABLE entries(n)'); d.execute('INSERT INTO total VALUES (0)'); d.commit()"
    files = "mkdir old; for i in $(seq 0 39); do echo $i > old/$i; done; echo 5 > count; echo head > log;"
    files += " head -c 300000 /dev/zero > block; touch -d @1000000000 log block old/*"
    pool.home.run(["/bin/sh", "-c", f'{files}; /usr/bin/python3 -c "{table}"'], pool.home.work)
    return pool.home.outside(pool.home.work)


@pytest.mark.parametrize("seed", range(ROUNDS))
@pytest.mark.parametrize("how", [some_kills, some_moves])
@pytest.mark.parametrize("job", JOBS)
def test_nobody_can_tell_that_it_began_again_or_moved(
    breaking_pool: StrictPool, job: str, how: Callable[[random.Random], Events], seed: int
) -> None:
    pool, chance = breaking_pool, random.Random(f"{job} {seed}")
    place = lay_out(pool)
    expected = pool.home.run(JOBS[job], pool.home.work, stdin=b"input\n")
    expected_tree = snapshot(place)
    lay_out(pool)
    events = how(chance)
    ended = run_through(pool, JOBS[job], events, stdin=b"input\n", says_first=True)
    assert (ended.code, ended.stdout) == (expected.code, expected.stdout), (events, ended.stderr)
    tree = snapshot(place)
    differing = {name for name in {*tree, *expected_tree} if tree.get(name) != expected_tree.get(name)}
    assert not differing, (events, {name: (expected_tree.get(name), tree.get(name)) for name in differing})


@pytest.mark.parametrize("seed", range(max(1, ROUNDS // 4)))
@pytest.mark.parametrize("role", ROLES)
def test_who_dies_in_the_midst_of_a_move_is_not_missed(
    breaking_pool: StrictPool, role: str, seed: int
) -> None:
    pool, chance = breaking_pool, random.Random(f"{role} {seed}")
    job = chance.choice(list(JOBS))
    place = lay_out(pool)
    expected = pool.home.run(JOBS[job], pool.home.work, stdin=b"input\n")
    expected_tree = snapshot(place)
    lay_out(pool)
    process = pool.home.popen(pool.home.hpool(JOBS[job]), pool.home.work, stdin=subprocess.PIPE)
    assert process.stdout is not None
    first = os.read(process.stdout.fileno(), 1 << 16)
    time.sleep(chance.uniform(0, 0.2))
    jobs = pool.home.run([HPOOL, "queue"]).stdout.decode().splitlines()[1:]
    asked = [pool.home.popen([HPOOL, chance.choice(MOVES), job.split()[0]]) for job in jobs]
    time.sleep(chance.uniform(0.08, 0.3))  # it takes a tenth of a second to be heard
    kill(pool, role)
    out, err = process.communicate(b"input\n", timeout=100)
    assert (process.returncode, first + out) == (expected.code, expected.stdout), err
    assert snapshot(place) == expected_tree
    for each in asked:
        each.communicate(timeout=100)
