"""Shadow processes as the agent sees them: forked from a nursery, one ready in advance.

Owns: forking, the link to each, noticing their end. Leaves to others: what their reports mean (queue).
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable
from typing import Final

from hpool.matchmaker.hosting.nursery import TRIES, Child, Nursery
from hpool.matchmaker.model.places import QueueUnwritable
from hpool.shadow.api import custody
from hpool.shadow.api.custody import FROM_SHADOW, TO_SHADOW, FramedLink

log = logging.getLogger("shadows")

READY_WITHIN_S: Final = 20.0
RECORD_AGAIN_S: Final = 1.0

Report = custody.JobStarted | custody.NeverStarted | custody.Returned | custody.JobEnded | custody.Noted


class Shadow:
    """One shadow process that listens and may have a job."""

    def __init__(self, child: Child, link: FramedLink, address: str) -> None:
        self.pid = child.pid
        self.address = address
        self.is_gone = False
        self._link = link
        self._on_report: Callable[[Report], None] = lambda report: None
        self._on_gone: Callable[[], None] = lambda: None
        self._listening = asyncio.create_task(self._listen())

    def tell(self, message: custody.ToShadow) -> None:
        self._link.send(message)

    def follow(self, on_report: Callable[[Report], None], on_gone: Callable[[], None]) -> None:
        """From now on reports go to `on_report`; after the last, `on_gone` is called once."""
        self._on_report, self._on_gone = on_report, on_gone

    def close(self) -> None:
        self._link.close()

    async def _listen(self) -> None:
        while (message := await self._link.receive()) is not None:
            await _recorded(functools.partial(self._on_report, message))
        self.is_gone = True
        await _recorded(self._on_gone)


async def _recorded(report: Callable[[], None]) -> None:
    """Again until the queue takes it: how a job ended is not forgotten because a disk was full."""
    is_said = False
    while True:
        try:
            return report()
        except QueueUnwritable as error:
            if not is_said:
                log.warning("%s", error)
            is_said = True
        await asyncio.sleep(RECORD_AGAIN_S)


class Shadows:
    """The supply of shadows. `take` is quick because one waits already."""

    def __init__(self, listen_host: str, advertise_host: str | None, lease_s: float) -> None:
        arguments = ["--listen-host", listen_host, "--lease", str(lease_s)]
        if advertise_host:
            arguments += ["--advertise-host", advertise_host]
        self._nursery = Nursery("hpool.shadow.job.process", arguments)
        self._spare: asyncio.Task[Shadow] | None = None

    def start(self) -> None:
        self._nursery.start()
        self._prepare()

    async def take(self) -> Shadow:
        """A shadow that listens. Raises ConnectionError or TimeoutError if none can be had."""
        if self._spare is not None:
            spare, self._spare = self._spare, None
            try:
                if not (shadow := await spare).is_gone:
                    return shadow
                shadow.close()
            except ConnectionError as error:
                log.warning("no spare shadow: %s", error)
        for _ in range(TRIES - 1):
            try:
                return await self._raise_one()
            except ConnectionError as error:
                log.warning("once more: %s", error)
        return await self._raise_one()

    def prepare_next(self) -> None:
        """Called when a job is on its way and there is time again."""
        if self._spare is None:
            self._prepare()

    def _prepare(self) -> None:
        self._spare = asyncio.create_task(self._raise_one())
        self._spare.add_done_callback(_notice)

    async def _raise_one(self) -> Shadow:
        child = await self._nursery.fork()
        streams = await asyncio.open_connection(sock=child.link)
        link = FramedLink(streams, FROM_SHADOW, TO_SHADOW)
        async with asyncio.timeout(READY_WITHIN_S):
            message = await link.receive()
        if not isinstance(message, custody.Ready):
            raise ConnectionError("a shadow ended before it was ready")
        return Shadow(child, link, message.address)

    def close(self) -> None:
        if self._spare is not None:
            self._spare.cancel()
        self._nursery.close()


def _notice(task: asyncio.Task[Shadow]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.warning("no spare shadow: %s", task.exception())
