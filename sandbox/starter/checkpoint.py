"""A job written down where it runs, and gone on with where it comes to.

Owns: when everything stands still, what belongs to the epoch, the image's way home. Leaves to others:
stopping and writing (keeper), home's mark (engine), the streams themselves (stdio), keeping the image
(shadow).
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from hpool.interpose_c import beside
from hpool.interpose_c import keeper as jail
from hpool.interpose_c.image import chunks
from hpool.matchmaker.model.again import CannotGoOn
from hpool.matchmaker.model.errors import BadMessage
from hpool.matchmaker.model.image_errors import ImageDamaged
from hpool.sandbox.starter import processes
from hpool.sandbox.starter.engine import Engine
from hpool.sandbox.starter.link import Link
from hpool.sandbox.starter.signals import Signals
from hpool.sandbox.starter.standing import Standing
from hpool.sandbox.starter.stdio import InputPump, OutputPump
from hpool.shadow.api import home, stdio
from hpool.shadow.api.image_parts import Credit, Gathering, blocks_of, parts_of

log = logging.getLogger("checkpoint")

# What stands in the way may be over soon: a vfork child, a wait for a lock, somebody who traces.
TRIES: Final = 3
MOST_AHEAD: Final = 3  # passes
AHEAD_LEAST_BYTES: Final = 32 << 20
Positions = tuple[int, int, int, int]  # stdin, stdout, stderr, signals
BETWEEN_TRIES_S: Final = 0.4


class Fetched(NamedTuple):
    """An image that home keeps, in memory here."""

    fds: tuple[int, int]
    """Its records, its pages."""
    digests: frozenset[bytes]


def fetch(link: Link, going: home.Going, machine: str) -> Fetched:
    """Raises LinkLost, OSError; CannotGoOn if what comes is damaged."""
    meta_fd, pages_fd = (os.memfd_create(name, os.MFD_CLOEXEC) for name in ("meta", "pages"))
    digests = set()

    def keep(block: home.ImageBlock) -> None:
        content = chunks.unpack(block.content, block.digest.hex(), "that home sent")
        chunks.write(pages_fd, content, block.number * chunks.BLOCK)
        digests.add(block.digest)

    gathering = Gathering("the shadow", keep)
    link.send(home.ImageTaken(0))
    try:
        while not gathering.is_complete:
            gathering.take(link.receive(home.ImagePart))
            link.send(home.ImageTaken(gathering.taken))
        chunks.write(meta_fd, gathering.finish(going.meta_bytes, going.pages_bytes), 0)
    except (BadMessage, ImageDamaged) as error:
        raise CannotGoOn(machine, str(error)) from error
    os.ftruncate(pages_fd, going.pages_bytes)
    return Fetched((meta_fd, pages_fd), frozenset(digests))


@contextlib.contextmanager
def _raw_image() -> Iterator[tuple[int, int]]:
    fds = [os.memfd_create(name, os.MFD_CLOEXEC) for name in ("meta", "pages")]
    try:
        yield fds[0], fds[1]
    finally:
        for fd in fds:
            os.close(fd)


class CopyRefused(Exception):
    """No copy of the job can be made now, for the reason given; it goes on."""


class _NotKept(Exception):
    """Home could not keep the image that the job was to leave with."""


class Copied(NamedTuple):
    """Where the copy was made: home's mark (0: it keeps no journal), how far streams and signals were."""

    epoch: int
    frozen_us: int
    positions: Positions


