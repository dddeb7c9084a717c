"""What tells of the machine's owner: keyboards, mice, terminals, the load of his programs.

Owns: reading those. Leaves to others: what follows from it (owner).
"""

from __future__ import annotations

import asyncio
import contextlib
import glob
import logging
import os
import time
from collections.abc import Iterator
from typing import Final

import psutil

from hpool.sandbox.owner import Reading

log = logging.getLogger("presence")

TERMINALS: Final = ("/dev/tty[0-9]*", "/dev/pts/[0-9]*")
DEVICES: Final = "/dev/input/event*"
_PS2: Final = "i8042"  # keyboards and pads of laptops, in /proc/interrupts
_EVENTS_BYTES: Final = 1 << 14


class Touches:
    """When something was touched last. A terminal's time of access is that of the last key, within eight
    seconds; USB devices are seen where they may be read (root, group input), and at once."""

    def __init__(
        self,
        terminals: tuple[str, ...] = TERMINALS,
        devices: str = DEVICES,
        interrupts: str = "/proc/interrupts",
    ) -> None:
        self._terminals = terminals
        self._devices = devices
        self._interrupts = interrupts
        self._counted = self._count()
        self._seen_s = 0.0
        self._open: dict[str, int] = {}
        self.moved = asyncio.Event()
        """A device was; whoever waits for it clears it."""

    def last_s(self) -> float:
        self._open_devices()
        counted = self._count()
        if counted != self._counted:
            self._counted, self._seen_s = counted, time.time()
        return max((self._seen_s, *self._accesses()))

    def close(self) -> None:
        for path in list(self._open):
            self._close(path)

    def _accesses(self) -> Iterator[float]:
        for pattern in self._terminals:
            for path in glob.iglob(pattern):
                with contextlib.suppress(OSError):
                    yield os.stat(path).st_atime

    def _count(self) -> int:
        with contextlib.suppress(OSError), open(self._interrupts) as file:
            return sum(
                int(word)
                for line in file
                if _PS2 in line
                for word in line.split(":", 1)[1].split()
                if word.isdigit()
            )
        return 0

    def _open_devices(self) -> None:
        for path in glob.glob(self._devices):
            if path not in self._open:
                with contextlib.suppress(OSError):
                    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                    self._open[path] = fd
                    asyncio.get_running_loop().add_reader(fd, self._read, path)

    def _read(self, path: str) -> None:
        """What was pressed is nobody's business; only that something was."""
        try:
            if os.read(self._open[path], _EVENTS_BYTES):
                self._seen_s = time.time()
                self.moved.set()
                return
        except BlockingIOError:
            return
        except OSError:
            log.info("%s is gone", path)
        self._close(path)

    def _close(self, path: str) -> None:
        fd = self._open.pop(path)
        asyncio.get_running_loop().remove_reader(fd)
        os.close(fd)


class Load:
    """Processors kept busy by others than this process and all below it."""

    def __init__(self) -> None:
        self._read = self._now()

    def since_last(self) -> float:
        before, self._read = self._read, self._now()
        at_s, busy_s, ours_s = (now - then for now, then in zip(self._read, before, strict=True))
        return max(0.0, busy_s - ours_s) / max(at_s, 0.01)

    def _now(self) -> tuple[float, float, float]:
        times = psutil.cpu_times()
        busy_s = times.user + times.nice + times.system + times.irq + times.softirq
        return time.monotonic(), busy_s, _used_s()


def _used_s() -> float:
    """With what their children have used that are gone: it counts once, whoever waited for them."""
    own = psutil.Process()
    used_s = 0.0
    for process in (own, *own.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            used_s += sum(process.cpu_times()[:4])
    return used_s


class Senses:
    """All of it."""

    def __init__(self, touches: Touches | None, load: Load | None) -> None:
        """None: not looked at."""
        self._touches = touches
        self._load = load

    def read(self) -> Reading:
        now = time.localtime()
        return Reading(
            touched_s=0.0 if self._touches is None else self._touches.last_s(),
            load=0.0 if self._load is None else self._load.since_last(),
            minute=now.tm_hour * 60 + now.tm_min,
        )

    async def wait(self, within_s: float) -> None:
        """Until it is worth looking again."""
        if self._touches is None:
            await asyncio.sleep(within_s)
            return
        self._touches.moved.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._touches.moved.wait()

    def close(self) -> None:
        if self._touches is not None:
            self._touches.close()
