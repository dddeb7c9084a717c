"""What the user sends the job: in order, each once, and none while it is copied.

Owns: how many the job has had, and which wait. Leaves to others: sending them (keeper), what an image counts
(checkpoint), sending again what an image does not know of (the terminal at home).
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Iterator

from hpool.interpose_c import keeper as jail


class Signals:
    """Of one job. Every method may be called from any thread."""

    def __init__(self, position: int = 0) -> None:
        """`position`: how many it had in former lives."""
        self._change = threading.Condition()
        self._keeper: jail.Keeper | None = None
        self._waiting: deque[int] = deque()
        self._asked = self._had = position
        self._is_held = False

    def put(self, number: int) -> None:
        """One that comes before the job has begun waits for it."""
        with self._change:
            self._waiting.append(number)
            self._pass_on()

    def begun(self, keeper: jail.Keeper) -> None:
        """The job runs."""
        with self._change:
            self._keeper = keeper
            self._pass_on()

    def had_one(self) -> None:
        """The keeper has sent it."""
        with self._change:
            self._had += 1
            self._change.notify_all()

    def over(self) -> None:
        """The keeper is gone."""
        with self._change:
            self._keeper = None
            self._change.notify_all()

    @contextlib.contextmanager
    def held(self) -> Iterator[int]:
        """How many it has had; until the end of it there are no more."""
        with self._change:
            self._is_held = True
            while self._keeper is not None and self._had < self._asked:
                self._change.wait()
            had = self._had
        try:
            yield had
        finally:
            with self._change:
                self._is_held = False
                self._pass_on()

    def _pass_on(self) -> None:
        while self._waiting and self._keeper is not None and not self._is_held:
            self._asked += 1
            self._keeper.signal(self._waiting.popleft())
