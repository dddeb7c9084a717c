"""`hpool rollback`: what a job changed at home is undone, by hand.

Owns: asking, showing. Leaves to others: the journal's place (agent), undoing (shadow.home).
"""

from __future__ import annotations

import os
from pathlib import Path

import click

from hpool.matchmaker.model.again import CannotRollBack, NoWayBack
from hpool.matchmaker.model.ids import JobId
from hpool.shadow.api import queue as api
from hpool.shadow.cli.render import printable
from hpool.shadow.cli.status import ask_agent


@click.command()
@click.argument("job_id", metavar="JOB")
@click.argument("epoch", type=click.IntRange(0))
@click.option("--force", is_flag=True, help="Although others have changed the same files since.")
def rollback(job_id: str, epoch: int, force: bool) -> None:
    """Undo what JOB changed since EPOCH (0: since it began).

    For a job that did not complete: its machine was lost too often, or it was removed. Its journal is kept
    for a day; that of a job that completed is gone. Safe to repeat.
    """
    from hpool.shadow.home.epochs import roll_back

    reply: api.JournalReply = ask_agent(api.JOURNAL, api.JournalRequest(str(JobId.parse(job_id))))
    if reply.problem is not None:
        raise reply.problem.error()
    back = roll_back(Path(os.fsdecode(reply.directory)), epoch, forced=force)
    for line in back.lines:
        click.echo(printable(line), err=True)
    if not back.is_whole:
        raise (CannotRollBack if back.lines else NoWayBack)(job_id, back.why_not)
    click.echo(f"What job {job_id} changed since epoch {epoch} is undone.")
