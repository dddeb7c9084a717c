"""An image on its way in: its blocks go into the store as they come, before anything names them.

Owns: that a block is what its digest says, that nothing is named which is not here, what went wrong first.
Leaves to others: making an epoch of it (images).
"""

from __future__ import annotations

import threading
from typing import NamedTuple

from hpool.interpose_c.image import chunks
from hpool.interpose_c.image.store import Store
from hpool.matchmaker.model.errors import BadMessage, HpoolError
from hpool.shadow.api import home
from hpool.shadow.api.image_parts import Gathering


class Whole(NamedTuple):
    meta: bytes
    blocks: list[tuple[int, str]]


class Arriving:
    """One image, or blocks `ahead` of one. Its methods block."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._gathering = Gathering("the starter", self._keep)
        self._blocks: list[tuple[int, str]] = []
        self.error: HpoolError | OSError | None = None
        """What went wrong first: nothing more is looked at."""
        self._parts = 0
        self.came_bytes = 0
        """Of blocks, packed."""

    def take(self, part: home.ImagePart) -> int:
        """How many parts there are now."""
        self._parts += 1
        try:
            if self.error is None:
                self._gathering.take(part)
        except (HpoolError, OSError) as error:
            self.error = error
        return self._parts

    def whole(self, meta_bytes: int, pages_bytes: int) -> Whole:
        """Raises BadMessage, HpoolError, OSError."""
        if self.error is not None:
            raise self.error
        return Whole(self._gathering.finish(meta_bytes, pages_bytes), self._blocks)

    def _keep(self, block: home.ImageBlock) -> None:
        digest = block.digest.hex()
        is_here = self._store.has(digest)
        if block.content:
            chunks.unpack(block.content, digest, "that the starter sent")
            if not is_here:
                self._store.keep(digest, block.content)
        elif not is_here:
            raise BadMessage("the starter", f"a block {digest[:12]} that home does not have")
        with self._lock:
            self.came_bytes += len(block.content)
            self._blocks.append((block.number, digest))
