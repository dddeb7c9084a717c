"""`hpool checkpoint` and `hpool vacate`: a running job written down, and moved.

Owns: asking, which jobs are meant, waiting for what came of it. Leaves to others: everything
else (agent, shadow, starter).
"""

from __future__ import annotations

import json
import time
from typing import Final

import click

from hpool.matchmaker.model.again import NeitherJobNorMachine, NoCheckpoint
from hpool.matchmaker.model.errors import BadJobId, HpoolError
from hpool.matchmaker.model.ids import JobId
from hpool.shadow.api import queue as api
from hpool.shadow.cli.render import printable
from hpool.shadow.cli.status import ask_agent, machine_names

WITHIN_S: Final = 300.0
BEGIN_WITHIN_S: Final = 20.0
_LOOK_S: Final = 0.05
KIND: Final = "image"


@click.command()
@click.argument("job_id", metavar="JOB")
def checkpoint(job_id: str) -> None:
    """Write JOB down while it runs: should its machine be lost, it goes on from there.

    The last two are kept. The job stands still for a moment and notices nothing.
    """
    job = JobId.parse(job_id)
    click.echo(_outcome(job, _ask(job, leave=False)))


@click.command()
@click.argument("target", metavar="JOB|MACHINE")
def vacate(target: str) -> int:
    """Write JOB, or all your jobs on MACHINE, down, end them where they are, and let them go on elsewhere.

    No work is lost, and `hpool run` goes on showing what it says. They come back there only if no other
    machine of the pool fits them. A MACHINE is named as `hpool status` does; jobs of others stay.
    """
    try:
        job = JobId.parse(target)
    except BadJobId:
        return _leave_machine(target)
    click.echo(_outcome(job, _ask(job, leave=True)))
    return 0


def _leave_machine(machine: str) -> int:
    jobs = _running_on(machine)
    if not jobs and machine not in machine_names():
        raise NeitherJobNorMachine(machine)
    if not jobs:
        click.echo(f"no job of yours runs on {printable(machine)}")
    return _leave_all(jobs)


def _running_on(machine: str) -> list[JobId]:
    """One that is about to begin there is waited for."""
    deadline_s = time.monotonic() + BEGIN_WITHIN_S
    while True:
        reply: api.QueueReply = ask_agent(api.QUEUE, api.QueueRequest(False, 0))
        there = [job for job in reply.jobs if job.machine == machine]
        if time.monotonic() > deadline_s or all(job.state == "running" for job in there):
            return [JobId.parse(job.job_id) for job in there if job.state == "running"]
        time.sleep(_LOOK_S)


def _leave_all(jobs: list[JobId]) -> int:
    """All are asked first: they leave side by side. 1 if one did not."""
    asked: dict[JobId, int | HpoolError] = {}
    for job in jobs:
        try:
            asked[job] = _ask(job, leave=True)
        except HpoolError as error:
            asked[job] = error
    status = 0
    for job, before in asked.items():
        try:
            if isinstance(before, HpoolError):
                raise before
            click.echo(f"{job}: {_outcome(job, before)}")
        except HpoolError as error:
            click.echo(f"hpool: {error} [{error.code}]", err=True)
            status = 1
    return status


def _ask(job_id: JobId, *, leave: bool) -> int:
    """How many lines its log had before. Raises HpoolError."""
    before = len(_lines(job_id))
    reply: api.CheckpointReply = ask_agent(api.CHECKPOINT, api.CheckpointRequest(str(job_id), leave))
    if reply.problem is not None:
        raise reply.problem.error()
    return before


def _outcome(job_id: JobId, before: int) -> str:
    """What came of it, in its log behind so many lines. Raises HpoolError."""
    deadline_s = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline_s:
        lines = _lines(job_id)
        for line in lines[before:]:
            facts = json.loads(line.facts)
            if line.kind == KIND:
                sentence = printable(str(facts["sentence"]))
                if not facts["kept"]:
                    raise NoCheckpoint(str(job_id), sentence)
                return sentence
            if line.kind in {"ended", "returned"}:
                raise NoCheckpoint(str(job_id), "it ended, or its machine was lost, before that")
        before = len(lines)
        time.sleep(_LOOK_S)
    raise NoCheckpoint(str(job_id), f"nothing was heard of it for {WITHIN_S:.0f} s")


def _lines(job_id: JobId) -> tuple[api.LogLine, ...]:
    reply: api.LogReply = ask_agent(api.LOG, api.LogRequest(str(job_id)))
    if reply.problem is not None:
        raise reply.problem.error()
    return reply.lines
