"""Time as an argument.

Owns: the two clocks every process needs, as one protocol, so that a test can bring its own.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What can tell the time."""

    def now_s(self) -> float:
        """Seconds since 1970: for records that people read."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never jump: for deadlines."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_s(self) -> float:
        return time.time()

    def monotonic_s(self) -> float:
        return time.monotonic()
