"""States of a job and the moves between them.

Owns: which move is legal. Leaves to others: when to make one (shadow.lifecycle).
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class JobState(Enum):
    """Where a job stands in its agent's queue. The values are what the queue's database holds."""

    IDLE = "idle"  # waits for a machine
    CLAIMED = "claimed"  # a sandbox has it, its starter has not reported yet
    RUNNING = "running"  # the job's first process was started
    COMPLETED = "completed"  # ended by itself or by a signal; everything is at home
    FAILED = "failed"  # hpool could not run it to its end; the outcome says why
    REMOVED = "removed"  # ended because its user wanted so


LEGAL_MOVES: Final[dict[JobState, frozenset[JobState]]] = {
    JobState.IDLE: frozenset({JobState.CLAIMED, JobState.FAILED, JobState.REMOVED}),
    JobState.CLAIMED: frozenset(
        {JobState.IDLE, JobState.RUNNING, JobState.COMPLETED, JobState.FAILED, JobState.REMOVED}
    ),
    # Back to IDLE: its machine or its shadow was lost, and it begins again.
    JobState.RUNNING: frozenset({JobState.IDLE, JobState.COMPLETED, JobState.FAILED, JobState.REMOVED}),
    JobState.COMPLETED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.REMOVED: frozenset(),
}

FINAL_STATES: Final = frozenset(state for state, after in LEGAL_MOVES.items() if not after)


def may_move(before: JobState, after: JobState) -> bool:
    """Whether a job in `before` may become `after`."""
    return after in LEGAL_MOVES[before]
