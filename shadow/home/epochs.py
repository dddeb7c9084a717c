"""Going back: what a job changed at home since one of its epochs is undone.

Owns: the roll-back of a journal that no session has, and its outcome in words. Leaves to others: the
journal itself (csrc/journal*.c, csrc/undo*.c), when to go back (job, agent, the user's own command).
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import Final, NamedTuple

from hpool.shadow.home._home import ffi, lib

REPORT_ROOM: Final = 64 << 10
NO_EPOCH: Final = 2**64 - 1

_REASONS: Final = {
    errno.EBUSY: "it is in use",
    errno.ESTALE: "the machine was started anew since, and nothing of it had been forced to disk",
    errno.EBADMSG: "it is damaged",
}


class RolledBack(NamedTuple):
    """What came of it. Without `why_not` everything is as it was in that epoch."""

    why_not: str = ""
    lines: tuple[str, ...] = ()  # paths, each with what stands in the way of it
    is_changed: bool = False  # something was undone all the same

    @property
    def is_whole(self) -> bool:
        return not self.why_not

    @property
    def sentence(self) -> str:
        """Why it cannot be, with the first of the paths."""
        more = f", and {len(self.lines) - 1} more" if len(self.lines) > 1 else ""
        return f"{self.why_not}: {self.lines[0]}{more}" if self.lines else self.why_not


class Epochs(NamedTuple):
    """What a session's journal holds."""

    oldest: int | None  # that can be gone back to
    newest: int
    records: int
    log_bytes: int
    data_bytes: int
    held_bytes: int


def roll_back(journal: Path, epoch: int, *, forced: bool = False) -> RolledBack:
    """Blocks as long as there is content to be put back. Safe to repeat, after a kill at any moment too.
    `forced`: although others have changed the same files."""
    report = ffi.new("char[]", REPORT_ROOM)
    result = lib.hp_rollback(os.fsencode(journal), epoch, int(forced), report, REPORT_ROOM)
    lines = tuple(os.fsdecode(ffi.string(report)).splitlines())
    match result:
        case 0:
            return RolledBack(is_changed=True)
        case many if many > 0:
            return RolledBack("not everything could be put back", lines, is_changed=True)
        case missing if missing == -errno.ENODATA:
            return RolledBack(_why_lost(journal))
        case missing if missing == -errno.ENOENT:
            return RolledBack(f"the journal holds no epoch {epoch}")
        case foreign if foreign == -errno.EEXIST:
            return RolledBack("others have changed what the job has changed", lines)
        case _:
            return RolledBack(f"the journal cannot be used: {_REASONS.get(-result, os.strerror(-result))}")


def _why_lost(journal: Path) -> str:
    with contextlib.suppress(OSError):
        return (journal / "lost").read_text()
    return "there is no journal"
