"""What the job's processes told of themselves, as home takes it: log, terminal, watchers.

Owns: bounds (a machine may lie), the log's facts, who watches. Leaves to others: the sentences
(interpose_c.refusals, api.crash), gRPC (service), the log's disk (the agent, or the spool).
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
from collections.abc import Callable
from typing import Final

from hpool.interpose_c.refusals import consequence
from hpool.matchmaker.model.errors import BadMessage
from hpool.shadow.api import attach, custody, home
from hpool.shadow.api.crash import Crash
from hpool.shadow.api.job import Cost, Statistics
from hpool.shadow.api.waits import in_words

MOST_REFUSALS: Final = 200
MOST_CRASHES: Final = 16
WATCHER_QUEUE: Final = 512  # batches; who reads slower loses some
MOST_WATCHERS: Final = 16
MOST_COSTS: Final = 64
MOST_KINDS: Final = 16
PATH_MAX: Final = 4096


class Account:
    """One job's. Everything on one event loop."""

    def __init__(
        self,
        note: Callable[[custody.Noted], None],
        tell_terminal: Callable[[attach.ToTerminal], None],
        tell_starter: Callable[[home.ToStarter], None],
    ) -> None:
        self._note = note
        self._tell_terminal = tell_terminal
        self._tell_starter = tell_starter
        self._refusals = 0
        self._crashes = 0
        self._numbers = itertools.count(1)
        self._watchers: dict[int, Watcher] = {}
        self._is_started = False
        self._is_over = False

    # --- the log -------------------------------------------------------------------------

    def write(self, kind: str, **facts: object) -> None:
        """A line of the job's log."""
        self._note(custody.Noted(kind, json.dumps(facts)))

    def refused(self, refused: home.Refused) -> None:
        self._refusals += 1
        if self._refusals > MOST_REFUSALS:
            return
        program = os.fsdecode(refused.program)[:1024]
        found = consequence(refused.call, refused.error, refused.first, refused.second, program)
        self.write("refused", program=program, call=found.call, errno=found.error, sentence=found.sentence)
        self._tell_terminal(attach.Refusal(found.sentence, found.is_grave))

    def crashed(self, crashed: home.Crashed) -> None:
        """Raises BadMessage."""
        self._crashes += 1
        if self._crashes > MOST_CRASHES:
            return
        crash = Crash.parse(crashed.content)
        content = base64.b64encode(crashed.content).decode()
        self.write(
            *("crash",),
            pid=crash.pid,
            program=crash.program[:1024],
            signal=crash.signal_name,
            sentence=crash.sentence,
            content=content,
        )
        self._tell_terminal(attach.Died(max(0, crash.pid), crash.signal, crash.sentence))

    def profiled(self, statistics: Statistics | None, costs: tuple[Cost, ...]) -> None:
        """Where the time went, once, at the end."""
        if statistics is None:
            return
        bounded = [
            cost._replace(path=cost.path[:PATH_MAX], call=cost.call[:16]) for cost in costs[:MOST_COSTS]
        ]
        waits = {waits.kind[:16]: [waits.times, waits.wait_ns] for waits in statistics.waits[:MOST_KINDS]}
        self.write(
            *("profile",),
            sentence=in_words(statistics),
            statistics=statistics._replace(waits=())._asdict(),
            waits=waits,
            costs=[{**cost._asdict(), "path": os.fsdecode(cost.path)} for cost in bounded],
        )

    # --- watchers ------------------------------------------------------------------------

    def watch(self, how: str, pid: int) -> Watcher:
        """Raises BadMessage when there are too many already, or nothing is there to be seen any more."""
        if self._is_over or len(self._watchers) >= MOST_WATCHERS:
            raise BadMessage("the watcher", "the job is over" if self._is_over else "too many watch already")
        watcher = Watcher(next(self._numbers), how, pid)
        self._watchers[watcher.number] = watcher
        if self._is_started:
            self._tell_starter(watcher.request)
        return watcher

    def unwatch(self, watcher: Watcher) -> None:
        if self._watchers.pop(watcher.number, None) is not None and self._is_started and not self._is_over:
            self._tell_starter(home.Watch(watcher.number, "end", 0))

    def seen(self, seen: home.Seen) -> None:
        watcher = self._watchers.get(seen.number)
        if watcher is not None:
            watcher.put(seen)

    def started(self) -> None:
        self._is_started = True
        for watcher in self._watchers.values():
            self._tell_starter(watcher.request)

    def ended_there(self) -> None:
        """The machine was lost: who watches waits for the next one."""
        self._is_started = False

    def standing(self, machine: str, told: home.Standing) -> None:
        """The machine's owner came, or went."""
        how = "has come back: it stands still" if told.is_still else "has gone: it goes on"
        self.write("owner", sentence=f"the owner of {machine} {how} (after {told.took_us / 1000:.1f} ms)")

    def over(self) -> None:
        """Nobody waits for more."""
        self._is_over = True
        for watcher in self._watchers.values():
            watcher.put(home.Seen(watcher.number, b"", 0, "the job is over"))


class Watcher:
    """What is on its way to one of them."""

    def __init__(self, number: int, how: str, pid: int) -> None:
        self.number = number
        self.request = home.Watch(number, how, pid)
        self._queue: asyncio.Queue[home.Seen] = asyncio.Queue()
        self._lost = 0

    def put(self, seen: home.Seen) -> None:
        if self._queue.qsize() >= WATCHER_QUEUE and not seen.ended:
            self._lost += 1
            return
        lost, self._lost = self._lost, 0
        self._queue.put_nowait(seen._replace(lost=seen.lost + lost))

    async def next(self) -> home.Seen:
        return await self._queue.get()
