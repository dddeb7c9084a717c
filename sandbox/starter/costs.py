"""What a job's waits cost, as home is told.

Owns: the words for kinds and calls, folding many names of one directory into one line, the bound. Leaves
to others: counting (csrc/costs.c), showing (shadow/cli).
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from hpool.sandbox.starter.engine import Engine
from hpool.shadow.api.job import Cost, Profile, Statistics, Waits

MOST_COSTS: Final = 50
FOLDED_FROM: Final = 4  # names of one directory
FOLDED_AGAIN: Final = 16  # lines of what is below one directory
FOLDED_BELOW: Final = 0.1  # of all that was waited: who costs more keeps a line of his own
# In the order of costs.h's enum hp_wait_kind.
KINDS: Final = (
    *("names", "listings", "content", "attributes", "name changes"),
    *("locks", "sync", "news", "start", "end"),
)
# By the number of the shim's request (shm.h) or costs.h's own.
_CALLS: Final = {
    **dict(enumerate(("name", "open", "read", "write", "sync", "stat", "exec"), 1)),
    **dict(enumerate(("mkdir", "rmdir", "unlink", "rename", "link", "symlink", "mknod"), 9)),
    **dict(enumerate(("setattr", "truncate", "allocate", "statfs", "getxattr", "setxattr"), 16)),
    **dict(enumerate(("listxattr", "removexattr", "tmpfile", "bind", "close"), 22)),
    **dict(enumerate(("lock", "lock", "unlock", "lock", "append"), 27)),
    200: "start",
    201: "end",
    202: "write",
}


def parse(lines: bytes) -> list[Cost]:
    """What hp_engine_costs wrote."""
    found = []
    for line in lines.split(b"\0"):
        words = line.split(b" ", 5)
        if len(words) == 6:
            call, *counts = (int(word) for word in words[:5])
            name = _CALLS.get(call, "other") if words[5] else ""
            found.append(Cost(words[5], name, 1 if words[5] else 0, *counts))
    return found


def fold(costs: Iterable[Cost], most: int = MOST_COSTS) -> tuple[Cost, ...]:
    """Dearest first. Many cheap names of one directory become one line, and so many directories beside each
    other; the cheapest lines one without a path."""
    costs = list(costs)
    dear_ns = sum(cost.wait_ns for cost in costs) * FOLDED_BELOW
    others = [cost for cost in costs if not cost.path]
    dear = [cost for cost in costs if cost.path and (cost.wait_ns > dear_ns or cost.call in {"start", "end"})]
    lines = [*dear, *_folded([cost for cost in costs if cost.path and cost not in dear])]
    lines.sort(key=lambda cost: (-cost.wait_ns, -cost.bytes_in - cost.bytes_out, cost.path))
    others += lines[most:]
    rest = _sum(b"", "", others)
    return (*lines[:most], *((rest,) if rest.waits or rest.bytes_in or rest.bytes_out else ()))


def _folded(lines: list[Cost]) -> list[Cost]:
    """First the names of one directory, then from deep to shallow what is below one."""
    beside: dict[tuple[bytes, str], list[Cost]] = defaultdict(list)
    for line in lines:
        beside[posixpath.dirname(line.path), line.call].append(line)
    lines = _join(beside, FOLDED_FROM, b"/*")
    for depth in range(max((line.path.count(b"/") for line in lines), default=0) - 1, 0, -1):
        below: dict[tuple[bytes, str], list[Cost]] = defaultdict(list)
        for line in lines:
            is_below = line.path.count(b"/") > depth
            place = b"/".join(line.path.split(b"/")[: depth + 1]) if is_below else line.path
            below[place, line.call].append(line)
        lines = _join(below, FOLDED_AGAIN, b"/**")
    return lines


def _join(groups: dict[tuple[bytes, str], list[Cost]], least: int, ending: bytes) -> list[Cost]:
    lines = []
    for (place, call), each in groups.items():
        lines += [_sum(place.rstrip(b"/") + ending, call, each)] if len(each) >= least else each
    return lines


def _sum(path: bytes, call: str, costs: list[Cost]) -> Cost:
    return Cost(
        path,
        call,
        sum(cost.names for cost in costs) if path else 0,
        sum(cost.waits for cost in costs),
        sum(cost.wait_ns for cost in costs),
        sum(cost.bytes_in for cost in costs),
        sum(cost.bytes_out for cost in costs),
    )


def profile(engine: Engine, statistics: Statistics | None = None) -> Profile:
    """So far; `statistics` has what the engine does not know."""
    counted = engine.statistics()
    known = statistics if statistics is not None else Statistics(0, 0, 0, 0, 0, 0, 0, 0, 0)
    return Profile(
        known._replace(
            faults=counted.faults,
            round_trips=counted.round_trips,
            bytes_to_job=counted.bytes_read,
            bytes_to_home=counted.bytes_written,
            waited_ns=counted.wait_ns,
            waits=tuple(
                Waits(kind, *each) for kind, each in zip(KINDS, counted.waits, strict=True) if each[0]
            ),
            bytes_in=counted.bytes_in,
            bytes_out=counted.bytes_out,
            calls=max(counted.calls, counted.asked),
            asked=counted.asked,
            operations=counted.operations,
        ),
        fold(parse(engine.costs())),
    )
