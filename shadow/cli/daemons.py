"""`hpool agent`, `hpool matchmaker`, `hpool sandbox`: a pool set up by hand.

Owns: handing over to each daemon's own program, options and all. Leaves to others: the daemons.
"""

from __future__ import annotations

import os
import sys

import click

from hpool.shadow.cli.personal import MODULES


def _command(role: str, line: str) -> click.Command:
    @click.command(
        role,
        help=line,
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    @click.argument("options", nargs=-1, type=click.UNPROCESSED)
    def command(options: tuple[str, ...]) -> None:
        os.execv(sys.executable, [sys.executable, "-I", "-m", MODULES[role], *options])

    return command


agent = _command("agent", "Run your agent in the foreground: it keeps the queue of your jobs.")
matchmaker = _command("matchmaker", "Run the matchmaker of a pool in the foreground.")
sandbox = _command("sandbox", "Offer this machine to a pool, in the foreground. Dials out only.")
