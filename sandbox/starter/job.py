"""One job, from the link home to its end.

Owns: the order of things: mirror, engine, lanes, what the program needs, keeper, streams, barrier,
report. Leaves to others: each of them. Runs in a starter that is in its user namespace already.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from hpool.interpose_c import keeper as jail
from hpool.matchmaker.model.again import CannotGoOn
from hpool.matchmaker.model.errors import (
    HpoolError,
    MachineLost,
    ProgramRefused,
    ProgramVanished,
    SandboxFailed,
    WorkingDirectoryGone,
    WritesLost,
)
from hpool.sandbox import memory
from hpool.sandbox.api.order import STANDS, Order
from hpool.sandbox.machine import needs_of
from hpool.sandbox.starter import costs
from hpool.sandbox.starter.before import islands, sure_questions
from hpool.sandbox.starter.checkpoint import Checkpoints, Copied, Fetched
from hpool.sandbox.starter.engine import WANT_DIRECTORY, WANT_PROGRAM, Engine
from hpool.sandbox.starter.link import Link
from hpool.sandbox.starter.signals import Signals
from hpool.sandbox.starter.spec import spec_of
from hpool.sandbox.starter.standing import Standing
from hpool.sandbox.starter.stdio import InputPump, OutputPump, stream_pipe
from hpool.sandbox.starter.witness import Eyes, Notes, Watchers
from hpool.shadow.api import home, stdio
from hpool.shadow.api.job import Problem, Statistics

log = logging.getLogger("job")

RELEASE_WITHIN_S: Final = 20.0
RELEASE_HEARD_WITHIN_S: Final = 2.0


class JobRun:
    """The job's life on this machine."""

    def __init__(
        self,
        order: Order,
        task: home.Task,
        link: Link,
        engine: Engine,
        root_fd: int,
        keeper_fd: int,
        recalled: memory.Recalled = memory.NOTHING,
        image: Fetched | None = None,
        faults_fd: int = -1,
        tell_sandbox: Callable[[bytes], None] = lambda word: None,
    ) -> None:
        """`image`: of a task that goes on. `faults_fd`: /dev/userfaultfd, or -1."""
        self._faults_fd = faults_fd
        self._tell_sandbox = tell_sandbox
        self._order = order
        self._job = task.job
        self._link = link
        self._engine = engine
        self._root_fd = root_fd
        self._keeper_fd = keeper_fd
        self._recalled = recalled
        going = task.going
        self._image = image
        self._begun_at = (0, 0) if going is None else (going.output, going.error)
        self._output = OutputPump(
            link.send, task.output_window, engine.await_synced, is_held=task.output_held
        )
        given = 0 if going is None else going.input
        self._input = InputPump(link.send, is_terminal=self._job.terminal is not None, position=given)
        self._standing = Standing(keeper_fd, self._stands)
        self._signals = Signals(0 if going is None else going.signals)
        self._checkpoints = Checkpoints(
            engine,
            link.send,
            (self._input, self._output, self._signals),
            keeper_fd,
            0 if going is None else going.epoch,
            self._standing,
            needs_of(order.features, task.job.cpu_level),
            frozenset() if image is None else image.digests,
        )
        self._feed_fd = -1
        self._notes = Notes(engine, link.send)
        self._watchers = Watchers(engine, link.send)
        self._eyes = Eyes(link.send)
        self._keeper: jail.Keeper | None = None
        self._is_killed = False
        self._is_started = False
        self._lock = threading.Lock()
        self._is_told = threading.Event()
        self._released = threading.Event()

    def run(self) -> bool:
        """Returns when home knows how it ended, or the link is lost. True: it left, to go on elsewhere."""
        self._link.follow(self._obey, self._lost)
        self._link.open_lanes(self._engine)
        try:
            begun_ns = time.monotonic_ns()
            self._prepare()
            finished: home.Finished | None = self._execute(time.monotonic_ns() - begun_ns)
        except MachineLost as lost:  # home says which machine, and what that means for the job
            finished = home.Finished(False, 0, 0, 0, Problem.of(lost)._replace(sentence=lost.why))
        except HpoolError as error:
            finished = home.Finished(False, 0, 0, 0, Problem.of(error))
        except OSError as error:
            problem = Problem.of(SandboxFailed(self._order.machine, str(error)))
            finished = home.Finished(False, 0, 0, 0, problem)
        if finished is not None:
            self._is_told.set()
            self._link.send(finished)
        self._released.wait(RELEASE_WITHIN_S)
        self._link.close()
        return finished is None

    def wants_to_leave(self) -> None:
        """The machine is wanted back. From any thread; home decides."""
        self._link.send(home.LeaveWanted())

    def copy(self, files: tuple[int, int, int], before_end: Callable[[Copied], None] | None = None) -> Copied:
        """For who asks on this machine (door): the job as it is told to a starter, meta, pages. Raises what
        Checkpoints.copy does."""
        about_fd, meta_fd, pages_fd = files

        def tell_about(made: Copied) -> None:
            sizes = (os.fstat(meta_fd).st_size, os.fstat(pages_fd).st_size)
            going = home.Going(made.epoch, *sizes, *made.positions)
            with open(about_fd, "wb", closefd=False) as about:
                about.write(home.TASK.encode(home.Task(self._job, 0, 0, b"", 0, going)))

        def stop(made: Copied) -> None:
            if before_end is not None:
                tell_about(made)
                before_end(made)
                self._link.send(stdio.Remark("the job was written to a file on its machine, and ended there"))

        keeper = self._keeper if self._is_started else None
        made = self._checkpoints.copy(keeper, meta_fd, pages_fd, before_end and stop)
        if before_end is None:
            tell_about(made)
        return made

    def owner(self, *, is_there: bool) -> None:
        """The machine's. The job stands still meanwhile."""
        self._standing.want(is_there)

    def _stands(self, is_still: bool, took_us: int) -> None:
        self._link.send(home.Standing(is_still, took_us))
        self._tell_sandbox(STANDS.pack(is_still, took_us))

    # --- before ---------------------------------------------------------------------

    def _prepare(self) -> None:
        """Raises HpoolError if the job could not even begin at home."""
        job = self._job
        text, pack = self._recalled
        self._engine.recall(sure_questions(job) + text, pack)
        number = self._engine.prepare(job.directory, WANT_DIRECTORY)
        if number:
            raise WorkingDirectoryGone(os.strerror(number))
        for path in islands(job):
            self._engine.prepare(path, WANT_DIRECTORY)
        number = self._engine.prepare(job.program, WANT_PROGRAM)
        program = os.fsdecode(job.program)
        if number in {errno.ENOENT, errno.ENOTDIR}:
            raise ProgramVanished(program)
        if number:
            raise ProgramRefused(program, os.strerror(number))
        if self._image is not None:  # who puts the job together asks for more than a program's start does
            self._engine.await_recalled()

    # --- the job ----------------------------------------------------------------------

    def _execute(self, prepared_ns: int) -> home.Finished | None:
        """None: it has left, to go on elsewhere."""
        self._notes.start()
        with self._launch() as keeper, self._reachable(keeper):
            started_ns = 0
            exited: jail.Exited | None = None
            while exited is None and (message := keeper.receive()) is not None:
                match message:
                    case jail.Protections(by_name):
                        names = (f"{name}={_granted(each)}" for name, each in by_name.items())
                        self._link.send(stdio.Protections(tuple(names)))
                    case jail.TerminalReady(master_fd):
                        self._output.add(stdio.STDOUT, master_fd, self._begun_at[0], is_terminal=True)
                        self._output.start()
                        self._input.start(os.dup(master_fd))
                    case jail.Started():
                        started_ns = time.monotonic_ns()
                        if self._feed_fd >= 0:  # what it had not read is in the pipe again by now
                            self._input.start(self._feed_fd)
                        self._begun()
                    case jail.Restored() if self._image is not None:
                        for fd in self._image.fds:  # it is in memory
                            os.close(fd)
                    case jail.Signalled():
                        self._signals.had_one()
                    case jail.Exceeded(what):
                        self._link.send(stdio.Remark(f"the job took more {what} than it may and was ended"))
                    case jail.Failed() if self._image is not None:
                        raise CannotGoOn(self._order.machine, str(message))
                    case jail.Failed():
                        raise SandboxFailed(self._order.machine, str(message))
                    case jail.Exited():
                        exited = message
        if self._checkpoints.has_left:
            return None
        if exited is None:
            raise MachineLost(self._order.machine, "its keeper there was killed")
        wall_ns = time.monotonic_ns() - started_ns
        return self._conclude(exited, wall_ns, prepared_ns)

    @contextlib.contextmanager
    def _reachable(self, keeper: jail.Keeper) -> Iterator[None]:
        """Meanwhile other threads may send it signals."""
        with self._lock:
            self._keeper = keeper
            if self._is_killed:
                keeper.kill()
        try:
            yield
        finally:
            self._standing.over()
            self._signals.over()
            with self._lock:
                self._keeper = None

    def _launch(self) -> jail.Keeper:
        if self._job.terminal is not None:
            return self._launch_with(os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC), None, None)
        input_fd, feed_fd = stream_pipe()
        read_fd, write_fd = stream_pipe()
        self._output.add(stdio.STDOUT, read_fd, self._begun_at[0])
        error_fd = None
        if not self._job.merged_output:
            error_read_fd, error_fd = stream_pipe()
            self._output.add(stdio.STDERR, error_read_fd, self._begun_at[1])
        keeper = self._launch_with(input_fd, write_fd, error_fd)
        self._output.start()
        self._feed_fd = feed_fd
        return keeper

    def _launch_with(self, input_fd: int, output_fd: int | None, error_fd: int | None) -> jail.Keeper:
        """Closes the descriptors given: they are the job's now."""
        spec = spec_of(self._job, self._order, self._image and self._image.fds, self._faults_fd)
        if output_fd is None:
            output_fd = error_fd = input_fd
        try:
            return jail.Keeper.launch(
                spec,
                self._root_fd,
                stdin=input_fd,
                stdout=output_fd,
                stderr=output_fd if error_fd is None else error_fd,
                executable=self._keeper_fd,
            )
        finally:
            for fd in {input_fd, output_fd, output_fd if error_fd is None else error_fd}:
                os.close(fd)

    def _conclude(self, exited: jail.Exited, wall_ns: int, prepared_ns: int) -> home.Finished:
        """Success is what is at home: first every byte of output, then every write."""
        ended_ns = time.monotonic_ns()
        self._engine.await_recalled()
        self._output.wait_until_drained()
        if self._job.terminal is None:
            self._link.send(stdio.InputConsumed(self._input.consumed()))
        barrier_errno = self._engine.barrier()
        settled_ns = time.monotonic_ns() - ended_ns
        self._notes.finish()
        self._watchers.finish()
        self._eyes.finish()
        statistics = Statistics(
            *(exited.utime_us, exited.stime_us, exited.maxrss_kb * 1024),
            *(0, 0, 0, 0, 0),
            *(wall_ns, prepared_ns, settled_ns),
        )
        whole = costs.profile(self._engine, statistics)
        return home.Finished(
            ended=True,
            exit_code=exited.code,
            signal=exited.signal,
            barrier_errno=barrier_errno,
            problem=_lost(barrier_errno, self._engine.lost()),
            statistics=whole.statistics,
            costs=whole.costs,
        )

    # --- from home --------------------------------------------------------------------

    def _obey(self, message: home.ToStarter) -> None:
        keeper = self._keeper
        match message:
            case stdio.Input():
                self._input.put(message)
            case stdio.InputEnd():
                self._input.end()
            case stdio.OutputTaken(stream, position):
                self._output.taken(stream, position)
            case stdio.OutputClosed(stream):
                self._output.closed(stream)
            case stdio.Signal(number):
                self._signals.put(number)
            case stdio.Resize(size) if keeper is not None:
                keeper.resize(jail.WindowSize(size.rows, size.columns))
            case stdio.Kill():
                self._kill()
            case home.Checkpoint(leave):
                self._checkpoints.begin(keeper if self._is_started else None, leave=leave)
            case home.ImageTaken(parts):
                self._checkpoints.taken(parts)
            case home.ImageKept(kept):
                self._checkpoints.answered(kept=kept)
            case home.Watch(number, "calls") if keeper is not None:
                self._watchers.add(number, keeper.pid)
            case home.Watch(number, "profile"):
                self._link.send(home.Seen(number, b"", 0, "that was all", costs.profile(self._engine)))
            case home.Watch(number, "process", pid) if keeper is not None:
                self._eyes.add(number, keeper.pid, pid)
            case home.Watch(number):
                self._watchers.remove(number)
                self._eyes.remove(number)
            case home.Release():
                self._link.close()  # what the link does from now on is no loss
                self._released.set()
                if not self._is_told.is_set() and not self._checkpoints.has_left:
                    self._kill()  # removed: home waits for its end no longer, and takes nothing more
                    self._engine.fail(errno.EIO)

    def _begun(self) -> None:
        self._link.send(home.Started())
        with self._lock:
            self._is_started = True
            keeper = self._keeper
        if keeper is not None:
            self._standing.begun(keeper)
            self._signals.begun(keeper)

    def _kill(self) -> None:
        with self._lock:
            self._is_killed = True
            if self._keeper is not None:
                self._keeper.kill()

    def _lost(self, why: str) -> None:
        """Nothing can reach home any more: the job ends, and this process with it (see process)."""
        if self._is_told.is_set() and self._released.wait(RELEASE_HEARD_WITHIN_S):
            return  # home ends the lanes as it releases the job, and that may be heard first
        log.warning("ending the job: %s", why)
        self._kill()
        self._engine.fail(errno.EIO)
        with self._lock:
            if self._keeper is not None:
                self._keeper.close()
        os._exit(1)


def _lost(barrier_errno: int, first: str) -> Problem | None:
    """What home did not take after the job had its answer."""
    return Problem.of(WritesLost(first or os.strerror(barrier_errno))) if barrier_errno else None


def _granted(protection: jail.Protection) -> str:
    return "yes" if protection.granted else f"no:{protection.detail}"
