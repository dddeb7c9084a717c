"""`hpool syscalls`: what becomes of each system call of a job.

Owns: showing the table. Leaves to others: the table (interpose_c).
"""

from __future__ import annotations

import dataclasses
import json

import click

from hpool.interpose_c import table as calls
from hpool.shadow.cli.render import table

ROUTES = tuple(route.value for route in calls.Route)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@click.option("--route", type=click.Choice(ROUTES), help="Only these.")
def syscalls(as_json: bool, route: str | None) -> None:
    """Print the table of system calls: number, name, route, arguments, note."""
    rows = [call for call in calls.load() if route is None or call.route.value == route]
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(call) for call in rows], indent=1))
        return
    table(
        ("number", "name", "route", "arguments", "note"),
        (
            (
                *(str(call.number), call.name, call.route.value, " ".join(call.arguments)),
                " ".join(filter(None, (call.errno, call.note))),
            )
            for call in rows
        ),
    )
