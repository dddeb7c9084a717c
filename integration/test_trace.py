"""The tracer as front end: what it refuses, and what the shim has to leave to it.

What it serves as well as the shim does is for test_programs, whose matrix has every program traced.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration.conftest import needs_root
from integration.manifest import all_programs, build
from integration.pool import StrictPool

pytestmark = [pytest.mark.slow, pytest.mark.root]
PROGRAMS = {program.name: program for program in all_programs()}


@pytest.fixture(scope="module")
def traced() -> Iterator[StrictPool]:
    needs_root()
    with StrictPool(intercept="trace") as pool:
        build([PROGRAMS["takes_gs"]], pool.home.outside(directory(pool)))
        pool.home.own(directory(pool))
        yield pool


def directory(pool: StrictPool) -> str:
    return f"{pool.home.directory}/programs"


def test_a_tracer_inside_a_traced_job_is_refused_and_reported(traced: StrictPool) -> None:
    traced.home.fresh_work()
    script = "import ctypes; print(ctypes.CDLL(None).ptrace(0, 0, 0, 0))"
    ended = traced.home.job("/usr/bin/python3", "-c", script, options=("--stats",))
    assert ended.stdout == b"-1\n"
    assert b"ptrace was refused" in ended.stderr, ended


def test_what_the_shim_alone_cannot_serve_is_refused_and_reported(traced: StrictPool) -> None:
    traced.home.fresh_work()
    program = f"{directory(traced)}/takes_gs"
    ended = traced.home.job(program, options=("--intercept", "shim", "--stats"))
    assert b"ARCH_SET_GS" in ended.stdout
    assert b"EPERM" in ended.stdout
    assert b"arch_prctl(ARCH_SET_GS) was refused" in ended.stderr, ended
