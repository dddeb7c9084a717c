"""One cycle of matching: idle jobs and free machines in, matches out. Pure.

Owns: who gets what. Leaves to others: ads (service) and the claim (sandbox and agent).
For now the rule is simple: jobs in the order they were submitted, each to the first machine that
fits, machines with the most free slots first, so that work spreads. A job that was told to leave a
machine goes back there only if no other one of the pool fits it, busy or not; of several that it
left, to the one it left first.
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
    needs: frozenset[str] = frozenset()  # features
    avoided: tuple[str, ...] = ()  # names of machines it was told to leave, the last one last


@dataclass(frozen=True, slots=True)
class Machine:
    """One that takes jobs, though perhaps not now: all its slots may be busy."""

    key: str
    arch: str
    cpus: int
    memory_bytes: int
    free_slots: int
    name: str = ""
    features: frozenset[str] = frozenset()


def fits(job: WaitingJob, machine: Machine) -> bool:
    """Whether the machine could run the job, slots aside."""
    return (
        job.arch in {"", machine.arch}
        and job.cpus <= machine.cpus
        and job.memory_bytes <= machine.memory_bytes
        and job.needs <= machine.features
    )


def reluctance(job: WaitingJob, machine: Machine) -> int:
    """0: the job has no reason to be elsewhere."""
    return job.avoided.index(machine.name) + 1 if machine.name in job.avoided else 0


def negotiate(jobs: Iterable[WaitingJob], machines: Iterable[Machine]) -> list[tuple[WaitingJob, Machine]]:
    """Pairs each job with at most one machine and uses no slot twice."""
    free = {machine: machine.free_slots for machine in machines}
    matches = []
    for job in sorted(jobs, key=lambda job: (job.submitted_at_s, job.key)):
        fitting = [machine for machine in free if fits(job, machine)]
        least = min((reluctance(job, machine) for machine in fitting), default=0)
        candidates = [
            machine for machine in fitting if free[machine] > 0 and reluctance(job, machine) == least
        ]
        if not candidates:
            continue
        machine = max(candidates, key=lambda each: free[each])
        free[machine] -= 1
        matches.append((job, machine))
    return matches
