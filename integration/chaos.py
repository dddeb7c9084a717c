"""What happens to a job at random moments: its processes are killed, it is written down, it moves.

Owns: what there is, and when. Leaves to others: which jobs, what is expected of them.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from typing import Final

from integration.judge import Ended
from integration.pool import HPOOL, StrictPool

ROLES: Final = ["hpool.shadow.job", "hpool.sandbox.starter", "hpool-keeper", "hpool.sandbox"]
MOVES: Final = ["checkpoint", "vacate"]
Events = list[tuple[float, str]]  # after how many seconds, what


def kill(pool: StrictPool, role: str) -> None:
    if role == "hpool.sandbox":
        pool.roles["sandbox"].kill()
        pool.roles["sandbox"].wait()
        pool.start("sandbox")
        return
    for pid in pool.pids(role):
        os.kill(pid, signal.SIGKILL)


def move(pool: StrictPool, command: str) -> None:
    """It may have ended, or be on its way back to a machine: then there is nothing to write down."""
    jobs = pool.home.run([HPOOL, "queue"]).stdout.decode().splitlines()[1:]
    for job in jobs:
        done = pool.home.run([HPOOL, command, job.split()[0]])
        assert done.code == 0 or re.search(rb"CKPT-004|USE-00[57]|does not run", done.stderr), done


def happens(pool: StrictPool, what: str) -> None:
    if what in MOVES:
        move(pool, what)
    else:
        kill(pool, what)


def some_kills(chance: random.Random, longest_s: float = 1.5) -> Events:
    return [(chance.uniform(0.1, longest_s), chance.choice(ROLES)) for _ in range(chance.choice([1, 2]))]


def some_moves(chance: random.Random, longest_s: float = 0.4) -> Events:
    """Two of hpool's own doing, and a kill before or after them."""
    moves = only_moves(chance, 2, longest_s)
    moves.insert(chance.randrange(3), (chance.uniform(0.05, longest_s), chance.choice(ROLES)))
    return moves


def only_moves(chance: random.Random, count: int, longest_s: float) -> Events:
    return [(chance.uniform(0.05, longest_s), chance.choice(MOVES)) for _ in range(count)]


def run_through(
    pool: StrictPool,
    argv: list[str],
    events: Events,
    *,
    stdin: bytes = b"",
    env: dict[str, str] | None = None,
    says_first: bool = False,
) -> Ended:
    """The job, while all that happens. `says_first`: not before it has said something."""
    process = pool.home.popen(pool.home.hpool(argv), pool.home.work, env=env, stdin=subprocess.PIPE)
    assert process.stdout is not None
    # Not readline(): communicate() does not ask for what that has read ahead.
    first = os.read(process.stdout.fileno(), 1 << 16) if says_first else b""
    for delay_s, what in events:
        time.sleep(delay_s)
        happens(pool, what)
    try:
        out, err = process.communicate(stdin, timeout=100)
    except subprocess.TimeoutExpired:
        queue = pool.home.run([HPOOL, "queue"]).stdout
        os.killpg(process.pid, signal.SIGKILL)
        raise AssertionError(f"it has not ended in 100 s: {events}, {queue!r}") from None
    return Ended(process.returncode, first + out, err)
