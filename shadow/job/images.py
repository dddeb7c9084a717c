"""The images of a job, as its shadow keeps them: beside its undo journal, as epochs of a store.

Owns: taking one in from the starter, which belongs to which epoch at home, giving one out. Leaves to others:
the store (interpose_c.image), the journal (home), when a job goes back (conversation).

Blocking work is done in threads; there is one image under way at most.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from hpool.interpose_c.image.store import KEPT, Epoch, Store
from hpool.matchmaker.model.errors import BadMessage, HpoolError
from hpool.shadow.api import home
from hpool.shadow.api.image_parts import AHEAD, Gathering, parts_of

log = logging.getLogger("images")

IMAGES: Final = "images"  # their directory's name, in the journal's
_STATES: Final = "states"
_SHOWN: Final = "shown"


class Images:
    """Of one job. `directory` is made with the first."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._store = Store(directory)
        self._gathering: Gathering | None = None
        self._parts = 0
        self._error: OSError | None = None
        self._fds: tuple[int, int] = (-1, -1)
        self._sent: asyncio.Task[None] | None = None
        self._taken = 0
        self._progress = asyncio.Event()

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
        """How many parts there are now. Whether there was room for all is `commit`'s to say. Raises
        BadMessage."""
        self._parts += 1
        try:
            if self._error is None:
                self._gather(part)
        except OSError as error:
            self._error = error
        return self._parts

    def _gather(self, part: home.ImagePart) -> None:
        if self._gathering is None:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            names = [self._directory / name for name in (".meta", ".pages")]
            meta_fd, pages_fd = (os.open(each, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600) for each in names)
            self._fds = (meta_fd, pages_fd)
            self._gathering = Gathering(*self._fds, "the starter")
        self._gathering.take(part)

    async def commit(self, state: home.Going) -> int:
        """It is there, whole, when this returns: its number. Raises BadMessage, HpoolError, OSError."""
        gathering, fds, error = self._gathering, self._fds, self._error
        if error is not None:
            self.drop()
            raise error
        if gathering is None or not gathering.is_complete:
            raise BadMessage("the starter", "an image that is not complete")
        try:
            gathering.finish(state.meta_bytes, state.pages_bytes)
            return await asyncio.to_thread(self._keep, state, *fds)
        finally:
            self.drop()

    def drop(self) -> None:
        """What was gathered of an image is not wanted."""
        if self._gathering is not None:
            for fd in self._fds:
                os.close(fd)
        self._gathering, self._parts, self._error = None, 0, None
        for name in (".meta", ".pages"):
            (self._directory / name).unlink(missing_ok=True)

    def mark_shown(self, number: int) -> None:
        """What the job had said by then is with its terminal: another shadow may go on from it."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = self._directory / f".{_SHOWN}"
        aside.write_text(str(number))
        aside.rename(self._directory / _SHOWN)

    def _keep(self, state: home.Going, meta_fd: int, pages_fd: int) -> int:
        meta = os.pread(meta_fd, state.meta_bytes, 0)
        # first what belongs to it: an image whose state is missing would not be one
        number = (self._store.numbers() or [0])[-1] + 1
        states = {**self._states(), str(number): list(state)}
        shown = self._shown()
        most = max(KEPT, number - shown + 1) if shown else number
        kept = {str(each) for each in [*self._store.numbers(), number][-most:]}
        aside = self._directory / f".{_STATES}"
        aside.write_text(json.dumps({key: value for key, value in states.items() if key in kept}))
        aside.rename(self._directory / _STATES)
        self._store.commit(meta, pages_fd)
        self._store.collect(most)
        return number

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
        self.drop()

    async def _send(self, going: home.Going, send: Callable[[home.ImagePart], Awaitable[None]]) -> None:
        states = self._states()
        number = next(int(key) for key, state in states.items() if state[0] == going.epoch)
        meta_fd, pages_fd = (os.memfd_create(name, os.MFD_CLOEXEC) for name in ("meta", "pages"))
        try:
            await asyncio.to_thread(self._store.unpack, self._store.epoch(number), meta_fd, pages_fd)
            parts = parts_of(meta_fd, pages_fd)
            count = 0
            while (part := await asyncio.to_thread(next, parts, None)) is not None:
                while count - self._taken >= AHEAD:
                    self._progress.clear()
                    await self._progress.wait()
                await send(part)
                count += 1
        finally:
            os.close(meta_fd)
            os.close(pages_fd)
