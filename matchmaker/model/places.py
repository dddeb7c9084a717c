"""The catalogue's part on hpool's own files.

Owns: what can be wrong with where they are kept, in words. Leaves to others: finding that out.
"""

from __future__ import annotations

from hpool.matchmaker.model.errors import HpoolError


class QueueUnwritable(HpoolError):
    """The agent keeps its queue on disk, and accepts no job that it could not keep.

    Jobs that run go on; what becomes of them is recorded as soon as it can be.
    """

    code = "POOL-006"
    says = "the queue {path} cannot be written: {why}"
    remedy = "Make room there, or name another place: HPOOL_STATE_DIR."
    path: str
    why: str


class PlaceUnusable(HpoolError):
    """hpool keeps a queue and logs in its state directory, locks and sockets in its runtime directory."""

    code = "POOL-007"
    says = "{path} cannot hold hpool's own files: {why}"
    remedy = "HPOOL_STATE_DIR, HPOOL_RUNTIME_DIR and HPOOL_CACHE_DIR name other places."
    path: str
    why: str


class CannotLoad(HpoolError):
    """A part of hpool could not be brought into memory: too little of it, or it is not all there."""

    code = "POOL-008"
    says = "hpool could not be loaded: {why}"
    remedy = "Allow it more memory (`ulimit -v`), or install it again."
    why: str
