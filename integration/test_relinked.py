"""Relinked programs: at home they do what the plain program does.

Owns: the small programs made by `hpool cc`, dynamic and static, without hpool. Leaves to others: the same
as jobs (test_programs.py), the compiler driver's own behaviour (tests/interpose_c/test_link.py).
"""

from __future__ import annotations

import pytest

from integration import judge
from integration.judge import Ended, Leaf
from integration.manifest import RELINKED, RELINKED_STATIC, Program, Toolchain, all_programs, built
from integration.pool import StrictPool

PROGRAMS = [program for program in all_programs() if program.source.suffix == ".c"]


def run(pool: StrictPool, program: Program, toolchain: Toolchain) -> tuple[Ended, dict[bytes, Leaf]]:
    judge.lay_out(pool.home, pool.home.work, program.fill)
    ended = pool.home.run(
        program.argv(built(pool.home, toolchain)),
        pool.home.work,
        env=pool.home.env | dict(program.env),
        stdin=program.stdin,
        timeout_s=program.timeout_s,
    )
    return ended, judge.snapshot(pool.home.outside(pool.home.work))


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.timeout(600)  # the first of a kind compiles all programs
@pytest.mark.parametrize("toolchain", [RELINKED, RELINKED_STATIC], ids=lambda toolchain: toolchain.name)
def test_at_home_a_relinked_program_is_an_ordinary_one(toolchain: Toolchain, pool: StrictPool) -> None:
    found = {}
    for program in PROGRAMS:
        (plain, tree), (relinked, other_tree) = (
            run(pool, program, kind) for kind in (toolchain.plain, toolchain)
        )
        found[program.name] = judge.differences(plain, relinked, tree, other_tree)
    assert {name: lines for name, lines in found.items() if lines} == {}
