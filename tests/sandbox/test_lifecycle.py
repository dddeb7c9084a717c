"""Slots, as a pure machine."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hpool.sandbox.lifecycle import Slots, SlotState, free_count, occupy, release, slots_of, take


def test_a_proposal_takes_the_first_free_slot_once() -> None:
    slots = slots_of(2)
    slots, first = take(slots, "1.0")
    assert (first, free_count(slots)) == (0, 1)
    assert take(slots, "1.0") == (slots, None)
    slots, second = take(slots, "2.0")
    assert second == 1
    assert take(slots, "3.0") == (slots, None)
    slots = release(occupy(slots, 0), 0)
    assert take(slots, "1.0")[1] == 0


@given(st.lists(st.tuples(st.sampled_from("tor"), st.integers(0, 3)), max_size=40))
def test_no_slot_ever_holds_two_jobs(moves: list[tuple[str, int]]) -> None:
    slots: Slots = slots_of(3)
    held: dict[int, str] = {}
    for move, number in moves:
        if move == "t":
            slots, given_number = take(slots, f"{number}.0")
            if given_number is not None:
                assert given_number not in held
                held[given_number] = f"{number}.0"
        elif held:
            slot = sorted(held)[number % len(held)]
            slots = occupy(slots, slot) if move == "o" else release(slots, slot)
            if move == "r":
                del held[slot]
        assert {slot.number: slot.job_id for slot in slots if slot.state is not SlotState.FREE} == held
