"""What every daemon does around its own work: log, signals, idle end.

Owns: the event loop's frame of a role. Leaves to others: the work itself.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from hpool.matchmaker.hosting.role import read_contact_file


def log_to_stderr(role: str) -> None:
    """One line per event; whoever starts a daemon in the background points stderr to a file."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format=f"%(asctime)s {role}[%(process)d] %(levelname)s %(name)s: %(message)s",
    )


def run_until_told(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Runs `main(stop)` in a new loop; SIGTERM and SIGINT set `stop`."""
    import uvloop

    # as somebody's child it may have inherited what would hide the ends of its own
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())

    async def framed() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await main(stop)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(framed())


class IdleTimer:
    """Sets `stop` once nothing was busy for `limit_s`; 0 switches it off."""

    def __init__(self, stop: asyncio.Event, limit_s: float, is_busy: Callable[[], bool]) -> None:
        self._stop = stop
        self._limit_s = limit_s
        self._is_busy = is_busy
        self._since_s = asyncio.get_running_loop().time()

    def touch(self) -> None:
        """Something happened just now."""
        self._since_s = asyncio.get_running_loop().time()

    async def watch(self) -> None:
        loop = asyncio.get_running_loop()
        while self._limit_s > 0 and not self._stop.is_set():
            if self._is_busy():
                self.touch()
            left_s = self._since_s + self._limit_s - loop.time()
            if left_s <= 0:
                logging.getLogger(__name__).info("idle for %.0f s: ending", self._limit_s)
                self._stop.set()
                return
            await asyncio.sleep(min(left_s, 1.0))


def dial_target(where: str) -> tuple[str, str | None]:
    """Address and token of a peer given as host:port or as the path of its contact file.

    A contact file is read anew for each dialling: after a restart the address is another one.
    """
    if not where.startswith("/"):
        return where, None
    contact = read_contact_file(Path(where))
    if contact is None:
        raise ConnectionError(f"nobody is announced in {where}")
    return contact.address, contact.token


def read_token(path: Path | None) -> str:
    """The pool's shared token; empty without a file."""
    return "" if path is None else path.read_text().strip()
