"""A terminal with a command in it, for tests.

Owns: its size, what is typed, what appears on it. Leaves to others: which command, what is expected.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import termios
import time
from typing import Self

from integration.pool import StrictPool


class Screen:
    """A terminal with a command in it, and somebody who reads and types."""

    def __init__(self, pool: StrictPool, command: list[str], rows: int = 24, columns: int = 80) -> None:
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        os.fchown(slave, pool.room.uid, pool.room.uid)
        stream = os.fdopen(slave, "r+b", buffering=0)

        def control() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = pool.room.popen(
            command, cwd=pool.home.work, stdin=stream, stdout=stream, stderr=stream, in_child=control
        )
        stream.close()
        self.text = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        with contextlib.suppress(OSError):
            os.close(self.master)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: bytes) -> None:
        os.write(self.master, text)

    def expect(self, pattern: bytes, timeout_s: float = 15) -> re.Match[bytes]:
        """Reads until the pattern appears behind what was matched before."""
        deadline = time.monotonic() + timeout_s
        while not (found := re.search(pattern, self.text)):
            ready, _, _ = select.select([self.master], [], [], max(0.0, deadline - time.monotonic()))
            try:
                more = os.read(self.master, 65536) if ready else b""
            except OSError:  # the other end is closed
                more = b""
            if not more:
                raise AssertionError(f"no {pattern!r} in {self.text!r}")
            self.text += more
        self.text = self.text[found.end() :]
        return found

    def ends(self, timeout_s: float = 15) -> int:
        """The exit code, reading on so that nobody waits for room."""
        deadline = time.monotonic() + timeout_s
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"still runs; {self.text!r}"
            with contextlib.suppress(OSError):
                if select.select([self.master], [], [], 0.05)[0]:
                    self.text += os.read(self.master, 65536)
        code = self.process.returncode
        return code if code >= 0 else 128 - code
