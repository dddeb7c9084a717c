"""Whether the machine's owner wants it for himself. Pure.

Owns: what he said by hand, and what his policy makes of readings. Leaves to others: reading (presence),
what becomes of jobs (guests). Times are seconds of the clock on the wall, as the readings are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from hpool.matchmaker.model.again import BadHours

LOAD_OVER_S: Final = 5.0
"""The load of others is averaged over about so long."""
_MINUTES: Final = 24 * 60


class Reading(NamedTuple):
    """Of one moment."""

    touched_s: float  # when a keyboard, mouse or terminal was used last; 0: never
    load: float  # processors that were kept busy by others than jobs, since the reading before
    minute: int  # of the day


@dataclass(frozen=True, slots=True)
class Hours:
    """When jobs may run, as minutes of the day: from `begin` until `end`, perhaps over midnight."""

    begin: int
    end: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads "18:00-08:00"; raises BadHours."""
        try:
            begin, end = (_minute(part) for part in text.split("-"))
        except ValueError:
            raise BadHours(text) from None
        return cls(begin, end)

    def has(self, minute: int) -> bool:
        return (minute - self.begin) % _MINUTES < (self.end - self.begin) % _MINUTES


def _minute(text: str) -> int:
    hour, minute = map(int, text.split(":"))
    if not (0 <= hour <= 24 and 0 <= minute < 60 and hour * 60 + minute <= _MINUTES):
        raise ValueError(text)
    return hour * 60 + minute


@dataclass(frozen=True, slots=True)
class Policy:
    """What is watched; nothing by default: then he is there when he says so."""

    idle_s: float = 0.0  # he is there until nothing was touched for so long
    load: float = 0.0  # and while others keep more than so many processors busy
    hours: Hours | None = None

    @property
    def watches(self) -> bool:
        return bool(self.idle_s or self.load or self.hours)


class Presence(NamedTuple):
    is_here: bool
    why: str = ""


class Watch:
    """One owner. `look` as often as wanted."""

    def __init__(self, policy: Policy, *, said_here: bool = False) -> None:
        self._policy = policy
        self._said_here = said_here
        self._left_s = 0.0
        self._load = 0.0
        self._is_loaded = False
        self._looked_s = 0.0

    def said(self, is_here: bool, at_s: float) -> None:
        """By hand. After he said that he goes, only what is touched later brings him back."""
        self._said_here = is_here
        self._left_s = 0.0 if is_here else at_s
        self._load, self._is_loaded = 0.0, False

    def look(self, reading: Reading, at_s: float) -> Presence:
        self._weigh(reading.load, at_s)
        policy = self._policy
        if self._said_here:
            return Presence(True, "he said so")
        if policy.hours is not None and not policy.hours.has(reading.minute):
            return Presence(True, "it is not among the hours for jobs")
        if reading.touched_s > self._left_s and at_s - reading.touched_s < policy.idle_s:
            return Presence(True, "a keyboard, mouse or terminal is used")
        if self._is_loaded:
            return Presence(True, f"his programs keep {self._load:.1f} processors busy")
        return Presence(False)

    def _weigh(self, load: float, at_s: float) -> None:
        """Once above the limit it has to fall to half of that: no job is stopped and started in turns."""
        passed_s = max(0.0, at_s - self._looked_s)
        self._looked_s = at_s
        self._load += (load - self._load) * (1 - math.exp(-min(passed_s, LOAD_OVER_S) / LOAD_OVER_S))
        limit = self._policy.load / 2 if self._is_loaded else self._policy.load
        self._is_loaded = self._policy.load > 0 and self._load > limit
