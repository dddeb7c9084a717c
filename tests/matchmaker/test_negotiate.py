"""Matching as a pure function."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from hpool.matchmaker.negotiate import Machine, WaitingJob, fits, negotiate

JOBS = st.lists(
    st.builds(
        WaitingJob,
        key=st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 99).map(str)),
        cpus=st.integers(0, 4),
        memory_bytes=st.integers(0, 8),
        arch=st.sampled_from(["", "x86_64", "aarch64"]),
        submitted_at_s=st.floats(0, 9),
    ),
    unique_by=lambda job: job.key,
    max_size=12,
)
MACHINES = st.lists(
    st.builds(
        Machine,
        key=st.integers(0, 99).map(str),
        arch=st.sampled_from(["x86_64", "aarch64"]),
        cpus=st.integers(1, 4),
        memory_bytes=st.integers(1, 8),
        free_slots=st.integers(0, 3),
    ),
    unique_by=lambda machine: machine.key,
    max_size=5,
)


@given(JOBS, MACHINES)
def test_nobody_gets_two_and_everybody_fits(jobs: list[WaitingJob], machines: list[Machine]) -> None:
    matches = negotiate(jobs, machines)
    assert all(fits(job, machine) for job, machine in matches)
    assert max(Counter(job.key for job, _ in matches).values(), default=0) <= 1
    used = Counter(machine.key for _, machine in matches)
    assert all(used[machine.key] <= machine.free_slots for machine in machines)


@given(JOBS, MACHINES)
def test_no_job_waits_beside_a_free_slot_that_fits(jobs: list[WaitingJob], machines: list[Machine]) -> None:
    matches = negotiate(jobs, machines)
    used = Counter(machine.key for _, machine in matches)
    waiting = {job.key for job in jobs} - {job.key for job, _ in matches}
    free = [machine for machine in machines if used[machine.key] < machine.free_slots]
    assert not any(fits(job, machine) for job in jobs if job.key in waiting for machine in free)


def test_the_oldest_comes_first_and_work_spreads() -> None:
    first = WaitingJob(("a", "1"), 1, 0, "", 1.0)
    second = WaitingJob(("a", "2"), 1, 0, "", 2.0)
    small = Machine("small", "x86_64", 1, 1, 1)
    large = Machine("large", "x86_64", 1, 1, 2)
    assert negotiate([second, first], [small, large]) == [(first, large), (second, small)]


def test_a_job_goes_back_to_where_it_was_told_to_leave_only_if_nothing_else_fits() -> None:
    job = WaitingJob(("a", "1"), 1, 0, "", 1.0, avoided=("left first", "left last"))
    last = Machine("1", "x86_64", 1, 1, 4, "left last")
    first = Machine("2", "x86_64", 1, 1, 4, "left first")
    busy = Machine("3", "x86_64", 1, 1, 0, "busy")
    small = Machine("4", "x86_64", 0, 1, 1, "too small")
    assert negotiate([job], [last, first, small]) == [(job, first)]
    assert negotiate([job], [last, small]) == [(job, last)]
    assert negotiate([job], [last, first, busy]) == []


def test_an_image_goes_only_where_everything_is_that_it_needs() -> None:
    job = WaitingJob(("a", "1"), 1, 0, "", 1.0, needs=frozenset({"avx2", "vdso:1"}))
    older = Machine("1", "x86_64", 1, 1, 9, "older", frozenset({"vdso:1"}))
    newer = Machine("2", "x86_64", 1, 1, 1, "newer", frozenset({"vdso:1", "avx2", "avx512f"}))
    rebuilt = Machine("3", "x86_64", 1, 1, 9, "rebuilt", frozenset({"vdso:2", "avx2"}))
    assert negotiate([job], [older, newer, rebuilt]) == [(job, newer)]
    assert negotiate([job], [older, rebuilt]) == []
