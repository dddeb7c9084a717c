"""The tracer as front end: what it has to serve as well as the shim, and what the shim cannot.

The programs are those of test_programs; here a choice of them, across all subjects.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration import judge
from integration.conftest import needs_root
from integration.manifest import all_programs, build
from integration.pool import StrictPool

pytestmark = [pytest.mark.slow, pytest.mark.root]
# Those that only a tracer serves, then of each subject what has most in it.
CHOSEN = (
    *("checks_itself", "crowd", "mdwe", "mixed_tree", "own_dispatch"),
    *("seccomp_filter", "seccomp_strict", "taken_over", "takes_gs"),
    *("clone_raw", "daemon_child", "eintr", "empty_env", "exec_at", "exec_chain", "killed", "long_jumps"),
    *("make_project", "mmap_shared", "open_tmpfile", "polling", "proc_exe", "process_pool", "python_threads"),
    *("raw_calls", "shell_script", "signal_io", "signals", "spawn", "sqlite_database", "static_program"),
    *("subprocesses", "threads_io", "threads_life", "unix_socket", "vfork", "walk", "zombies"),
)
PROGRAMS = {program.name: program for program in all_programs()}
HELPERS = ("mixed_part",)


@pytest.fixture(scope="module")
def traced() -> Iterator[StrictPool]:
    needs_root()
    with StrictPool(intercept="trace") as pool:
        build([PROGRAMS[name] for name in (*CHOSEN, *HELPERS)], pool.home.outside(directory(pool)))
        pool.home.own(directory(pool))
        yield pool


def directory(pool: StrictPool) -> str:
    return f"{pool.home.directory}/programs"


@pytest.mark.parametrize("name", CHOSEN)
def test_a_traced_job_cannot_tell_it_is_away(traced: StrictPool, name: str) -> None:
    assert "trace" in PROGRAMS[name].fronts
    assert judge.run_both(traced.home, PROGRAMS[name], directory(traced), traced.home.work) == []


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
