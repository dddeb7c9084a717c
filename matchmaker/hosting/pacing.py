"""How much of the link a job may use: who sends next, and when.

Owns: one direction's budget, in bytes a second, shared by the streams of one end. Leaves to others:
waiting (streams have threads at one end and tasks at the other), which stream is which.

What the job waits for goes at once, held back only by what it has itself used lately, and uses up the others'
share; everything else goes when nothing is owed any more. So a small answer never stands behind a large
upload, and both together keep to the cap. Nothing is saved up while the link is idle: a burst is one message.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

LOOK_AGAIN_S: Final = 0.1  # while waiting: others may have sent, the connection may be another


class Budget:
    """One end's. Threads and tasks may share it. Without a cap (0) nobody ever waits."""

    def __init__(self, bytes_per_s: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.bytes_per_s = bytes_per_s
        self._clock = clock
        self._lock = threading.Lock()
        self._free_s = 0.0
        self._urgent_free_s = 0.0

    def wait_s(self, *, is_urgent: bool) -> float:
        """How long from now until the next message may leave; 0: now. Others may be quicker: ask again."""
        if not self.bytes_per_s:
            return 0.0
        free_s = self._urgent_free_s if is_urgent else self._free_s
        return min(LOOK_AGAIN_S, max(0.0, free_s - self._clock()))

    def sent(self, size: int, *, is_urgent: bool) -> None:
        """A message of that many bytes left."""
        if not self.bytes_per_s:
            return
        with self._lock:
            now_s, took_s = self._clock(), size / self.bytes_per_s
            self._free_s = max(self._free_s, now_s) + took_s
            if is_urgent:
                self._urgent_free_s = max(self._urgent_free_s, now_s) + took_s


UNLIMITED: Final = Budget()
