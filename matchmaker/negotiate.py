"""One cycle of matching: idle jobs and free machines in, matches out. Pure.

Owns: who gets what. Leaves to others: ads (service) and the claim (sandbox and agent).
For now the rule is simple: jobs in the order they were submitted, each to the first machine that
fits, machines with the most free slots first, so that work spreads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WaitingJob:
    """What matching needs to know of an idle job. `key` tells jobs of different agents apart."""

    key: tuple[str, str]
    cpus: int
    memory_bytes: int
    arch: str
    submitted_at_s: float


@dataclass(frozen=True, slots=True)
class FreeMachine:
    key: str
    arch: str
    cpus: int
    memory_bytes: int
    free_slots: int


def fits(job: WaitingJob, machine: FreeMachine) -> bool:
    """Whether the machine could run the job, slots aside."""
    return (
        job.arch in {"", machine.arch}
        and job.cpus <= machine.cpus
        and job.memory_bytes <= machine.memory_bytes
    )


def negotiate(
    jobs: Iterable[WaitingJob], machines: Iterable[FreeMachine]
) -> list[tuple[WaitingJob, FreeMachine]]:
    """Pairs each job with at most one machine and uses no slot twice."""
    free = {machine: machine.free_slots for machine in machines}
    matches = []
    for job in sorted(jobs, key=lambda job: (job.submitted_at_s, job.key)):
        candidates = [machine for machine, slots in free.items() if slots > 0 and fits(job, machine)]
        if not candidates:
            continue
        machine = max(candidates, key=lambda each: free[each])
        free[machine] -= 1
        matches.append((job, machine))
    return matches
