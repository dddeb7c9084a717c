"""`hpool checkpoint` and `hpool vacate`: a running job written down, and moved.

Owns: asking, waiting for what came of it. Leaves to others: everything else (agent, shadow, starter).
"""

from __future__ import annotations

import json
import time
from typing import Final

import click

from hpool.matchmaker.model.again import NoCheckpoint
from hpool.matchmaker.model.ids import JobId
from hpool.shadow.api import queue as api
from hpool.shadow.cli.render import printable
from hpool.shadow.cli.status import ask_agent

WITHIN_S: Final = 300.0
_LOOK_S: Final = 0.05
KIND: Final = "image"


@click.command()
@click.argument("job_id", metavar="JOB")
def checkpoint(job_id: str) -> None:
    """Write JOB down while it runs: should its machine be lost, it goes on from there.

    The last two are kept. The job stands still for a moment and notices nothing.
    """
    click.echo(_ask(JobId.parse(job_id), leave=False))


@click.command()
@click.argument("job_id", metavar="JOB")
def vacate(job_id: str) -> None:
    """Write JOB down, end it where it is, and let it go on elsewhere, or there again.

    No work is lost, and `hpool run` goes on showing what it says.
    """
    click.echo(_ask(JobId.parse(job_id), leave=True))


def _ask(job_id: JobId, *, leave: bool) -> str:
    """What came of it. Raises HpoolError."""
    before = len(_lines(job_id))
    reply: api.CheckpointReply = ask_agent(api.CHECKPOINT, api.CheckpointRequest(str(job_id), leave))
    if reply.problem is not None:
        raise reply.problem.error()
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
