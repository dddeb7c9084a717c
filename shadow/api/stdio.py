"""Standard streams on their way: bytes with positions, and the credit for them.

Owns: the values that starter, shadow and terminal exchange about stdin, stdout and stderr, and about
signals and the window. Leaves to others: descriptors, and who relays to whom.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from hpool.matchmaker.api.codec import MessageCodec
from hpool.shadow.api import home_pb2 as pb
from hpool.shadow.api.job import TERMINAL_SIZE, TerminalSize

STDOUT: Final = 1
STDERR: Final = 2
INPUT_WINDOW: Final = 256 << 10  # at first
MOST_INPUT_WINDOW: Final = 4 << 20
OUTPUT_WINDOW: Final = 4 << 20
BEYOND_WINDOW: Final = 2 << 20  # what a pipe may hold: all of that comes when the job is written down
CHUNK: Final = 256 << 10
"""Bytes of one message, and of one pipe of the job's: each costs three processes some turns."""


def input_window(taken: int) -> int:
    """How far ahead of a job that has taken so many bytes: what it never reads was taken from others."""
    return min(max(INPUT_WINDOW, taken), MOST_INPUT_WINDOW)


class Output(NamedTuple):
    stream: int
    position: int
    content: bytes


class OutputEnd(NamedTuple):
    stream: int


class OutputTaken(NamedTuple):
    stream: int
    position: int


class OutputClosed(NamedTuple):
    stream: int


class Input(NamedTuple):
    position: int
    content: bytes


class InputEnd(NamedTuple):
    pass


class InputTaken(NamedTuple):
    position: int
    closed: bool


class InputConsumed(NamedTuple):
    position: int


class Signal(NamedTuple):
    number: int


class Resize(NamedTuple):
    size: TerminalSize


class Kill(NamedTuple):
    pass


class Protections(NamedTuple):
    names: tuple[str, ...]  # each "name=yes" or "name=no:reason"


class Remark(NamedTuple):
    text: str


OUTPUT: Final = MessageCodec(pb.Output, Output)
OUTPUT_END: Final = MessageCodec(pb.OutputEnd, OutputEnd)
OUTPUT_TAKEN: Final = MessageCodec(pb.OutputTaken, OutputTaken)
OUTPUT_CLOSED: Final = MessageCodec(pb.OutputClosed, OutputClosed)
INPUT: Final = MessageCodec(pb.Input, Input)
INPUT_END: Final = MessageCodec(pb.InputEnd, InputEnd)
INPUT_TAKEN: Final = MessageCodec(pb.InputTaken, InputTaken)
INPUT_CONSUMED: Final = MessageCodec(pb.InputConsumed, InputConsumed)
SIGNAL: Final = MessageCodec(pb.Signal, Signal)
RESIZE: Final = MessageCodec(pb.Resize, Resize, {"size": TERMINAL_SIZE})
KILL: Final = MessageCodec(pb.Kill, Kill)
PROTECTIONS: Final = MessageCodec(pb.Protections, Protections)
REMARK: Final = MessageCodec(pb.Remark, Remark)
