"""Between an agent and its shadows, as values.

Owns: the typed side of custody.proto, and the frames. Leaves to others: sockets.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any, Final, NamedTuple

from hpool.matchmaker.api.codec import MessageCodec, OneOfCodec
from hpool.shadow.api import custody_pb2 as pb
from hpool.shadow.api.job import JOB, OUTCOME, JobDescription, Outcome

_LENGTH: Final = struct.Struct("<I")


class Assignment(NamedTuple):
    job_id: str
    job: JobDescription
    attach_secret: str
    spool: bytes
    watch_secret: str = ""
    journal: bytes = b""
    restarts_left: int = 0
    begins_again: bool = False


class Claimed(NamedTuple):
    claim_secret: str
    machine: str


class Removal(NamedTuple):
    why: str


class CheckpointJob(NamedTuple):
    leave: bool


class Recorded(NamedTuple):
    pass


class Ready(NamedTuple):
    address: str


class JobStarted(NamedTuple):
    machine: str


class NeverStarted(NamedTuple):
    why: str


class Returned(NamedTuple):
    why: str
    lost_s: float
    needs: tuple[str, ...] = ()


class JobEnded(NamedTuple):
    outcome: Outcome


class Noted(NamedTuple):
    kind: str
    facts: str


ToShadow = Assignment | Claimed | Removal | CheckpointJob | Recorded
FromShadow = Ready | JobStarted | NeverStarted | Returned | JobEnded | Noted

TO_SHADOW: Final[OneOfCodec[ToShadow]] = OneOfCodec(
    pb.ToShadow,
    {
        "assignment": MessageCodec(pb.Assignment, Assignment, {"job": JOB}),
        "claimed": MessageCodec(pb.Claimed, Claimed),
        "removal": MessageCodec(pb.Removal, Removal),
        "checkpoint": MessageCodec(pb.CheckpointJob, CheckpointJob),
        "recorded": MessageCodec(pb.Recorded, Recorded),
    },
)
FROM_SHADOW: Final[OneOfCodec[FromShadow]] = OneOfCodec(
    pb.FromShadow,
    {
        "ready": MessageCodec(pb.Ready, Ready),
        "job_started": MessageCodec(pb.JobStarted, JobStarted),
        "never_started": MessageCodec(pb.NeverStarted, NeverStarted),
        "returned": MessageCodec(pb.Returned, Returned),
        "noted": MessageCodec(pb.Noted, Noted),
        "job_ended": MessageCodec(pb.JobEnded, JobEnded, {"outcome": OUTCOME}),
    },
)


class FramedLink:
    """One end of the socket. `receive` gives None when the other end is gone."""

    def __init__(
        self,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        incoming: OneOfCodec[Any],
        outgoing: OneOfCodec[Any],
    ) -> None:
        self._reader, self._writer = streams
        self._incoming = incoming
        self._outgoing = outgoing

    def send(self, value: tuple[Any, ...]) -> None:
        """Never waits: what travels here is small and rare."""
        raw = self._outgoing.encode(value)
        self._writer.write(_LENGTH.pack(len(raw)) + raw)

    async def receive(self) -> Any:
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            return self._incoming.decode(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, OSError):
            return None

    def close(self) -> None:
        self._writer.close()
