"""The agent's queue at work, with shadows played by the test."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from hpool.matchmaker.model.clock import SystemClock
from hpool.matchmaker.model.errors import NoSuchJob, NotRunning
from hpool.matchmaker.model.ids import JobId
from hpool.matchmaker.model.states import JobState
from hpool.shadow.agent.queue import Queue
from hpool.shadow.api import custody
from hpool.shadow.api.job import OUTCOME, Outcome
from hpool.shadow.api.queue import ClaimRequest, SubmitReply
from hpool.shadow.store import Store
from tests.shadow.test_store import description

DONE = Outcome(True, 4, 0, "m", False)


class PlayedShadow:
    address = "shadow:1"
    pid = 1

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.is_closed = False

    def tell(self, message: Any) -> None:
        self.told.append(message)

    def follow(self, on_report: Callable[[Any], None], on_gone: Callable[[], None]) -> None:
        self.report, self.go = on_report, on_gone

    def close(self) -> None:
        self.is_closed = True


class PlayedShadows:
    def __init__(self) -> None:
        self.taken: list[PlayedShadow] = []

    async def take(self) -> PlayedShadow:
        self.taken.append(PlayedShadow())
        return self.taken[-1]

    def prepare_next(self) -> None:
        pass


class Agent:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.shadows = PlayedShadows()
        played: Any = self.shadows
        self.changes = 0
        self.store = Store(directory / "q")
        self.queue = Queue(self.store, played, directory / "spool", SystemClock(), self.count)

    def count(self) -> None:
        self.changes += 1

    async def submit(self) -> tuple[SubmitReply, PlayedShadow]:
        reply = await self.queue.submit(description())
        return reply, self.shadows.taken[-1]

    def claim(self, job_id: str, ticket: str, **other: Any) -> Any:
        request = ClaimRequest(job_id, ticket, "m", "s", "x86_64", 4, 1 << 30)
        return self.queue.claim(request._replace(**other))

    def ticket(self) -> str:
        (ad,) = self.queue.idle_ads()
        return ad.ticket


def play(tmp_path: Path, scene: Callable[[Agent], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await scene(Agent(tmp_path))

    asyncio.run(bounded())


def test_a_job_from_submission_to_history(tmp_path: Path) -> None:
    async def scene(agent: Agent) -> None:
        reply, shadow = await agent.submit()
        assert isinstance(shadow.told[0], custody.Assignment)
        assert shadow.told[0].attach_secret == reply.attach_secret
        granted = agent.claim(reply.job_id, agent.ticket())
        assert (granted.refusal, granted.shadow_address, granted.uid) == ("", "shadow:1", 1)
        assert shadow.told[1] == custody.Claimed(granted.claim_secret, "m")
        assert agent.queue.idle_ads() == ()
        shadow.report(custody.JobStarted("m"))
        assert agent.queue.count(JobState.RUNNING) == 1
        shadow.report(custody.JobEnded(DONE))
        assert shadow.told[-1] == custody.Recorded()
        shadow.go()
        (row,) = agent.store.history(0)
        assert (row.job.state, row.job.outcome) == (JobState.COMPLETED, DONE)
        assert not agent.queue.is_busy

    play(tmp_path, scene)


def test_a_claim_is_checked_again(tmp_path: Path) -> None:
    async def scene(agent: Agent) -> None:
        reply, _ = await agent.submit()
        ticket = agent.ticket()
        assert "no job" in agent.claim("99.0", ticket).refusal
        assert "no job" in agent.claim("nonsense", ticket).refusal
        assert "ticket" in agent.claim(reply.job_id, "wrong").refusal
        assert "fit" in agent.claim(reply.job_id, ticket, arch="aarch64").refusal
        assert "fit" in agent.claim(reply.job_id, ticket, cpus=0).refusal
        assert agent.claim(reply.job_id, ticket).refusal == ""
        assert agent.claim(reply.job_id, ticket, sandbox_id="another").refusal == "job 1.0 is claimed"

    play(tmp_path, scene)


def test_a_claim_whose_reply_was_lost_is_granted_again_until_the_job_starts(tmp_path: Path) -> None:
    async def scene(agent: Agent) -> None:
        reply, shadow = await agent.submit()
        ticket = agent.ticket()
        granted = agent.claim(reply.job_id, ticket)
        assert agent.claim(reply.job_id, ticket) == granted
        assert shadow.told[1:] == [custody.Claimed(granted.claim_secret, "m")]
        shadow.report(custody.JobStarted("m"))
        assert agent.claim(reply.job_id, ticket).refusal == "job 1.0 is running"

    play(tmp_path, scene)


def test_a_claim_that_led_nowhere_makes_the_job_idle_with_a_new_ticket(tmp_path: Path) -> None:
    async def scene(agent: Agent) -> None:
        reply, shadow = await agent.submit()
        first = agent.ticket()
        agent.claim(reply.job_id, first)
        shadow.report(custody.NeverStarted("silent"))
        assert agent.ticket() != first
        assert agent.claim(reply.job_id, agent.ticket()).refusal == ""

    play(tmp_path, scene)


def test_a_shadow_that_dies_is_an_end_with_a_sentence(tmp_path: Path) -> None:
    async def scene(agent: Agent) -> None:
        _, shadow = await agent.submit()
        shadow.go()
        assert shadow.is_closed
        (row,) = agent.store.history(0)
        assert row.job.state is JobState.FAILED
        assert row.job.outcome is not None
        assert row.job.outcome.problem is not None
        assert row.job.outcome.problem.code == "LINK-003"

    play(tmp_path, scene)


def test_removal_is_passed_to_the_shadow(tmp_path: Path) -> None:
    async def scene(agent: Agent) -> None:
        reply, shadow = await agent.submit()
        agent.queue.remove(JobId.parse(reply.job_id))
        assert isinstance(shadow.told[-1], custody.Removal)
        with pytest.raises(NoSuchJob):
            agent.queue.remove(JobId(9, 9))

    play(tmp_path, scene)


def test_what_does_not_run_cannot_be_moved_and_is_told_why(tmp_path: Path) -> None:
    async def scene(agent: Agent) -> None:
        reply, shadow = await agent.submit()
        job_id = JobId.parse(reply.job_id)

        def why() -> str:
            with pytest.raises(NotRunning) as caught:
                agent.queue.checkpoint(job_id, leave=True)
            return caught.value.sentence

        assert why() == f"job {job_id} does not run: it waits for a machine"
        agent.claim(reply.job_id, agent.ticket())
        assert why().endswith("it is about to begin on m")
        shadow.report(custody.JobStarted("m"))
        agent.queue.checkpoint(job_id, leave=True)
        assert shadow.told[-1] == custody.CheckpointJob(True)
        shadow.report(custody.JobEnded(DONE))
        assert why().endswith("it is over (completed)")
        with pytest.raises(NotRunning, match="it is over"):
            agent.queue.introduce(job_id)
        with pytest.raises(NoSuchJob):
            agent.queue.introduce(JobId(9, 9))

    play(tmp_path, scene)


@pytest.mark.parametrize("leaves_outcome", [True, False])
def test_a_restarted_agent_waits_for_a_shadow_that_lives_and_takes_its_outcome(
    tmp_path: Path, leaves_outcome: bool
) -> None:
    async def scene(agent: Agent) -> None:
        reply, _ = await agent.submit()
        agent.claim(reply.job_id, agent.ticket())
        spool = tmp_path / "spool" / reply.job_id
        spool.mkdir(parents=True)
        with (spool / "lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            again = Agent(tmp_path)
            again.queue.adopt()
            await asyncio.sleep(0.05)
            assert again.queue.count(JobState.CLAIMED) == 1
            if leaves_outcome:
                (spool / "outcome").write_bytes(OUTCOME.encode(DONE))
        while again.queue.is_busy:
            await asyncio.sleep(0.02)
        (row,) = again.store.history(0)
        assert row.job.state is (JobState.COMPLETED if leaves_outcome else JobState.FAILED)
        assert not spool.exists()

    play(tmp_path, scene)
