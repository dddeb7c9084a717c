"""The life of a job in its agent's queue: (job, event) gives (job, commands). Pure.

Owns: which event is believed in which state and what follows. Leaves to others: doing it
(agent.custody), remembering it (store).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hpool.matchmaker.model.ids import JobId
from hpool.matchmaker.model.states import FINAL_STATES, JobState, may_move
from hpool.shadow.api.job import Outcome


@dataclass(frozen=True, slots=True)
class Job:
    """What the queue knows of a job, its description aside."""

    job_id: JobId
    state: JobState
    ticket: str  # what a claim must show; spent once claimed
    submitted_at_s: float
    changed_at_s: float
    machine: str = ""
    outcome: Outcome | None = None
    restarts: int = 0  # how often it has begun again

    @property
    def is_over(self) -> bool:
        return self.state in FINAL_STATES


# --- events: what happened, with all that is needed to decide ----------------------


@dataclass(frozen=True, slots=True)
class ClaimAsked:
    """A sandbox shows a ticket for this job. `secret` will open the shadow to its starter."""

    at_s: float
    ticket: str
    machine: str
    secret: str


@dataclass(frozen=True, slots=True)
class StartReported:
    at_s: float


@dataclass(frozen=True, slots=True)
class ClaimLedNowhere:
    """The machine was lost before the job did anything. `ticket` is for the next one."""

    at_s: float
    ticket: str
    why: str


@dataclass(frozen=True, slots=True)
class RunLost:
    """The machine was lost, or the job's shadow; what it had changed at home is undone. `ticket` is for the
    next machine."""

    at_s: float
    ticket: str
    why: str
    is_counted: bool = True  # False: it was, when the shadow was lost


@dataclass(frozen=True, slots=True)
class ShadowGone:
    """Another one undoes what the job had changed; until it says so no machine may have the job."""

    at_s: float


@dataclass(frozen=True, slots=True)
class EndReported:
    at_s: float
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class RemovalAsked:
    at_s: float
    why: str


Event = ClaimAsked | StartReported | ClaimLedNowhere | RunLost | ShadowGone | EndReported | RemovalAsked

# --- commands: what the agent has to do ---------------------------------------------


@dataclass(frozen=True, slots=True)
class AdmitStarter:
    """The shadow shall let in whoever shows the secret."""

    secret: str
    machine: str


@dataclass(frozen=True, slots=True)
class AdvertiseAgain:
    """The set of idle jobs is another one."""


@dataclass(frozen=True, slots=True)
class EndJob:
    """The shadow shall end the job and report."""

    why: str


@dataclass(frozen=True, slots=True)
class ConfirmEnd:
    """The outcome is on disk; the shadow may tell the user and go."""


Command = AdmitStarter | AdvertiseAgain | EndJob | ConfirmEnd


class Refused(Exception):
    """The event cannot be honoured in this state; the text says why. Nothing changed."""


def step(job: Job, event: Event) -> tuple[Job, list[Command]]:
    """What follows from `event`. Raises Refused; an event that says nothing new has no commands."""
    match event:
        case ClaimAsked(at_s, ticket, machine, secret):
            if job.state is not JobState.IDLE:
                raise Refused(f"job {job.job_id} is {job.state.value}")
            if not job.ticket or ticket != job.ticket:
                raise Refused("the ticket is not good any more")
            claimed = _moved(job, JobState.CLAIMED, at_s, machine=machine, ticket="")
            return claimed, [AdmitStarter(secret, machine), AdvertiseAgain()]
        case StartReported(at_s):
            if job.state is not JobState.CLAIMED:
                return job, []
            return _moved(job, JobState.RUNNING, at_s), []
        case ClaimLedNowhere(at_s, ticket, _):
            if job.state is not JobState.CLAIMED:
                return job, []
            return _moved(job, JobState.IDLE, at_s, machine="", ticket=ticket), [AdvertiseAgain()]
        case ShadowGone(_):
            return (job, []) if job.is_over else (replace(job, ticket="", restarts=job.restarts + 1), [])
        case RunLost(at_s, ticket, _, is_counted):
            if job.is_over:
                return job, []
            if job.state is JobState.IDLE:
                idle = replace(job, ticket=ticket)
            else:
                idle = _moved(job, JobState.IDLE, at_s, machine="", ticket=ticket)
            return replace(idle, restarts=job.restarts + is_counted), [AdvertiseAgain()]
        case EndReported(at_s, outcome):
            if job.is_over:
                return job, [ConfirmEnd()]
            machine = outcome.machine or job.machine
            ended = _moved(job, _state_of(outcome, job), at_s, outcome=outcome, machine=machine, ticket="")
            return ended, [AdvertiseAgain(), ConfirmEnd()]
        case RemovalAsked(_, why):
            return job, [] if job.is_over else [EndJob(why)]


def _state_of(outcome: Outcome, job: Job) -> JobState:
    if outcome.removed:
        return JobState.REMOVED
    if outcome.problem is None and job.state is not JobState.IDLE:
        return JobState.COMPLETED
    return JobState.FAILED


def _moved(
    job: Job,
    state: JobState,
    at_s: float,
    *,
    machine: str | None = None,
    ticket: str | None = None,
    outcome: Outcome | None = None,
) -> Job:
    if not may_move(job.state, state):
        raise Refused(f"job {job.job_id} cannot become {state.value} while it is {job.state.value}")
    return replace(
        job,
        state=state,
        changed_at_s=at_s,
        machine=job.machine if machine is None else machine,
        ticket=job.ticket if ticket is None else ticket,
        outcome=outcome or job.outcome,
    )