class Checkpoints:
    """One at a time, each in a thread of its own."""

    def __init__(
        self,
        engine: Engine,
        send: Callable[[home.FromStarter], None],
        streams: tuple[InputPump, OutputPump, Signals],
        keeper_fd: int,
        epoch: int,
        standing: Standing,
        needs: tuple[str, ...] = (),
        at_home: frozenset[bytes] = frozenset(),
    ) -> None:
        """`epoch`: the one the job goes on from. `needs`: what its images do. `at_home`: digests of blocks
        that home has already."""
        self._needs = needs
        self._at_home = at_home
        self._engine = engine
        self._send = send
        self._input, self._output, self._signals = streams
        self._keeper_fd = keeper_fd
        self._epoch = epoch
        self._standing = standing
        self._credit = Credit()
        self._lock = threading.Lock()
        self._is_under_way = False
        self.has_left = False
        """It ends here to go on elsewhere: home has its image."""
        self._answers: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def begin(self, keeper: jail.Keeper | None, *, leave: bool) -> None:
        """Returns at once; home hears what came of it."""
        with self._lock:
            if keeper is None or self._is_under_way:
                why = "it does not run" if keeper is None else "another checkpoint is under way"
                self._send(home.ImageRefused(why))
                return
            self._is_under_way = True
        threading.Thread(target=self._run, args=(keeper, leave), name="checkpoint", daemon=True).start()

    def copy(
        self,
        keeper: jail.Keeper | None,
        meta_fd: int,
        pages_fd: int,
        before_end: Callable[[Copied], None] | None = None,
    ) -> Copied:
        """Writes the job into two files of somebody who asked on this machine; home keeps nothing of it. With
        `before_end` it ends there when that returns, and goes on if it raises. Returns when it is written;
        raises CopyRefused, OSError, what `before_end` does."""

        def stop(dumped: beside.Dumped, positions: Positions) -> None:
            if before_end is not None:
                before_end(Copied(self._epoch, dumped.frozen_us, positions))

        with self._lock:
            if keeper is None or self._is_under_way:
                raise CopyRefused("it does not run" if keeper is None else "another checkpoint is under way")
            self._is_under_way = True
        try:
            dumped, positions = self._stand_still(
                keeper, meta_fd, pages_fd, before_end=before_end and stop, needs_mark=False
            )
        except beside.DumpRefused as refusal:
            raise CopyRefused(str(refusal)) from refusal
        finally:
            with self._lock:
                self._is_under_way = False
        return Copied(self._epoch, dumped.frozen_us, positions)

    def taken(self, parts: int) -> None:
        self._credit.taken(parts)

    def answered(self, *, kept: bool) -> None:
        """By home, which was sent an image."""
        self._answers.put(kept)

    def _run(self, keeper: jail.Keeper, leave: bool) -> None:
        at_home = self._at_home
        try:
            if leave:
                at_home = self._send_ahead(keeper)
            with _raw_image() as (meta_fd, pages_fd):
                self._at_home = self._write_down(keeper, meta_fd, pages_fd, at_home, leave=leave)
        except beside.DumpRefused as refusal:
            self._send(home.ImageRefused(str(refusal)))
        except _NotKept:
            log.info("home could not keep the image, and knows that: the job goes on")
        except OSError as error:
            self._send(home.ImageRefused(f"the image cannot be made: {error.strerror}"))
        finally:
            with self._lock:
                self._is_under_way = False

    def _send_ahead(self, keeper: jail.Keeper) -> frozenset[bytes]:
        """A large job that is to leave, and runs, runs on while most of it travels: it stands still for what
        is left. What home has then. Raises OSError."""
        at_home = self._at_home
        for _ in range(MOST_AHEAD):
            if self._standing.is_wanted or processes.resident_bytes(keeper.pid) < AHEAD_LEAST_BYTES:
                break
            with _raw_image() as (meta_fd, pages_fd):
                try:
                    with self._standing.let_go():
                        beside.dump(keeper, meta_fd, pages_fd, kill=False, executable=self._keeper_fd)
                except beside.DumpRefused:
                    break  # what is written down in earnest will say why, if it is so still
                digests, sent = self._send_image(b"", pages_fd, at_home, ahead=True)
            at_home |= digests
            if sent < AHEAD_LEAST_BYTES:
                break
        return at_home

    def _write_down(
        self, keeper: jail.Keeper, meta_fd: int, pages_fd: int, at_home: frozenset[bytes], *, leave: bool
    ) -> frozenset[bytes]:
        """Digests of its blocks: home has them when this returns. Raises _NotKept, DumpRefused, OSError."""
        digests: frozenset[bytes] = frozenset()

        def pass_on(dumped: beside.Dumped, positions: Positions) -> None:
            nonlocal digests
            self._output.wait_for(stdio.STDOUT, positions[1])
            self._output.wait_for(stdio.STDERR, positions[2])
            sizes = (os.fstat(meta_fd).st_size, os.fstat(pages_fd).st_size)
            digests, _ = self._send_image(os.pread(meta_fd, sizes[0], 0), pages_fd, at_home)
            state = home.Going(self._epoch, *sizes, *positions, needs=self._needs)
            self._send(home.ImageWhole(state, dumped.frozen_us, leave))
            if not self._answers.get():
                raise _NotKept

        def end(dumped: beside.Dumped, positions: Positions) -> None:
            pass_on(dumped, positions)
            self.has_left = True

        written = self._stand_still(
            keeper, meta_fd, pages_fd, before_end=end if leave else None, needs_mark=True
        )
        if not leave:
            pass_on(*written)
        return digests

    def _send_image(
        self, meta: bytes, pages_fd: int, at_home: frozenset[bytes], *, ahead: bool = False
    ) -> tuple[frozenset[bytes], int]:
        """What home has not. The digests of all of its blocks, and how much of them was sent, unpacked."""
        digests, sent = set(), 0

        def noted(blocks: Iterator[home.ImageBlock]) -> Iterator[home.ImageBlock]:
            nonlocal sent
            for block in blocks:
                digests.add(block.digest)
                sent += chunks.BLOCK if block.content else 0
                if block.content or not ahead:
                    yield block

        self._credit = Credit()
        blocks = blocks_of(pages_fd, at_home, gives_way=self._standing.is_wanted)
        parts = parts_of(meta, noted(blocks), ahead=ahead)
        self._credit.send_all(parts, self._send, awaits_all=ahead)
        return frozenset(digests), sent

    def _stand_still(
        self,
        keeper: jail.Keeper,
        meta_fd: int,
        pages_fd: int,
        *,
        before_end: Callable[[beside.Dumped, Positions], None] | None,
        needs_mark: bool,
    ) -> tuple[beside.Dumped, Positions]:
        """The image is written, home has all that was done before it, and its mark. How far streams and
        signals were. `before_end`: the job ends there behind that. `needs_mark`: unless home keeps no journal
        at all. Raises DumpRefused, OSError."""
        positions: Positions = (0, 0, 0, 0)
        held = contextlib.ExitStack()  # what came while it is copied would be given twice, or lost

        def quiesce() -> str:
            nonlocal positions
            failed = self._engine.epoch(self._epoch + 1)
            if failed == 0:
                self._epoch += 1
            elif needs_mark or failed != errno.EOPNOTSUPP:
                return f"home takes no mark: {os.strerror(failed)}"
            positions = (
                held.enter_context(self._input.held()),
                self._output.written(stdio.STDOUT),
                self._output.written(stdio.STDERR),
                held.enter_context(self._signals.held()),
            )
            return ""

        def end(dumped: beside.Dumped) -> None:
            if before_end is not None:
                before_end(dumped, positions)

        def settle() -> None:
            self._engine.epoch(0)  # so that little is left to do while it stands still

        for left in reversed(range(TRIES)):
            settle()
            try:
                with held, self._standing.let_go():
                    dumped = beside.dump(
                        keeper,
                        meta_fd,
                        pages_fd,
                        kill=before_end is not None,
                        executable=self._keeper_fd,
                        live=not self._standing.is_wanted,
                        before_still=settle,
                        while_still=quiesce,
                        before_end=end,
                    )
                    if before_end is not None:
                        self._standing.over()
                break
            except beside.DumpRefused as refusal:
                if not left:
                    raise
                log.info("once more: %s", refusal)
                for fd in (meta_fd, pages_fd):
                    os.ftruncate(fd, 0)
                    os.lseek(fd, 0, os.SEEK_SET)
                time.sleep(BETWEEN_TRIES_S)
        return dumped, positions
