"""The agent as a process.

Owns: options, listening, start and end of everything in it. Leaves to others: the queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import sys
from pathlib import Path

import click

from hpool.matchmaker.api.client import ADVERTISE_JOBS
from hpool.matchmaker.api.values import JobsReport
from hpool.matchmaker.hosting import rpc
from hpool.matchmaker.hosting.daemon import IdleTimer, log_to_stderr, read_token, run_until_told
from hpool.matchmaker.hosting.role import Role, RoleAlreadyRuns, private_directory
from hpool.matchmaker.hosting.standing import StandingConversation
from hpool.matchmaker.model.clock import SystemClock
from hpool.matchmaker.model.settings import DEFAULT_LEASE_S, Directories, PoolSettings
from hpool.shadow.agent.queue import Queue
from hpool.shadow.agent.service import AgentService
from hpool.shadow.agent.shadows import Shadows
from hpool.shadow.store import Store


@click.command("agent", help="Run your agent in the foreground: it keeps the queue of your jobs.")
@click.option(
    "--listen", default="127.0.0.1:0", show_default=True, help="HOST:PORT; shadows listen there too."
)
@click.option("--advertise-host", help="Host that machines should dial, if it is not that of --listen.")
@click.option("--matchmaker", required=True, help="HOST:PORT, or the path of its contact file.")
@click.option("--token-file", type=click.Path(path_type=Path, exists=True), help="The pool's shared token.")
@click.option("--directory", type=click.Path(path_type=Path), help="Announce here (a private directory).")
@click.option("--state", type=click.Path(path_type=Path), help="Keep the queue here.")
@click.option(
    "--lease",
    default=DEFAULT_LEASE_S,
    show_default=True,
    type=click.FloatRange(1),
    help="Seconds that a job and its home wait for each other when their connection broke.",
)
@click.option("--idle-exit", default=0.0, help="End after so many seconds without jobs; 0: never.")
def main(
    listen: str,
    advertise_host: str | None,
    matchmaker: str,
    token_file: Path | None,
    directory: Path | None,
    state: Path | None,
    lease: float,
    idle_exit: float,
) -> None:
    log_to_stderr("agent")
    places = Directories.of_user(os.environ, os.getuid())
    key = PoolSettings(matchmaker=matchmaker).key
    directory = private_directory(directory or private_directory(places.runtime) / key)
    state = private_directory(state or private_directory(places.state) / key)
    try:
        # Two locks: one agent per place where it is looked for, and one per queue.
        role, _queue_lock = Role(directory, "agent"), Role(state, "queue")
    except RoleAlreadyRuns:
        sys.exit("hpool: an agent runs here already")
    pool_token = read_token(token_file) or secrets.token_hex(16)
    user_token = secrets.token_hex(16)

    async def work(stop: asyncio.Event) -> None:
        shadows = Shadows(listen.rpartition(":")[0], advertise_host, lease)
        shadows.start()
        store = Store(state / "queue.sqlite")
        store.prune()
        spool = private_directory(state / "spool")
        advertising = StandingConversation(ADVERTISE_JOBS, matchmaker, pool_token)
        queue = Queue(store, shadows, spool, SystemClock(), advertising.changed)
        queue.adopt()
        timer = IdleTimer(stop, idle_exit, lambda: queue.is_busy)
        service = AgentService(
            queue, store, advertising, user_token=user_token, pool_token=pool_token, touch=timer.touch
        )
        server = rpc.aio_server()
        server.add_generic_rpc_handlers((service.handler(),))
        address = rpc.bind(server, listen, advertise_host)
        await server.start()
        agent_id = secrets.token_hex(16)
        advertise = advertising.run(
            lambda: JobsReport(agent_id, address, queue.idle_ads()),
            # A match needs nothing of us: the machine claims by itself.
            lambda notice: None,
        )
        tasks = [asyncio.create_task(advertise), asyncio.create_task(timer.watch())]
        role.announce(address, user_token)
        click.echo(f"agent listens on {address}", err=True)
        await stop.wait()
        role.leave()
        queue.end_all("the agent was told to end")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                while queue.is_busy:
                    await asyncio.sleep(0.02)
        for task in tasks:
            task.cancel()
        await server.stop(0.2)
        shadows.close()
        store.close()

    run_until_told(work)


if __name__ == "__main__":
    main()
