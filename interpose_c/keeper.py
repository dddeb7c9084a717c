"""Starting a keeper and speaking with it.

Owns: the spelling of its spec and of its datagrams, as typed values. Leaves to
others: entering the user namespace first (hp_userns_enter), filling the mirror,
and what each message means for the job's life. Only the sandbox may use it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Literal, Self

from hpool.interpose_c.executables import KEEPER

_DATAGRAM_BYTES: Final = 4096
Front = Literal["auto", "shim", "trace"]


@dataclass(frozen=True, slots=True)
class Limit:
    """One resource limit as at home; None is unlimited. The keeper never raises what this machine allows."""

    resource: int
    soft: int | None
    hard: int | None

    def encode(self) -> bytes:
        bounds = (b"unlimited" if bound is None else b"%d" % bound for bound in (self.soft, self.hard))
        return b" ".join((b"%d" % self.resource, *bounds))


@dataclass(frozen=True, slots=True)
class WindowSize:
    rows: int
    columns: int


@dataclass(frozen=True, slots=True)
class KeeperSpec:
    """What the job's first process is, and what bounds it. Paths are as the job sees them."""

    exe: bytes
    argv: Sequence[bytes]
    environment: Sequence[bytes]
    cwd: bytes
    umask: int = 0o022
    hostname: bytes | None = None
    limits: Sequence[Limit] = ()
    ignored_signals: Sequence[int] = ()
    blocked_signals: Sequence[int] = ()
    closed_streams: Sequence[int] = ()
    own_session: bool = False
    network: Literal["none", "host"] = "none"
    terminal: WindowSize | None = None
    islands: Sequence[bytes] = ()
    memory_bytes: int | None = None
    max_processes: int | None = None
    intercept: Front = "auto"
    has_dispatch: bool = True  # False: as on a kernel without Syscall User Dispatch
    cpu_level: int = 0  # of x86-64's ABI: what the job sees of the processor; 0: all
    restore: tuple[int, int] | None = None
    """Descriptors of a raw image's meta and pages: the job goes on from there."""
    lazy: tuple[int, int] | None = None
    """/dev/userfaultfd, and from how many bytes on memory follows while the job runs already."""

    def encode(self) -> bytes:
        """The bytes of SPEC_FD; raises ValueError for a string that holds a NUL."""
        pairs = [(b"exe", self.exe), (b"cwd", self.cwd), (b"umask", b"%o" % self.umask)]
        pairs += [(b"network", self.network.encode()), (b"intercept", self.intercept.encode())]
        pairs += [(b"arg", word) for word in self.argv]
        pairs += [(b"env", word) for word in self.environment]
        pairs += [(b"rlimit", limit.encode()) for limit in self.limits]
        pairs += [(b"ignore", b"%d" % number) for number in self.ignored_signals]
        pairs += [(b"block", b"%d" % number) for number in self.blocked_signals]
        pairs += [(b"island", path) for path in self.islands]
        pairs += [(b"closed", b"%d" % fd) for fd in self.closed_streams]
        if self.own_session:
            pairs.append((b"session", b"own"))
        if not self.has_dispatch:
            pairs.append((b"dispatch", b"none"))
        if self.cpu_level:
            pairs.append((b"cpu_level", b"%d" % self.cpu_level))
        if self.restore is not None:
            pairs.append((b"restore", b"%d %d" % self.restore))
        if self.lazy is not None:
            pairs.append((b"faults", b"%d %d" % self.lazy))
        if self.hostname is not None:
            pairs.append((b"hostname", self.hostname))
        if self.terminal is not None:
            pairs.append((b"tty", b"%d %d" % (self.terminal.rows, self.terminal.columns)))
        if self.memory_bytes is not None:
            pairs.append((b"memory_bytes", b"%d" % self.memory_bytes))
        if self.max_processes is not None:
            pairs.append((b"max_processes", b"%d" % self.max_processes))
        for _, value in pairs:
            if b"\0" in value:
                raise ValueError(f"a NUL in {value!r}: no program can be given that")
        return b"".join(key + b"\0" + value + b"\0" for key, value in pairs)


@dataclass(frozen=True, slots=True)
class Protection:
    granted: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Protections:
    """What the job is held by, by name; sent before it starts."""

    by_name: Mapping[str, Protection] = field(default_factory=dict)

    def missing(self) -> dict[str, str]:
        return {name: each.detail for name, each in self.by_name.items() if not each.granted}


@dataclass(frozen=True, slots=True)
class TerminalReady:
    """The pty's master: the receiver owns and closes it."""

    master_fd: int


@dataclass(frozen=True, slots=True)
class Started:
    """The loader runs. It may still end with 126 or 127 and a sentence on stderr."""


@dataclass(frozen=True, slots=True)
class Restored:
    """All memory of a job that goes on is there: its image is needed no more. Before or after much else."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The job never ran: what was tried, and why it did not work."""

    errno: int
    stage: str

    def __str__(self) -> str:
        return f"{self.stage}: {os.strerror(self.errno)}"


