"""Checkpoints that nobody asks for: when the next one is due."""

from __future__ import annotations

import asyncio

import pytest

from hpool.shadow.job.due import Due


class Clock:
    """Stands in for the loop and the clock: what is set, and when it would ring."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        self.waits_s: list[float] = []
        monkeypatch.setattr("hpool.shadow.job.due.time.monotonic", lambda: self.now_s)

    def follow(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        real = loop.call_later

        def call_later(delay_s: float, *rest: object) -> asyncio.TimerHandle:
            self.waits_s.append(delay_s)
            return real(delay_s, *rest)  # type: ignore[arg-type]

        monkeypatch.setattr(loop, "call_later", call_later, raising=False)


async def _waits(monkeypatch: pytest.MonkeyPatch, due: Due, *costs_s: float | None) -> list[float]:
    """How long was waited before each; None: it is refused."""
    clock = Clock(monkeypatch)
    clock.follow(monkeypatch)
    due.begin(lambda: None)
    for cost_s in costs_s:
        due.asked()
        clock.now_s += cost_s or 0.0
        due.answered(kept=cost_s is not None)
    due.stop()
    return clock.waits_s


def test_as_often_as_asked_for_whatever_it_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asyncio.run(_waits(monkeypatch, Due(600, cheap=False), 2.0, 90.0)) == [600, 600, 600]


def test_what_is_costly_is_done_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = asyncio.run(_waits(monkeypatch, Due(60, cheap=True), 0.1, 2.0, 30.0, 0.1))
    assert waits == pytest.approx([60, 60, 200, 3000, 60])


def test_what_is_refused_is_tried_again_ever_later(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = asyncio.run(_waits(monkeypatch, Due(60, cheap=True), *[None] * 7, 0.1))
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 60]


def test_never_is_never(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asyncio.run(_waits(monkeypatch, Due(0, cheap=False), 1.0, None)) == []


def test_it_asks_when_it_is_time_and_not_after_the_end() -> None:
    async def play() -> int:
        asked, rang = 0, asyncio.Event()

        def ask() -> None:
            nonlocal asked
            asked += 1
            rang.set()

        due = Due(0.01, cheap=False)
        due.begin(ask)
        await asyncio.wait_for(rang.wait(), 10)
        due.answered(kept=True)
        due.stop()
        rang.clear()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(rang.wait(), 0.05)
        return asked

    assert asyncio.run(play()) == 1
