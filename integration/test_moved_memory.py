"""A job with much memory moves: what follows while it runs again is what it had."""

from __future__ import annotations

import hashlib
import re
import subprocess

import pytest

from integration.pool import HPOOL, StrictPool

pytestmark = [pytest.mark.slow, pytest.mark.root]

BYTES = 80 << 20
# A child reads the same memory right after each move: a fork must not see zeros where memory still follows.
KEEPS = f"""
import hashlib, os, sys
much = bytearray(hashlib.shake_128(b"seed").digest({BYTES}))
for number, line in enumerate(sys.stdin):
    child = os.fork()
    if child == 0:
        os.write(1, f"child {{hashlib.sha256(much).hexdigest()}}\\n".encode())
        os._exit(0)
    os.waitpid(child, 0)
    much[number * 4_000_037 % len(much)] ^= 0xFF
    print(number, hashlib.sha256(much).hexdigest(), flush=True)
"""


def expected(moves: int) -> list[str]:
    much = bytearray(hashlib.shake_128(b"seed").digest(BYTES))
    lines = []
    for number in range(moves + 1):
        lines.append(f"child {hashlib.sha256(much).hexdigest()}\n")
        much[number * 4_000_037 % len(much)] ^= 0xFF
        lines.append(f"{number} {hashlib.sha256(much).hexdigest()}\n")
    return lines


@pytest.mark.parametrize("restore", ["auto", "eager"])
def test_much_memory_is_all_there_wherever_it_goes_on(own_pool: StrictPool, restore: str) -> None:
    moves = 3
    home = own_pool.home
    work = home.fresh_work({"keeps.py": KEEPS.encode()})
    command = home.hpool(["/usr/bin/python3", "keeps.py"], "--restore", restore)
    job = home.popen(command, home.work, stdin=subprocess.PIPE)
    assert job.stdin is not None and job.stdout is not None and job.stderr is not None
    said = []
    for number in range(moves + 1):
        job.stdin.write(b"go on\n")
        job.stdin.flush()
        said += [job.stdout.readline().decode() for _ in range(2)]
        if number < moves:
            job_id = home.run([HPOOL, "queue"]).stdout.decode().splitlines()[1].split()[0]
            kept = own_pool.vacate(job_id)
            assert f"epoch {number + 1} is kept" in kept
            came = re.search(r"(\d+) bytes came", kept)
            assert came is not None, kept
            # home has the rest, from the move before
            assert int(came[1]) < BYTES // 4 if number else int(came[1]) > BYTES, kept
    job.stdin.close()
    ended = job.stderr.read()
    assert job.wait(60) == 0, ended
    assert said == expected(moves)
    assert ended.count(b"has left") == moves, ended
    assert [each.name for each in work.iterdir()] == ["keeps.py"]
