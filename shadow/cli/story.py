"""From entries to lines: which beginning belongs to which end, and what a watcher wants to see.

Pure: callers bring the time. Owns: pairing by thread, calls that last, filters, the summary. Leaves to
others: the words (decode), the stream (trace).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hpool.shadow.api.seen import BEGUN, NOW, OWN, PASSED, SeenCall
from hpool.shadow.cli import decode

UNFINISHED_AFTER_S = 0.25


@dataclass(frozen=True, slots=True)
class Line:
    """One call as it is shown. `result` None: it goes on, or never returns."""

    start_ns: int
    duration_ns: int
    pid: int
    tid: int
    number: int
    arguments: list[str]
    texts: tuple[bytes, ...]
    result: int | None
    asked: int
    trips: int
    flags: int
    is_resumed: bool = False  # it was shown before as going on

    @property
    def name(self) -> str:
        return decode.name_of(self.number)

    @property
    def route(self) -> str:
        if self.flags & OWN:
            return "hpool's own"
        return "kernel" if self.flags & PASSED else decode.route_of(self.number)

    def as_text(self, since_ns: int) -> str:
        """For people; `since_ns` is the beginning of the trace."""
        head = f"{max(0, self.start_ns - since_ns) / 1e9:10.6f} [{self.pid}" + (
            "] " if self.tid == self.pid else f"/{self.tid}] "
        )
        call = (
            f"<... {self.name} resumed>" if self.is_resumed else f"{self.name}({', '.join(self.arguments)})"
        )
        if self.result is None:
            if self.flags & NOW and self.flags & OWN:
                return f"{head}<waits for home>"
            never = decode.never_returns(self.number)
            return f"{head}{call} = ?" if never else f"{head}{call} <goes on>"
        tail = f"{head}{call} = {decode.result_of(self.number, self.result)}"
        tail += f" <{self.duration_ns / 1e9:.6f}> {self.route}"
        if self.trips:
            tail += f", {self.trips} round trip{'s' if self.trips > 1 else ''}"
        elif self.asked:
            tail += ", asked the machine's engine"
        return tail

    def as_object(self, since_ns: int) -> dict[str, object]:
        return {
            "at": round(max(0, self.start_ns - since_ns) / 1e9, 9),
            "pid": self.pid,
            "tid": self.tid,
            "call": self.name,
            "route": decode.route_of(self.number),
            "by": "hpool" if self.flags & OWN else "program",
            "passed": bool(self.flags & PASSED),
            "arguments": self.arguments,
            "result": self.result,
            "errno": decode.error_of(self.result) if self.result is not None else "",
            "seconds": None if self.result is None else round(self.duration_ns / 1e9, 9),
            "asked": self.asked,
            "round_trips": self.trips,
        }


@dataclass(slots=True)
class _Open:
    begun: SeenCall
    came_s: float
    is_told: bool = False


class Story:
    """Takes entries as they come, gives lines in the order of their ends."""

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}

    def take(self, entry: SeenCall, now_s: float) -> Iterator[Line]:
        before = self._open.pop(entry.tid, None)
        if entry.flags & BEGUN:
            if before is not None and not before.is_told:
                # It never came back: an exit, an exec, or a call that a signal made begin again.
                yield _line(before.begun, None)
            self._open[entry.tid] = _Open(entry, now_s)
            if decode.never_returns(entry.number) or entry.flags & NOW:
                yield _line(entry, None)
                self._open[entry.tid].is_told = True
            return
        if before is not None and before.is_told and decode.never_returns(entry.number):
            return  # seen from outside, even rt_sigreturn has an end
        if before is None or before.begun.number != entry.number:
            yield _line(entry, entry)  # its beginning was before ours
        else:
            yield _line(before.begun, entry, is_resumed=before.is_told)

    def lasting(self, now_s: float) -> Iterator[Line]:
        """Calls that have gone on for so long that they are shown before their end."""
        for each in self._open.values():
            if not each.is_told and now_s - each.came_s >= UNFINISHED_AFTER_S:
                each.is_told = True
                yield _line(each.begun, None)


def _line(begun: SeenCall, ended: SeenCall | None, *, is_resumed: bool = False) -> Line:
    texts = begun.texts | (ended.texts if ended is not None else {})
    last = begun if ended is None else ended
    return Line(
        start_ns=begun.start_ns,
        duration_ns=last.duration_ns,
        pid=begun.pid,
        tid=begun.tid,
        number=begun.number,
        arguments=decode.arguments_of(begun.number, begun.arguments, texts),
        texts=tuple(texts.values()),
        result=None if ended is None else ended.result,
        asked=last.asked,
        trips=last.trips,
        flags=last.flags | begun.flags & OWN,
        is_resumed=is_resumed,
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Filters; empty ones let everything pass."""

    routes: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    path: bytes = b""
    pid: int | None = None

    def passes(self, line: Line) -> bool:
        return (
            (not self.routes or decode.route_of(line.number) in self.routes)
            and (not self.calls or line.name in self.calls)
            and (not self.path or any(self.path in text for text in line.texts))
            and (self.pid is None or line.pid == self.pid)
        )


@dataclass(slots=True)
class Tally:
    """One row of -c."""

    calls: int = 0
    errors: int = 0
    ns: int = 0
    asked: int = 0
    trips: int = 0

    def add(self, line: Line) -> None:
        if line.result is None:
            return
        self.calls += 1
        self.errors += -4096 < line.result < 0
        self.ns += line.duration_ns
        self.asked += line.asked
        self.trips += line.trips


@dataclass(slots=True)
class Summary:
    """What -c prints at the end."""

    by_name: dict[str, Tally] = field(default_factory=dict)

    def add(self, line: Line) -> None:
        self.by_name.setdefault(line.name, Tally()).add(line)

    def rows(self) -> list[tuple[str, Tally]]:
        """Those that took longest first."""
        return sorted(self.by_name.items(), key=lambda row: (-row[1].ns, row[0]))
