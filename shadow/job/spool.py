"""What a shadow leaves for a restarted agent: a lock while it lives, the outcome when it ends.

Owns: the files in the job's spool directory. Leaves to others: reading them (agent.queue).
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path

from hpool.shadow.api.custody import Noted
from hpool.shadow.api.job import OUTCOME, Outcome


class Spool:
    """Held from assignment to the end of the process."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        self._lock_fd = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def leave_note(self, note: Noted) -> None:
        """A line of the job's log, for an agent that is gone; read_notes reads it."""
        with (self._directory / "notes").open("a") as file:
            file.write(json.dumps([time.time(), note.kind, note.facts]) + "\n")

    def leave_outcome(self, outcome: Outcome) -> None:
        """For the case that the agent is gone: on disk when this returns."""
        aside = self._directory / "outcome.new"
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.write(OUTCOME.encode(outcome))
            file.flush()
            os.fsync(fd)
        aside.rename(self._directory / "outcome")


def read_notes(directory: Path) -> list[tuple[float, Noted]]:
    """What leave_note left: when, and what; a last line that was cut off is left out."""
    found = []
    try:
        lines = (directory / "notes").read_text().splitlines()
    except OSError:
        return []
    for line in lines:
        try:
            at_s, kind, facts = json.loads(line)
        except ValueError:
            continue
        found.append((float(at_s), Noted(str(kind), str(facts))))
    return found
