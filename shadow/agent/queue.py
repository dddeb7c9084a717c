"""The queue at work: feeds events to the lifecycle, stores what follows, and does it.

Owns: live jobs and the shadow of each. Leaves to others: decisions (lifecycle), the disk (store),
gRPC (service), the matchmaker (advertise).
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hpool.matchmaker.api.values import JobAd
from hpool.matchmaker.model.attributes import HIDES
from hpool.matchmaker.model.clock import Clock
from hpool.matchmaker.model.errors import BadJobId, HpoolError, NoSuchJob, NotRunning, ShadowLost
from hpool.matchmaker.model.ids import JobId
from hpool.matchmaker.model.states import JobState
from hpool.shadow import lifecycle
from hpool.shadow.agent.journals import Journals
from hpool.shadow.agent.shadows import Report, Shadow, Shadows
from hpool.shadow.api import custody
from hpool.shadow.api.job import OUTCOME, JobDescription, Outcome, Problem
from hpool.shadow.api.queue import ClaimReply, ClaimRequest, IntroduceReply, ReattachReply, SubmitReply
from hpool.shadow.job.spool import read_notes
from hpool.shadow.lifecycle import Job
from hpool.shadow.store import Store

log = logging.getLogger("queue")

ADOPTION_PERIOD_S: Final = 0.5
ORPHANED: Final = "it ended without a word"


class Queue:
    """All jobs of one agent. Everything runs on one event loop; commits are short and in line."""

    def __init__(
        self, store: Store, shadows: Shadows, spool: Path, clock: Clock, on_change: Callable[[], None]
    ) -> None:
        self._store = store
        self._shadows = shadows
        self._spool = spool
        self._clock = clock
        self._on_change = on_change
        self._jobs: dict[JobId, Job] = {}
        self._ads: dict[JobId, JobAd] = {}
        self._owners: dict[JobId, tuple[int, int]] = {}
        self._granted: dict[JobId, tuple[ClaimRequest, ClaimReply]] = {}
        self._live: dict[JobId, Shadow] = {}
        self._watch_secrets: dict[JobId, str] = {}
        self._attach_secrets: dict[JobId, str] = {}
        self._doomed: dict[JobId, str] = {}
        self._left: dict[JobId, tuple[str, ...]] = {}  # machines that jobs were told to leave
        self.journals = Journals(spool.parent / "undo")
        self._adopting: set[asyncio.Task[None]] = set()

    @property
    def is_busy(self) -> bool:
        return bool(self._jobs)

    def count(self, *states: JobState) -> int:
        return sum(job.state in states for job in self._jobs.values())

    def idle_ads(self) -> tuple[JobAd, ...]:
        return tuple(
            self._ads[job_id]._replace(ticket=job.ticket, avoided=self._left.get(job_id, ()))
            for job_id, job in self._jobs.items()
            if job.state is JobState.IDLE and job.ticket and job_id in self._ads
        )

    async def submit(self, description: JobDescription) -> SubmitReply:
        """On disk and with a shadow when this returns."""
        shadow = await self._shadows.take()
        job = self._store.accept(description, secrets.token_hex(16), self._clock.now_s())
        self._jobs[job.job_id] = job
        self._assign(job, description, shadow)
        self._on_change()
        log.info("job %s: accepted, shadow %d", job.job_id, shadow.pid)
        return SubmitReply(str(job.job_id), shadow.address, self._attach_secrets[job.job_id])

    def _assign(
        self, job: Job, description: JobDescription, shadow: Shadow, *, begins_again: bool = False
    ) -> None:
        """The shadow is the job's from now on, the first or the next."""
        job_id = job.job_id
        self._live[job_id] = shadow
        self._attach_secrets[job_id] = secrets.token_hex(16)
        self._watch_secrets[job_id] = secrets.token_hex(16)
        self._owners[job_id] = (description.uid, description.gid)
        self._ads[job_id] = JobAd(
            job_id=str(job_id),
            ticket=job.ticket,
            owner=description.owner,
            cpus=description.cpus,
            memory_bytes=description.memory_bytes,
            arch=os.uname().machine,
            submitted_at_s=job.submitted_at_s,
            needs=(HIDES + description.cpu_level,) if description.cpu_level else (),
        )
        journal = os.fsencode(self.journals.make(job_id)) if description.undo_bytes else b""
        shadow.follow(lambda report: self._reported(job_id, report), lambda: self._shadow_gone(job_id))
        shadow.tell(
            custody.Assignment(
                *(str(job_id), description, self._attach_secrets[job_id]),
                *(os.fsencode(self._spool / str(job_id)), self._watch_secrets[job_id], journal),
                restarts_left=max(0, description.restarts - job.restarts),
                begins_again=begins_again,
            )
        )
        if job_id in self._doomed:
            shadow.tell(custody.Removal(self._doomed.pop(job_id)))

    def claim(self, request: ClaimRequest) -> ClaimReply:
        """Checks everything again; a refusal is an ordinary answer. Repeated before the start: the same."""
        try:
            job = self._jobs[JobId.parse(request.job_id)]
            ad = self._ads[job.job_id]
        except (KeyError, BadJobId):
            return ClaimReply(refusal=f"there is no job {request.job_id}")
        asked, granted = self._granted.get(job.job_id, (None, None))
        if granted is not None and asked == request and job.state is JobState.CLAIMED:
            return granted  # it was lost on its way
        if (ad.arch, True, True) != (
            request.arch,
            ad.cpus <= request.cpus,
            ad.memory_bytes <= request.memory_bytes,
        ):
            return ClaimReply(refusal="the machine does not fit the job")
        secret = secrets.token_hex(16)
        event = lifecycle.ClaimAsked(self._clock.now_s(), request.ticket, request.machine, secret)
        try:
            self._apply(job, event, "claimed", machine=request.machine)
        except lifecycle.Refused as refusal:
            log.info("job %s: claim of %s refused: %s", job.job_id, request.machine, refusal)
            return ClaimReply(refusal=str(refusal))
        uid, gid = self._owners[job.job_id]
        granted = ClaimReply("", self._live[job.job_id].address, secret, uid, gid)
        self._granted[job.job_id] = request, granted
        return granted

    def remove(self, job_id: JobId) -> None:
        """Raises NoSuchJob. The end comes later, as a report."""
        job = self._jobs.get(job_id)
        if job is None:
            raise NoSuchJob(str(job_id))
        event = lifecycle.RemovalAsked(self._clock.now_s(), "hpool was told to remove it")
        if job_id not in self._live:
            self._doomed[job_id] = event.why  # its next shadow is on its way
        self._apply(job, event, "removal asked")

    def introduce(self, job_id: JobId) -> IntroduceReply:
        """Where a live job can be watched. Raises NotRunning, NoSuchJob."""
        shadow = self._live.get(job_id)
        if shadow is None or job_id not in self._jobs:
            raise self._not_running(job_id)
        return IntroduceReply(shadow.address, self._watch_secrets[job_id])

    def checkpoint(self, job_id: JobId, *, leave: bool) -> None:
        """What comes of it is in the job's log. Raises NotRunning, NoSuchJob."""
        shadow, job = self._live.get(job_id), self._jobs.get(job_id)
        if shadow is None or job is None or job.state is not JobState.RUNNING:
            raise self._not_running(job_id)
        if leave:
            others = (each for each in self._left.get(job_id, ()) if each != job.machine)
            self._left[job_id] = (*others, job.machine)
        shadow.tell(custody.CheckpointJob(leave))

    def _not_running(self, job_id: JobId) -> HpoolError:
        job = self._jobs.get(job_id) or self._store.job(job_id)
        if job is None:
            return NoSuchJob(str(job_id))
        if job.state is JobState.IDLE:
            why = "it waits for a machine"
        elif job.state is JobState.CLAIMED:
            why = f"it is about to begin on {job.machine}"
        elif job.state is JobState.RUNNING:
            why = "it began under an agent that has ended since"
        else:
            why = f"it is over ({job.state.value})"
        return NotRunning(str(job_id), why)

    def reattach(self, job_id: JobId) -> ReattachReply:
        """For a terminal that lost its shadow. Raises NoSuchJob."""
        if job_id in self._live and job_id in self._jobs:
            return ReattachReply(self._live[job_id].address, self._attach_secrets[job_id])
        job = self._jobs.get(job_id) or self._store.job(job_id)
        if job is None:
            raise NoSuchJob(str(job_id))
        return ReattachReply(outcome=job.outcome)

    def adopt(self) -> None:
        """After a start: jobs of a former agent go on if their shadow lives, else have an end."""
        unfinished = self._store.unfinished()
        self.journals.prune({job.job_id for job in unfinished})
        for job in unfinished:
            self._jobs[job.job_id] = job
            task = asyncio.create_task(self._adopt(job.job_id))
            self._adopting.add(task)
            task.add_done_callback(self._adopting.discard)

    def end_all(self, why: str) -> None:
        """The agent was told to end: so must the jobs whose home it keeps."""
        for shadow in self._live.values():
            shadow.tell(custody.Removal(why))

    async def _adopt(self, job_id: JobId) -> None:
        spool = self._spool / str(job_id)
        while _is_locked(spool / "lock"):
            await asyncio.sleep(ADOPTION_PERIOD_S)
        try:
            outcome: Outcome | None = OUTCOME.decode((spool / "outcome").read_bytes())
        except OSError:
            outcome = None
        for at_s, note in read_notes(spool):
            self._store.note(job_id, at_s, note.kind, note.facts)
        if outcome is not None:
            self._ended(job_id, outcome)
        else:
            self._lost(job_id, "it ended together with the agent")

    def _reported(self, job_id: JobId, report: Report) -> None:
        job = self._jobs.get(job_id)
        if job is None:
            return
        now_s = self._clock.now_s()
        match report:
            case custody.JobStarted(machine):
                self._apply(job, lifecycle.StartReported(now_s), "started", machine=machine)
                self._shadows.prepare_next()
            case custody.NeverStarted(why):
                log.info("job %s: never started on %s: %s", job_id, job.machine, why)
                event = lifecycle.ClaimLedNowhere(now_s, secrets.token_hex(16), why)
                self._apply(job, event, "returned", why=why)
            case custody.Returned(why, lost_s, needs):
                if job_id in self._ads:
                    self._ads[job_id] = _with_needs(self._ads[job_id], needs)
                log.info("job %s: begins again: %s", job_id, why)
                lost = lifecycle.RunLost(now_s, secrets.token_hex(16), why, is_counted=lost_s != 0.0)
                self._apply(job, lost, "returned", why=why)
            case custody.Noted(kind, facts):
                self._store.note(job_id, now_s, kind, facts)
            case custody.JobEnded(outcome):
                self._ended(job_id, outcome)

    def _shadow_gone(self, job_id: JobId) -> None:
        shadow = self._live.pop(job_id, None)
        if shadow is not None:
            shadow.close()
        if job_id in self._jobs:
            self._lost(job_id, ORPHANED)
        self._shadows.prepare_next()

    def _lost(self, job_id: JobId, why: str) -> None:
        """Its shadow is gone without a word: another one, or the end."""
        job, description = self._jobs[job_id], self._store.description(job_id)
        if description is None or job.restarts >= description.restarts or not description.undo_bytes:
            self._ended(job_id, Outcome.failure(Problem.of(ShadowLost(why))))
            return
        task = asyncio.create_task(self._begin_again(job, description, why))
        self._adopting.add(task)
        task.add_done_callback(self._adopting.discard)

    async def _begin_again(self, job: Job, description: JobDescription, why: str) -> None:
        """The next shadow undoes what the job had changed, and serves it anew."""
        job_id = job.job_id
        try:
            shadow = await self._shadows.take()
        except (OSError, TimeoutError) as error:
            self._ended(job_id, Outcome.failure(Problem.of(ShadowLost(f"{why}; no other: {error}"))))
            return
        log.info("job %s: its shadow was lost: %s; shadow %d", job_id, why, shadow.pid)
        sentence = f"the job's shadow was lost ({why})"
        self._apply(job, lifecycle.ShadowGone(self._clock.now_s()), "restart", sentence=sentence)
        self._assign(self._jobs[job_id], description, shadow, begins_again=True)

    def _ended(self, job_id: JobId, outcome: Outcome) -> None:
        job = self._jobs[job_id]
        event = lifecycle.EndReported(self._clock.now_s(), outcome)
        self._apply(job, event, "ended", status=outcome.shell_status)
        state = self._jobs[job_id].state
        log.info("job %s: %s, status %d", job_id, state.value, outcome.shell_status)
        del self._jobs[job_id]
        self._ads.pop(job_id, None)
        self._owners.pop(job_id, None)
        self._granted.pop(job_id, None)
        self._watch_secrets.pop(job_id, None)
        self._attach_secrets.pop(job_id, None)
        self._doomed.pop(job_id, None)
        self._left.pop(job_id, None)
        task = asyncio.create_task(asyncio.to_thread(self._settle_journal, job_id, state))
        self._adopting.add(task)
        task.add_done_callback(self._adopting.discard)
        _remove_spool(self._spool / str(job_id))

    def _settle_journal(self, job_id: JobId, state: JobState) -> None:
        if state is JobState.COMPLETED:
            self.journals.discard(job_id)
        else:
            self.journals.prune({*self._jobs, job_id})

    def _apply(self, job: Job, event: lifecycle.Event, kind: str, **facts: object) -> None:
        after, commands = lifecycle.step(job, event)
        if after != job:
            self._store.save(after, kind, **facts)
            self._jobs[job.job_id] = after
        shadow = self._live.get(job.job_id)
        for command in commands:
            match command:
                case lifecycle.AdvertiseAgain():
                    self._on_change()
                case lifecycle.AdmitStarter(secret, machine) if shadow is not None:
                    shadow.tell(custody.Claimed(secret, machine))
                case lifecycle.EndJob(why) if shadow is not None:
                    shadow.tell(custody.Removal(why))
                case lifecycle.ConfirmEnd() if shadow is not None:
                    shadow.tell(custody.Recorded())


def _with_needs(ad: JobAd, needs: tuple[str, ...]) -> JobAd:
    """Those of an image, if there is one, and of its beginning."""
    own = (each for each in ad.needs if each.startswith(HIDES))
    return ad._replace(needs=tuple(dict.fromkeys((*own, *needs))))


def _is_locked(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _remove_spool(spool: Path) -> None:
    for name in ("lock", "outcome", "notes"):
        (spool / name).unlink(missing_ok=True)
    if spool.exists():
        spool.rmdir()
