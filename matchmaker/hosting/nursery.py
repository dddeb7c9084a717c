"""A nursery: a process that has imported everything and forks a child whenever one is wanted.

Starting Python and importing gRPC costs 200 ms of processor; a fork of a process that has done so
costs 3. The nursery itself must stay without threads, so it never opens a channel.

Owns: the nursery's loop, and its owner's side of it. Leaves to others: what a child does.
Protocol, on a SOCK_SEQPACKET pair: owner sends "fork" with one descriptor, which becomes the
child's; the nursery answers "born PID" in order, and later "dead PID STATUS" (as wait(2) says it).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import gc
import os
import resource
import selectors
import signal
import socket
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

TRIES: Final = 3
_ROOM: Final = 256
# malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_REUSED_BYTES, _KEPT_BYTES = 32 << 20, 128 << 20
_DESCRIPTORS: Final = 4096


def _reuse_large_buffers() -> None:
    """Else glibc gives the megabyte of each message back to the kernel and takes it again page by page,
    zeroed: a fifth of the processor time of a file that travels. A child inherits it."""
    with contextlib.suppress(AttributeError):  # another libc
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _REUSED_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def _make_room_for_descriptors() -> None:
    """While there is one thread: a process of several waits 5 to 15 ms, for all processors, each time the
    kernel enlarges its table of descriptors (expand_fdtable in fs/file.c), at 64, 256, 512 and so on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (enough, hard))
    os.close(fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, enough - 1))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def serve(owner: socket.socket, child_main: Callable[[socket.socket], int], *, kill_children: bool) -> None:
    """The nursery's life. Returns when the owner is gone; with `kill_children` they go first."""
    _reuse_large_buffers()
    gc.collect()
    gc.freeze()
    children: dict[int, int] = {}  # pidfd -> pid
    selector = selectors.DefaultSelector()
    selector.register(owner, selectors.EVENT_READ)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        for key, _ in selector.select():
            if key.fileobj is owner:
                message, descriptors, _, _ = socket.recv_fds(owner, _ROOM, 4)
                if not message:
                    if kill_children:
                        for pidfd in children:
                            with contextlib.suppress(ProcessLookupError):
                                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                    return
                pid = _fork(owner, selector, children, descriptors[0], child_main)
                os.close(descriptors[0])
                pidfd = os.pidfd_open(pid)
                children[pidfd] = pid
                selector.register(pidfd, selectors.EVENT_READ)
                owner.send(b"born %d" % pid)
            else:
                pidfd = key.fd
                pid = children.pop(pidfd)
                selector.unregister(pidfd)
                os.close(pidfd)
                _, status = os.waitpid(pid, 0)
                with contextlib.suppress(OSError):
                    owner.send(b"dead %d %d" % (pid, status))


def _fork(
    owner: socket.socket,
    selector: selectors.BaseSelector,
    siblings: dict[int, int],
    descriptor: int,
    child_main: Callable[[socket.socket], int],
) -> int:
    pid = os.fork()
    if pid != 0:
        return pid
    status = 1
    try:
        selector.close()
        owner.close()
        for pidfd in siblings:
            os.close(pidfd)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        _make_room_for_descriptors()
        status = child_main(socket.socket(fileno=descriptor))
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        os._exit(status)


@dataclass(eq=False)
class Child:
    """A forked process as its owner sees it: a socket to it, and the end it came to."""

    pid: int
    link: socket.socket
    ended: asyncio.Future[int] = field(repr=False)


class Nursery:
    """The owner's side. One at a time per event loop; starts the process again if it died."""

    def __init__(self, module: str, arguments: Sequence[str] = ()) -> None:
        self._command = [sys.executable, "-I", "-m", module, *arguments]
        self._process: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        self._awaiting: deque[tuple[asyncio.Future[Child], socket.socket]] = deque()
        self._children: dict[int, Child] = {}

    def start(self) -> None:
        """Starts the process; it gets ready in its own time."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self._process = subprocess.Popen(
            [*self._command, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            # gRPC reads it as it is imported. Its handlers would make a fork beside its threads abort.
            env=os.environ | {"GRPC_ENABLE_FORK_SUPPORT": "0"},
        )
        theirs.close()
        self._link = ours
        asyncio.get_running_loop().add_reader(ours.fileno(), self._receive)

    async def fork(self) -> Child:
        """A new child, running its main function already. A nursery that dies before that is followed by
        another one. Raises ConnectionError if that is of no use."""
        for _ in range(TRIES - 1):
            with contextlib.suppress(ConnectionError):
                return await self._ask()
        return await self._ask()

    async def _ask(self) -> Child:
        if self._link is None:
            self.start()
        assert self._link is not None
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        born: asyncio.Future[Child] = asyncio.get_running_loop().create_future()
        self._awaiting.append((born, ours))
        try:
            socket.send_fds(self._link, [b"fork"], [theirs.fileno()])
        except OSError as error:
            self._lost()
            raise ConnectionError("the nursery is gone") from error
        finally:
            theirs.close()
        return await born

    def _receive(self) -> None:
        assert self._link is not None
        while True:
            try:
                message = self._link.recv(_ROOM)
            except BlockingIOError:
                return
            except OSError:
                message = b""
            if not message:
                self._lost()
                return
            word, *numbers = message.split()
            if word == b"born":
                born, link = self._awaiting.popleft()
                child = Child(int(numbers[0]), link, asyncio.get_running_loop().create_future())
                self._children[child.pid] = child
                if not born.cancelled():
                    born.set_result(child)
            else:
                child = self._children.pop(int(numbers[0]))
                if not child.ended.done():
                    child.ended.set_result(os.waitstatus_to_exitcode(int(numbers[1])))

    def _lost(self) -> None:
        """The nursery died. Children it kept alive are told apart by their own links."""
        self.close()
        for born, link in self._awaiting:
            link.close()
            if not born.done():
                born.set_exception(ConnectionError("the nursery is gone"))
        self._awaiting.clear()
        for child in self._children.values():
            if not child.ended.done():
                child.ended.set_result(-signal.SIGKILL)
        self._children.clear()

    def close(self) -> None:
        """Lets go of the process; it ends by itself when it notices."""
        if self._link is not None:
            asyncio.get_running_loop().remove_reader(self._link.fileno())
            self._link.close()
            self._link = None
        if self._process is not None:
            self._process.poll()
