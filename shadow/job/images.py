"""The images of a job, as its shadow keeps them: beside its undo journal, as epochs of a store.

Owns: taking one in from the starter, which belongs to which epoch at home, giving one out. Leaves to others:
the store (interpose_c.image), the journal (home), when a job goes back (conversation).

Blocking work is done in threads; there is one image under way at most. The other end need not send again what
the image before has, and may send blocks ahead of the image that will name them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from hpool.interpose_c.image.store import KEPT, Epoch, Store
from hpool.matchmaker.model.errors import HpoolError
from hpool.shadow.api import home
from hpool.shadow.api.image_parts import AHEAD, parts_of
from hpool.shadow.job.arriving import Arriving, Whole

log = logging.getLogger("images")

IMAGES: Final = "images"  # their directory's name, in the journal's
_STATES: Final = "states"
_SHOWN: Final = "shown"


class Kept(NamedTuple):
    number: int
    sent_bytes: int
    """Of its blocks, as they came."""


class Images:
    """Of one job. `directory` is made with the first."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._store = Store(directory)
        self.forget_arriving()
        self._sent: asyncio.Task[None] | None = None
        self._taken = 0
        self._progress = asyncio.Event()

    def forget_arriving(self) -> None:
        """No more of it comes, or it is kept."""
        self._ahead: Arriving | None = None
        self._arriving = Arriving(self._store)
        self._ahead_bytes = 0

    @property
    def are_there(self) -> bool:
        """An earlier shadow had some, or somebody has put one here (`plant`)."""
        return (self._directory / _STATES).exists()

    def plant(self, source: Store, epoch: Epoch, state: home.Going) -> None:
        """The job goes on from an image that was kept elsewhere. Raises OSError."""
        self._directory.mkdir(mode=0o700, parents=True)
        (self._directory / _STATES).write_text(json.dumps({"1": list(state)}))
        self._store.copy_of(source, epoch)
        self.mark_shown(1)

    # --- from the starter --------------------------------------------------------------

    def take(self, part: home.ImagePart) -> int:
        """How many parts of it there are now. Blocks."""
        if not part.ahead:
            return self._arriving.take(part)
        ahead = self._ahead = self._ahead or Arriving(self._store)
        parts = ahead.take(part)
        if part.last:
            self._ahead_bytes += ahead.came_bytes
            self._arriving.error = self._arriving.error or ahead.error
            self._ahead = None
        return parts

    async def commit(self, state: home.Going) -> Kept:
        """It is there, whole, when this returns. Raises BadMessage, HpoolError, OSError."""
        return await asyncio.to_thread(self._commit, state)

    def _commit(self, state: home.Going) -> Kept:
        try:
            number = self._keep(state, self._arriving.whole(state.meta_bytes, state.pages_bytes))
        except (HpoolError, OSError):
            self._store.collect(self._most())  # the room of what came of it
            raise
        else:
            return Kept(number, self._ahead_bytes + self._arriving.came_bytes)
        finally:
            self.forget_arriving()

    def mark_shown(self, number: int) -> None:
        """What the job had said by then is with its terminal: another shadow may go on from it."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = self._directory / f".{_SHOWN}"
        aside.write_text(str(number))
        aside.rename(self._directory / _SHOWN)

    def _keep(self, state: home.Going, image: Whole) -> int:
        # first what belongs to it: an image whose state is missing would not be one
        number = (self._store.numbers() or [0])[-1] + 1
        states = {**self._states(), str(number): list(state)}
        most = self._most(number)
        kept = {str(each) for each in [*self._store.numbers(), number][-most:]}
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = self._directory / f".{_STATES}"
        aside.write_text(json.dumps({key: value for key, value in states.items() if key in kept}))
        aside.rename(self._directory / _STATES)
        self._store.commit_blocks(image.meta, state.pages_bytes, image.blocks)
        self._store.collect(most)
        return number

    def _most(self, number: int | None = None) -> int:
        """Epochs to keep, up to the one of that number: another shadow goes on from the last one shown."""
        number = (self._store.numbers() or [0])[-1] if number is None else number
        shown = self._shown()
        return max(KEPT, number - shown + 1) if shown else max(KEPT, number)

    def _states(self) -> dict[str, list[Any]]:
        with contextlib.suppress(OSError, ValueError):
            return dict(json.loads((self._directory / _STATES).read_text()))
        return {}

    # --- to the next one -----------------------------------------------------------------

    async def newest(self, *, shown: bool = False) -> home.Going | None:
        """The newest that is whole, of those there are; what is damaged is told in the log. `shown`: of
        those whose output certainly is with the terminal. It goes on from that: newer ones are forgotten."""
        return await asyncio.to_thread(self._newest, shown)

    def _newest(self, shown: bool) -> home.Going | None:
        states = self._states()
        most = self._shown() if shown else None
        for number in reversed(self._store.numbers()):
            if most is not None and number > most:
                continue
            try:
                self._store.verify(self._store.epoch(number))
                *numbers, needs = states[str(number)]
                going = home.Going._make([*numbers, tuple(needs)])
            except (HpoolError, KeyError, TypeError) as error:
                log.warning("image %d cannot be used: %s", number, error)
                continue
            self._store.forget_after(number)
            self.mark_shown(min(number, self._shown()))
            return going
        self._store.forget_after(0)
        return None

    def _shown(self) -> int:
        with contextlib.suppress(OSError, ValueError):
            return int((self._directory / _SHOWN).read_text())
        return 0

    def oldest_epoch(self) -> int:
        """Of home: nobody goes back to before it, neither this shadow nor another."""
        if not self._shown():
            return 0
        return min((state[0] for state in self._states().values()), default=0)

    def taken(self, parts: int, going: home.Going, send: Callable[[home.ImagePart], Awaitable[None]]) -> None:
        """The next starter's credit; the first one begins the sending."""
        self._taken = parts
        self._progress.set()
        if self._sent is None:
            self._sent = asyncio.create_task(self._send(going, send))

    async def give_up(self, going: home.Going) -> None:
        """Nobody could go on from it."""
        for number, state in self._states().items():
            if state[0] == going.epoch:
                await asyncio.to_thread(self._store.forget_after, int(number) - 1)

    def begin_again(self) -> None:
        """Another starter will come."""
        if self._sent is not None:
            self._sent.cancel()
        self._sent = None
        self._taken = 0
        self.forget_arriving()

    async def _send(self, going: home.Going, send: Callable[[home.ImagePart], Awaitable[None]]) -> None:
        states = self._states()
        number = next(int(key) for key, state in states.items() if state[0] == going.epoch)
        epoch = self._store.epoch(number)
        parts = parts_of(epoch.meta(), self._blocks_of(epoch))
        count = 0
        while (part := await asyncio.to_thread(next, parts, None)) is not None:
            while count - self._taken >= AHEAD:
                self._progress.clear()
                await self._progress.wait()
            await send(part)
            count += 1

    def _blocks_of(self, epoch: Epoch) -> Iterator[home.ImageBlock]:
        for number, digest in epoch.blocks.items():
            stored = self._store.stored(digest, str(epoch.directory))
            yield home.ImageBlock(number, bytes.fromhex(digest), stored)
