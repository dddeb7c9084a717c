"""`hpool status`, `hpool queue`, `hpool remove`: looking at the pool and at one's jobs.

Owns: asking and showing. Leaves to others: the answers (matchmaker, agent), tables (render).
"""

from __future__ import annotations

import os
import shlex
import time
from typing import Any

import click
import grpc

from hpool.matchmaker.api import client, values
from hpool.matchmaker.hosting import rpc
from hpool.matchmaker.hosting.daemon import dial_target, read_token
from hpool.matchmaker.model.errors import BadToken, HpoolError, NoAgent
from hpool.matchmaker.model.ids import JobId
from hpool.shadow.api import queue as api
from hpool.shadow.cli.personal import Pool
from hpool.shadow.cli.pool import pool_in_use
from hpool.shadow.cli.render import bytes_text, duration_text, printable, table

ANSWER_WITHIN_S = 5.0


@click.command()
@click.option("--features", is_flag=True, help="Rather what jobs' images may need of each, in words.")
def status(features: bool) -> None:
    """List the machines of the pool in use."""
    reply = _ask_matchmaker()
    if reply is None:
        click.echo("The personal pool does not run; `hpool run` starts it.")
        return
    if features:
        for each in reply.machines:
            click.echo(printable(f"{each.name}: {' '.join(each.features)}"))
        return
    table(
        ("machine", "arch", "kernel", "cpus", "memory", "slots", "free", "owner"),
        (
            (
                *(each.name, each.arch, each.kernel, str(each.cpus)),
                *(bytes_text(each.memory_bytes), str(each.slots), str(each.free_slots)),
                "here" if each.owner_is_here else "away",
            )
            for each in reply.machines
        ),
    )
    click.echo(f"{len(reply.idle_jobs)} jobs wait; {reply.agents} agents")


def machine_names() -> set[str]:
    """Of the pool in use. Raises HpoolError."""
    reply = _ask_matchmaker()
    return set() if reply is None else {each.name for each in reply.machines}


def _ask_matchmaker() -> values.StatusReply | None:
    """None: the personal pool does not run. Raises HpoolError."""
    pool = pool_in_use()
    where = pool.settings.matchmaker or os.fspath(pool.directory / "matchmaker.contact")
    try:
        address, token = dial_target(where)
    except ConnectionError:
        return None
    token = token or read_token(pool.settings.token_file)
    reply: values.StatusReply = _ask(client.STATUS, address, token, values.StatusRequest())
    return reply


@click.command()
@click.option("--history", is_flag=True, help="Jobs that are over.")
@click.option(
    "--limit", type=click.IntRange(0), default=20, show_default=True, help="So many of the history; 0: all."
)
def queue(history: bool, limit: int) -> None:
    """List your jobs."""
    reply = ask_agent(api.QUEUE, api.QueueRequest(history, limit))
    table(
        ("job", "state", "since", "machine", "epoch", "at risk", "status", "command"),
        (
            (
                *(job.job_id, job.state),
                time.strftime("%m-%d %H:%M:%S", time.localtime(job.changed_at_s)),
                *(job.machine, str(job.epoch or ""), _at_risk(job)),
                "" if job.outcome is None else str(job.outcome.shell_status),
                printable(shlex.join(os.fsdecode(word) for word in job.arguments))[:100],
            )
            for job in reply.jobs
        ),
    )


def _at_risk(job: api.JobSummary) -> str:
    """How much of its work would have to be done again if its machine were lost now."""
    if job.state != "running":
        return ""
    return duration_text(time.time() - max(job.changed_at_s, job.kept_at_s))


@click.command()
@click.argument("job_id", metavar="JOB")
def remove(job_id: str) -> None:
    """End a job, wherever it is."""
    reply = ask_agent(api.REMOVE, api.RemoveRequest(str(JobId.parse(job_id))))
    if reply.problem is not None:
        raise reply.problem.error()


def ask_agent(method: Any, request: object) -> Any:
    """Its answer. Raises HpoolError."""
    pool: Pool = pool_in_use()
    contact = pool.agent() or pool.ensure()
    return _ask(method, contact.address, contact.token, request)


def _ask(method: Any, address: str, token: str, request: object) -> Any:
    channel = rpc.sync_channel(address)
    try:
        return method.on(channel)(request, metadata=((rpc.TOKEN_KEY, token),), timeout=ANSWER_WITHIN_S)
    except grpc.RpcError as error:
        raise _as_problem(address, error) from error


def _as_problem(address: str, error: Any) -> HpoolError:
    if error.code() is grpc.StatusCode.UNAUTHENTICATED:
        return BadToken(address)
    return NoAgent(address, str(error.details()))
