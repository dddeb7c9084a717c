"""The agent's gRPC face.

Owns: who may call what: the user's token for the user's commands, the pool's token for claims.
Leaves to others: everything that is done then (queue).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from hpool.matchmaker.hosting import rpc
from hpool.matchmaker.hosting.standing import StandingConversation
from hpool.matchmaker.model.errors import CouldNotStart, HpoolError, NoSuchJob
from hpool.matchmaker.model.ids import JobId
from hpool.matchmaker.model.places import QueueUnwritable
from hpool.matchmaker.model.states import JobState
from hpool.shadow.agent.queue import Queue
from hpool.shadow.api import queue as api
from hpool.shadow.api.job import Problem
from hpool.shadow.store import Store, StoredJob


class AgentService:
    """Thin on purpose."""

    def __init__(
        self,
        queue: Queue,
        store: Store,
        advertising: StandingConversation,
        *,
        user_token: str,
        pool_token: str,
        touch: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._store = store
        self._advertising = advertising
        self._user_token = user_token
        self._pool_token = pool_token
        self._touch = touch

    def handler(self) -> Any:
        return rpc.service(
            {
                api.SUBMIT: self.submit,
                api.CLAIM: self.claim,
                api.QUEUE: self.queue,
                api.REMOVE: self.remove,
                api.LOG: self.log,
                api.INTRODUCE: self.introduce,
                api.REATTACH: self.reattach,
                api.JOURNAL: self.journal,
                api.CHECKPOINT: self.checkpoint,
                api.AGENT_STATUS: self.status,
            }
        )

    async def submit(self, request: api.SubmitRequest, context: Any) -> api.SubmitReply:
        await rpc.admit(context, rpc.TOKEN_KEY, self._user_token)
        self._touch()
        try:
            return await self._queue.submit(request.job)
        except QueueUnwritable as error:
            return api.SubmitReply("", "", "", Problem.of(error))
        except (OSError, TimeoutError) as error:
            problem = CouldNotStart("job's shadow", str(error), "the agent's log")
            return api.SubmitReply("", "", "", Problem.of(problem))

    async def claim(self, request: api.ClaimRequest, context: Any) -> api.ClaimReply:
        await rpc.admit(context, rpc.TOKEN_KEY, self._pool_token)
        return self._queue.claim(request)

    async def queue(self, request: api.QueueRequest, context: Any) -> api.QueueReply:
        await rpc.admit(context, rpc.TOKEN_KEY, self._user_token)
        rows = self._store.history(request.limit) if request.history else self._store.queue()
        return api.QueueReply(tuple(_summary(row, *self._kept(row)) for row in rows))

    def _kept(self, stored: StoredJob) -> tuple[int, float]:
        """The newest epoch that a running job could go on from, and since when."""
        if stored.job.state is not JobState.RUNNING:
            return 0, 0.0
        for at_s, facts in self._store.newest(stored.job.job_id, "image"):
            if facts.get("kept"):
                return int(str(facts["epoch"])), at_s
        return 0, 0.0

    async def remove(self, request: api.RemoveRequest, context: Any) -> api.RemoveReply:
        await rpc.admit(context, rpc.TOKEN_KEY, self._user_token)
        try:
            self._queue.remove(JobId.parse(request.job_id))
        except HpoolError as error:
            return api.RemoveReply(Problem.of(error))
        return api.RemoveReply()

    async def log(self, request: api.LogRequest, context: Any) -> api.LogReply:
        await rpc.admit(context, rpc.TOKEN_KEY, self._user_token)
        try:
            job_id = self._known(request.job_id)
        except HpoolError as error:
            return api.LogReply((), Problem.of(error))
        events = self._store.events(job_id)
        return api.LogReply(tuple(api.LogLine(at_s, kind, json.dumps(facts)) for at_s, kind, facts in events))

    async def introduce(self, request: api.IntroduceRequest, context: Any) -> api.IntroduceReply:
        await rpc.admit(context, rpc.TOKEN_KEY, self._user_token)
        try:
            return self._queue.introduce(JobId.parse(request.job_id))
        except HpoolError as error:
            return api.IntroduceReply("", "", Problem.of(error))

    async def reattach(self, request: api.ReattachRequest, context: Any) -> api.ReattachReply:
        await rpc.admit(context, rpc.TOKEN_KEY, self._user_token)
        try:
            return self._queue.reattach(JobId.parse(request.job_id))
        except HpoolError as error:
            return api.ReattachReply(problem=Problem.of(error))

    async def journal(self, request: api.JournalRequest, context: Any) -> api.JournalReply:
        await rpc.admit(context, rpc.TOKEN_KEY, self._user_token)
        try:
            job_id = self._known(request.job_id)
        except HpoolError as error:
            return api.JournalReply(problem=Problem.of(error))
        return api.JournalReply(os.fsencode(self._queue.journals.path(job_id)))

    async def checkpoint(self, request: api.CheckpointRequest, context: Any) -> api.CheckpointReply:
        await rpc.admit(context, rpc.TOKEN_KEY, self._user_token)
        try:
            self._queue.checkpoint(self._known(request.job_id), leave=request.leave)
        except HpoolError as error:
            return api.CheckpointReply(Problem.of(error))
        return api.CheckpointReply()

    def _known(self, text: str) -> JobId:
        """Raises HpoolError: no number of a job, or of one nobody knows."""
        job_id = JobId.parse(text)
        if not self._store.knows(job_id):
            raise NoSuchJob(text)
        return job_id

    async def status(self, _request: api.AgentStatusRequest, context: Any) -> api.AgentStatusReply:
        await rpc.admit(context, rpc.TOKEN_KEY, self._user_token)
        return api.AgentStatusReply(
            matchmaker=self._advertising.where,
            matchmaker_reached=self._advertising.is_connected,
            idle=self._queue.count(JobState.IDLE),
            running=self._queue.count(JobState.CLAIMED, JobState.RUNNING),
            finished=self._store.finished_count(),
        )


def _summary(stored: StoredJob, epoch: int, kept_at_s: float) -> api.JobSummary:
    job = stored.job
    return api.JobSummary(
        job_id=str(job.job_id),
        owner=stored.owner,
        state=job.state.value,
        arguments=stored.arguments,
        directory=stored.directory,
        submitted_at_s=job.submitted_at_s,
        changed_at_s=job.changed_at_s,
        machine=job.machine,
        outcome=job.outcome,
        epoch=epoch,
        kept_at_s=kept_at_s,
    )
