"""Where a job's time went, as its submitter is told: what cost most is on top, live and afterwards."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.pool import HPOOL, RoomHome, StrictPool
from integration.test_watching import last_job, log_of

pytestmark = [pytest.mark.slow, pytest.mark.root]
SOURCE = Path(__file__).parent / "watched/costly.c"
DIRECTORIES = 150
BIG_BYTES = 64 << 20


@pytest.fixture(scope="module")
def home(pool: StrictPool) -> Iterator[RoomHome]:
    """Static: whatever else it needs of home is its own file."""
    files = {f"many/{number}/name": b"x" for number in range(DIRECTORIES)}
    place = pool.home.fresh_work({**files, "big": os.urandom(BIG_BYTES)})
    subprocess.run(["gcc", "-O1", "-static", "-Wall", "-Werror", "-o", place / "costly", SOURCE], check=True)
    pool.home.own(pool.home.work)
    yield pool.home
    pool.home.fresh_work()


def profile(home: RoomHome, job: str) -> dict[str, Any]:
    answer = home.run([HPOOL, "profile", "--json", job], home.work)
    assert answer.code == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert isinstance(found, dict)
    return found


def check(home: RoomHome, found: dict[str, Any]) -> None:
    """The big file and the many names, nothing else, are on top."""
    paid = [cost for cost in found["costs"] if cost["path"] and cost["call"] not in {"start", "end"}]
    assert all(cost["path"].startswith((f"{home.work}/big", f"{home.work}/many/")) for cost in paid[:2]), paid
    by_name = {(cost["path"], cost["call"]): cost for cost in paid}
    assert by_name[f"{home.work}/many/**", "name"]["names"] >= DIRECTORIES - 20
    assert by_name[f"{home.work}/big", "read"]["bytes_in"] == BIG_BYTES
    assert found["bytes_in"] > BIG_BYTES
    assert sum(waits["count"] for waits in found["waits"]) == found["round_trips"]


def test_what_cost_most_is_on_top_while_it_runs_and_when_it_is_over(home: RoomHome) -> None:
    job = home.popen(
        home.hpool(["./costly", str(DIRECTORIES), "wait"], "--stats"), home.work, stdin=subprocess.PIPE
    )
    assert job.stdout is not None
    assert job.stdout.readline() == b"done\n"
    number = home.run([HPOOL, "queue"], home.work).stdout.decode().splitlines()[-1].split()[0]
    live = profile(home, number)
    assert live["over"] is False
    check(home, live)
    _, said = job.communicate(b"x", timeout=30)
    assert job.returncode == 0, said
    assert last_job(home) == number
    ended = profile(home, number)
    assert ended["over"] is True
    check(home, ended)
    assert ended["calls"] > 10_000
    assert ended["hit_rate"] > 0.95

    lines = [line for line in log_of(home, number) if line["kind"] == "profile"]
    assert len(lines) == 1
    assert lines[0]["sentence"].startswith("waited ")
    assert lines[0]["sentence"].encode() in said, "--stats says the same"
    text = home.run([HPOOL, "profile", number, "--limit", "3"], home.work).stdout.decode()
    assert f"{home.work}/big" in text
    assert "names" in text
    assert "% of all " in text
