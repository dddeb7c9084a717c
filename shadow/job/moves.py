"""What a job's next run goes on from.

Owns: images on their way in and out, when one counts, when home may forget what lies before. Leaves to
others: keeping them (images), the journal (home), when a job goes back and who is told (conversation).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from hpool.matchmaker.model.errors import BadMessage, HpoolError
from hpool.shadow.api import home
from hpool.shadow.job.due import Due
from hpool.shadow.job.images import Images
from hpool.shadow.job.windows import OutputWindows

_Arriving = home.ImagePart | home.ImageWhole | home.ImageRefused


class Moves:
    """Of one job; without `images` it has none, and begins anew."""

    def __init__(
        self, images: Images | None, commit: Callable[[int], None], note: Callable[..., None], due: Due
    ) -> None:
        """`commit`: home forgets what lies before that epoch. `note`: a line of the job's log. `due`: when it
        is written down unasked."""
        self._due = due
        self._images = images
        self._commit = commit
        self._note = note
        self.going: home.Going | None = None
        """What the next run, or this one, goes on from."""
        self.has_left = False
        """It ends where it was, and its image is here."""
        self.is_stuck = self.is_given_up = False
        """A machine could not go on from `going`; so many could not that nobody is asked any more."""
        self._stuck = 0
        self._made_s: dict[int, float] = {}  # by epoch, of this run
        self._arriving: asyncio.Queue[_Arriving | None] = asyncio.Queue()
        self._arrival: asyncio.Task[None] | None = None
        self._unshown = (
            0  # the newest image's number, until all the job had said by then is with its terminal
        )

    def ask(self, starter: asyncio.Queue[home.ToStarter] | None, *, leave: bool) -> None:
        """What comes of it is in the job's log."""
        if self._images is None:
            self.refused("no journal is kept of what it changes")
        elif starter is None:
            self.refused("it does not run")
        else:
            self._due.asked()
            starter.put_nowait(home.Checkpoint(leave))

    def starter_came(self) -> None:
        """Whatever the one before was sent of the image, this one gets all of it."""
        if self._images is not None:
            self._images.begin_again()

    def cannot_go_on(self, most: int) -> None:
        """Where it came to. `most`: so many machines may say so of one image."""
        self._stuck += 1
        self.is_stuck, self.is_given_up = True, self._stuck >= most

    def refused(self, why: str) -> None:
        self._note("image", sentence=f"no checkpoint was made: {why}", kept=False)
        self._due.answered(kept=False)

    def starter_said(
        self, message: home.FromStarter, tell: Callable[[home.ToStarter], None], outputs: OutputWindows
    ) -> None:
        """Raises BadMessage for an image that nobody asked for."""

        async def send(part: home.ImagePart) -> None:
            tell(part)

        match message:
            case home.ImageRefused(why):
                self.refused(why)
                if self._arrival is not None:
                    self._arriving.put_nowait(message)
            case home.ImagePart() | home.ImageWhole() if self._images is not None:
                self._arriving.put_nowait(message)
                if self._arrival is None:
                    self._arrival = asyncio.create_task(self._arrive(self._images, tell, outputs))
            case home.ImageTaken(parts) if self._images is not None and self.going is not None:
                self._images.taken(parts, self.going, send)
            case _:
                raise BadMessage("the starter", "an image that nobody asked for")

    async def _arrive(
        self, images: Images, tell: Callable[[home.ToStarter], None], outputs: OutputWindows
    ) -> None:
        """In order, beside all else that the job asks of home."""
        while (message := await self._arriving.get()) is not None:
            match message:
                case home.ImagePart():
                    tell(home.ImageTaken(await asyncio.to_thread(images.take, message)))
                case home.ImageRefused():
                    images.forget_arriving()
                case home.ImageWhole():
                    await self._keep(images, message, tell, outputs)

    async def _keep(
        self,
        images: Images,
        whole: home.ImageWhole,
        tell: Callable[[home.ToStarter], None],
        outputs: OutputWindows,
    ) -> None:
        """First the image, then home forgets what lies before the oldest one kept."""
        state, is_kept = whole.state, False
        try:
            kept = await images.commit(state)
            self._forget(images)
        except (HpoolError, OSError) as error:
            self.refused(str(error))
        else:
            self.going, is_kept = state, True
            self._made_s[state.epoch] = time.monotonic()
            still = f"it stood still for {whole.frozen_us / 1000:.1f} ms"
            sentence = f"epoch {state.epoch} is kept; {still}, {kept.sent_bytes} bytes came"
            self._note("image", sentence=sentence, kept=True, epoch=state.epoch, sent_bytes=kept.sent_bytes)
            self.has_left = whole.left
            self._due.answered(kept=True)
            self._unshown = kept.number
            self.shown(outputs)
        tell(home.ImageKept(is_kept))
        if self.has_left:
            tell(home.Release())

    def shown(self, outputs: OutputWindows) -> None:
        """Once the terminal has what the job had said by then, the image will do for another shadow too."""
        if not self._unshown or self.going is None or self._images is None:
            return
        if outputs.are_taken(self.going.output, self.going.error):
            self._images.mark_shown(self._unshown)
            self._unshown = 0
            self._forget(self._images)

    def _forget(self, images: Images) -> None:
        oldest = images.oldest_epoch()
        if oldest:  # else the job's beginning may still be wanted
            self._commit(oldest)

    async def newest(self) -> home.Going | None:
        """What is left when a run is lost; nothing of that run comes any more."""
        if self._arrival is not None:
            self._arriving.put_nowait(None)
            await self._arrival
            self._arrival = None
        self._due.stop()
        if self._images is not None:
            self._images.begin_again()
            if self.is_given_up and self.going is not None:
                await self._images.give_up(self.going)
            self.going = await self._images.newest()
        self._stuck = 0 if self.is_given_up or not self.is_stuck else self._stuck
        self.is_stuck = self.is_given_up = False
        return self.going

    def lost_s(self, until_s: float) -> float:
        """Seconds of its work that are not in what it goes on from."""
        epoch = 0 if self.going is None else self.going.epoch
        return max(0.0, until_s - self._made_s.get(epoch, until_s))

    def began(self, ask: Callable[[], None]) -> None:
        """A run has: from the image, or from the beginning. `ask` when it is to be written down."""
        self._due.begin(ask)
        self._made_s[0 if self.going is None else self.going.epoch] = time.monotonic()

    def over(self) -> None:
        """So is the job."""
        self._due.stop()
        self._arriving.put_nowait(None)
