"""The acceptance corpus and other real programs: unmodified binaries, byte-equal with native.

Leaves to others: which jobs there are (corpus_jobs.py).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.corpus_jobs import JOBS, Job, files_of, kept_places, missing_of
from integration.judge import Ended, lay_out
from integration.pool import StrictPool

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def prepared() -> Iterator[Callable[[Job], Path]]:
    yield from kept_places()


def run(pool: StrictPool, job: Job, place: Path, away: bool) -> tuple[list[Ended], dict[str, bytes]]:
    """Each command natively, or each as a job of its own."""

    def fill(work: Path) -> None:
        shutil.copytree(place, work, symlinks=True, dirs_exist_ok=True)

    lay_out(pool.home, pool.home.work, fill)
    env, ends = pool.home.env | dict(job.env), []
    for command in job.commands:
        simple = not re.search(r"[|&;<>']", command)
        argv = command.split() if simple else ["/bin/sh", "-c", command]
        ends.append(
            pool.home.run(pool.home.hpool(argv) if away else argv, pool.home.work, env=env, timeout_s=300)
        )
    return ends, files_of(pool, job)


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_a_real_program_gives_the_same_bytes(
    job: Job, pool: StrictPool, prepared: Callable[[Job], Path]
) -> None:
    missing = missing_of(job)
    if missing:
        pytest.skip(missing)
    place = prepared(job)
    expected, expected_files = run(pool, job, place, away=False)
    assert [ended.code for ended in expected] in ([0] * len(job.commands), [9]), expected
    got, got_files = run(pool, job, place, away=True)
    assert got == expected
    assert job.says in expected[-1].stdout
    assert expected_files.keys() == got_files.keys()
    assert [name for name in expected_files if expected_files[name] != got_files[name]] == []
