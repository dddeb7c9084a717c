"""The matchmaker's memory and its gRPC face.

Owns: the ads that are alive (as long as their streams), and what was proposed lately. Soft state
only: nothing here is ever written to disk. Leaves to others: the rule (negotiate).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

from hpool.matchmaker.api import client, values
from hpool.matchmaker.hosting import rpc
from hpool.matchmaker.model.clock import Clock
from hpool.matchmaker.negotiate import Machine, WaitingJob, negotiate

NEEDS_COUNT_S: Final = 300.0
"""So long an image waits for a machine that can go on from it."""

log = logging.getLogger("matchmaker")


@dataclass(eq=False)
class _Machine:
    ad: values.MachineAd
    notices: asyncio.Queue[values.MachineNotice]
    promised: int = 0  # slots proposed since the last report


@dataclass(eq=False)
class _Agent:
    report: values.JobsReport
    notices: asyncio.Queue[values.JobsNotice]
    proposed: dict[str, tuple[str, float]] = field(default_factory=dict)  # job -> (ticket, when)
    waiting: dict[str, tuple[str, float]] = field(default_factory=dict)  # job -> (ticket, since when)


class MatchmakerService:
    """Pairs whoever is connected. Everything runs on one event loop, so there are no locks."""

    def __init__(self, token: str, period_s: float, clock: Clock) -> None:
        self._token = token
        self._period_s = period_s
        self._clock = clock
        self._machines: dict[str, _Machine] = {}
        self._agents: dict[str, _Agent] = {}

    @property
    def is_busy(self) -> bool:
        """Whether anybody would miss this matchmaker."""
        return bool(self._agents)

    def handler(self) -> Any:
        return rpc.service(
            {
                client.ADVERTISE_MACHINE: self.advertise_machine,
                client.ADVERTISE_JOBS: self.advertise_jobs,
                client.STATUS: self.status,
            }
        )

    async def advertise_machine(self, reports: AsyncIterator[values.MachineReport], context: Any) -> None:
        await rpc.admit(context, rpc.TOKEN_KEY, self._token)
        notices: asyncio.Queue[values.MachineNotice] = asyncio.Queue()
        notices.put_nowait(values.Welcome(self._period_s))
        speaking = asyncio.create_task(_speak(notices, context))
        mine: _Machine | None = None
        try:
            async for report in reports:
                ad = report.machine
                if mine is None:
                    log.info("machine %s has come: %d slots", ad.name, ad.slots)
                mine = _Machine(ad, notices)
                self._machines[ad.sandbox_id] = mine
                self.match()
        finally:
            speaking.cancel()
            if mine is not None and self._machines.get(mine.ad.sandbox_id) is mine:
                del self._machines[mine.ad.sandbox_id]
                log.info("machine %s has gone", mine.ad.name)

    async def advertise_jobs(self, reports: AsyncIterator[values.JobsReport], context: Any) -> None:
        await rpc.admit(context, rpc.TOKEN_KEY, self._token)
        notices: asyncio.Queue[values.JobsNotice] = asyncio.Queue()
        notices.put_nowait(values.Welcome(self._period_s))
        speaking = asyncio.create_task(_speak(notices, context))
        mine: _Agent | None = None
        try:
            async for report in reports:
                if mine is None:
                    log.info("agent %s has come", report.agent_address)
                    mine = _Agent(report, notices)
                    self._agents[report.agent_id] = mine
                mine.report = report
                listed = {job.job_id for job in report.jobs}
                mine.proposed = {job: when for job, when in mine.proposed.items() if job in listed}
                mine.waiting = {job: since for job, since in mine.waiting.items() if job in listed}
                self.match()
        finally:
            speaking.cancel()
            if mine is not None and self._agents.get(mine.report.agent_id) is mine:
                del self._agents[mine.report.agent_id]
                log.info("agent %s has gone", mine.report.agent_address)

    async def status(self, _request: values.StatusRequest, context: Any) -> values.StatusReply:
        await rpc.admit(context, rpc.TOKEN_KEY, self._token)
        return values.StatusReply(
            machines=tuple(machine.ad for machine in self._machines.values()),
            idle_jobs=tuple(
                job._replace(ticket="") for agent in self._agents.values() for job in agent.report.jobs
            ),
            agents=len(self._agents),
        )

    def match(self) -> None:
        """One cycle, now. Called whenever somebody said something new."""
        now_s = self._clock.monotonic_s()
        jobs = {
            (agent_id, job.job_id): (agent, job)
            for agent_id, agent in self._agents.items()
            for job in agent.report.jobs
            if self._may_propose(agent, job, now_s)
        }
        waiting = [
            WaitingJob(
                *(key, job.cpus, job.memory_bytes, job.arch, job.submitted_at_s),
                *(_needs(agent, job, now_s), job.avoided),
            )
            for key, (agent, job) in jobs.items()
        ]
        offering = [
            Machine(
                *(key, machine.ad.arch, machine.ad.cpus, machine.ad.memory_bytes),
                *(machine.ad.free_slots - machine.promised, machine.ad.name, frozenset(machine.ad.features)),
            )
            for key, machine in self._machines.items()
            if not machine.ad.owner_is_here
        ]
        for waiting_job, chosen in negotiate(waiting, offering):
            agent, job = jobs[waiting_job.key]
            machine = self._machines[chosen.key]
            machine.promised += 1
            agent.proposed[job.job_id] = (job.ticket, now_s)
            machine.notices.put_nowait(values.Match(job.job_id, agent.report.agent_address, job.ticket))
            agent.notices.put_nowait(values.Matched(job.job_id, machine.ad.name))
            log.info("job %s of %s -> %s", job.job_id, agent.report.agent_address, machine.ad.name)

    def _may_propose(self, agent: _Agent, job: values.JobAd, now_s: float) -> bool:
        """A proposal that led nowhere is repeated after a period."""
        ticket, when_s = agent.proposed.get(job.job_id, ("", 0.0))
        return ticket != job.ticket or now_s - when_s >= self._period_s


def _needs(agent: _Agent, job: values.JobAd, now_s: float) -> frozenset[str]:
    """A machine that has them may come back. If none does for long, any may find out that it cannot go on
    from the image: then home takes an older one, or the job begins again."""
    ticket, since_s = agent.waiting.setdefault(job.job_id, (job.ticket, now_s))
    if ticket != job.ticket:
        since_s = now_s
        agent.waiting[job.job_id] = (job.ticket, now_s)
    return frozenset(job.needs) if now_s - since_s < NEEDS_COUNT_S else frozenset()


async def _speak(notices: asyncio.Queue[Any], context: Any) -> None:
    while True:
        await context.write(await notices.get())
