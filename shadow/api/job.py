"""A job, and how it ended, as values.

Owns: the typed side of job.proto. Leaves to others: making and obeying them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from hpool.matchmaker.api.codec import MessageCodec
from hpool.matchmaker.model.errors import HpoolError, Reported
from hpool.shadow.api import job_pb2 as pb


class ResourceLimit(NamedTuple):
    resource: int
    soft: int | None
    hard: int | None


class TerminalSize(NamedTuple):
    rows: int
    columns: int


class Sharing(NamedTuple):
    path: bytes
    mode: str  # "ro", "rw", "hide"


class JobDescription(NamedTuple):
    program: bytes
    arguments: tuple[bytes, ...]
    environment: tuple[bytes, ...]
    directory: bytes
    umask: int
    limits: tuple[ResourceLimit, ...]
    uid: int
    gid: int
    groups: tuple[int, ...]
    hostname: str
    merged_output: bool
    network: str
    cpus: int
    memory_bytes: int
    sharing: tuple[Sharing, ...]
    owner: str
    terminal: TerminalSize | None = None
    intercept: str = "auto"  # the front end: "auto", "shim", "trace"
    sync: str = "external"  # fsync: "external", "strict"
    bandwidth: int = 0  # bytes a second in each direction; 0: no cap
    ignored_signals: tuple[int, ...] = ()
    blocked_signals: tuple[int, ...] = ()
    closed_streams: tuple[int, ...] = ()
    leads_session: bool = False  # as `hpool run` itself does; else a group in a session that it does not lead
    restarts: int = 0
    undo_bytes: int = 0
    checkpoint_every_s: int = 0  # 0: only when asked for
    cpu_level: str = ""  # "x86-64-v3": what it sees of the processor; empty: all
    restore_eagerly: bool = False  # all its memory is there before it goes on from an image
    checkpoint_cheaply: bool = False  # rather more seldom than at a cost of over 1 % of the time


class Problem(NamedTuple):
    code: str
    sentence: str
    way_out: str
    exit_code: int

    @classmethod
    def of(cls, error: HpoolError) -> Problem:
        return cls(error.code, error.sentence, error.way_out, error.exit_code)

    def error(self) -> Reported:
        return Reported(self.code, self.sentence, self.way_out, self.exit_code)


class Waits(NamedTuple):
    kind: str
    times: int
    wait_ns: int


class Cost(NamedTuple):
    path: bytes
    call: str
    names: int
    waits: int
    wait_ns: int
    bytes_in: int
    bytes_out: int


class Statistics(NamedTuple):
    user_us: int
    system_us: int
    peak_memory_bytes: int
    faults: int
    round_trips: int
    bytes_to_job: int
    bytes_to_home: int
    waited_ns: int
    wall_ns: int
    prepared_ns: int = 0
    settled_ns: int = 0
    waits: tuple[Waits, ...] = ()
    bytes_in: int = 0
    bytes_out: int = 0
    calls: int = 0
    asked: int = 0
    operations: int = 0


class Profile(NamedTuple):
    statistics: Statistics
    costs: tuple[Cost, ...]


class Outcome(NamedTuple):
    """How a job ended; see job.proto for what goes with what."""

    ended: bool
    exit_code: int
    signal: int
    machine: str
    removed: bool
    problem: Problem | None = None
    statistics: Statistics | None = None

    @property
    def shell_status(self) -> int:
        """The exit code `hpool run` passes on: the job's own first, then hpool's."""
        if self.ended and self.signal:
            return 128 + self.signal
        if self.ended and self.exit_code:
            return self.exit_code
        return self.problem.exit_code if self.problem is not None else 0

    @classmethod
    def failure(cls, problem: Problem, machine: str = "", *, removed: bool = False) -> Outcome:
        """An end that hpool, not the job, came to."""
        return cls(False, 0, 0, machine, removed, problem)


PROBLEM: Final = MessageCodec(pb.Problem, Problem)
COST: Final = MessageCodec(pb.Cost, Cost)
STATISTICS: Final = MessageCodec(pb.Statistics, Statistics, {"waits": MessageCodec(pb.Waits, Waits)})
PROFILE: Final = MessageCodec(pb.Profile, Profile, {"statistics": STATISTICS, "costs": COST})
OUTCOME: Final = MessageCodec(pb.Outcome, Outcome, {"problem": PROBLEM, "statistics": STATISTICS})
TERMINAL_SIZE: Final = MessageCodec(pb.TerminalSize, TerminalSize)
JOB: Final = MessageCodec(
    pb.JobDescription,
    JobDescription,
    {
        "limits": MessageCodec(pb.ResourceLimit, ResourceLimit),
        "terminal": TERMINAL_SIZE,
        "sharing": MessageCodec(pb.Sharing, Sharing),
    },
)
