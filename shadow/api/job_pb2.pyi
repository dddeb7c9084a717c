from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ResourceLimit(_message.Message):
    __slots__ = ("resource", "soft", "hard")
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    SOFT_FIELD_NUMBER: _ClassVar[int]
    HARD_FIELD_NUMBER: _ClassVar[int]
    resource: int
    soft: int
    hard: int
    def __init__(self, resource: _Optional[int] = ..., soft: _Optional[int] = ..., hard: _Optional[int] = ...) -> None: ...

class TerminalSize(_message.Message):
    __slots__ = ("rows", "columns")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    rows: int
    columns: int
    def __init__(self, rows: _Optional[int] = ..., columns: _Optional[int] = ...) -> None: ...

class Sharing(_message.Message):
    __slots__ = ("path", "mode")
    PATH_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    path: bytes
    mode: str
    def __init__(self, path: _Optional[bytes] = ..., mode: _Optional[str] = ...) -> None: ...

class JobDescription(_message.Message):
    __slots__ = ("program", "arguments", "environment", "directory", "umask", "limits", "uid", "gid", "groups", "hostname", "terminal", "merged_output", "network", "cpus", "memory_bytes", "sharing", "owner", "intercept", "sync", "bandwidth", "ignored_signals", "blocked_signals", "closed_streams", "leads_session", "restarts", "checkpoint_every_s", "cpu_level", "restore_eagerly", "checkpoint_cheaply", "undo_bytes")
    PROGRAM_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    UMASK_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    GID_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    HOSTNAME_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_FIELD_NUMBER: _ClassVar[int]
    MERGED_OUTPUT_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    CPUS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHARING_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    INTERCEPT_FIELD_NUMBER: _ClassVar[int]
    SYNC_FIELD_NUMBER: _ClassVar[int]
    BANDWIDTH_FIELD_NUMBER: _ClassVar[int]
    IGNORED_SIGNALS_FIELD_NUMBER: _ClassVar[int]
    BLOCKED_SIGNALS_FIELD_NUMBER: _ClassVar[int]
    CLOSED_STREAMS_FIELD_NUMBER: _ClassVar[int]
    LEADS_SESSION_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_EVERY_S_FIELD_NUMBER: _ClassVar[int]
    CPU_LEVEL_FIELD_NUMBER: _ClassVar[int]
    RESTORE_EAGERLY_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_CHEAPLY_FIELD_NUMBER: _ClassVar[int]
    UNDO_BYTES_FIELD_NUMBER: _ClassVar[int]
    program: bytes
    arguments: _containers.RepeatedScalarFieldContainer[bytes]
    environment: _containers.RepeatedScalarFieldContainer[bytes]
    directory: bytes
    umask: int
    limits: _containers.RepeatedCompositeFieldContainer[ResourceLimit]
    uid: int
    gid: int
    groups: _containers.RepeatedScalarFieldContainer[int]
    hostname: str
    terminal: TerminalSize
    merged_output: bool
    network: str
    cpus: int
    memory_bytes: int
    sharing: _containers.RepeatedCompositeFieldContainer[Sharing]
    owner: str
    intercept: str
    sync: str
    bandwidth: int
    ignored_signals: _containers.RepeatedScalarFieldContainer[int]
    blocked_signals: _containers.RepeatedScalarFieldContainer[int]
    closed_streams: _containers.RepeatedScalarFieldContainer[int]
    leads_session: bool
    restarts: int
    checkpoint_every_s: int
    cpu_level: str
    restore_eagerly: bool
    checkpoint_cheaply: bool
    undo_bytes: int
    def __init__(self, program: _Optional[bytes] = ..., arguments: _Optional[_Iterable[bytes]] = ..., environment: _Optional[_Iterable[bytes]] = ..., directory: _Optional[bytes] = ..., umask: _Optional[int] = ..., limits: _Optional[_Iterable[_Union[ResourceLimit, _Mapping[str, object]]]] = ..., uid: _Optional[int] = ..., gid: _Optional[int] = ..., groups: _Optional[_Iterable[int]] = ..., hostname: _Optional[str] = ..., terminal: _Optional[_Union[TerminalSize, _Mapping[str, object]]] = ..., merged_output: _Optional[bool] = ..., network: _Optional[str] = ..., cpus: _Optional[int] = ..., memory_bytes: _Optional[int] = ..., sharing: _Optional[_Iterable[_Union[Sharing, _Mapping[str, object]]]] = ..., owner: _Optional[str] = ..., intercept: _Optional[str] = ..., sync: _Optional[str] = ..., bandwidth: _Optional[int] = ..., ignored_signals: _Optional[_Iterable[int]] = ..., blocked_signals: _Optional[_Iterable[int]] = ..., closed_streams: _Optional[_Iterable[int]] = ..., leads_session: _Optional[bool] = ..., restarts: _Optional[int] = ..., checkpoint_every_s: _Optional[int] = ..., cpu_level: _Optional[str] = ..., restore_eagerly: _Optional[bool] = ..., checkpoint_cheaply: _Optional[bool] = ..., undo_bytes: _Optional[int] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("code", "sentence", "way_out", "exit_code")
    CODE_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    WAY_OUT_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    code: str
    sentence: str
    way_out: str
    exit_code: int
    def __init__(self, code: _Optional[str] = ..., sentence: _Optional[str] = ..., way_out: _Optional[str] = ..., exit_code: _Optional[int] = ...) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("ended", "exit_code", "signal", "problem", "statistics", "machine", "removed")
    ENDED_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    STATISTICS_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    ended: bool
    exit_code: int
    signal: int
    problem: Problem
    statistics: Statistics
    machine: str
    removed: bool
    def __init__(self, ended: _Optional[bool] = ..., exit_code: _Optional[int] = ..., signal: _Optional[int] = ..., problem: _Optional[_Union[Problem, _Mapping[str, object]]] = ..., statistics: _Optional[_Union[Statistics, _Mapping[str, object]]] = ..., machine: _Optional[str] = ..., removed: _Optional[bool] = ...) -> None: ...

class Statistics(_message.Message):
    __slots__ = ("user_us", "system_us", "peak_memory_bytes", "faults", "round_trips", "bytes_to_job", "bytes_to_home", "waited_ns", "wall_ns", "prepared_ns", "settled_ns", "waits", "bytes_in", "bytes_out", "calls", "asked", "operations")
    USER_US_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_US_FIELD_NUMBER: _ClassVar[int]
    PEAK_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    ROUND_TRIPS_FIELD_NUMBER: _ClassVar[int]
    BYTES_TO_JOB_FIELD_NUMBER: _ClassVar[int]
    BYTES_TO_HOME_FIELD_NUMBER: _ClassVar[int]
    WAITED_NS_FIELD_NUMBER: _ClassVar[int]
    WALL_NS_FIELD_NUMBER: _ClassVar[int]
    PREPARED_NS_FIELD_NUMBER: _ClassVar[int]
    SETTLED_NS_FIELD_NUMBER: _ClassVar[int]
    WAITS_FIELD_NUMBER: _ClassVar[int]
    BYTES_IN_FIELD_NUMBER: _ClassVar[int]
    BYTES_OUT_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    ASKED_FIELD_NUMBER: _ClassVar[int]
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    user_us: int
    system_us: int
    peak_memory_bytes: int
    faults: int
    round_trips: int
    bytes_to_job: int
    bytes_to_home: int
    waited_ns: int
    wall_ns: int
    prepared_ns: int
    settled_ns: int
    waits: _containers.RepeatedCompositeFieldContainer[Waits]
    bytes_in: int
    bytes_out: int
    calls: int
    asked: int
    operations: int
    def __init__(self, user_us: _Optional[int] = ..., system_us: _Optional[int] = ..., peak_memory_bytes: _Optional[int] = ..., faults: _Optional[int] = ..., round_trips: _Optional[int] = ..., bytes_to_job: _Optional[int] = ..., bytes_to_home: _Optional[int] = ..., waited_ns: _Optional[int] = ..., wall_ns: _Optional[int] = ..., prepared_ns: _Optional[int] = ..., settled_ns: _Optional[int] = ..., waits: _Optional[_Iterable[_Union[Waits, _Mapping[str, object]]]] = ..., bytes_in: _Optional[int] = ..., bytes_out: _Optional[int] = ..., calls: _Optional[int] = ..., asked: _Optional[int] = ..., operations: _Optional[int] = ...) -> None: ...

class Waits(_message.Message):
    __slots__ = ("kind", "times", "wait_ns")
    KIND_FIELD_NUMBER: _ClassVar[int]
    TIMES_FIELD_NUMBER: _ClassVar[int]
    WAIT_NS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    times: int
    wait_ns: int
    def __init__(self, kind: _Optional[str] = ..., times: _Optional[int] = ..., wait_ns: _Optional[int] = ...) -> None: ...

class Cost(_message.Message):
    __slots__ = ("path", "call", "names", "waits", "wait_ns", "bytes_in", "bytes_out")
    PATH_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    WAITS_FIELD_NUMBER: _ClassVar[int]
    WAIT_NS_FIELD_NUMBER: _ClassVar[int]
    BYTES_IN_FIELD_NUMBER: _ClassVar[int]
    BYTES_OUT_FIELD_NUMBER: _ClassVar[int]
    path: bytes
    call: str
    names: int
    waits: int
    wait_ns: int
    bytes_in: int
    bytes_out: int
    def __init__(self, path: _Optional[bytes] = ..., call: _Optional[str] = ..., names: _Optional[int] = ..., waits: _Optional[int] = ..., wait_ns: _Optional[int] = ..., bytes_in: _Optional[int] = ..., bytes_out: _Optional[int] = ...) -> None: ...

class Profile(_message.Message):
    __slots__ = ("statistics", "costs")
    STATISTICS_FIELD_NUMBER: _ClassVar[int]
    COSTS_FIELD_NUMBER: _ClassVar[int]
    statistics: Statistics
    costs: _containers.RepeatedCompositeFieldContainer[Cost]
    def __init__(self, statistics: _Optional[_Union[Statistics, _Mapping[str, object]]] = ..., costs: _Optional[_Iterable[_Union[Cost, _Mapping[str, object]]]] = ...) -> None: ...
