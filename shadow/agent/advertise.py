"""The agent's standing conversation with the matchmaker.

Owns: dialling again and again, saying which jobs are idle, on each change and once a period.
Leaves to others: the jobs (queue) and what a match leads to (the sandbox claims by itself).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable
from typing import Any

import grpc

from hpool.matchmaker.api.client import ADVERTISE_JOBS
from hpool.matchmaker.api.values import JobAd, JobsReport, Welcome
from hpool.matchmaker.hosting import rpc
from hpool.matchmaker.hosting.daemon import dial_target
from hpool.matchmaker.model.settings import ADVERTISE_PERIOD_S

log = logging.getLogger("advertise")


class Advertiser:
    """Says which jobs wait. `changed()` makes it say so at once."""

    def __init__(self, matchmaker: str, token: str) -> None:
        self.matchmaker = matchmaker
        self.is_connected = False
        self._token = token
        self._agent_id = secrets.token_hex(16)
        self._changed = asyncio.Event()

    def changed(self) -> None:
        self._changed.set()

    async def run(self, my_address: str, idle_ads: Callable[[], tuple[JobAd, ...]]) -> None:
        """Until cancelled."""
        pause_s = 0.05
        while True:
            try:
                await self._converse(my_address, idle_ads)
            except (ConnectionError, grpc.RpcError) as error:
                if self.is_connected or pause_s == 0.05:
                    log.info("matchmaker %s: %s", self.matchmaker, _why(error))
            pause_s = 0.05 if self.is_connected else min(pause_s * 2, 1.0)
            self.is_connected = False
            await asyncio.sleep(pause_s)

    async def _converse(self, my_address: str, idle_ads: Callable[[], tuple[JobAd, ...]]) -> None:
        address, token = dial_target(self.matchmaker)
        async with rpc.aio_channel(address) as channel:
            call = ADVERTISE_JOBS.on_aio(channel)(metadata=((rpc.TOKEN_KEY, token or self._token),))
            listening = asyncio.create_task(self._listen(call))
            try:
                while not listening.done():
                    self._changed.clear()
                    await call.write(JobsReport(self._agent_id, my_address, idle_ads()))
                    changed = asyncio.create_task(self._changed.wait())
                    await asyncio.wait(
                        {listening, changed},
                        timeout=ADVERTISE_PERIOD_S / 2,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    changed.cancel()
                await listening
            finally:
                listening.cancel()
                with contextlib.suppress(asyncio.CancelledError, grpc.RpcError):
                    await listening

    async def _listen(self, call: Any) -> None:
        async for notice in call:
            if isinstance(notice, Welcome):
                log.info("known to the matchmaker %s", self.matchmaker)
                self.is_connected = True
        raise ConnectionError("the matchmaker closed the stream")


def _why(error: Exception) -> str:
    return str(error.details()) if isinstance(error, grpc.aio.AioRpcError) else str(error)
