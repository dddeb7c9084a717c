"""What the user sends a job, at the sandbox's end."""

from __future__ import annotations

import queue
import threading
from typing import Any, cast

from hpool.sandbox.starter.signals import Signals


class Keeper:
    """Says later that it has sent one."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def signal(self, number: int) -> None:
        self.asked.append(number)


def begun(signals: Signals) -> Keeper:
    keeper = Keeper()
    signals.begun(cast(Any, keeper))
    return keeper


def test_what_comes_before_the_job_waits_for_it() -> None:
    signals = Signals()
    signals.put(10)
    signals.put(12)
    keeper = begun(signals)
    signals.put(2)
    assert keeper.asked == [10, 12, 2]


def test_who_counts_them_waits_for_those_on_their_way_and_holds_back_others() -> None:
    signals = Signals(5)
    keeper = begun(signals)
    signals.put(10)
    counted: queue.SimpleQueue[int] = queue.SimpleQueue()
    may_end = threading.Event()

    def count() -> None:
        with signals.held() as had:
            counted.put(had)
            may_end.wait(10)

    counting = threading.Thread(target=count)
    counting.start()
    assert counted.empty()
    signals.had_one()
    assert counted.get(timeout=10) == 6
    signals.put(12)
    assert keeper.asked == [10]
    may_end.set()
    counting.join(10)
    assert keeper.asked == [10, 12]


def test_nobody_waits_for_a_keeper_that_is_gone() -> None:
    signals = Signals()
    keeper = begun(signals)
    signals.put(10)
    signals.over()
    with signals.held() as had:
        assert had == 0
    signals.put(12)
    assert keeper.asked == [10]
