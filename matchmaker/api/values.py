"""What machines and agents advertise, as values, and their codecs.

Owns: the typed side of matchmaker.proto. Leaves to others: what to advertise and how to match.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from hpool.matchmaker.api import matchmaker_pb2 as pb
from hpool.matchmaker.api.codec import MessageCodec, OneOfCodec


class MachineAd(NamedTuple):
    sandbox_id: str
    name: str
    arch: str
    kernel: str
    features: tuple[str, ...]
    cpus: int
    memory_bytes: int
    slots: int
    free_slots: int
    version: str
    owner_is_here: bool = False


class MachineReport(NamedTuple):
    machine: MachineAd


class Welcome(NamedTuple):
    period_s: float


class Match(NamedTuple):
    job_id: str
    agent_address: str
    ticket: str


class JobAd(NamedTuple):
    job_id: str
    ticket: str
    owner: str
    cpus: int
    memory_bytes: int
    arch: str
    submitted_at_s: float
    avoided: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


class JobsReport(NamedTuple):
    agent_id: str
    agent_address: str
    jobs: tuple[JobAd, ...]


class Matched(NamedTuple):
    job_id: str
    machine: str


class StatusRequest(NamedTuple):
    pass


class StatusReply(NamedTuple):
    machines: tuple[MachineAd, ...]
    idle_jobs: tuple[JobAd, ...]
    agents: int


MachineNotice = Welcome | Match
JobsNotice = Welcome | Matched

MACHINE_AD: Final = MessageCodec(pb.MachineAd, MachineAd)
JOB_AD: Final = MessageCodec(pb.JobAd, JobAd)
WELCOME: Final = MessageCodec(pb.Welcome, Welcome)
MACHINE_REPORT: Final = MessageCodec(pb.MachineReport, MachineReport, {"machine": MACHINE_AD})
JOBS_REPORT: Final = MessageCodec(pb.JobsReport, JobsReport, {"jobs": JOB_AD})
MACHINE_NOTICE: Final[OneOfCodec[MachineNotice]] = OneOfCodec(
    pb.MachineNotice, {"welcome": WELCOME, "match": MessageCodec(pb.Match, Match)}
)
JOBS_NOTICE: Final[OneOfCodec[JobsNotice]] = OneOfCodec(
    pb.JobsNotice, {"welcome": WELCOME, "matched": MessageCodec(pb.Matched, Matched)}
)
STATUS_REQUEST: Final = MessageCodec(pb.StatusRequest, StatusRequest)
STATUS_REPLY: Final = MessageCodec(pb.StatusReply, StatusReply, {"machines": MACHINE_AD, "idle_jobs": JOB_AD})
