"""The life of a job, as scripts of events."""

from __future__ import annotations

import pytest

from hpool.matchmaker.model.ids import JobId
from hpool.matchmaker.model.states import JobState
from hpool.shadow.api.job import Outcome, Problem
from hpool.shadow.lifecycle import (
    AdmitStarter,
    AdvertiseAgain,
    ClaimAsked,
    ClaimLedNowhere,
    Command,
    ConfirmEnd,
    EndJob,
    EndReported,
    Event,
    Job,
    Refused,
    RemovalAsked,
    StartReported,
    step,
)

IDLE = Job(JobId(1, 0), JobState.IDLE, "ticket", 0.0, 0.0)
CLAIM = ClaimAsked(1.0, "ticket", "m", "secret")
DONE = Outcome(True, 0, 0, "m", False)
LOST = Outcome.failure(Problem("LINK-002", "lost", "", 125), "m")
REMOVED = Outcome.failure(Problem("RUN-009", "ended", "", 125), "m", removed=True)


def play(job: Job, *script: tuple[Event, list[Command], JobState]) -> Job:
    for event, commands, state in script:
        job, given = step(job, event)
        assert (given, job.state) == (commands, state)
    return job


def test_a_job_is_claimed_runs_and_completes() -> None:
    job = play(
        IDLE,
        (CLAIM, [AdmitStarter("secret", "m"), AdvertiseAgain()], JobState.CLAIMED),
        (StartReported(2.0), [], JobState.RUNNING),
        (EndReported(3.0, DONE), [AdvertiseAgain(), ConfirmEnd()], JobState.COMPLETED),
    )
    assert (job.machine, job.ticket, job.outcome, job.changed_at_s) == ("m", "", DONE, 3.0)


def test_a_ticket_is_good_once() -> None:
    claimed, _ = step(IDLE, CLAIM)
    with pytest.raises(Refused, match="is claimed"):
        step(claimed, CLAIM)
    with pytest.raises(Refused, match="ticket"):
        step(IDLE, ClaimAsked(1.0, "other", "m", "secret"))
    with pytest.raises(Refused, match="ticket"):
        step(Job(JobId(1, 0), JobState.IDLE, "", 0.0, 0.0), ClaimAsked(1.0, "", "m", "secret"))


def test_a_claim_that_led_nowhere_gives_the_job_back_with_a_new_ticket() -> None:
    job = play(
        IDLE,
        (CLAIM, [AdmitStarter("secret", "m"), AdvertiseAgain()], JobState.CLAIMED),
        (ClaimLedNowhere(2.0, "next", "silent"), [AdvertiseAgain()], JobState.IDLE),
    )
    with pytest.raises(Refused):
        step(job, CLAIM)
    play(
        job, (ClaimAsked(3.0, "next", "n", "s"), [AdmitStarter("s", "n"), AdvertiseAgain()], JobState.CLAIMED)
    )


def test_a_machine_lost_while_the_job_ran_is_a_failure() -> None:
    play(
        IDLE,
        (CLAIM, [AdmitStarter("secret", "m"), AdvertiseAgain()], JobState.CLAIMED),
        (StartReported(2.0), [], JobState.RUNNING),
        (ClaimLedNowhere(2.5, "next", "too late"), [], JobState.RUNNING),
        (EndReported(3.0, LOST), [AdvertiseAgain(), ConfirmEnd()], JobState.FAILED),
    )


def test_an_end_is_believed_once_and_confirmed_always() -> None:
    job, _ = step(IDLE, EndReported(1.0, LOST))
    assert job.state is JobState.FAILED
    again, commands = step(job, EndReported(2.0, DONE))
    assert (again, commands) == (job, [ConfirmEnd()])


@pytest.mark.parametrize("events", [(), (CLAIM,), (CLAIM, StartReported(2.0))])
def test_removal_asks_the_shadow_and_the_end_comes_as_a_report(events: tuple[Event, ...]) -> None:
    job = IDLE
    for event in events:
        job, _ = step(job, event)
    same, commands = step(job, RemovalAsked(3.0, "told so"))
    assert (same, commands) == (job, [EndJob("told so")])
    over, _ = step(job, EndReported(4.0, REMOVED))
    assert over.state is JobState.REMOVED
    assert step(over, RemovalAsked(5.0, "again")) == (over, [])


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (DONE, 0),
        (Outcome(True, 3, 0, "m", False), 3),
        (Outcome(True, 0, 9, "m", False), 137),
        (LOST, 125),
        # The job's own failure speaks first, hpool's problem is printed beside it.
        (Outcome(True, 3, 0, "m", False, LOST.problem), 3),
        (Outcome(True, 0, 0, "m", False, LOST.problem), 125),
    ],
)
def test_the_exit_code_is_the_jobs_own_first(outcome: Outcome, status: int) -> None:
    assert outcome.shell_status == status
