"""Claiming a job at its agent.

Owns: the one call, the word that a claim's starter is no more, and connections to agents. Leaves to
others: which match to take up.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import grpc
import grpc.aio

from hpool.matchmaker.api.values import MachineAd, Match
from hpool.matchmaker.hosting import rpc
from hpool.matchmaker.model.errors import ClaimRefused
from hpool.shadow.api import home
from hpool.shadow.api.queue import CLAIM, ClaimReply, ClaimRequest

log = logging.getLogger("claims")

CLAIM_WITHIN_S: Final = 10.0
TELL_WITHIN_S: Final = 2.0


class Claims:
    """Connections stay open: the next job of the same agent is claimed without a handshake."""

    def __init__(self) -> None:
        self._channels: dict[str, grpc.aio.Channel] = {}

    async def claim(self, match: Match, machine: MachineAd, token: str) -> ClaimReply:
        """Raises ClaimRefused, with what the agent or the connection said."""
        request = ClaimRequest(
            job_id=match.job_id,
            ticket=match.ticket,
            machine=machine.name,
            sandbox_id=machine.sandbox_id,
            arch=machine.arch,
            cpus=machine.cpus,
            memory_bytes=machine.memory_bytes,
        )
        # Twice: if a connection broke under the reply, the job is ours and its shadow waits for the starter.
        for is_last in (False, True):
            try:
                reply = await self._ask(match.agent_address, request, token)
                break
            except grpc.aio.AioRpcError as error:
                if is_last or error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise ClaimRefused(f"{match.agent_address}: {error.details()}") from error
        if reply.refusal:
            raise ClaimRefused(reply.refusal)
        return reply

    async def _ask(self, address: str, request: ClaimRequest, token: str) -> ClaimReply:
        """Raises AioRpcError."""
        channel = self._channels.get(address)
        if channel is None:
            channel = self._channels[address] = rpc.aio_channel(address)
        try:
            reply: ClaimReply = await CLAIM.on_aio(channel)(
                request, metadata=((rpc.TOKEN_KEY, token),), timeout=CLAIM_WITHIN_S
            )
        except grpc.aio.AioRpcError:
            # The agent may be another one behind the same address by now.
            if self._channels.get(address) is channel:
                del self._channels[address]
            asyncio.create_task(channel.close(None))  # noqa: RUF006
            raise
        return reply

    async def starter_gone(self, claim: ClaimReply, why: str) -> None:
        """Tells the job's shadow not to wait for it. Where that cannot be reached, the lease is its end."""
        channel = rpc.aio_channel(claim.shadow_address)
        try:
            metadata = ((home.CLAIM_KEY, claim.claim_secret),)
            await home.GONE.on_aio(channel)(home.StarterGone(why), metadata=metadata, timeout=TELL_WITHIN_S)
        except grpc.aio.AioRpcError as error:
            log.info("%s was not told of its starter's end: %s", claim.shadow_address, error.details())
        finally:
            await channel.close(None)

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close(None)
