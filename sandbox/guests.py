"""Jobs as guests of the machine's owner: they stand still when he comes, and leave if he stays.

Owns: the order of things, and the deadlines. Leaves to others: whether he is there (owner), holding
jobs (starters), slots and the matchmaker (daemon).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection
from typing import Final

from hpool.sandbox.starters import Starters

log = logging.getLogger("guests")

ASK_AGAIN_S: Final = 5.0
WANTED: Final = "its owner wanted the machine back"


class Guests:
    """`tasks`: one for each job, as long as it is here."""

    def __init__(
        self,
        starters: Starters,
        tasks: Collection[asyncio.Task[None]],
        changed: Callable[[], None],
        *,
        patience_s: float,
        leave_within_s: float,
    ) -> None:
        """`changed`: whether jobs are welcome."""
        self._starters = starters
        self._tasks = tasks
        self._changed = changed
        self._patience_s = patience_s
        self._leave_within_s = leave_within_s
        self._seeing_off: asyncio.Task[None] | None = None
        self.is_owner_here = False

    async def owner_came(self, why: str) -> None:
        """All stand still when this returns."""
        if self.is_owner_here:
            return
        self.is_owner_here = True
        self._changed()
        took_us = await self._starters.stand(is_still=True)
        log.info("the owner is here (%s); jobs that stand still: %s", why, _in_words(took_us))
        self._seeing_off = asyncio.create_task(self._see_off())

    async def owner_went(self) -> None:
        if not self.is_owner_here:
            return
        self.is_owner_here = False
        if self._seeing_off is not None:
            self._seeing_off.cancel()
            self._seeing_off = None
        took_us = await self._starters.stand(is_still=False)
        log.info("the owner has gone; jobs that go on: %s", _in_words(took_us))
        self._changed()

    def sentence(self) -> str:
        """How it is, for him."""
        count = len(self._tasks)
        jobs = "no job is here" if not count else "1 job is here" if count == 1 else f"{count} jobs are here"
        if not self.is_owner_here:
            return f"the machine takes jobs; {jobs}"
        if not count:
            return f"the machine is yours; {jobs}, and none will come"
        return (
            f"the machine is yours; {jobs}, all stand still. They are asked to leave after"
            f" {self._patience_s:g} s, and ended {self._leave_within_s:g} s later"
        )

    async def _see_off(self) -> None:
        """The image is written first and counts; who has not left by the deadline is ended."""
        await asyncio.sleep(self._patience_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._leave_within_s):
                while self._tasks:
                    self._starters.ask_to_leave()
                    await asyncio.wait([*self._tasks], timeout=ASK_AGAIN_S)
        for task in list(self._tasks):
            log.warning("a job has not left within %.0f s: it is ended", self._leave_within_s)
            task.cancel(WANTED)


def _in_words(took_us: list[int]) -> str:
    return (
        f"{len(took_us)}, after " + " ".join(f"{each / 1000:.1f}" for each in took_us) + " ms"
        if took_us
        else "0"
    )
