"""One behaviour, one small program: natively and as a job with every front end, everything the same.

The matrix is 891 runs, of half a second natively and as a job when nothing else runs (two thirds of it took
19 minutes on two processors with a load of 12). `-n 2 --dist loadgroup`: a front end's programs stay
together, so each is built once.
"""

from __future__ import annotations

import pytest

from integration import judge
from integration.fronts import FRONTS, Front
from integration.known import known_differences
from integration.manifest import Program, all_programs, built
from integration.pool import StrictPool

PROGRAMS = all_programs()


def test_there_are_enough_programs_and_each_says_what_it_is_about() -> None:
    assert len(PROGRAMS) >= 100
    assert [program.name for program in PROGRAMS if len(program.about) < 10] == []


MATRIX = [
    pytest.param(
        front,
        program,
        id=f"{front.name}-{program.name}",
        marks=pytest.mark.xdist_group(f"front-{front.name}"),
    )
    for front in FRONTS
    for program in front.programs(PROGRAMS)
]


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.timeout(900)  # the first of a front end waits for the compiler
@pytest.mark.parametrize(("front", "program"), MATRIX)
def test_a_job_cannot_tell_it_is_away(front: Front, program: Program, pool: StrictPool) -> None:
    directory = built(pool.home, front.toolchain)
    found = judge.run_both(pool.home, program, directory, pool.home.work, intercept=front.intercept)
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
