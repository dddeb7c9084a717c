"""`hpool pool status` and `hpool pool stop`: the background processes of the pool in use.

Owns: the two commands. Leaves to others: the processes (personal).
"""

from __future__ import annotations

import os

import click

from hpool.matchmaker.model.settings import load_settings
from hpool.shadow.cli.personal import Pool


def pool_in_use() -> Pool:
    return Pool(load_settings(os.environ), os.environ, os.getuid())


@click.group()
def pool() -> None:
    """Look at or stop the background processes."""


@pool.command()
def status() -> None:
    """Say which processes run, where, and where their logs are."""
    current = pool_in_use()
    click.echo(f"pool {current.settings.key}: {current.directory}")
    for role, runs in current.running().items():
        contact = current.contact(role)
        where = f" at {contact.address}" if contact and contact.address else ""
        what = (
            f"runs, process {contact.pid}{where}"
            if runs and contact
            else "starts"
            if runs
            else "does not run"
        )
        click.echo(f"{role}: {what}; log {current.log_path(role)}")


@pool.command()
def stop() -> None:
    """End the background processes, and with them every job."""
    current = pool_in_use()
    stopped = current.stop()
    click.echo(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")
