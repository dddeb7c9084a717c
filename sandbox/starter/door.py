"""The starter's end of its door (sandbox.api.door).

Owns: opening it while the place of doors can still be reached, one visitor at a time, the last answer
before the starter ends. Leaves to others: what is done for a visitor (checkpoint).
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hpool.sandbox.api import door as api
from hpool.sandbox.starter.checkpoint import Copied, CopyRefused

log = logging.getLogger("door")

FILES: Final = 3
ANSWER_WITHIN_S: Final = 20.0

Copy = Callable[[tuple[int, int, int], Callable[[Copied], None] | None], Copied]


class Door:
    """From construction on, visitors wait until they are served."""

    def __init__(self, doors: Path, job_id: str) -> None:
        """Raises OSError."""
        self._job_id = job_id
        directory_fd = os.open(doors, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._socket = api.bound(directory_fd, api.name_of(os.getpid(), job_id))
        finally:
            os.close(directory_fd)
        self._answering = threading.Lock()

    def serve(self, copy: Copy) -> None:
        """`copy` writes the job into three files; with a function it ends there when that has returned, and
        goes on if that raises. Raises CopyRefused, OSError."""
        threading.Thread(target=self._serve, args=(copy,), name="door", daemon=True).start()

    def close(self) -> None:
        """Returns when whoever is served has the answer."""
        if self._answering.acquire(timeout=ANSWER_WITHIN_S):
            self._socket.close()

    def _serve(self, copy: Copy) -> None:
        while True:
            try:
                visitor, _ = self._socket.accept()
            except OSError:
                return
            with visitor:
                try:
                    word, files, _, _ = socket.recv_fds(visitor, api.PACKET_BYTES, FILES)
                    with self._answering:
                        visitor.send(self._answer(copy, word, files, visitor)[: api.PACKET_BYTES])
                except OSError as error:
                    log.info("a visitor has left: %s", error)

    def _answer(self, copy: Copy, word: bytes, files: list[int], visitor: socket.socket) -> bytes:
        def stop(made: Copied) -> None:
            visitor.send(self._written(made))
            if visitor.recv(api.PACKET_BYTES) != api.END:
                raise CopyRefused("who asked has not kept it")

        try:
            if len(files) != FILES or word not in {api.DUMP, api.DUMP_AND_STOP}:
                raise CopyRefused("this hpool is another version")
            made = copy((files[0], files[1], files[2]), stop if word == api.DUMP_AND_STOP else None)
            return api.ENDED if word == api.DUMP_AND_STOP else self._written(made)
        except CopyRefused as refusal:
            return f"refused {self._job_id} {refusal}".encode()
        except OSError as error:
            return f"refused {self._job_id} the image cannot be written: {error.strerror}".encode()
        finally:
            for fd in files:
                os.close(fd)

    def _written(self, made: Copied) -> bytes:
        return b"dumped %s %d %d" % (self._job_id.encode(), made.epoch, made.frozen_us)
