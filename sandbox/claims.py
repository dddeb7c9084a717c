"""Claiming a job at its agent.

Owns: the one call, and connections to agents. Leaves to others: which match to take up.
"""

from __future__ import annotations

import asyncio
from typing import Final

import grpc
import grpc.aio

from hpool.matchmaker.api.values import MachineAd, Match
from hpool.matchmaker.hosting import rpc
from hpool.matchmaker.model.errors import ClaimRefused
from hpool.shadow.api.queue import CLAIM, ClaimReply, ClaimRequest

CLAIM_WITHIN_S: Final = 10.0


class Claims:
    """Connections stay open: the next job of the same agent is claimed without a handshake."""

    def __init__(self) -> None:
        self._channels: dict[str, grpc.aio.Channel] = {}

    async def claim(self, match: Match, machine: MachineAd, token: str) -> ClaimReply:
        """Raises ClaimRefused, with what the agent or the connection said."""
        channel = self._channels.get(match.agent_address)
        if channel is None:
            channel = self._channels[match.agent_address] = rpc.aio_channel(match.agent_address)
        request = ClaimRequest(
            job_id=match.job_id,
            ticket=match.ticket,
            machine=machine.name,
            sandbox_id=machine.sandbox_id,
            arch=machine.arch,
            cpus=machine.cpus,
            memory_bytes=machine.memory_bytes,
        )
        metadata = ((rpc.TOKEN_KEY, token),)
        try:
            reply: ClaimReply = await CLAIM.on_aio(channel)(
                request, metadata=metadata, timeout=CLAIM_WITHIN_S
            )
        except grpc.aio.AioRpcError as error:
            # The agent may be another one behind the same address by now.
            del self._channels[match.agent_address]
            asyncio.create_task(channel.close(None))  # noqa: RUF006
            raise ClaimRefused(f"{match.agent_address}: {error.details()}") from error
        if reply.refusal:
            raise ClaimRefused(reply.refusal)
        return reply

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close(None)
