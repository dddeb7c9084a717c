"""Where a job's time went, in words.

Owns: sentences and numbers for people, from Statistics; the log's facts back into a Profile. Leaves to
others: counting (starter), tables (cli).
"""

from __future__ import annotations

import os
from typing import Any

from hpool.shadow.api.job import Cost, Profile, Statistics, Waits


def hit_rate(counted: Statistics) -> float | None:
    """Of the calls that could have needed home, how many did not wait for it."""
    return 1 - counted.asked / counted.calls if counted.calls else None


def percent(rate: float | None) -> str:
    """0.99996 -> "99.996 %": never rounded up to all of them."""
    if rate is None:
        return ""
    if rate == 1:
        return "100 %"
    for digits in (1, 2, 3, 4, 5, 6):
        text = f"{rate * 100:.{digits}f}"
        if not text.startswith("100"):
            return text + " %"
    return "99.999999 %"


def in_words(counted: Statistics) -> str:
    """One line."""
    kinds = sorted(counted.waits, key=lambda waits: -waits.wait_ns)
    told = ", ".join(f"{waits.kind} {waits.wait_ns / 1e9:.3f} s ({waits.times})" for waits in kinds)
    rate = percent(hit_rate(counted))
    return (
        f"waited {counted.waited_ns / 1e9:.3f} s for home, {counted.round_trips} times"
        + (f": {told}" if told else "")
        + f"; {counted.bytes_in} bytes from home, {counted.bytes_out} to it"
        + (f"; {rate} of {counted.calls} calls did not wait" if rate else "")
    )


def from_facts(facts: dict[str, Any]) -> Profile:
    """What the log's line "profile" holds."""
    waits = tuple(Waits(kind, *counts) for kind, counts in facts["waits"].items())
    costs = tuple(Cost(**{**cost, "path": os.fsencode(cost["path"])}) for cost in facts["costs"])
    return Profile(Statistics(**{**facts["statistics"], "waits": waits}), costs)
