"""The terminal's method and what travels in it.

Owns: the typed side of attach.proto. Leaves to others: terminals and serving them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from hpool.matchmaker.api.codec import MessageCodec, OneOfCodec
from hpool.matchmaker.hosting.rpc import StreamMethod
from hpool.shadow.api import attach_pb2 as pb
from hpool.shadow.api import stdio
from hpool.shadow.api.home import SEEN, WATCH_MESSAGE
from hpool.shadow.api.job import OUTCOME, Outcome

ATTACH_KEY: Final = "hpool-attach"
WATCH_KEY: Final = "hpool-watch"


class Progress(NamedTuple):
    state: str  # "waiting", "claimed", "started"
    machine: str
    input_window: int


class Died(NamedTuple):
    pid: int
    signal: int
    sentence: str


class Refusal(NamedTuple):
    sentence: str
    grave: bool


class Restart(NamedTuple):
    run: int
    sentence: str
    input: int = 0
    output: int = 0
    error: int = 0
    signals: int = 0


class Restarted(NamedTuple):
    run: int


class Ended(NamedTuple):
    outcome: Outcome


FromTerminal = (
    stdio.Input
    | stdio.InputEnd
    | stdio.OutputTaken
    | stdio.OutputClosed
    | stdio.Signal
    | stdio.Resize
    | stdio.Kill
    | Restarted
)
ToTerminal = (
    Progress
    | stdio.Output
    | stdio.OutputEnd
    | stdio.InputTaken
    | stdio.InputConsumed
    | stdio.Protections
    | stdio.Remark
    | Died
    | Refusal
    | Restart
    | Ended
)

FROM_TERMINAL: Final[OneOfCodec[FromTerminal]] = OneOfCodec(
    pb.FromTerminal,
    {
        "input": stdio.INPUT,
        "input_end": stdio.INPUT_END,
        "output_taken": stdio.OUTPUT_TAKEN,
        "output_closed": stdio.OUTPUT_CLOSED,
        "signal": stdio.SIGNAL,
        "resize": stdio.RESIZE,
        "kill": stdio.KILL,
        "restarted": MessageCodec(pb.Restarted, Restarted),
    },
)
TO_TERMINAL: Final[OneOfCodec[ToTerminal]] = OneOfCodec(
    pb.ToTerminal,
    {
        "progress": MessageCodec(pb.Progress, Progress),
        "output": stdio.OUTPUT,
        "output_end": stdio.OUTPUT_END,
        "input_taken": stdio.INPUT_TAKEN,
        "input_consumed": stdio.INPUT_CONSUMED,
        "protections": stdio.PROTECTIONS,
        "remark": stdio.REMARK,
        "died": MessageCodec(pb.Died, Died),
        "refusal": MessageCodec(pb.Refusal, Refusal),
        "restart": MessageCodec(pb.Restart, Restart),
        "ended": MessageCodec(pb.Ended, Ended, {"outcome": OUTCOME}),
    },
)

WATCH: Final = StreamMethod("hpool.shadow.Watching/See", WATCH_MESSAGE, SEEN)
ATTACH: Final = StreamMethod("hpool.shadow.Terminal/Attach", FROM_TERMINAL, TO_TERMINAL)
