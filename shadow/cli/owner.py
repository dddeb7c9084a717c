"""`hpool owner`: a machine's owner tells his sandboxes that he is there, or has gone.

Owns: finding them, one word, showing the answers. Leaves to others: what becomes of jobs (sandbox).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from hpool.matchmaker.hosting.role import is_running
from hpool.matchmaker.model.again import NoSandbox
from hpool.matchmaker.model.settings import Directories, PoolSettings

SOCKET: Final = "owner.socket"
ANSWER_WITHIN_S: Final = 30.0


@click.command()
@click.argument("word", type=click.Choice(["here", "away", "show"]), default="show")
@click.option("--directory", type=click.Path(path_type=Path, exists=True), help="Of a sandbox that has one.")
def owner(word: str, directory: Path | None) -> None:
    """Say that you are at this machine (here) or have left it (away), or look how it is (show).

    Here: all jobs of others stand still at once; if you stay, they are written down and leave. Away: who
    has not left yet goes on, and jobs may come again. It concerns all sandboxes that you have started here,
    but for your personal pool's: the jobs in there are your own.
    """
    places = list(_sandboxes()) if directory is None else [directory]
    if not places:
        raise NoSandbox
    for place in places:
        before = f"{place.name}: " if len(places) > 1 else ""
        click.echo(f"{before}{_say(place, word)}")


def _sandboxes() -> Iterator[Path]:
    runtime = Directories.of_user(os.environ, os.getuid()).runtime
    for place in sorted(runtime.iterdir()) if runtime.is_dir() else ():
        if place.name != PoolSettings().key and is_running(place, "sandbox") and (place / SOCKET).exists():
            yield place


def _say(place: Path, word: str) -> str:
    """Raises NoSandbox."""
    fd = os.open(place, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(ANSWER_WITHIN_S)
            link.connect(f"/proc/self/fd/{fd}/{SOCKET}")
            link.sendall(word.encode())
            with link.makefile() as answer:
                return answer.read().strip()
    except OSError as error:
        raise NoSandbox from error
    finally:
        os.close(fd)
