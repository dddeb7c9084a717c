"""Is a pool tidy again? What runs and what lies about, before and after.

Owns: taking note of a quiet pool and waiting until it looks like that again.
Leaves to others: making it untidy.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import Self

from integration.pool import StrictPool
from integration.rooms import Room, wait_until

# Where nothing of a job may stay. Queues, logs and the digest cache are elsewhere, on purpose.
SCRATCH = ("/tmp", "/var/tmp", "/dev/shm", "/run")


@dataclass(frozen=True)
class Note:
    """What a quiet pool consists of."""

    pool: StrictPool
    lines: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, pool: StrictPool) -> Self:
        """After one job, so that spares exist. Waits until two looks agree."""
        ended = pool.home.job("/bin/true")
        assert ended.code == 0, ended
        before: list[list[str]] = [[]]

        def settled() -> bool:
            now = pool.processes()
            same = now == before[0] and not any("hpool-keeper" in line for line in now)
            before[0] = now
            return same

        try:
            wait_until(settled, "a quiet pool")
        except TimeoutError:
            raise AssertionError(f"never quiet: {before[0]}") from None
        return cls(pool, tuple(before[0]), tuple(_names(pool)))

    def wait(self, timeout_s: float = 15.0) -> None:
        """Until nothing runs and nothing lies about that did not before; AssertionError says what does."""
        try:
            wait_until(lambda: self._new() == [], "a tidy pool", timeout_s)
        except TimeoutError:
            raise AssertionError(f"left behind: {self._new()}") from None

    def _new(self) -> list[str]:
        lines = list(self.lines)
        new = []
        for line in self.pool.processes():
            if line in lines:
                lines.remove(line)
            else:
                new.append(line)
        return new + [name for name in _names(self.pool) if name not in self.names]


def _names(pool: StrictPool) -> list[str]:
    return [f"{room.name}:{name}" for room in (pool.room, pool.machine) for name in _scratch_names(room)]


def _scratch_names(room: Room) -> list[str]:
    # /dev/shm of a full room is this machine's, which others use.
    places = [str(room.outside(place)) for place in SCRATCH if room.bare or place != "/dev/shm"]
    found = subprocess.run(["find", *places, "-mindepth", "1"], capture_output=True, text=True)
    cut = len(str(room.outside("/"))) - 1
    return [line[cut:] for line in found.stdout.splitlines()]
