"""The home service's methods and what travels in them, except file traffic (home_wire.h).

Owns: the typed side of home.proto. Leaves to others: the framing of a lane's message (batch), serving it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from hpool.matchmaker.api.codec import MessageCodec, OneOfCodec
from hpool.matchmaker.hosting.rpc import RawCodec, StreamMethod, UnaryMethod
from hpool.shadow.api import home_pb2 as pb
from hpool.shadow.api import stdio
from hpool.shadow.api.job import (
    COST,
    JOB,
    PROBLEM,
    PROFILE,
    STATISTICS,
    Cost,
    JobDescription,
    Problem,
    Profile,
    Statistics,
)

PROTOCOL: Final = 2
CLAIM_KEY: Final = "hpool-claim"
LANE_KEY: Final = "hpool-lane"


class Hello(NamedTuple):
    protocol: int
    machine: str
    version: str


class ClockProbe(NamedTuple):
    number: int


class ClockReading(NamedTuple):
    number: int
    home_ns: int


class Going(NamedTuple):
    epoch: int
    meta_bytes: int
    pages_bytes: int
    input: int
    output: int
    error: int
    signals: int = 0
    needs: tuple[str, ...] = ()


class Checkpoint(NamedTuple):
    leave: bool


class ImageBlock(NamedTuple):
    number: int
    digest: bytes
    content: bytes
    """Empty: the receiver has it."""


class ImagePart(NamedTuple):
    records: bytes = b""
    blocks: tuple[ImageBlock, ...] = ()
    last: bool = False
    ahead: bool = False


class ImageTaken(NamedTuple):
    parts: int


class ImageWhole(NamedTuple):
    state: Going
    frozen_us: int
    left: bool


class ImageKept(NamedTuple):
    kept: bool


class LeaveWanted(NamedTuple):
    pass


class Standing(NamedTuple):
    is_still: bool
    took_us: int


class ImageRefused(NamedTuple):
    why: str


class Task(NamedTuple):
    job: JobDescription
    input_window: int
    output_window: int
    memory_key: bytes
    """The submitter's own secret: what a sandbox remembers of his runs it keeps under it."""
    lease_ms: int
    """How long either side waits for the other when the connection is broken."""
    going: Going | None = None
    """The image to go on from; None: it begins."""
    output_held: bool = False
    """Home has not taken yet what former runs said: no output before an OutputTaken."""


class Started(NamedTuple):
    pass


class Refused(NamedTuple):
    call: int
    error: int
    first: int
    second: int
    program: bytes


class Crashed(NamedTuple):
    content: bytes


class Watch(NamedTuple):
    number: int
    how: str  # "calls", "process", "profile", "end"
    pid: int


class Seen(NamedTuple):
    number: int
    calls: bytes
    lost: int
    ended: str
    profile: Profile | None = None


class Finished(NamedTuple):
    ended: bool
    exit_code: int
    signal: int
    barrier_errno: int
    problem: Problem | None = None
    statistics: Statistics | None = None
    costs: tuple[Cost, ...] = ()


class Release(NamedTuple):
    pass


class StarterGone(NamedTuple):
    why: str


class StarterGoneTaken(NamedTuple):
    pass


FromStarter = (
    Hello
    | ClockProbe
    | stdio.Protections
    | Started
    | stdio.Output
    | stdio.OutputEnd
    | stdio.InputTaken
    | stdio.InputConsumed
    | stdio.Remark
    | Refused
    | Crashed
    | Seen
    | ImagePart
    | ImageWhole
    | ImageRefused
    | ImageTaken
    | LeaveWanted
    | Standing
    | Finished
)
ToStarter = (
    Task
    | ClockReading
    | stdio.Input
    | stdio.InputEnd
    | stdio.OutputTaken
    | stdio.OutputClosed
    | stdio.Signal
    | stdio.Resize
    | stdio.Kill
    | Release
    | Watch
    | Checkpoint
    | ImagePart
    | ImageTaken
    | ImageKept
)

WATCH_MESSAGE: Final = MessageCodec(pb.Watch, Watch)
SEEN: Final = MessageCodec(pb.Seen, Seen, {"profile": PROFILE})

GOING: Final = MessageCodec(pb.Going, Going)
TASK: Final = MessageCodec(pb.Task, Task, {"job": JOB, "going": GOING})
IMAGE_PART: Final = MessageCodec(pb.ImagePart, ImagePart, {"blocks": MessageCodec(pb.ImageBlock, ImageBlock)})
IMAGE_TAKEN: Final = MessageCodec(pb.ImageTaken, ImageTaken)

FROM_STARTER: Final[OneOfCodec[FromStarter]] = OneOfCodec(
    pb.FromStarter,
    {
        "hello": MessageCodec(pb.Hello, Hello),
        "clock_probe": MessageCodec(pb.ClockProbe, ClockProbe),
        "protections": stdio.PROTECTIONS,
        "started": MessageCodec(pb.Started, Started),
        "output": stdio.OUTPUT,
        "output_end": stdio.OUTPUT_END,
        "input_taken": stdio.INPUT_TAKEN,
        "input_consumed": stdio.INPUT_CONSUMED,
        "remark": stdio.REMARK,
        "refused": MessageCodec(pb.Refused, Refused),
        "crashed": MessageCodec(pb.Crashed, Crashed),
        "seen": SEEN,
        "image_part": IMAGE_PART,
        "image_whole": MessageCodec(pb.ImageWhole, ImageWhole, {"state": GOING}),
        "image_refused": MessageCodec(pb.ImageRefused, ImageRefused),
        "image_taken": IMAGE_TAKEN,
        "leave_wanted": MessageCodec(pb.LeaveWanted, LeaveWanted),
        "standing": MessageCodec(pb.Standing, Standing),
        "finished": MessageCodec(
            pb.Finished, Finished, {"problem": PROBLEM, "statistics": STATISTICS, "costs": COST}
        ),
    },
)
TO_STARTER: Final[OneOfCodec[ToStarter]] = OneOfCodec(
    pb.ToStarter,
    {
        "task": TASK,
        "clock_reading": MessageCodec(pb.ClockReading, ClockReading),
        "input": stdio.INPUT,
        "input_end": stdio.INPUT_END,
        "output_taken": stdio.OUTPUT_TAKEN,
        "output_closed": stdio.OUTPUT_CLOSED,
        "signal": stdio.SIGNAL,
        "resize": stdio.RESIZE,
        "kill": stdio.KILL,
        "release": MessageCodec(pb.Release, Release),
        "watch": WATCH_MESSAGE,
        "checkpoint": MessageCodec(pb.Checkpoint, Checkpoint),
        "image_part": IMAGE_PART,
        "image_taken": IMAGE_TAKEN,
        "image_kept": MessageCodec(pb.ImageKept, ImageKept),
    },
)


# All three streams outlive their connections (hosting.resuming): both ends frame and number by hand.
LANE: Final = StreamMethod("hpool.shadow.Home/Lane", RawCodec(), RawCodec())
SESSION: Final = StreamMethod("hpool.shadow.Home/Session", RawCodec(), RawCodec())
GONE: Final = UnaryMethod(
    "hpool.shadow.Home/Gone",
    MessageCodec(pb.StarterGone, StarterGone),
    MessageCodec(pb.StarterGoneTaken, StarterGoneTaken),
)
