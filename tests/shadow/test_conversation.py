"""A job between starter, terminal and agent: who is told what, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hpool.matchmaker.model.errors import BadMessage, HomeUnusable
from hpool.shadow.api import attach, custody, home, stdio
from hpool.shadow.api.job import JobDescription, Outcome, Problem
from hpool.shadow.home.epochs import RolledBack
from hpool.shadow.job import conversation as module
from hpool.shadow.job.conversation import Conversation
from tests.shadow.test_store import description

JOB: JobDescription = description()
MOST = stdio.OUTPUT_WINDOW + stdio.BEYOND_WINDOW


class Stage:
    """A conversation with everybody else played by the test."""

    def __init__(self, restarts_left: int = 0) -> None:
        self.reports: list[custody.FromShadow] = []
        self.settled: list[Outcome] = []
        self.back = RolledBack(is_changed=True)
        self.talk = Conversation(
            *(JOB, self.reports.append, self._settle, b"k" * 32, 1.0),
            go_back=self._go_back,
            restarts_left=restarts_left,
        )
        self.starter: asyncio.Queue[Any] | None = None

    async def _go_back(self, _epoch: int) -> RolledBack:
        return self.back

    async def _settle(self, outcome: Outcome) -> None:
        self.settled.append(outcome)

    def claim_and_start(self) -> None:
        self.talk.claimed("secret", "m")
        self.starter = self.talk.starter_came()
        assert isinstance(self.starter.get_nowait(), home.Task)
        self.talk.starter_said(home.Started())

    async def terminal(self) -> list[attach.ToTerminal]:
        """Everything up to the end."""
        said = []
        while True:
            said.append(await self.talk.for_terminal())
            if isinstance(said[-1], attach.Ended):
                return said


def play(scene: Callable[[Stage], Awaitable[None]], restarts_left: int = 0) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await scene(Stage(restarts_left))

    asyncio.run(bounded())


def test_output_goes_to_the_terminal_and_the_end_comes_last() -> None:
    async def scene(stage: Stage) -> None:
        stage.claim_and_start()
        stage.talk.starter_said(stdio.Output(1, 0, b"x"))
        stage.talk.starter_said(stdio.OutputEnd(1))
        stage.talk.starter_said(home.Finished(True, 3, 0, 0))
        said = await stage.terminal()
        assert said[:3] == [
            attach.Progress("waiting", "", 0),
            attach.Progress("claimed", "m", 0),
            attach.Progress("started", "m", stdio.INPUT_WINDOW),
        ]
        assert said[3:] == [stdio.Output(1, 0, b"x"), stdio.OutputEnd(1), attach.Ended(stage.settled[0])]
        assert stage.settled[0].shell_status == 3
        assert stage.starter is not None
        assert isinstance(stage.starter.get_nowait(), home.Release)
        assert stage.reports == [custody.JobStarted("m")]

    play(scene)


def test_what_the_user_types_goes_to_the_starter() -> None:
    async def scene(stage: Stage) -> None:
        stage.claim_and_start()
        assert stage.starter is not None
        for message in (stdio.Input(0, b"a"), stdio.InputEnd(), stdio.Signal(2), stdio.OutputTaken(1, 5)):
            stage.talk.terminal_said(message)
            assert stage.starter.get_nowait() == message

    play(scene)


def test_writes_that_were_lost_are_no_success() -> None:
    async def scene(stage: Stage) -> None:
        stage.claim_and_start()
        stage.talk.starter_said(home.Finished(True, 0, 0, 28))
        await stage.terminal()
        (outcome,) = stage.settled
        assert outcome.shell_status == 125
        assert outcome.problem is not None
        assert "No space left" in outcome.problem.sentence

    play(scene)


def test_a_machine_lost_before_the_start_gives_the_job_back_three_times_at_most() -> None:
    async def scene(stage: Stage) -> None:
        for number in range(module.FRUITLESS_CLAIMS):
            stage.talk.claimed("secret", f"m{number}")
            stage.talk.starter_came()
            stage.talk.starter_gone("gone")
        said = await stage.terminal()
        assert [type(report) for report in stage.reports] == [custody.NeverStarted] * 2
        assert isinstance(said[-1], attach.Ended)
        problem = said[-1].outcome.problem
        assert problem is not None
        assert problem.code == "BOX-001"

    play(scene)


def test_a_machine_lost_while_the_job_runs_is_said_in_one_sentence() -> None:
    async def scene(stage: Stage) -> None:
        stage.claim_and_start()
        stage.talk.starter_gone("the connection broke")
        await stage.terminal()
        assert stage.settled[0].shell_status == 125
        assert stage.settled[0].problem is not None
        assert stage.settled[0].problem.code == "LINK-002"

    play(scene)


def test_a_starter_that_never_dials_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STARTER_MUST_DIAL_WITHIN_S", 0.05)

    async def scene(stage: Stage) -> None:
        stage.talk.claimed("secret", "m")
        await asyncio.sleep(0.1)
        assert [type(report) for report in stage.reports] == [custody.NeverStarted]
        assert stage.talk.claim_secret == ""

    play(scene)


def test_a_terminal_that_goes_ends_the_job() -> None:
    async def scene(stage: Stage) -> None:
        stage.claim_and_start()
        assert stage.starter is not None
        stage.talk.terminal_gone()
        assert isinstance(stage.starter.get_nowait(), stdio.Kill)
        stage.talk.starter_said(home.Finished(True, 0, 9, 0))
        await stage.talk.over.wait()
        assert stage.settled[0].removed

    play(scene)


def test_a_starter_that_ignores_a_kill_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMOVAL_GRACE_S", 0.05)

    async def scene(stage: Stage) -> None:
        stage.claim_and_start()
        stage.talk.remove("told so")
        await stage.talk.over.wait()
        assert stage.settled[0].removed

    play(scene)


def test_removal_before_any_machine_ends_at_once() -> None:
    async def scene(stage: Stage) -> None:
        stage.talk.remove("told so")
        await stage.talk.over.wait()
        assert stage.settled[0].removed
        stage.talk.remove("again")
        assert len(stage.settled) == 1

    play(scene)


def test_a_home_that_cannot_serve_fails_the_job() -> None:
    async def scene(stage: Stage) -> None:
        stage.talk.fail(HomeUnusable("no directory"))
        said = await stage.terminal()
        assert isinstance(said[-1], attach.Ended)
        assert said[-1].outcome.problem == Problem.of(HomeUnusable("no directory"))

    play(scene)


def test_a_second_session_or_hello_is_refused() -> None:
    async def scene(stage: Stage) -> None:
        stage.claim_and_start()
        with pytest.raises(BadMessage):
            stage.talk.starter_came()
        with pytest.raises(BadMessage):
            stage.talk.starter_said(home.Hello(1, "m", "v"))

    play(scene)


@pytest.mark.parametrize(
    "outputs",
    [
        [stdio.Output(1, 1, b"x")],
        [stdio.Output(1, 0, b"x"), stdio.Output(1, 0, b"x")],
        [stdio.Output(3, 0, b"x")],
        [stdio.Output(1, 0, bytes(MOST)), stdio.Output(1, MOST, b"x")],
    ],
)
def test_a_starter_is_held_to_positions_and_window(outputs: list[stdio.Output]) -> None:
    async def scene(stage: Stage) -> None:
        stage.claim_and_start()
        for output in outputs[:-1]:
            stage.talk.starter_said(output)
        with pytest.raises(BadMessage):
            stage.talk.starter_said(outputs[-1])

    play(scene)


def test_credit_makes_room_again() -> None:
    async def scene(stage: Stage) -> None:
        stage.claim_and_start()
        stage.talk.starter_said(stdio.Output(1, 0, bytes(stdio.OUTPUT_WINDOW)))
        stage.talk.terminal_said(stdio.OutputTaken(1, 10))
        stage.talk.starter_said(stdio.Output(1, stdio.OUTPUT_WINDOW, bytes(10)))

    play(scene)


def test_an_impossible_end_is_not_believed() -> None:
    async def scene(stage: Stage) -> None:
        stage.claim_and_start()
        for finished in (home.Finished(True, 256, 0, 0), home.Finished(True, 0, 65, 0)):
            with pytest.raises(BadMessage):
                stage.talk.starter_said(finished)

    play(scene)


def test_a_job_whose_machine_is_lost_begins_again() -> None:
    async def scene(stage: Stage) -> None:
        stage.claim_and_start()
        stage.talk.starter_said(stdio.Output(1, 0, b"one"))
        stage.talk.starter_gone("it burns")
        with pytest.raises(BadMessage):
            stage.talk.starter_said(stdio.Output(1, 3, b"late"))
        assert stage.talk.claim_secret == "", "the lost run is fenced off"
        said = [await stage.talk.for_terminal() for _ in range(6)]
        assert said[3] == stdio.Output(1, 0, b"one")
        assert isinstance(said[4], attach.Restart)
        assert said[4].run == 1
        assert said[5] == attach.Progress("waiting", "", 0)
        assert isinstance(stage.reports[-1], custody.Returned)
        stage.claim_and_start()
        assert stage.starter is not None
        # What the terminal says of the run before is not heard.
        stage.talk.terminal_said(stdio.Input(5, b"old"))
        stage.talk.terminal_said(attach.Restarted(1))
        assert stage.starter.get_nowait() == stdio.OutputTaken(1, 0)
        assert stage.starter.get_nowait() == stdio.OutputTaken(2, 0)
        stage.talk.terminal_said(stdio.Input(0, b"again"))
        assert stage.starter.get_nowait() == stdio.Input(0, b"again")
        stage.talk.starter_said(stdio.Output(1, 0, b"one"))
        stage.talk.starter_said(home.Finished(True, 0, 0, 0))
        assert (await stage.terminal())[-1] == attach.Ended(stage.settled[0])
        assert stage.settled[0].shell_status == 0

    play(scene, restarts_left=1)


def test_a_run_says_nothing_before_the_terminal_has_what_the_last_one_said() -> None:
    """Else each one could add a window to what waits for a terminal that shows nothing."""

    async def scene(stage: Stage) -> None:
        stage.claim_and_start()
        stage.talk.starter_said(stdio.Output(1, 0, bytes(stdio.OUTPUT_WINDOW)))
        stage.talk.starter_gone("it burns")
        await asyncio.sleep(0)
        starter = stage.talk.starter_came()
        task = starter.get_nowait()
        assert isinstance(task, home.Task) and task.output_held
        with pytest.raises(BadMessage):
            stage.talk.starter_said(stdio.Output(1, 0, bytes(MOST)))
        stage.talk.terminal_said(attach.Restarted(1))
        stage.talk.starter_said(stdio.Output(1, 0, bytes(MOST)))

    play(scene, restarts_left=1)


def test_a_job_begins_again_so_often_and_no_more() -> None:
    async def scene(stage: Stage) -> None:
        for _ in range(2):
            stage.claim_and_start()
            stage.talk.starter_gone("it burns")
            await asyncio.sleep(0)
        await stage.terminal()
        assert stage.settled[0].problem is not None
        assert stage.settled[0].problem.code == "LINK-002"

    play(scene, restarts_left=1)


def test_a_job_whose_changes_cannot_be_undone_does_not_begin_again() -> None:
    async def scene(stage: Stage) -> None:
        stage.back = RolledBack("others have changed what the job has changed", ("/f: others",))
        stage.claim_and_start()
        stage.talk.starter_gone("it burns")
        await stage.terminal()
        assert stage.settled[0].problem is not None
        assert "it cannot begin again, as others have changed" in stage.settled[0].problem.sentence
        assert not any(isinstance(report, custody.Returned) for report in stage.reports)

    play(scene, restarts_left=1)


def test_a_killed_keeper_is_a_lost_machine() -> None:
    async def scene(stage: Stage) -> None:
        stage.claim_and_start()
        problem = Problem("LINK-002", "its keeper there was killed", "", 125)
        stage.talk.starter_said(home.Finished(False, 0, 0, 0, problem))
        await asyncio.sleep(0)
        assert isinstance(stage.reports[-1], custody.Returned)

    play(scene, restarts_left=1)
