from hpool.shadow.api import job_pb2 as _job_pb2
from hpool.shadow.api import home_pb2 as _home_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FromTerminal(_message.Message):
    __slots__ = ("sequence", "input", "input_end", "output_taken", "output_closed", "signal", "resize", "kill", "restarted")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    INPUT_END_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TAKEN_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_CLOSED_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    RESIZE_FIELD_NUMBER: _ClassVar[int]
    KILL_FIELD_NUMBER: _ClassVar[int]
    RESTARTED_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    input: _home_pb2.Input
    input_end: _home_pb2.InputEnd
    output_taken: _home_pb2.OutputTaken
    output_closed: _home_pb2.OutputClosed
    signal: _home_pb2.Signal
    resize: _home_pb2.Resize
    kill: _home_pb2.Kill
    restarted: Restarted
    def __init__(self, sequence: _Optional[int] = ..., input: _Optional[_Union[_home_pb2.Input, _Mapping[str, object]]] = ..., input_end: _Optional[_Union[_home_pb2.InputEnd, _Mapping[str, object]]] = ..., output_taken: _Optional[_Union[_home_pb2.OutputTaken, _Mapping[str, object]]] = ..., output_closed: _Optional[_Union[_home_pb2.OutputClosed, _Mapping[str, object]]] = ..., signal: _Optional[_Union[_home_pb2.Signal, _Mapping[str, object]]] = ..., resize: _Optional[_Union[_home_pb2.Resize, _Mapping[str, object]]] = ..., kill: _Optional[_Union[_home_pb2.Kill, _Mapping[str, object]]] = ..., restarted: _Optional[_Union[Restarted, _Mapping[str, object]]] = ...) -> None: ...

class ToTerminal(_message.Message):
    __slots__ = ("sequence", "progress", "output", "output_end", "input_taken", "remark", "ended", "input_consumed", "protections", "died", "refusal", "restart")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_END_FIELD_NUMBER: _ClassVar[int]
    INPUT_TAKEN_FIELD_NUMBER: _ClassVar[int]
    REMARK_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    INPUT_CONSUMED_FIELD_NUMBER: _ClassVar[int]
    PROTECTIONS_FIELD_NUMBER: _ClassVar[int]
    DIED_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    RESTART_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    progress: Progress
    output: _home_pb2.Output
    output_end: _home_pb2.OutputEnd
    input_taken: _home_pb2.InputTaken
    remark: _home_pb2.Remark
    ended: Ended
    input_consumed: _home_pb2.InputConsumed
    protections: _home_pb2.Protections
    died: Died
    refusal: Refusal
    restart: Restart
    def __init__(self, sequence: _Optional[int] = ..., progress: _Optional[_Union[Progress, _Mapping[str, object]]] = ..., output: _Optional[_Union[_home_pb2.Output, _Mapping[str, object]]] = ..., output_end: _Optional[_Union[_home_pb2.OutputEnd, _Mapping[str, object]]] = ..., input_taken: _Optional[_Union[_home_pb2.InputTaken, _Mapping[str, object]]] = ..., remark: _Optional[_Union[_home_pb2.Remark, _Mapping[str, object]]] = ..., ended: _Optional[_Union[Ended, _Mapping[str, object]]] = ..., input_consumed: _Optional[_Union[_home_pb2.InputConsumed, _Mapping[str, object]]] = ..., protections: _Optional[_Union[_home_pb2.Protections, _Mapping[str, object]]] = ..., died: _Optional[_Union[Died, _Mapping[str, object]]] = ..., refusal: _Optional[_Union[Refusal, _Mapping[str, object]]] = ..., restart: _Optional[_Union[Restart, _Mapping[str, object]]] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("state", "machine", "input_window")
    STATE_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    INPUT_WINDOW_FIELD_NUMBER: _ClassVar[int]
    state: str
    machine: str
    input_window: int
    def __init__(self, state: _Optional[str] = ..., machine: _Optional[str] = ..., input_window: _Optional[int] = ...) -> None: ...

class Died(_message.Message):
    __slots__ = ("pid", "signal", "sentence")
    PID_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    pid: int
    signal: int
    sentence: str
    def __init__(self, pid: _Optional[int] = ..., signal: _Optional[int] = ..., sentence: _Optional[str] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("sentence", "grave")
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    GRAVE_FIELD_NUMBER: _ClassVar[int]
    sentence: str
    grave: bool
    def __init__(self, sentence: _Optional[str] = ..., grave: _Optional[bool] = ...) -> None: ...

class Restart(_message.Message):
    __slots__ = ("run", "sentence", "input", "output", "error", "signals")
    RUN_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    run: int
    sentence: str
    input: int
    output: int
    error: int
    signals: int
    def __init__(self, run: _Optional[int] = ..., sentence: _Optional[str] = ..., input: _Optional[int] = ..., output: _Optional[int] = ..., error: _Optional[int] = ..., signals: _Optional[int] = ...) -> None: ...

class Restarted(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: int
    def __init__(self, run: _Optional[int] = ...) -> None: ...

class Ended(_message.Message):
    __slots__ = ("outcome",)
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    outcome: _job_pb2.Outcome
    def __init__(self, outcome: _Optional[_Union[_job_pb2.Outcome, _Mapping[str, object]]] = ...) -> None: ...