@dataclass(frozen=True, slots=True)
class Signalled:
    """The job has what one `signal` asked for: comes in the order they were asked for."""


@dataclass(frozen=True, slots=True)
class Exceeded:
    """The job took more than its share and is being killed; Exited follows."""

    what: str


@dataclass(frozen=True, slots=True)
class Exited:
    """The job is over and nothing of it is left. `code` counts if `signal` is 0."""

    code: int
    signal: int
    utime_us: int
    stime_us: int
    maxrss_kb: int

    @property
    def shell_code(self) -> int:
        return 128 + self.signal if self.signal else self.code


Message = Protections | TerminalReady | Started | Restored | Signalled | Failed | Exceeded | Exited


class BadKeeperMessage(ValueError):
    """The keeper said something this version does not know."""


def parse(datagram: bytes, descriptors: Sequence[int] = ()) -> Message:
    """One datagram of the keeper's; raises BadKeeperMessage quoting what it could not read."""
    word, _, rest = datagram.decode("utf-8", "replace").partition(" ")
    try:
        match word:
            case "protections":
                return Protections(dict(_parse_protection(item) for item in rest.split()))
            case "tty":
                (master_fd,) = descriptors
                return TerminalReady(master_fd)
            case "started":
                return Started()
            case "restored":
                return Restored()
            case "signalled":
                return Signalled()
            case "failed":
                number, _, stage = rest.partition(" ")
                return Failed(int(number), stage)
            case "exceeded":
                return Exceeded(rest)
            case "exit":
                pairs = (item.split("=") for item in rest.split())
                return Exited(**{key: int(value) for key, value in pairs})
    except (ValueError, TypeError) as error:
        raise BadKeeperMessage(f"{datagram!r}: {error}") from error
    raise BadKeeperMessage(repr(datagram))


def _parse_protection(item: str) -> tuple[str, Protection]:
    name, equals, value = item.partition("=")
    granted, _, detail = value.partition(":")
    if not equals or granted not in {"yes", "no"}:
        raise ValueError(item)
    return name, Protection(granted == "yes", detail)


def program(executable: Path | int) -> str:
    """What to execute: a path, or what an open descriptor stands for."""
    return os.fspath(executable) if isinstance(executable, Path) else f"/proc/self/fd/{executable}"


class Keeper:
    """A running keeper. Leaving the `with` block ends the job, whatever it does."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket) -> None:
        self._process = process
        self._control = control

    @classmethod
    def launch(
        cls,
        spec: KeeperSpec,
        root_fd: int,
        *,
        stdin: int | IO[bytes],
        stdout: int | IO[bytes],
        stderr: int | IO[bytes],
        executable: Path | int = KEEPER,
    ) -> Self:
        """Starts it from inside the starter's namespaces. The caller keeps root_fd and the streams.

        `executable` may be a descriptor, opened while its path could still be walked:
        an installation below /root is closed to what root has become.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        spec_fd = os.memfd_create("hpool-spec", os.MFD_CLOEXEC)
        passed = [spec_fd, theirs.fileno(), root_fd]
        restored = [*(spec.restore or ()), *(spec.lazy or ())[:1]]
        try:
            with theirs, open(spec_fd, "wb", closefd=False) as file:
                file.write(spec.encode())
                file.flush()
                process = subprocess.Popen(
                    # Its name in ps, whatever path leads to it.
                    ["hpool-keeper", *map(str, passed)],
                    executable=program(executable),
                    stdin=stdin,
                    stdout=stdout,
                    stderr=stderr,
                    env={},
                    pass_fds=[*passed, *restored] + ([] if isinstance(executable, Path) else [executable]),
                )
        except BaseException:
            ours.close()
            raise
        finally:
            os.close(spec_fd)
        return cls(process, ours)

    @property
    def pid(self) -> int:
        """Of the supervisor: the ancestor of everything in the job."""
        return self._process.pid

    @property
    def init_pid(self) -> int:
        """Of the job's PID 1; 0: it is gone."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return int(children[0]) if children else 0

    def fileno(self) -> int:
        """Readable when receive() would not wait."""
        return self._control.fileno()

    def receive(self) -> Message | None:
        """The next message; None when the keeper is gone: without Exited or Failed before, it was killed."""
        try:
            datagram, descriptors, _, _ = socket.recv_fds(
                self._control, _DATAGRAM_BYTES, 1, socket.MSG_CMSG_CLOEXEC
            )
        except ConnectionResetError:
            return None
        return parse(datagram, descriptors) if datagram else None

    def signal(self, number: int) -> None:
        """To the job's foreground process group; Signalled follows."""
        self._send(b"signal %d" % number)

    def kill(self) -> None:
        self._send(b"kill")

    def resize(self, size: WindowSize) -> None:
        self._send(b"resize %d %d" % (size.rows, size.columns))

    def _send(self, datagram: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it is over; receive() says how
            self._control.send(datagram)

    def close(self) -> None:
        """Ends the job if it still runs; returns when nothing of it is left."""
        self._control.close()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
