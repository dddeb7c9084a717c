"""The agent's methods and what travels in them.

Owns: the typed side of queue.proto. Leaves to others: the queue itself, dialling.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from hpool.matchmaker.api.codec import MessageCodec
from hpool.matchmaker.hosting.rpc import UnaryMethod
from hpool.shadow.api import queue_pb2 as pb
from hpool.shadow.api.job import JOB, OUTCOME, PROBLEM, JobDescription, Outcome, Problem


class SubmitRequest(NamedTuple):
    job: JobDescription


class SubmitReply(NamedTuple):
    job_id: str
    shadow_address: str
    attach_secret: str
    problem: Problem | None = None


class ClaimRequest(NamedTuple):
    job_id: str
    ticket: str
    machine: str
    sandbox_id: str
    arch: str
    cpus: int
    memory_bytes: int


class ClaimReply(NamedTuple):
    refusal: str
    shadow_address: str = ""
    claim_secret: str = ""
    uid: int = 0
    gid: int = 0


class QueueRequest(NamedTuple):
    history: bool
    limit: int


class JobSummary(NamedTuple):
    job_id: str
    owner: str
    state: str
    arguments: tuple[bytes, ...]
    directory: bytes
    submitted_at_s: float
    changed_at_s: float
    machine: str
    outcome: Outcome | None = None
    epoch: int = 0  # the newest image that is kept; 0: none
    kept_at_s: float = 0.0


class QueueReply(NamedTuple):
    jobs: tuple[JobSummary, ...]


class RemoveRequest(NamedTuple):
    job_id: str


class RemoveReply(NamedTuple):
    problem: Problem | None = None


class LogRequest(NamedTuple):
    job_id: str


class LogLine(NamedTuple):
    at_s: float
    kind: str
    facts: str


class LogReply(NamedTuple):
    lines: tuple[LogLine, ...]
    problem: Problem | None = None


class IntroduceRequest(NamedTuple):
    job_id: str


class IntroduceReply(NamedTuple):
    shadow_address: str
    watch_secret: str
    problem: Problem | None = None


class ReattachRequest(NamedTuple):
    job_id: str


class ReattachReply(NamedTuple):
    shadow_address: str = ""
    attach_secret: str = ""
    outcome: Outcome | None = None
    problem: Problem | None = None


class JournalRequest(NamedTuple):
    job_id: str


class JournalReply(NamedTuple):
    directory: bytes = b""
    problem: Problem | None = None


class CheckpointRequest(NamedTuple):
    job_id: str
    leave: bool


class CheckpointReply(NamedTuple):
    problem: Problem | None = None


class AgentStatusRequest(NamedTuple):
    pass


class AgentStatusReply(NamedTuple):
    matchmaker: str
    matchmaker_reached: bool
    idle: int
    running: int
    finished: int


SUBMIT: Final = UnaryMethod(
    "hpool.shadow.Agent/Submit",
    MessageCodec(pb.SubmitRequest, SubmitRequest, {"job": JOB}),
    MessageCodec(pb.SubmitReply, SubmitReply, {"problem": PROBLEM}),
)
CLAIM: Final = UnaryMethod(
    "hpool.shadow.Agent/Claim",
    MessageCodec(pb.ClaimRequest, ClaimRequest),
    MessageCodec(pb.ClaimReply, ClaimReply),
)
QUEUE: Final = UnaryMethod(
    "hpool.shadow.Agent/Queue",
    MessageCodec(pb.QueueRequest, QueueRequest),
    MessageCodec(
        pb.QueueReply, QueueReply, {"jobs": MessageCodec(pb.JobSummary, JobSummary, {"outcome": OUTCOME})}
    ),
)
REMOVE: Final = UnaryMethod(
    "hpool.shadow.Agent/Remove",
    MessageCodec(pb.RemoveRequest, RemoveRequest),
    MessageCodec(pb.RemoveReply, RemoveReply, {"problem": PROBLEM}),
)
LOG: Final = UnaryMethod(
    "hpool.shadow.Agent/Log",
    MessageCodec(pb.LogRequest, LogRequest),
    MessageCodec(pb.LogReply, LogReply, {"lines": MessageCodec(pb.LogLine, LogLine), "problem": PROBLEM}),
)
INTRODUCE: Final = UnaryMethod(
    "hpool.shadow.Agent/Introduce",
    MessageCodec(pb.IntroduceRequest, IntroduceRequest),
    MessageCodec(pb.IntroduceReply, IntroduceReply, {"problem": PROBLEM}),
)
REATTACH: Final = UnaryMethod(
    "hpool.shadow.Agent/Reattach",
    MessageCodec(pb.ReattachRequest, ReattachRequest),
    MessageCodec(pb.ReattachReply, ReattachReply, {"outcome": OUTCOME, "problem": PROBLEM}),
)
JOURNAL: Final = UnaryMethod(
    "hpool.shadow.Agent/Journal",
    MessageCodec(pb.JournalRequest, JournalRequest),
    MessageCodec(pb.JournalReply, JournalReply, {"problem": PROBLEM}),
)
CHECKPOINT: Final = UnaryMethod(
    "hpool.shadow.Agent/Checkpoint",
    MessageCodec(pb.CheckpointRequest, CheckpointRequest),
    MessageCodec(pb.CheckpointReply, CheckpointReply, {"problem": PROBLEM}),
)
AGENT_STATUS: Final = UnaryMethod(
    "hpool.shadow.Agent/Status",
    MessageCodec(pb.AgentStatusRequest, AgentStatusRequest),
    MessageCodec(pb.AgentStatusReply, AgentStatusReply),
)
