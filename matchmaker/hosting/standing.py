"""A conversation that never ends: one side reports, the other side sends notices, whoever dies comes back.

Owns: dialling again and again, a report on each change and at least twice a period, listening.
Leaves to others: what is reported and what a notice means.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any, Final

import grpc
import grpc.aio

from hpool.matchmaker.hosting import rpc
from hpool.matchmaker.hosting.daemon import dial_target
from hpool.matchmaker.model.settings import ADVERTISE_PERIOD_S

log = logging.getLogger("standing")

FIRST_PAUSE_S: Final = 0.05
LONGEST_PAUSE_S: Final = 1.0


class StandingConversation:
    """With the peer at `where` (host:port, or a contact file that is read anew each time)."""

    def __init__(self, method: rpc.StreamMethod[Any, Any], where: str, token: str) -> None:
        self.where = where
        self.token = token
        self.is_connected = False
        self._method = method
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """There is something new to report."""
        self._changed.set()

    async def run(self, report: Callable[[], Any], on_notice: Callable[[Any], None]) -> None:
        """Until cancelled."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                await self._converse(report, on_notice)
            except (ConnectionError, grpc.aio.AioRpcError) as error:
                if self.is_connected or pause_s == FIRST_PAUSE_S:
                    why = error.details() if isinstance(error, grpc.aio.AioRpcError) else error
                    log.info("%s: %s; trying again", self.where, why)
            pause_s = FIRST_PAUSE_S if self.is_connected else min(pause_s * 2, LONGEST_PAUSE_S)
            self.is_connected = False
            await asyncio.sleep(pause_s)

    async def _converse(self, report: Callable[[], Any], on_notice: Callable[[Any], None]) -> None:
        address, token = dial_target(self.where)
        self.token = token or self.token
        async with rpc.aio_channel(address) as channel:
            call = self._method.on_aio(channel)(metadata=((rpc.TOKEN_KEY, self.token),))
            listening = asyncio.create_task(self._listen(call, on_notice))
            try:
                while not listening.done():
                    self._changed.clear()
                    await call.write(report())
                    changed = asyncio.create_task(self._changed.wait())
                    await asyncio.wait(
                        {listening, changed},
                        timeout=ADVERTISE_PERIOD_S / 2,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    changed.cancel()
                await listening
            except asyncio.InvalidStateError:
                # The call ended while we wrote: it says why itself.
                await listening
            finally:
                listening.cancel()
                with contextlib.suppress(asyncio.CancelledError, grpc.aio.AioRpcError, ConnectionError):
                    await listening

    async def _listen(self, call: Any, on_notice: Callable[[Any], None]) -> None:
        async for notice in call:
            if not self.is_connected:
                log.info("known to %s", self.where)
                self.is_connected = True
            on_notice(notice)
        raise ConnectionError("it closed the conversation")
