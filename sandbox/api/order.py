"""What a sandbox tells its starter, as a value.

Owns: the typed side of sandbox.proto. Leaves to others: carrying it out.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from hpool.matchmaker.api.codec import MessageCodec
from hpool.sandbox.api import sandbox_pb2 as pb


class Order(NamedTuple):
    job_id: str
    shadow_address: str
    claim_secret: str
    machine: str
    inside_uid: int
    inside_gid: int
    outside_uid: int
    outside_gid: int
    mirror_directory: str
    mirror_bytes: int
    mirror_inodes: int
    cache_directory: str
    memory_bytes: int
    max_processes: int
    host_network: bool
    features: tuple[str, ...] = ()


LEAVE: Final = b"l"
STAND_STILL: Final = b"s"
GO_ON: Final = b"g"
"""What a sandbox says after the order, a letter each."""


STANDS: Final = struct.Struct("<?Q")
"""What a starter answers to the last two, when it is so: whether the job stands still, microseconds taken."""
ORDER: Final = MessageCodec(pb.Order, Order)
