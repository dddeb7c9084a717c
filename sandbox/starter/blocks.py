"""Blocks of large files from former runs: given to the engine when it asks, kept when the job is over.

Owns: the thread that answers, and what is worth keeping of a run. Leaves to others: how they lie on the
disk (sandbox.kept), which are wanted and whether home's file is still the same (the engine).
"""

from __future__ import annotations

import logging
import os
import threading
from typing import Final

from hpool.sandbox.kept import Held, Kept
from hpool.sandbox.starter.engine import KeptQuestion, NativeEngine

log = logging.getLogger("kept")

WAIT_MS: Final = 60_000
MOST_OPEN: Final = 64
MOST_OF_A_RUN_BYTES: Final = 512 << 20


class KeptBlocks:
    """Answers from `serve` to the end of the process."""

    def __init__(self, engine: NativeEngine, kept: Kept) -> None:
        self._engine = engine
        self._kept = kept
        self._held: dict[bytes, Held] = {}

    def serve(self) -> None:
        self._engine.kept_begin()
        threading.Thread(target=self._answer_all, name="kept", daemon=True).start()

    def keep(self) -> None:
        """The job is over and released: nobody waits for this. Raises OSError."""
        left = MOST_OF_A_RUN_BYTES
        while (found := self._engine.keepable()) is not None:
            file, present, fd = found
            try:
                if file.size <= left and self._kept.keep(file.path, file.stamp, file.size, present, fd):
                    left -= file.size
            finally:
                os.close(fd)

    def _answer_all(self) -> None:
        try:
            while (question := self._engine.kept_next(WAIT_MS)) is not None:
                answer = b""
                try:
                    answer = self._answer(question) if question.id else b""
                finally:
                    if question.id:
                        self._engine.kept_answer(question.id, answer)
        except BaseException:
            self._engine.kept_end()  # home has everything too
            raise

    def _answer(self, question: KeptQuestion) -> bytes:
        if question.blocks:
            held = self._held.get(question.file.path)
            return held.read(question.first, question.blocks) if held is not None else b""
        held = self._kept.find(question.file.path)
        if held is None:
            return b""
        if held.stamp != question.file.stamp or held.size != question.file.size:
            held.close()
            return b""
        if len(self._held) == MOST_OPEN:
            self._held.pop(next(iter(self._held))).close()
        self._held[question.file.path] = held
        return held.present
