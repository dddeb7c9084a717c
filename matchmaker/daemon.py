"""The matchmaker as a process.

Owns: options, listening, the idle end. Leaves to others: the service.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from pathlib import Path

import click

from hpool.matchmaker.hosting import rpc
from hpool.matchmaker.hosting.daemon import IdleTimer, log_to_stderr, read_token, run_until_told
from hpool.matchmaker.hosting.role import Role, RoleAlreadyRuns, private_directory
from hpool.matchmaker.model.clock import SystemClock
from hpool.matchmaker.model.settings import ADVERTISE_PERIOD_S
from hpool.matchmaker.service import MatchmakerService


@click.command("matchmaker", help="Run the matchmaker of a pool in the foreground.")
@click.option("--listen", default="127.0.0.1:0", show_default=True, help="HOST:PORT to listen on.")
@click.option("--advertise-host", help="Host others should dial, if it is not that of --listen.")
@click.option("--token-file", type=click.Path(path_type=Path, exists=True), help="The pool's shared token.")
@click.option("--directory", type=click.Path(path_type=Path), help="Announce here (a private directory).")
@click.option("--period", default=ADVERTISE_PERIOD_S, show_default=True, help="Seconds between reports.")
@click.option("--idle-exit", default=0.0, help="End after so many seconds without agents; 0: never.")
def main(
    listen: str,
    advertise_host: str | None,
    token_file: Path | None,
    directory: Path | None,
    period: float,
    idle_exit: float,
) -> None:
    log_to_stderr("matchmaker")
    try:
        role = Role(private_directory(directory), "matchmaker") if directory else None
    except RoleAlreadyRuns:
        sys.exit("hpool: a matchmaker runs here already")
    token = read_token(token_file) or secrets.token_hex(16)

    async def work(stop: asyncio.Event) -> None:
        service = MatchmakerService(token, period, SystemClock())
        server = rpc.aio_server()
        server.add_generic_rpc_handlers((service.handler(),))
        address = rpc.bind(server, listen, advertise_host)
        await server.start()
        if role is not None:
            role.announce(address, token)
        click.echo(f"matchmaker listens on {address}", err=True)
        idle = asyncio.create_task(IdleTimer(stop, idle_exit, lambda: service.is_busy).watch())
        await stop.wait()
        idle.cancel()
        if role is not None:
            role.leave()
        await server.stop(0.2)

    run_until_told(work)


if __name__ == "__main__":
    main()
