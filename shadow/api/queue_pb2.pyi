from hpool.shadow.api import job_pb2 as _job_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SubmitRequest(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: _job_pb2.JobDescription
    def __init__(self, job: _Optional[_Union[_job_pb2.JobDescription, _Mapping[str, object]]] = ...) -> None: ...

class SubmitReply(_message.Message):
    __slots__ = ("job_id", "shadow_address", "attach_secret", "problem")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    SHADOW_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ATTACH_SECRET_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    shadow_address: str
    attach_secret: str
    problem: _job_pb2.Problem
    def __init__(self, job_id: _Optional[str] = ..., shadow_address: _Optional[str] = ..., attach_secret: _Optional[str] = ..., problem: _Optional[_Union[_job_pb2.Problem, _Mapping[str, object]]] = ...) -> None: ...

class ClaimRequest(_message.Message):
    __slots__ = ("job_id", "ticket", "machine", "sandbox_id", "arch", "cpus", "memory_bytes")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_ID_FIELD_NUMBER: _ClassVar[int]
    ARCH_FIELD_NUMBER: _ClassVar[int]
    CPUS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    ticket: str
    machine: str
    sandbox_id: str
    arch: str
    cpus: int
    memory_bytes: int
    def __init__(self, job_id: _Optional[str] = ..., ticket: _Optional[str] = ..., machine: _Optional[str] = ..., sandbox_id: _Optional[str] = ..., arch: _Optional[str] = ..., cpus: _Optional[int] = ..., memory_bytes: _Optional[int] = ...) -> None: ...

class ClaimReply(_message.Message):
    __slots__ = ("refusal", "shadow_address", "claim_secret", "uid", "gid")
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    SHADOW_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CLAIM_SECRET_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    GID_FIELD_NUMBER: _ClassVar[int]
    refusal: str
    shadow_address: str
    claim_secret: str
    uid: int
    gid: int
    def __init__(self, refusal: _Optional[str] = ..., shadow_address: _Optional[str] = ..., claim_secret: _Optional[str] = ..., uid: _Optional[int] = ..., gid: _Optional[int] = ...) -> None: ...

class QueueRequest(_message.Message):
    __slots__ = ("history", "limit")
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    history: bool
    limit: int
    def __init__(self, history: _Optional[bool] = ..., limit: _Optional[int] = ...) -> None: ...

class JobSummary(_message.Message):
    __slots__ = ("job_id", "owner", "state", "arguments", "directory", "submitted_at_s", "changed_at_s", "machine", "outcome", "epoch", "kept_at_s")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_AT_S_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_S_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    KEPT_AT_S_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    owner: str
    state: str
    arguments: _containers.RepeatedScalarFieldContainer[bytes]
    directory: bytes
    submitted_at_s: float
    changed_at_s: float
    machine: str
    outcome: _job_pb2.Outcome
    epoch: int
    kept_at_s: float
    def __init__(self, job_id: _Optional[str] = ..., owner: _Optional[str] = ..., state: _Optional[str] = ..., arguments: _Optional[_Iterable[bytes]] = ..., directory: _Optional[bytes] = ..., submitted_at_s: _Optional[float] = ..., changed_at_s: _Optional[float] = ..., machine: _Optional[str] = ..., outcome: _Optional[_Union[_job_pb2.Outcome, _Mapping[str, object]]] = ..., epoch: _Optional[int] = ..., kept_at_s: _Optional[float] = ...) -> None: ...

class QueueReply(_message.Message):
    __slots__ = ("jobs",)
    JOBS_FIELD_NUMBER: _ClassVar[int]
    jobs: _containers.RepeatedCompositeFieldContainer[JobSummary]
    def __init__(self, jobs: _Optional[_Iterable[_Union[JobSummary, _Mapping[str, object]]]] = ...) -> None: ...

class RemoveRequest(_message.Message):
    __slots__ = ("job_id",)
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    def __init__(self, job_id: _Optional[str] = ...) -> None: ...

class RemoveReply(_message.Message):
    __slots__ = ("problem",)
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    problem: _job_pb2.Problem
    def __init__(self, problem: _Optional[_Union[_job_pb2.Problem, _Mapping[str, object]]] = ...) -> None: ...

class LogRequest(_message.Message):
    __slots__ = ("job_id",)
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    def __init__(self, job_id: _Optional[str] = ...) -> None: ...

class LogLine(_message.Message):
    __slots__ = ("at_s", "kind", "facts")
    AT_S_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    at_s: float
    kind: str
    facts: str
    def __init__(self, at_s: _Optional[float] = ..., kind: _Optional[str] = ..., facts: _Optional[str] = ...) -> None: ...

class LogReply(_message.Message):
    __slots__ = ("lines", "problem")
    LINES_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[LogLine]
    problem: _job_pb2.Problem
    def __init__(self, lines: _Optional[_Iterable[_Union[LogLine, _Mapping[str, object]]]] = ..., problem: _Optional[_Union[_job_pb2.Problem, _Mapping[str, object]]] = ...) -> None: ...

class IntroduceRequest(_message.Message):
    __slots__ = ("job_id",)
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    def __init__(self, job_id: _Optional[str] = ...) -> None: ...

class IntroduceReply(_message.Message):
    __slots__ = ("shadow_address", "watch_secret", "problem")
    SHADOW_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    WATCH_SECRET_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    shadow_address: str
    watch_secret: str
    problem: _job_pb2.Problem
    def __init__(self, shadow_address: _Optional[str] = ..., watch_secret: _Optional[str] = ..., problem: _Optional[_Union[_job_pb2.Problem, _Mapping[str, object]]] = ...) -> None: ...

class ReattachRequest(_message.Message):
    __slots__ = ("job_id",)
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    def __init__(self, job_id: _Optional[str] = ...) -> None: ...

class ReattachReply(_message.Message):
    __slots__ = ("shadow_address", "attach_secret", "outcome", "problem")
    SHADOW_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ATTACH_SECRET_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    shadow_address: str
    attach_secret: str
    outcome: _job_pb2.Outcome
    problem: _job_pb2.Problem
    def __init__(self, shadow_address: _Optional[str] = ..., attach_secret: _Optional[str] = ..., outcome: _Optional[_Union[_job_pb2.Outcome, _Mapping[str, object]]] = ..., problem: _Optional[_Union[_job_pb2.Problem, _Mapping[str, object]]] = ...) -> None: ...

class JournalRequest(_message.Message):
    __slots__ = ("job_id",)
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    def __init__(self, job_id: _Optional[str] = ...) -> None: ...

class JournalReply(_message.Message):
    __slots__ = ("directory", "problem")
    DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    directory: bytes
    problem: _job_pb2.Problem
    def __init__(self, directory: _Optional[bytes] = ..., problem: _Optional[_Union[_job_pb2.Problem, _Mapping[str, object]]] = ...) -> None: ...

class CheckpointRequest(_message.Message):
    __slots__ = ("job_id", "leave")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    LEAVE_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    leave: bool
    def __init__(self, job_id: _Optional[str] = ..., leave: _Optional[bool] = ...) -> None: ...

class CheckpointReply(_message.Message):
    __slots__ = ("problem",)
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    problem: _job_pb2.Problem
    def __init__(self, problem: _Optional[_Union[_job_pb2.Problem, _Mapping[str, object]]] = ...) -> None: ...

class AgentStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AgentStatusReply(_message.Message):
    __slots__ = ("matchmaker", "matchmaker_reached", "idle", "running", "finished")
    MATCHMAKER_FIELD_NUMBER: _ClassVar[int]
    MATCHMAKER_REACHED_FIELD_NUMBER: _ClassVar[int]
    IDLE_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    matchmaker: str
    matchmaker_reached: bool
    idle: int
    running: int
    finished: int
    def __init__(self, matchmaker: _Optional[str] = ..., matchmaker_reached: _Optional[bool] = ..., idle: _Optional[int] = ..., running: _Optional[int] = ..., finished: _Optional[int] = ...) -> None: ...
