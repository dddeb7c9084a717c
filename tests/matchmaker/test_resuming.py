"""The books that two ends keep so that a broken connection costs nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpool.matchmaker.hosting import resuming
from hpool.matchmaker.hosting.resuming import Ledger
from hpool.matchmaker.model.errors import BadMessage


@given(
    st.lists(st.tuples(st.sampled_from(["say", "answer", "arrive", "return", "cut"]), st.binary(min_size=1)))
)
def test_every_message_arrives_once_and_in_order(steps: list[tuple[str, bytes]]) -> None:
    here, there = Ledger(), Ledger()
    sent: dict[str, list[bytes]] = {"say": [], "answer": []}
    came: dict[str, list[bytes]] = {"say": [], "answer": []}
    way: dict[str, list[bytes]] = {"say": [], "answer": []}

    def arrive(which: str, ledger: Ledger) -> None:
        body = bytes(ledger.unseal(way[which].pop(0)))
        if body:
            came[which].append(body)

    def cut() -> None:
        here.resume(str(there.received))
        there.resume(str(here.received))
        way["say"], way["answer"] = here.unanswered(), there.unanswered()

    for step, body in steps:
        match step:
            case "say":
                way["say"].append(here.seal(body))
                sent["say"].append(body)
            case "answer":
                way["answer"].append(there.seal(body))
                sent["answer"].append(body)
            case "arrive" if way["say"]:
                arrive("say", there)
            case "return" if way["answer"]:
                arrive("answer", here)
            case "cut":
                cut()
    cut()
    while way["say"]:
        arrive("say", there)
    while way["answer"]:
        arrive("answer", here)
    assert came == sent


def test_who_only_listens_says_what_came() -> None:
    here, there = Ledger(), Ledger()
    receipts = 0
    for _ in range(1000):
        there.unseal(here.seal(b"x"))
        if (receipt := there.receipt()) is not None:
            assert not here.unseal(receipt)
            receipts += 1
    assert receipts > 10
    assert len(here.unanswered()) < 100


def test_who_never_says_what_came_is_not_spoken_to_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "MOST_KEPT_BYTES", 1000)
    here, there = Ledger(), Ledger()
    for _ in range(100):
        there.unseal(here.seal(bytes(100)))
        here.unseal(there.seal(b"x"))
    with pytest.raises(BadMessage, match="receipts"):
        for _ in range(100):
            here.seal(bytes(100))


@pytest.mark.parametrize("raw", [b"", b"abc", b"a" * 9, b"\x79" + b"\xff" * 8, b"x\x79\x02" + bytes(7)])
def test_what_is_no_message_is_refused(raw: bytes) -> None:
    ledger = Ledger()
    ledger.seal(b"only one")
    with pytest.raises(BadMessage):
        ledger.unseal(raw)


@pytest.mark.parametrize("told", ["-1", "3", "many", b"\xff"])
def test_a_peer_cannot_have_what_was_never_sent_nor_lack_what_it_had(told: str | bytes) -> None:
    ledger = Ledger()
    for _ in range(2):
        ledger.seal(b"x")
    with pytest.raises(BadMessage):
        ledger.resume(told)
    ledger.resume("2")
    with pytest.raises(BadMessage):
        ledger.resume("1")
