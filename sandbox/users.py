"""The users that jobs of a sandbox run as when it is root: one per slot, and nobody else's.

Owns: which user id a slot has. Two sandboxes on one machine (a personal pool beside a daemon, two
personal pools) must not share one, since what runs as a slot's user after a job's end is killed.
Leaves to others: becoming that user, the killing (starters).
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from pathlib import Path
from typing import Final

import psutil

log = logging.getLogger("users")

LOCKS: Final = Path("/run/hpool")
TRIED: Final = 1000
"""User ids looked at from the first one on."""


class SlotUsers:
    """Ids from `first` on, each held by a lock until this process ends."""

    def __init__(self, first: int, locks: Path = LOCKS) -> None:
        self._next = first
        self._end = first + TRIED
        self._locks = locks
        self._held: list[int] = []
        self._of_slot: dict[int, int] = {}

    def of(self, slot: int) -> int:
        """The slot's user id, the same each time. Raises OSError when all are taken."""
        if slot not in self._of_slot:
            self._of_slot[slot] = self._take()
        return self._of_slot[slot]

    def _take(self) -> int:
        busy = {uid for process in psutil.process_iter(["uids"]) for uid in process.info["uids"] or ()}
        while self._next < self._end:
            uid, self._next = self._next, self._next + 1
            # Whoever cannot see our locks (a container) is told by his processes.
            if uid not in busy and self._lock(uid):
                return uid
        raise OSError(
            f"no user id is free from {self._end - TRIED} on for {TRIED} ids: other sandboxes hold them"
        )

    def _lock(self, uid: int) -> bool:
        try:
            self._locks.mkdir(mode=0o755, exist_ok=True)
            fd = os.open(
                self._locks / f"user-{uid}", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            log.warning("no lock on user id %d: %s", uid, error)
            return True
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            return False
        self._held.append(fd)
        return True

    def close(self) -> None:
        """Gives the slots' users back; the end of the process would, too."""
        while self._held:
            with contextlib.suppress(OSError):
                os.close(self._held.pop())
