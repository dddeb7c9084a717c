"""One behaviour, one small program: natively and as a job, everything the same."""

from __future__ import annotations

import pytest

from integration import judge
from integration.known import known_differences
from integration.manifest import Program, all_programs, built
from integration.pool import StrictPool

PROGRAMS = all_programs()


def test_there_are_enough_programs_and_each_says_what_it_is_about() -> None:
    assert len(PROGRAMS) >= 100
    assert [program.name for program in PROGRAMS if len(program.about) < 10] == []


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.parametrize(
    "program", [each for each in PROGRAMS if "auto" in each.fronts], ids=lambda program: program.name
)
def test_a_job_cannot_tell_it_is_away(program: Program, pool: StrictPool) -> None:
    found = judge.run_both(pool.home, program, built(pool.home), pool.home.work)
    known = known_differences("programs", program.name)
    unexpected = [line for line in found if not any(part in line for part in known)]
    assert unexpected == []
    gone = [part for part in known if not any(part in line for line in found)]
    assert gone == [], "a known difference is gone: take it off the list"


@pytest.mark.slow
@pytest.mark.root
def test_the_judge_says_the_same_twice(pool: StrictPool) -> None:
    for program in PROGRAMS:
        runs = []
        for _ in range(2):
            judge.lay_out(pool.home, pool.home.work, program.fill)
            argv, env = program.argv(built(pool.home)), pool.home.env | dict(program.env)
            ended = pool.home.run(
                argv, pool.home.work, env=env, stdin=program.stdin, timeout_s=program.timeout_s
            )
            runs.append((ended, judge.snapshot(pool.home.outside(pool.home.work))))
        (first, tree), (second, other_tree) = runs
        assert judge.differences(first, second, tree, other_tree) == [], program.name
