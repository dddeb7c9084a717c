"""The job stands still while its machine's owner is there.

Owns: when it is held and let go, also around a checkpoint, which has to let it go for a moment. Leaves to
others: holding it (keeper), whether it is to (sandbox).
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

from hpool.interpose_c import beside
from hpool.interpose_c import keeper as jail
from hpool.sandbox.starter import processes

log = logging.getLogger("standing")


class Standing:
    """Of one job. Every method may be called from any thread."""

    def __init__(self, keeper_fd: int, tell: Callable[[bool, int], None]) -> None:
        """`tell`: that all of it stands still, or goes on, and how many microseconds that took."""
        self._keeper_fd = keeper_fd
        self._tell = tell
        self._lock = threading.Lock()
        self._keeper: jail.Keeper | None = None
        self._is_wanted = False
        self._loose = 0
        self._release: Callable[[], None] | None = None

    def want(self, is_wanted: bool) -> None:
        """From now on, or as soon as it has begun. It is so when this returns."""
        with self._lock:
            self._is_wanted = is_wanted
            self._settle(tells=True)

    @property
    def is_wanted(self) -> bool:
        return self._is_wanted

    def begun(self, keeper: jail.Keeper) -> None:
        """The job runs."""
        with self._lock:
            self._keeper = keeper
            self._settle(tells=True)

    def over(self) -> None:
        """The keeper is gone, or will be at once."""
        with self._lock:
            self._keeper = None
            self._settle()

    @contextlib.contextmanager
    def let_go(self) -> Iterator[None]:
        """Somebody else is going to stop it."""
        with self._lock:
            self._loose += 1
            self._settle()
        try:
            yield
        finally:
            with self._lock:
                self._loose -= 1
                self._settle()

    def _settle(self, *, tells: bool = False) -> None:
        begun_ns = time.monotonic_ns()
        keeper = self._keeper if self._is_wanted and not self._loose else None
        if (keeper is not None) == (self._release is not None):
            return
        if keeper is None:
            release, self._release = self._release, None
            assert release is not None
            release()
        else:
            try:
                self._release = beside.suspend(keeper, self._keeper_fd).release
            except (beside.SuspendRefused, OSError) as refusal:
                log.info("by signals: %s", refusal)
                self._release = _stop_by_signals(keeper.pid)
        if tells:
            self._tell(keeper is not None, (time.monotonic_ns() - begun_ns) // 1000)


def _stop_by_signals(keeper_pid: int) -> Callable[[], None]:
    """Who is traced already can be stopped in this way only; its parents may see it. What lets them go."""
    stopped: set[int] = set()
    while young := {pid for pid, _ in processes.tasks(keeper_pid)} - stopped:
        for pid in young:
            _signal(pid, signal.SIGSTOP)
        stopped |= young

    def go_on() -> None:
        for pid in stopped:
            _signal(pid, signal.SIGCONT)

    return go_on


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, number)
