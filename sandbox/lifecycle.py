"""The slots of a sandbox: which are free, and what a proposal or an end does to them. Pure.

Owns: that no slot holds two jobs. Leaves to others: claiming and running.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum


class SlotState(Enum):
    FREE = "free"
    CLAIMING = "claiming"  # a match was taken up, the agent has not answered yet
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Slot:
    number: int
    state: SlotState = SlotState.FREE
    job_id: str = ""


Slots = tuple[Slot, ...]


def slots_of(count: int) -> Slots:
    return tuple(Slot(number) for number in range(count))


def free_count(slots: Slots) -> int:
    return sum(slot.state is SlotState.FREE for slot in slots)


def take(slots: Slots, job_id: str) -> tuple[Slots, int | None]:
    """Reserves the first free slot for a proposed job; None if there is none, or it was proposed before."""
    if any(slot.job_id == job_id and slot.state is SlotState.CLAIMING for slot in slots):
        return slots, None
    for slot in slots:
        if slot.state is SlotState.FREE:
            return _with(slots, replace(slot, state=SlotState.CLAIMING, job_id=job_id)), slot.number
    return slots, None


def occupy(slots: Slots, number: int) -> Slots:
    """The agent granted the claim."""
    return _with(slots, replace(slots[number], state=SlotState.BUSY))


def release(slots: Slots, number: int) -> Slots:
    """Refused, failed or over: free again."""
    return _with(slots, Slot(number))


def _with(slots: Slots, changed: Slot) -> Slots:
    return tuple(changed if slot.number == changed.number else slot for slot in slots)
