from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MachineAd(_message.Message):
    __slots__ = ("sandbox_id", "name", "arch", "kernel", "features", "cpus", "memory_bytes", "slots", "free_slots", "version", "owner_is_here")
    SANDBOX_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARCH_FIELD_NUMBER: _ClassVar[int]
    KERNEL_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    CPUS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    FREE_SLOTS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    OWNER_IS_HERE_FIELD_NUMBER: _ClassVar[int]
    sandbox_id: str
    name: str
    arch: str
    kernel: str
    features: _containers.RepeatedScalarFieldContainer[str]
    cpus: int
    memory_bytes: int
    slots: int
    free_slots: int
    version: str
    owner_is_here: bool
    def __init__(self, sandbox_id: _Optional[str] = ..., name: _Optional[str] = ..., arch: _Optional[str] = ..., kernel: _Optional[str] = ..., features: _Optional[_Iterable[str]] = ..., cpus: _Optional[int] = ..., memory_bytes: _Optional[int] = ..., slots: _Optional[int] = ..., free_slots: _Optional[int] = ..., version: _Optional[str] = ..., owner_is_here: _Optional[bool] = ...) -> None: ...

class MachineReport(_message.Message):
    __slots__ = ("machine",)
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    machine: MachineAd
    def __init__(self, machine: _Optional[_Union[MachineAd, _Mapping[str, object]]] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("period_s",)
    PERIOD_S_FIELD_NUMBER: _ClassVar[int]
    period_s: float
    def __init__(self, period_s: _Optional[float] = ...) -> None: ...

class Match(_message.Message):
    __slots__ = ("job_id", "agent_address", "ticket")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    agent_address: str
    ticket: str
    def __init__(self, job_id: _Optional[str] = ..., agent_address: _Optional[str] = ..., ticket: _Optional[str] = ...) -> None: ...

class MachineNotice(_message.Message):
    __slots__ = ("welcome", "match")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    MATCH_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    match: Match
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping[str, object]]] = ..., match: _Optional[_Union[Match, _Mapping[str, object]]] = ...) -> None: ...

class JobAd(_message.Message):
    __slots__ = ("job_id", "ticket", "owner", "cpus", "memory_bytes", "arch", "submitted_at_s", "avoided", "needs")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    CPUS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    ARCH_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_AT_S_FIELD_NUMBER: _ClassVar[int]
    AVOIDED_FIELD_NUMBER: _ClassVar[int]
    NEEDS_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    ticket: str
    owner: str
    cpus: int
    memory_bytes: int
    arch: str
    submitted_at_s: float
    avoided: _containers.RepeatedScalarFieldContainer[str]
    needs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, job_id: _Optional[str] = ..., ticket: _Optional[str] = ..., owner: _Optional[str] = ..., cpus: _Optional[int] = ..., memory_bytes: _Optional[int] = ..., arch: _Optional[str] = ..., submitted_at_s: _Optional[float] = ..., avoided: _Optional[_Iterable[str]] = ..., needs: _Optional[_Iterable[str]] = ...) -> None: ...

class JobsReport(_message.Message):
    __slots__ = ("agent_id", "agent_address", "jobs")
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    JOBS_FIELD_NUMBER: _ClassVar[int]
    agent_id: str
    agent_address: str
    jobs: _containers.RepeatedCompositeFieldContainer[JobAd]
    def __init__(self, agent_id: _Optional[str] = ..., agent_address: _Optional[str] = ..., jobs: _Optional[_Iterable[_Union[JobAd, _Mapping[str, object]]]] = ...) -> None: ...

class Matched(_message.Message):
    __slots__ = ("job_id", "machine")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    machine: str
    def __init__(self, job_id: _Optional[str] = ..., machine: _Optional[str] = ...) -> None: ...

class JobsNotice(_message.Message):
    __slots__ = ("welcome", "matched")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    MATCHED_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    matched: Matched
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping[str, object]]] = ..., matched: _Optional[_Union[Matched, _Mapping[str, object]]] = ...) -> None: ...

class StatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StatusReply(_message.Message):
    __slots__ = ("machines", "idle_jobs", "agents")
    MACHINES_FIELD_NUMBER: _ClassVar[int]
    IDLE_JOBS_FIELD_NUMBER: _ClassVar[int]
    AGENTS_FIELD_NUMBER: _ClassVar[int]
    machines: _containers.RepeatedCompositeFieldContainer[MachineAd]
    idle_jobs: _containers.RepeatedCompositeFieldContainer[JobAd]
    agents: int
    def __init__(self, machines: _Optional[_Iterable[_Union[MachineAd, _Mapping[str, object]]]] = ..., idle_jobs: _Optional[_Iterable[_Union[JobAd, _Mapping[str, object]]]] = ..., agents: _Optional[int] = ...) -> None: ...
