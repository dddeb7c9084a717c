from hpool.shadow.api import job_pb2 as _job_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ToShadow(_message.Message):
    __slots__ = ("assignment", "claimed", "removal", "recorded", "checkpoint")
    ASSIGNMENT_FIELD_NUMBER: _ClassVar[int]
    CLAIMED_FIELD_NUMBER: _ClassVar[int]
    REMOVAL_FIELD_NUMBER: _ClassVar[int]
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    assignment: Assignment
    claimed: Claimed
    removal: Removal
    recorded: Recorded
    checkpoint: CheckpointJob
    def __init__(self, assignment: _Optional[_Union[Assignment, _Mapping[str, object]]] = ..., claimed: _Optional[_Union[Claimed, _Mapping[str, object]]] = ..., removal: _Optional[_Union[Removal, _Mapping[str, object]]] = ..., recorded: _Optional[_Union[Recorded, _Mapping[str, object]]] = ..., checkpoint: _Optional[_Union[CheckpointJob, _Mapping[str, object]]] = ...) -> None: ...

class FromShadow(_message.Message):
    __slots__ = ("ready", "job_started", "never_started", "job_ended", "noted", "returned")
    READY_FIELD_NUMBER: _ClassVar[int]
    JOB_STARTED_FIELD_NUMBER: _ClassVar[int]
    NEVER_STARTED_FIELD_NUMBER: _ClassVar[int]
    JOB_ENDED_FIELD_NUMBER: _ClassVar[int]
    NOTED_FIELD_NUMBER: _ClassVar[int]
    RETURNED_FIELD_NUMBER: _ClassVar[int]
    ready: Ready
    job_started: JobStarted
    never_started: NeverStarted
    job_ended: JobEnded
    noted: Noted
    returned: Returned
    def __init__(self, ready: _Optional[_Union[Ready, _Mapping[str, object]]] = ..., job_started: _Optional[_Union[JobStarted, _Mapping[str, object]]] = ..., never_started: _Optional[_Union[NeverStarted, _Mapping[str, object]]] = ..., job_ended: _Optional[_Union[JobEnded, _Mapping[str, object]]] = ..., noted: _Optional[_Union[Noted, _Mapping[str, object]]] = ..., returned: _Optional[_Union[Returned, _Mapping[str, object]]] = ...) -> None: ...

class Assignment(_message.Message):
    __slots__ = ("job_id", "job", "attach_secret", "spool", "watch_secret", "journal", "restarts_left", "begins_again")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    ATTACH_SECRET_FIELD_NUMBER: _ClassVar[int]
    SPOOL_FIELD_NUMBER: _ClassVar[int]
    WATCH_SECRET_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_LEFT_FIELD_NUMBER: _ClassVar[int]
    BEGINS_AGAIN_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    job: _job_pb2.JobDescription
    attach_secret: str
    spool: bytes
    watch_secret: str
    journal: bytes
    restarts_left: int
    begins_again: bool
    def __init__(self, job_id: _Optional[str] = ..., job: _Optional[_Union[_job_pb2.JobDescription, _Mapping[str, object]]] = ..., attach_secret: _Optional[str] = ..., spool: _Optional[bytes] = ..., watch_secret: _Optional[str] = ..., journal: _Optional[bytes] = ..., restarts_left: _Optional[int] = ..., begins_again: _Optional[bool] = ...) -> None: ...

class Claimed(_message.Message):
    __slots__ = ("claim_secret", "machine")
    CLAIM_SECRET_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    claim_secret: str
    machine: str
    def __init__(self, claim_secret: _Optional[str] = ..., machine: _Optional[str] = ...) -> None: ...

class Removal(_message.Message):
    __slots__ = ("why",)
    WHY_FIELD_NUMBER: _ClassVar[int]
    why: str
    def __init__(self, why: _Optional[str] = ...) -> None: ...

class CheckpointJob(_message.Message):
    __slots__ = ("leave",)
    LEAVE_FIELD_NUMBER: _ClassVar[int]
    leave: bool
    def __init__(self, leave: _Optional[bool] = ...) -> None: ...

class Recorded(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Ready(_message.Message):
    __slots__ = ("address",)
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    address: str
    def __init__(self, address: _Optional[str] = ...) -> None: ...

class JobStarted(_message.Message):
    __slots__ = ("machine",)
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    machine: str
    def __init__(self, machine: _Optional[str] = ...) -> None: ...

class NeverStarted(_message.Message):
    __slots__ = ("why",)
    WHY_FIELD_NUMBER: _ClassVar[int]
    why: str
    def __init__(self, why: _Optional[str] = ...) -> None: ...

class Returned(_message.Message):
    __slots__ = ("why", "lost_s", "needs")
    WHY_FIELD_NUMBER: _ClassVar[int]
    LOST_S_FIELD_NUMBER: _ClassVar[int]
    NEEDS_FIELD_NUMBER: _ClassVar[int]
    why: str
    lost_s: float
    needs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, why: _Optional[str] = ..., lost_s: _Optional[float] = ..., needs: _Optional[_Iterable[str]] = ...) -> None: ...

class Noted(_message.Message):
    __slots__ = ("kind", "facts")
    KIND_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    facts: str
    def __init__(self, kind: _Optional[str] = ..., facts: _Optional[str] = ...) -> None: ...

class JobEnded(_message.Message):
    __slots__ = ("outcome",)
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    outcome: _job_pb2.Outcome
    def __init__(self, outcome: _Optional[_Union[_job_pb2.Outcome, _Mapping[str, object]]] = ...) -> None: ...
