"""The cap on a link, with a clock of the test's own: who may send when, and how much altogether."""

from __future__ import annotations

import random

from hpool.matchmaker.hosting.pacing import Budget

RATE = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


def send(budget: Budget, clock: Clock, size: int, *, is_urgent: bool) -> float:
    """Waits for the turn, and says when it was."""
    while (wait_s := budget.wait_s(is_urgent=is_urgent)) > 0:
        clock.now_s += wait_s
    budget.sent(size, is_urgent=is_urgent)
    return clock.now_s


def test_without_a_cap_nobody_waits() -> None:
    budget = Budget()
    budget.sent(1 << 40, is_urgent=False)
    assert budget.wait_s(is_urgent=False) == 0


def test_what_is_urgent_does_not_wait_for_a_large_upload() -> None:
    clock = Clock()
    budget = Budget(RATE, clock)
    for _ in range(10):
        send(budget, clock, RATE, is_urgent=False)
    began_s = clock.now_s
    assert budget.wait_s(is_urgent=False) > 0
    assert send(budget, clock, 1000, is_urgent=True) == began_s
    assert send(budget, clock, 1, is_urgent=False) >= began_s + 1.001, "and the upload pays for it"


def test_both_together_keep_to_the_cap_over_any_span() -> None:
    clock = Clock()
    budget = Budget(RATE, clock)
    dice = random.Random(7)
    largest = 1 << 20
    sent: list[tuple[float, int]] = []
    for _ in range(400):
        is_urgent = dice.random() < 0.3
        size = dice.randrange(1, 30_000 if is_urgent else largest)
        sent.append((send(budget, clock, size, is_urgent=is_urgent), size))
        if dice.random() < 0.1:
            clock.now_s += dice.random() * 3  # idle: nothing is saved up
    for start in range(0, 400, 7):
        total = 0
        for at_s, size in sent[start:]:
            total += size
            # The first and the last of a span are whole, and what is urgent does not wait for the first.
            assert total <= (at_s - sent[start][0]) * RATE + 3 * largest


def test_what_is_urgent_keeps_to_the_cap_alone() -> None:
    clock = Clock()
    budget = Budget(RATE, clock)
    began_s = clock.now_s
    for _ in range(100):
        send(budget, clock, 50_000, is_urgent=True)
    assert 4.9 <= clock.now_s - began_s <= 5.1
