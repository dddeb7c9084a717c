"""When a job's next checkpoint is due without anybody asking.

Owns: the interval, from what was asked for and what the last one cost. Leaves to others: making it (moves).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

COSTS_AT_MOST: Final = 0.01
_REFUSED_MOST_S: Final = 3600.0


class Due:
    """Of one job, on the event loop of who uses it."""

    def __init__(self, every_s: float, *, cheap: bool) -> None:
        """`every_s`: seconds from one to the next; 0: none. `cheap`: rather seldom than at a cost above
        COSTS_AT_MOST of the time, counted from asking until it is at home."""
        self._every_s = every_s
        self._cheap = cheap
        self._wait_s = every_s
        self._ask: Callable[[], None] = lambda: None
        self._asked_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, ask: Callable[[], None]) -> None:
        """A run has begun: `ask` is called when it is time."""
        self._ask = ask
        self._wait_s = self._every_s
        self._again()

    def asked(self) -> None:
        self._asked_s = time.monotonic()

    def answered(self, *, kept: bool) -> None:
        """What has been refused is tried again, ever later."""
        if kept and self._cheap:
            self._wait_s = max(self._every_s, (time.monotonic() - self._asked_s) / COSTS_AT_MOST)
        elif kept:
            self._wait_s = self._every_s
        else:
            self._wait_s = max(self._every_s, min(2 * self._wait_s, _REFUSED_MOST_S))
        self._again()

    def stop(self) -> None:
        """The run is over, or lost."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _again(self) -> None:
        self.stop()
        if self._every_s:
            self._timer = asyncio.get_running_loop().call_later(self._wait_s, self._ask)
