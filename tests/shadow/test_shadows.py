"""What shadows report reaches the queue, whatever the disk says to it just then."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from hpool.matchmaker.hosting.nursery import Child
from hpool.matchmaker.model.places import QueueUnwritable
from hpool.shadow.agent import shadows
from hpool.shadow.api import custody


class PlayedLink:
    """Says these, then ends."""

    def __init__(self, *messages: custody.FromShadow) -> None:
        self._messages = list(messages)

    async def receive(self) -> custody.FromShadow | None:
        return self._messages.pop(0) if self._messages else None


def test_a_report_that_the_queue_cannot_write_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadows, "RECORD_AGAIN_S", 0)
    heard: list[Any] = []
    refusals = 3

    def hear(report: Any) -> None:
        nonlocal refusals
        refusals -= 1
        if refusals >= 0:
            raise QueueUnwritable("queue.sqlite", "database or disk is full")
        heard.append(report)

    async def scene() -> None:
        link: Any = PlayedLink(custody.JobStarted("m"), custody.Noted("remark", "{}"))
        near, far = socket.socketpair()
        with near, far:
            child = Child(1, near, asyncio.get_running_loop().create_future())
            shadow = shadows.Shadow(child, link, "here")
        shadow.follow(hear, lambda: hear("gone"))
        async with asyncio.timeout(10):
            while "gone" not in heard:
                await asyncio.sleep(0)

    asyncio.run(scene())
    assert heard == [custody.JobStarted("m"), custody.Noted("remark", "{}"), "gone"]
