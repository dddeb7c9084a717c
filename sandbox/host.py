"""The machine's owner as host of jobs: watched for as his policy says, and spoken to by hand.

Owns: looking, a socket in the sandbox's private directory (one word in, one sentence out), that what he
said lasts. Leaves to others: what to make of readings (owner), reading (presence), jobs (guests). Only
who may enter the directory may speak.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from hpool.sandbox.guests import Guests
from hpool.sandbox.owner import Policy, Watch
from hpool.sandbox.presence import Load, Senses, Touches

SOCKET: Final = "owner.socket"
LOOK_S: Final = 1.0
_SAID: Final = "owner-is-here"
_WORD_BYTES: Final = 16


class Host:
    """One per sandbox. What he said outlives it, until he says something else or the machine starts anew."""

    def __init__(self, directory: Path, policy: Policy, guests: Guests) -> None:
        self._directory = directory
        self._policy = policy
        self._guests = guests
        self._said = directory / _SAID
        self._watch = Watch(policy, said_here=self._said.exists())
        self._senses = Senses(
            Touches() if policy.idle_s else None,
            Load() if policy.load else None,
        )
        self._turn = asyncio.Lock()

    async def watch(self) -> None:
        """Until cancelled."""
        async with self._listening():
            try:
                await self._look()
                while self._policy.watches:
                    await self._senses.wait(LOOK_S)
                    await self._look()
                await asyncio.Event().wait()
            finally:
                self._senses.close()

    async def _look(self) -> None:
        async with self._turn:
            presence = self._watch.look(self._senses.read(), time.time())
            if presence.is_here:
                await self._guests.owner_came(presence.why)
            else:
                await self._guests.owner_went()

    async def _answer(self, word: str) -> str:
        if word in {"here", "away"}:
            self._watch.said(word == "here", time.time())
            if word == "here":
                self._said.touch(mode=0o600)
            else:
                self._said.unlink(missing_ok=True)
            await self._look()
        return self._guests.sentence()

    @contextlib.asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            word = (await reader.read(_WORD_BYTES)).decode("ascii", "replace").strip()
            writer.write(f"{await self._answer(word)}\n".encode())
            with contextlib.suppress(OSError):
                await writer.drain()
            writer.close()

        place = self._directory / SOCKET
        place.unlink(missing_ok=True)
        # by the directory's descriptor: the path of a socket has 108 bytes at most
        fd = os.open(self._directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            server = await asyncio.start_unix_server(serve, f"/proc/self/fd/{fd}/{SOCKET}")
            async with server:
                yield
        finally:
            place.unlink(missing_ok=True)
            os.close(fd)
