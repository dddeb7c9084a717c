from hpool.shadow.api import job_pb2 as _job_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StarterGone(_message.Message):
    __slots__ = ("why",)
    WHY_FIELD_NUMBER: _ClassVar[int]
    why: str
    def __init__(self, why: _Optional[str] = ...) -> None: ...

class StarterGoneTaken(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Batch(_message.Message):
    __slots__ = ("records", "squeezed", "received")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    SQUEEZED_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    records: bytes
    squeezed: bytes
    received: int
    def __init__(self, records: _Optional[bytes] = ..., squeezed: _Optional[bytes] = ..., received: _Optional[int] = ...) -> None: ...

class FromStarter(_message.Message):
    __slots__ = ("received", "hello", "clock_probe", "protections", "started", "output", "output_end", "input_taken", "remark", "finished", "input_consumed", "refused", "crashed", "seen", "image_part", "image_whole", "image_refused", "image_taken", "leave_wanted", "standing")
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    HELLO_FIELD_NUMBER: _ClassVar[int]
    CLOCK_PROBE_FIELD_NUMBER: _ClassVar[int]
    PROTECTIONS_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_END_FIELD_NUMBER: _ClassVar[int]
    INPUT_TAKEN_FIELD_NUMBER: _ClassVar[int]
    REMARK_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    INPUT_CONSUMED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    CRASHED_FIELD_NUMBER: _ClassVar[int]
    SEEN_FIELD_NUMBER: _ClassVar[int]
    IMAGE_PART_FIELD_NUMBER: _ClassVar[int]
    IMAGE_WHOLE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_REFUSED_FIELD_NUMBER: _ClassVar[int]
    IMAGE_TAKEN_FIELD_NUMBER: _ClassVar[int]
    LEAVE_WANTED_FIELD_NUMBER: _ClassVar[int]
    STANDING_FIELD_NUMBER: _ClassVar[int]
    received: int
    hello: Hello
    clock_probe: ClockProbe
    protections: Protections
    started: Started
    output: Output
    output_end: OutputEnd
    input_taken: InputTaken
    remark: Remark
    finished: Finished
    input_consumed: InputConsumed
    refused: Refused
    crashed: Crashed
    seen: Seen
    image_part: ImagePart
    image_whole: ImageWhole
    image_refused: ImageRefused
    image_taken: ImageTaken
    leave_wanted: LeaveWanted
    standing: Standing
    def __init__(self, received: _Optional[int] = ..., hello: _Optional[_Union[Hello, _Mapping[str, object]]] = ..., clock_probe: _Optional[_Union[ClockProbe, _Mapping[str, object]]] = ..., protections: _Optional[_Union[Protections, _Mapping[str, object]]] = ..., started: _Optional[_Union[Started, _Mapping[str, object]]] = ..., output: _Optional[_Union[Output, _Mapping[str, object]]] = ..., output_end: _Optional[_Union[OutputEnd, _Mapping[str, object]]] = ..., input_taken: _Optional[_Union[InputTaken, _Mapping[str, object]]] = ..., remark: _Optional[_Union[Remark, _Mapping[str, object]]] = ..., finished: _Optional[_Union[Finished, _Mapping[str, object]]] = ..., input_consumed: _Optional[_Union[InputConsumed, _Mapping[str, object]]] = ..., refused: _Optional[_Union[Refused, _Mapping[str, object]]] = ..., crashed: _Optional[_Union[Crashed, _Mapping[str, object]]] = ..., seen: _Optional[_Union[Seen, _Mapping[str, object]]] = ..., image_part: _Optional[_Union[ImagePart, _Mapping[str, object]]] = ..., image_whole: _Optional[_Union[ImageWhole, _Mapping[str, object]]] = ..., image_refused: _Optional[_Union[ImageRefused, _Mapping[str, object]]] = ..., image_taken: _Optional[_Union[ImageTaken, _Mapping[str, object]]] = ..., leave_wanted: _Optional[_Union[LeaveWanted, _Mapping[str, object]]] = ..., standing: _Optional[_Union[Standing, _Mapping[str, object]]] = ...) -> None: ...

class ToStarter(_message.Message):
    __slots__ = ("received", "task", "clock_reading", "input", "input_end", "output_taken", "output_closed", "signal", "resize", "kill", "release", "watch", "checkpoint", "image_part", "image_taken", "image_kept")
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    CLOCK_READING_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    INPUT_END_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TAKEN_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_CLOSED_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    RESIZE_FIELD_NUMBER: _ClassVar[int]
    KILL_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    WATCH_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    IMAGE_PART_FIELD_NUMBER: _ClassVar[int]
    IMAGE_TAKEN_FIELD_NUMBER: _ClassVar[int]
    IMAGE_KEPT_FIELD_NUMBER: _ClassVar[int]
    received: int
    task: Task
    clock_reading: ClockReading
    input: Input
    input_end: InputEnd
    output_taken: OutputTaken
    output_closed: OutputClosed
    signal: Signal
    resize: Resize
    kill: Kill
    release: Release
    watch: Watch
    checkpoint: Checkpoint
    image_part: ImagePart
    image_taken: ImageTaken
    image_kept: ImageKept
    def __init__(self, received: _Optional[int] = ..., task: _Optional[_Union[Task, _Mapping[str, object]]] = ..., clock_reading: _Optional[_Union[ClockReading, _Mapping[str, object]]] = ..., input: _Optional[_Union[Input, _Mapping[str, object]]] = ..., input_end: _Optional[_Union[InputEnd, _Mapping[str, object]]] = ..., output_taken: _Optional[_Union[OutputTaken, _Mapping[str, object]]] = ..., output_closed: _Optional[_Union[OutputClosed, _Mapping[str, object]]] = ..., signal: _Optional[_Union[Signal, _Mapping[str, object]]] = ..., resize: _Optional[_Union[Resize, _Mapping[str, object]]] = ..., kill: _Optional[_Union[Kill, _Mapping[str, object]]] = ..., release: _Optional[_Union[Release, _Mapping[str, object]]] = ..., watch: _Optional[_Union[Watch, _Mapping[str, object]]] = ..., checkpoint: _Optional[_Union[Checkpoint, _Mapping[str, object]]] = ..., image_part: _Optional[_Union[ImagePart, _Mapping[str, object]]] = ..., image_taken: _Optional[_Union[ImageTaken, _Mapping[str, object]]] = ..., image_kept: _Optional[_Union[ImageKept, _Mapping[str, object]]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("protocol", "machine", "version")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    protocol: int
    machine: str
    version: str
    def __init__(self, protocol: _Optional[int] = ..., machine: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class ClockProbe(_message.Message):
    __slots__ = ("number",)
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...

class ClockReading(_message.Message):
    __slots__ = ("number", "home_ns")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    HOME_NS_FIELD_NUMBER: _ClassVar[int]
    number: int
    home_ns: int
    def __init__(self, number: _Optional[int] = ..., home_ns: _Optional[int] = ...) -> None: ...

class Task(_message.Message):
    __slots__ = ("job", "input_window", "output_window", "memory_key", "lease_ms", "going", "output_held")
    JOB_FIELD_NUMBER: _ClassVar[int]
    INPUT_WINDOW_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_WINDOW_FIELD_NUMBER: _ClassVar[int]
    MEMORY_KEY_FIELD_NUMBER: _ClassVar[int]
    LEASE_MS_FIELD_NUMBER: _ClassVar[int]
    GOING_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_HELD_FIELD_NUMBER: _ClassVar[int]
    job: _job_pb2.JobDescription
    input_window: int
    output_window: int
    memory_key: bytes
    lease_ms: int
    going: Going
    output_held: bool
    def __init__(self, job: _Optional[_Union[_job_pb2.JobDescription, _Mapping[str, object]]] = ..., input_window: _Optional[int] = ..., output_window: _Optional[int] = ..., memory_key: _Optional[bytes] = ..., lease_ms: _Optional[int] = ..., going: _Optional[_Union[Going, _Mapping[str, object]]] = ..., output_held: _Optional[bool] = ...) -> None: ...

class Protections(_message.Message):
    __slots__ = ("names",)
    NAMES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, names: _Optional[_Iterable[str]] = ...) -> None: ...

class Started(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Output(_message.Message):
    __slots__ = ("stream", "position", "content")
    STREAM_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    stream: int
    position: int
    content: bytes
    def __init__(self, stream: _Optional[int] = ..., position: _Optional[int] = ..., content: _Optional[bytes] = ...) -> None: ...

class OutputEnd(_message.Message):
    __slots__ = ("stream",)
    STREAM_FIELD_NUMBER: _ClassVar[int]
    stream: int
    def __init__(self, stream: _Optional[int] = ...) -> None: ...

class Input(_message.Message):
    __slots__ = ("position", "content")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    position: int
    content: bytes
    def __init__(self, position: _Optional[int] = ..., content: _Optional[bytes] = ...) -> None: ...

class InputEnd(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class InputTaken(_message.Message):
    __slots__ = ("position", "closed")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    position: int
    closed: bool
    def __init__(self, position: _Optional[int] = ..., closed: _Optional[bool] = ...) -> None: ...

class InputConsumed(_message.Message):
    __slots__ = ("position",)
    POSITION_FIELD_NUMBER: _ClassVar[int]
    position: int
    def __init__(self, position: _Optional[int] = ...) -> None: ...

class OutputTaken(_message.Message):
    __slots__ = ("stream", "position")
    STREAM_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    stream: int
    position: int
    def __init__(self, stream: _Optional[int] = ..., position: _Optional[int] = ...) -> None: ...

class OutputClosed(_message.Message):
    __slots__ = ("stream",)
    STREAM_FIELD_NUMBER: _ClassVar[int]
    stream: int
    def __init__(self, stream: _Optional[int] = ...) -> None: ...

class Signal(_message.Message):
    __slots__ = ("number",)
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...

class Resize(_message.Message):
    __slots__ = ("size",)
    SIZE_FIELD_NUMBER: _ClassVar[int]
    size: _job_pb2.TerminalSize
    def __init__(self, size: _Optional[_Union[_job_pb2.TerminalSize, _Mapping[str, object]]] = ...) -> None: ...

class Kill(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Remark(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class Refused(_message.Message):
    __slots__ = ("call", "error", "first", "second", "program")
    CALL_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    SECOND_FIELD_NUMBER: _ClassVar[int]
    PROGRAM_FIELD_NUMBER: _ClassVar[int]
    call: int
    error: int
    first: int
    second: int
    program: bytes
    def __init__(self, call: _Optional[int] = ..., error: _Optional[int] = ..., first: _Optional[int] = ..., second: _Optional[int] = ..., program: _Optional[bytes] = ...) -> None: ...

class Crashed(_message.Message):
    __slots__ = ("content",)
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    def __init__(self, content: _Optional[bytes] = ...) -> None: ...

class Watch(_message.Message):
    __slots__ = ("number", "how", "pid")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    HOW_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    number: int
    how: str
    pid: int
    def __init__(self, number: _Optional[int] = ..., how: _Optional[str] = ..., pid: _Optional[int] = ...) -> None: ...

class Seen(_message.Message):
    __slots__ = ("number", "calls", "lost", "ended", "profile")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    number: int
    calls: bytes
    lost: int
    ended: str
    profile: _job_pb2.Profile
    def __init__(self, number: _Optional[int] = ..., calls: _Optional[bytes] = ..., lost: _Optional[int] = ..., ended: _Optional[str] = ..., profile: _Optional[_Union[_job_pb2.Profile, _Mapping[str, object]]] = ...) -> None: ...

class Finished(_message.Message):
    __slots__ = ("ended", "exit_code", "signal", "barrier_errno", "problem", "statistics", "costs")
    ENDED_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    BARRIER_ERRNO_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    STATISTICS_FIELD_NUMBER: _ClassVar[int]
    COSTS_FIELD_NUMBER: _ClassVar[int]
    ended: bool
    exit_code: int
    signal: int
    barrier_errno: int
    problem: _job_pb2.Problem
    statistics: _job_pb2.Statistics
    costs: _containers.RepeatedCompositeFieldContainer[_job_pb2.Cost]
    def __init__(self, ended: _Optional[bool] = ..., exit_code: _Optional[int] = ..., signal: _Optional[int] = ..., barrier_errno: _Optional[int] = ..., problem: _Optional[_Union[_job_pb2.Problem, _Mapping[str, object]]] = ..., statistics: _Optional[_Union[_job_pb2.Statistics, _Mapping[str, object]]] = ..., costs: _Optional[_Iterable[_Union[_job_pb2.Cost, _Mapping[str, object]]]] = ...) -> None: ...

class Checkpoint(_message.Message):
    __slots__ = ("leave",)
    LEAVE_FIELD_NUMBER: _ClassVar[int]
    leave: bool
    def __init__(self, leave: _Optional[bool] = ...) -> None: ...

class ImagePart(_message.Message):
    __slots__ = ("records", "blocks", "last", "ahead")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    AHEAD_FIELD_NUMBER: _ClassVar[int]
    records: bytes
    blocks: _containers.RepeatedCompositeFieldContainer[ImageBlock]
    last: bool
    ahead: bool
    def __init__(self, records: _Optional[bytes] = ..., blocks: _Optional[_Iterable[_Union[ImageBlock, _Mapping[str, object]]]] = ..., last: _Optional[bool] = ..., ahead: _Optional[bool] = ...) -> None: ...

class ImageBlock(_message.Message):
    __slots__ = ("number", "digest", "content")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    number: int
    digest: bytes
    content: bytes
    def __init__(self, number: _Optional[int] = ..., digest: _Optional[bytes] = ..., content: _Optional[bytes] = ...) -> None: ...

class ImageTaken(_message.Message):
    __slots__ = ("parts",)
    PARTS_FIELD_NUMBER: _ClassVar[int]
    parts: int
    def __init__(self, parts: _Optional[int] = ...) -> None: ...

class ImageWhole(_message.Message):
    __slots__ = ("state", "frozen_us", "left")
    STATE_FIELD_NUMBER: _ClassVar[int]
    FROZEN_US_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    state: Going
    frozen_us: int
    left: bool
    def __init__(self, state: _Optional[_Union[Going, _Mapping[str, object]]] = ..., frozen_us: _Optional[int] = ..., left: _Optional[bool] = ...) -> None: ...

class LeaveWanted(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Standing(_message.Message):
    __slots__ = ("is_still", "took_us")
    IS_STILL_FIELD_NUMBER: _ClassVar[int]
    TOOK_US_FIELD_NUMBER: _ClassVar[int]
    is_still: bool
    took_us: int
    def __init__(self, is_still: _Optional[bool] = ..., took_us: _Optional[int] = ...) -> None: ...

class ImageKept(_message.Message):
    __slots__ = ("kept",)
    KEPT_FIELD_NUMBER: _ClassVar[int]
    kept: bool
    def __init__(self, kept: _Optional[bool] = ...) -> None: ...

class ImageRefused(_message.Message):
    __slots__ = ("why",)
    WHY_FIELD_NUMBER: _ClassVar[int]
    why: str
    def __init__(self, why: _Optional[str] = ...) -> None: ...

class Going(_message.Message):
    __slots__ = ("epoch", "meta_bytes", "pages_bytes", "input", "output", "error", "signals", "needs")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    META_BYTES_FIELD_NUMBER: _ClassVar[int]
    PAGES_BYTES_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    NEEDS_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    meta_bytes: int
    pages_bytes: int
    input: int
    output: int
    error: int
    signals: int
    needs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, epoch: _Optional[int] = ..., meta_bytes: _Optional[int] = ..., pages_bytes: _Optional[int] = ..., input: _Optional[int] = ..., output: _Optional[int] = ..., error: _Optional[int] = ..., signals: _Optional[int] = ..., needs: _Optional[_Iterable[str]] = ...) -> None: ...

class Release(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
