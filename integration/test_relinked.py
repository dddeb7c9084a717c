"""Relinked programs: at home and as jobs they do what the plain program does.

Owns: the small programs made by `hpool cc`, dynamic and static. Leaves to others: the compiler
driver's own behaviour (tests/interpose_c/test_link.py).
"""

from __future__ import annotations

import pytest

from integration import judge
from integration.known import known_differences
from integration.manifest import RELINKED, RELINKED_STATIC, Program, Toolchain, all_programs, built
from integration.pool import StrictPool

PROGRAMS = [program for program in all_programs() if program.source.suffix == ".c"]


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.parametrize("toolchain", [RELINKED, RELINKED_STATIC], ids=lambda toolchain: toolchain.name)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_relinked_job_cannot_tell_it_is_away(
    program: Program, toolchain: Toolchain, pool: StrictPool
) -> None:
    found = judge.run_both(pool.home, program, built(pool.home, toolchain), pool.home.work)
    known = known_differences("programs", program.name)
    assert [line for line in found if not any(part in line for part in known)] == []


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.parametrize("toolchain", [RELINKED, RELINKED_STATIC], ids=lambda toolchain: toolchain.name)
def test_at_home_a_relinked_program_is_an_ordinary_one(toolchain: Toolchain, pool: StrictPool) -> None:
    found = {}
    for program in PROGRAMS:
        runs = []
        for kind in (toolchain.plain, toolchain):
            judge.lay_out(pool.home, pool.home.work, program.fill)
            ended = pool.home.run(
                program.argv(built(pool.home, kind)),
                pool.home.work,
                env=pool.home.env | dict(program.env),
                stdin=program.stdin,
                timeout_s=program.timeout_s,
            )
            runs.append((ended, judge.snapshot(pool.home.outside(pool.home.work))))
        (plain, tree), (relinked, other_tree) = runs
        found[program.name] = judge.differences(plain, relinked, tree, other_tree)
    assert {name: lines for name, lines in found.items() if lines} == {}
