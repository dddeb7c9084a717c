"""Claiming over real gRPC, with an agent played by the test."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest

from hpool.matchmaker.api.values import MachineAd, Match
from hpool.matchmaker.hosting import rpc
from hpool.matchmaker.model.errors import ClaimRefused
from hpool.sandbox.claims import Claims
from hpool.shadow.api.queue import CLAIM, ClaimReply, ClaimRequest

MACHINE = MachineAd("s", "m", "x86_64", "6", (), 2, 1 << 30, 1, 1, "1")
GRANTED = ClaimReply("", "shadow:1", "secret", 1, 1)


def claimed(answers: list[ClaimReply | grpc.StatusCode]) -> tuple[list[ClaimRequest], ClaimReply | str]:
    """What the agent was asked, which answers so, and what came of it: the reply, or why there is none."""
    asked: list[ClaimRequest] = []

    async def answer(request: ClaimRequest, context: Any) -> ClaimReply:
        asked.append(request)
        reply = answers[len(asked) - 1]
        if isinstance(reply, grpc.StatusCode):
            await rpc.refuse(context, reply, "no answer")
        return reply

    async def scene() -> ClaimReply | str:
        server = rpc.aio_server()
        server.add_generic_rpc_handlers((rpc.service({CLAIM: answer}),))
        address = rpc.bind(server, "127.0.0.1:0", None)
        await server.start()
        claims = Claims()
        try:
            return await claims.claim(Match("1.0", address, "ticket"), MACHINE, "token")
        except ClaimRefused as refusal:
            return str(refusal)
        finally:
            await claims.close()
            await server.stop(None)

    return asked, asyncio.run(bounded(scene))


async def bounded(scene: Callable[[], Awaitable[ClaimReply | str]]) -> ClaimReply | str:
    async with asyncio.timeout(20):
        return await scene()


def test_a_claim_whose_connection_broke_is_asked_again_in_the_same_words() -> None:
    asked, reply = claimed([grpc.StatusCode.UNAVAILABLE, GRANTED])
    assert reply == GRANTED
    assert asked[0] == asked[1]


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([ClaimReply(refusal="job 1.0 is claimed")], "job 1.0 is claimed"),
        ([grpc.StatusCode.UNAUTHENTICATED], "no answer"),
        ([grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE], "no answer"),
    ],
)
def test_an_answer_is_final_and_so_is_a_second_silence(
    answers: list[ClaimReply | grpc.StatusCode], why: str
) -> None:
    asked, reply = claimed(answers)
    assert why in str(reply)
    assert len(asked) == len(answers)
