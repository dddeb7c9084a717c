"""A job as its shadow sees it: between the starter far away and the terminal at home.

Owns: who is told what, in order, and how the job ends: once, reported to the agent first. Leaves to
others: gRPC (service), the agent's link (process), files (home). One event loop, so no locks.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from hpool.matchmaker.model.again import CannotGoOn
from hpool.matchmaker.model.errors import (
    BadMessage,
    HpoolError,
    JobRemoved,
    MachineLost,
    SandboxFailed,
    WritesLost,
)
from hpool.shadow.api import attach, custody, home, stdio
from hpool.shadow.api.job import JobDescription, Outcome, Problem
from hpool.shadow.home.epochs import RolledBack
from hpool.shadow.job.account import Account
from hpool.shadow.job.due import Due
from hpool.shadow.job.images import Images
from hpool.shadow.job.moves import Moves
from hpool.shadow.job.windows import OutputWindows

log = logging.getLogger("job")

STARTER_MUST_DIAL_WITHIN_S: Final = 15.0
REMOVAL_GRACE_S: Final = 5.0
FRUITLESS_CLAIMS: Final = 3
MOST_REMARKS: Final = 200
SAY_SILENCE_AFTER_S: Final = 5.0
_OF_STREAMS: Final = (stdio.Input, stdio.InputEnd, stdio.OutputTaken, stdio.OutputClosed, stdio.Signal)


class Conversation:
    """The job from assignment to end."""

    def __init__(
        self,
        job: JobDescription,
        report: Callable[[custody.FromShadow], None],
        settle: Callable[[Outcome], Awaitable[None]],
        memory_key: bytes,
        lease_s: float,
        *,
        go_back: Callable[[int], Awaitable[RolledBack]],
        restarts_left: int = 0,
        images: Images | None = None,
        commit: Callable[[int], None] = lambda epoch: None,
    ) -> None:
        """`memory_key`: the submitter's secret, under which sandboxes keep what they remember of his runs.
        `lease_s`: how long a broken connection is waited for. `go_back` fences a lost run off and undoes what
        it changed since an epoch; the job may begin again `restarts_left` times. `images`: those it can go
        on from; with each that is kept home may `commit` the epoch of the oldest."""
        self.job = job
        self._memory_key = memory_key
        self._lease_s = lease_s
        self.claim_secret = ""
        self.over = asyncio.Event()  # the outcome is known and recorded
        self.released = asyncio.Event()  # the starter was told so
        self._report = report
        self._settle = settle
        self._machine = ""
        self._claims = 0
        self._claims_before = 0  # those of runs that are lost
        self._is_started = False
        self._ending: asyncio.Task[None] | None = None
        self._removing: str | None = None
        self._timers: set[asyncio.TimerHandle] = set()
        self._silence: asyncio.TimerHandle | None = None
        self._is_silent = False
        self._is_linked = True
        self._outputs = OutputWindows()
        self._go_back = go_back
        self._restarts_left = restarts_left
        self._returning: asyncio.Task[None] | None = None
        self._run = 0  # the terminal hears of each new one, and answers
        self._terminal_run = 0
        self._started_s = self._last_word_s = 0.0
        self._remarks = 0
        self._starter: asyncio.Queue[home.ToStarter] | None = None
        self._terminal: asyncio.Queue[attach.ToTerminal] = asyncio.Queue()
        self.account = Account(report, self._terminal.put_nowait, self._tell_starter)
        due = Due(job.checkpoint_every_s, cheap=job.checkpoint_cheaply)
        self._moves = Moves(images, commit, self.account.write, due)
        self._terminal.put_nowait(attach.Progress("waiting", "", 0))

    # --- the agent ------------------------------------------------------------------

    def claimed(self, secret: str, machine: str) -> None:
        self.claim_secret = secret
        self._machine = machine
        self._claims += 1
        self._terminal.put_nowait(attach.Progress("claimed", machine, 0))
        claim = self._claims

        def check() -> None:
            if self._starter is None and self._claims == claim and not self._is_started:
                self._fruitless("its starter did not report")

        self._after(STARTER_MUST_DIAL_WITHIN_S, check)

    def goes_on(self, going: home.Going | None) -> str:
        """An earlier shadow was lost. How, in words."""
        how = "begins again" if going is None else f"goes on from epoch {going.epoch}"
        self._moves.going = going
        self._to_next_run(f"the job's shadow was lost; the job {how}")
        return f"what it had changed is undone; it {how}"

    def remove(self, why: str) -> None:
        """The user, the agent or the lost terminal wants the job to end."""
        if self._ending is not None or self._removing is not None:
            return
        self._removing = why
        if self._starter is None:
            self._end(self._removed())
            return
        self._starter.put_nowait(stdio.Kill())
        self._after(REMOVAL_GRACE_S, lambda: self._end(self._removed()))

    def checkpoint(self, *, leave: bool) -> None:
        """What comes of it is in the job's log."""
        self._moves.ask(self._starter if self._is_started else None, leave=leave)

    # --- the starter ------------------------------------------------------------------

    def starter_came(self) -> asyncio.Queue[home.ToStarter]:
        """What comes out of the queue is to be sent, in order. Raises BadMessage for a second one."""
        if self._starter is not None or self._ending is not None:
            raise BadMessage("the starter", "a second session")
        self._starter = asyncio.Queue()
        self._moves.starter_came()
        self._starter.put_nowait(
            home.Task(
                *(self.job, stdio.INPUT_WINDOW, stdio.OUTPUT_WINDOW, self._memory_key),
                *(round(self._lease_s * 1000), self._moves.going, self._terminal_run != self._run),
            )
        )
        if self._removing is not None:
            self._starter.put_nowait(stdio.Kill())
        return self._starter

    def starter_said(self, message: home.FromStarter) -> None:
        """Raises BadMessage for what does not belong here."""
        if self._starter is None:
            raise BadMessage("the starter", "no session")
        match message:
            case home.ClockProbe(number):
                self._starter.put_nowait(home.ClockReading(number, time.time_ns()))
            case home.Started():
                self._is_started = True
                self._started_s = self._last_word_s = time.monotonic()
                self._moves.began(lambda: self.checkpoint(leave=False))
                self._report(custody.JobStarted(self._machine))
                self.account.started()
                self._terminal.put_nowait(attach.Progress("started", self._machine, stdio.INPUT_WINDOW))
            case stdio.Output():
                self._outputs.check(message)
                self._terminal.put_nowait(message)
            case stdio.Remark():
                self._remarks += 1
                if self._remarks <= MOST_REMARKS:
                    self.remark(message.text)
            case home.Refused():
                self.account.refused(message)
            case home.Crashed():
                self.account.crashed(message)
            case home.Seen():
                self.account.seen(message)
            case stdio.OutputEnd() | stdio.InputTaken() | stdio.InputConsumed():
                self._terminal.put_nowait(message)
            case stdio.Protections(names):
                log.info("protections: %s", " ".join(names))
                self._terminal.put_nowait(message)
            case home.LeaveWanted():
                self.account.write("leave", sentence=f"{self._machine} wants it to leave")
                self.checkpoint(leave=True)
            case home.Standing():
                self.account.standing(self._machine, message)
            case home.ImagePart() | home.ImageWhole() | home.ImageTaken() | home.ImageRefused():
                self._moves.starter_said(message, self._tell_starter, self._outputs)
            case home.Finished(_, exit_code, signal):
                if exit_code > 255 or signal > 64:
                    raise BadMessage("the starter", f"an end with {exit_code}, {signal}")
                problem = None if message.ended else message.problem
                if problem is not None and problem.code in {MachineLost.code, CannotGoOn.code}:
                    if problem.code == CannotGoOn.code and self._moves.going is not None:
                        self._moves.cannot_go_on(FRUITLESS_CLAIMS)
                    self._starter.put_nowait(home.Release())
                    self.starter_gone(problem.sentence)
                    return
                if self._ending is None:
                    self.account.profiled(message.statistics, message.costs)
                self._end(self._outcome_of(message))
            case home.Hello():
                raise BadMessage("the starter", "a second hello")

    def starter_gone(self, why: str) -> None:
        """The session is over, or nobody came back to it within the lease. Said again it does nothing."""
        if self._starter is None:
            return
        self._starter = None
        self.released.set()
        if self._ending is not None:
            return
        if self._removing is not None:
            self._end(self._removed())
        elif self._moves.is_stuck:  # what that machine had open or locked at home is let go of first
            self._begin_again(why)
        elif not self._is_started:
            self._fruitless(why)
        elif self._restarts_left > 0 or self._moves.has_left:
            self._begin_again(why)
        else:
            self._end(self._lost(why))

    def starter_link(self, is_there: bool) -> None:
        """The session's connection came or broke; the job goes on over there meanwhile."""
        self._is_linked = is_there
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
        if is_there and self._is_silent:
            self._is_silent = False
            self.account.write("link", sentence=f"{self._machine} is in touch again")
            self._terminal.put_nowait(attach.Progress("started", self._machine, 0))
        elif not is_there and self._starter is not None and self._ending is None:
            self._last_word_s = time.monotonic()
            self._silence = asyncio.get_running_loop().call_later(SAY_SILENCE_AFTER_S, self._say_silence)

    def _say_silence(self) -> None:
        if self._ending is None:
            self._is_silent = True
            self.account.write("link", sentence=f"no word from {self._machine}")
            self._terminal.put_nowait(attach.Progress("silent", self._machine, 0))

    def fail(self, error: HpoolError) -> None:
        """Home itself failed."""
        self._end(Outcome.failure(Problem.of(error), self._machine))
        if self._starter is not None:
            self._starter.put_nowait(stdio.Kill())

    # --- the terminal -------------------------------------------------------------------

    async def for_terminal(self) -> attach.ToTerminal:
        """The next message for it."""
        return await self._terminal.get()

    def remark(self, text: str) -> None:
        """A line for the user, and for the job's log."""
        self.account.write("remark", sentence=text)
        self._terminal.put_nowait(stdio.Remark(text))

    def _tell_starter(self, message: home.ToStarter) -> None:
        if self._starter is not None:
            self._starter.put_nowait(message)

    def terminal_said(self, message: attach.FromTerminal) -> None:
        if isinstance(message, attach.Restarted):
            self._terminal_run = message.run
            if message.run == self._run:
                self._outputs.begin(self._tell_starter)
                self._moves.shown(self._outputs)
            return
        if isinstance(message, _OF_STREAMS) and self._terminal_run != self._run:
            return  # of a run that is lost
        if isinstance(message, stdio.OutputTaken):
            self._outputs.taken(message)
        if isinstance(message, stdio.OutputClosed):
            self._outputs.closed(message.stream)
        self._moves.shown(self._outputs)
        if isinstance(message, stdio.Kill):
            self.remove("you asked for it")
        elif self._starter is not None:
            self._starter.put_nowait(message)

    def terminal_gone(self) -> None:
        if self._ending is None:
            self.remove("its terminal is gone")

    # --- the end --------------------------------------------------------------------------

    def _fruitless(self, why: str) -> None:
        """The machine failed before the job did anything: another one may have it."""
        log.info("claim %d led nowhere: %s", self._claims, why)
        self.claim_secret = ""
        if self._claims - self._claims_before >= FRUITLESS_CLAIMS:
            if self._moves.going is not None:
                self._moves.cannot_go_on(0)
                self._begin_again(why)
                return
            self._end(Outcome.failure(Problem.of(SandboxFailed(self._machine, why)), self._machine))
            return
        self._terminal.put_nowait(attach.Progress("waiting", "", 0))
        self._report(custody.NeverStarted(why))

    def _begin_again(self, why: str) -> None:
        """What the lost run did is undone; then it was never there."""
        self.claim_secret = ""
        self._is_started = self._is_silent = False
        self._restarts_left -= not self._moves.has_left and not self._moves.is_stuck
        ended_s = time.monotonic() if self._is_linked else self._last_word_s
        self._returning = asyncio.create_task(self._return(why, ended_s))

    async def _return(self, why: str, ended_s: float) -> None:
        was_stuck, was_given_up = self._moves.is_stuck, self._moves.is_given_up
        going = await self._moves.newest()
        lost_s = 0.0 if self._moves.has_left or was_stuck else self._moves.lost_s(ended_s)
        epoch = 0 if going is None else going.epoch
        back = await self._go_back(epoch)
        if self._ending is not None:
            return
        if not back.is_whole:
            self._end(self._lost(f"{why}; it cannot begin again, as {back.sentence}"))
            return
        if self._silence is not None:
            self._silence.cancel()
        how = f"goes on from epoch {epoch}" if epoch else "begins again"
        if self._moves.has_left:
            sentence = f"the job has left {self._machine} and {how} elsewhere"
        elif was_stuck and not was_given_up:
            sentence = f"{why}; it is given to another one"
        elif was_given_up:
            sentence = f"no machine could go on from its last checkpoint ({why}); the job {how}"
        else:
            sentence = f"{self._machine} was lost ({why}); the job {how}, {lost_s:.1f} s of its work are lost"
        log.info("%s", sentence)
        self._moves.has_left = False
        self._claims_before = self._claims
        self.released.clear()
        self.account.ended_there()
        self.account.write("restart", sentence=sentence)
        self._to_next_run(sentence)
        self._report(custody.Returned(why, lost_s, () if going is None else going.needs))

    def _to_next_run(self, sentence: str) -> None:
        """Streams count from where it goes on."""
        going = self._moves.going
        positions = (0, 0, 0, 0)
        if going is not None:
            positions = (going.input, going.output, going.error, going.signals)
        self._run += 1
        self._outputs = OutputWindows(positions[1], positions[2], is_held=True)
        self._terminal.put_nowait(attach.Restart(self._run, sentence, *positions))
        self._terminal.put_nowait(attach.Progress("waiting", "", 0))

    def _lost(self, why: str) -> Outcome:
        return Outcome.failure(Problem.of(MachineLost(self._machine, why)), self._machine)

    def _removed(self) -> Outcome:
        problem = Problem.of(JobRemoved(self._removing or ""))
        return Outcome.failure(problem, self._machine, removed=True)

    def _outcome_of(self, finished: home.Finished) -> Outcome:
        problem = finished.problem
        if problem is None and finished.barrier_errno:
            problem = Problem.of(WritesLost(os.strerror(finished.barrier_errno)))
        if problem is None and self._removing is not None:
            problem = Problem.of(JobRemoved(self._removing))
        if problem is None and not finished.ended:
            problem = Problem.of(SandboxFailed(self._machine, "it did not say why"))
        return Outcome(
            ended=finished.ended,
            exit_code=finished.exit_code,
            signal=finished.signal,
            machine=self._machine,
            removed=self._removing is not None,
            problem=problem,
            statistics=finished.statistics,
        )

    def _end(self, outcome: Outcome) -> None:
        if self._ending is None:
            for timer in self._timers:
                timer.cancel()
            self._ending = asyncio.create_task(self._conclude(outcome))

    async def _conclude(self, outcome: Outcome) -> None:
        self.account.over()
        self._moves.over()
        await self._settle(outcome)
        self._terminal.put_nowait(attach.Ended(outcome))
        if self._starter is not None:
            self._starter.put_nowait(home.Release())
        else:
            self.released.set()
        self.over.set()

    def _after(self, delay_s: float, action: Callable[[], Any]) -> None:
        self._timers.add(asyncio.get_running_loop().call_later(delay_s, action))
