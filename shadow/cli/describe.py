"""The job as it would have run at home: everything a process inherits, as a JobDescription.

Owns: reading this process's surroundings. Leaves to others: options' spelling (run), the program (program).
"""

from __future__ import annotations

import fcntl
import os
import re
import resource
import signal
import socket
from collections.abc import Sequence
from typing import Final

from hpool.matchmaker.model.errors import BadShare
from hpool.matchmaker.model.inheriting import NotInherited
from hpool.shadow.api.job import JobDescription, ResourceLimit, Sharing, TerminalSize
from hpool.shadow.cli.program import find_program, working_directory

_LIMITS: Final = range(resource.RLIMIT_CPU, 16)


def describe(
    command: Sequence[str],
    *,
    sharing: tuple[Sharing, ...] = (),
    network: str = "none",
    cpus: int = 1,
    memory_bytes: int = 0,
    wants_terminal: bool = False,
    intercept: str = "auto",
    sync: str = "external",
    bandwidth: int = 0,
    restarts: int = 0,
    undo_bytes: int = 0,
    checkpoint_every_s: int = 0,
    checkpoint_cheaply: bool = False,
    restore_eagerly: bool = False,
    cpu_level: str = "",
) -> JobDescription:
    """Raises HpoolError for what could not be executed at home either."""
    arguments = tuple(os.fsencode(word) for word in command)
    directory = working_directory()
    program = find_program(arguments[0], directory, os.environb)
    _check_arguments(arguments)
    return JobDescription(
        program=program,
        arguments=arguments,
        environment=tuple(name + b"=" + value for name, value in os.environb.items()),
        directory=directory,
        umask=_umask(),
        limits=_limits(),
        uid=os.geteuid(),
        gid=os.getegid(),
        groups=tuple(os.getgroups()),
        hostname=socket.gethostname(),
        merged_output=same_output(1, 2),
        network=network,
        cpus=cpus,
        memory_bytes=memory_bytes,
        sharing=sharing,
        owner=_owner(),
        terminal=terminal_size() if wants_terminal else None,
        intercept=intercept,
        sync=sync,
        bandwidth=bandwidth,
        ignored_signals=_ignored(),
        blocked_signals=tuple(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ()))),
        closed_streams=() if wants_terminal else tuple(fd for fd in (0, 1, 2) if _is_closed(fd)),
        leads_session=os.getsid(0) == os.getpid(),
        restarts=restarts,
        undo_bytes=undo_bytes,
        checkpoint_every_s=checkpoint_every_s,
        checkpoint_cheaply=checkpoint_cheaply,
        restore_eagerly=restore_eagerly,
        cpu_level=cpu_level,
    )


def parse_sharing(shares: Sequence[str], hides: Sequence[str]) -> tuple[Sharing, ...]:
    """--share PATH[:ro|:rw] and --hide PATH. Raises BadShare."""
    if not shares and not hides:
        return ()
    from hpool.shadow.home.policy import parse_hide, parse_share

    directory = os.getcwd()
    found = []
    for text in shares:
        path, mode = parse_share(text, directory)
        if not os.path.lexists(path):
            raise BadShare(f"--share {text!r}", f"{path} does not exist")
        found.append(Sharing(os.fsencode(path), mode))
    hidden = (parse_hide(text, directory) for text in hides)
    return (*found, *(Sharing(os.fsencode(path), mode) for path, mode in hidden))


def terminal_size() -> TerminalSize:
    for fd in (0, 1, 2):
        try:
            size = os.get_terminal_size(fd)
            return TerminalSize(size.lines, size.columns)
        except OSError:
            continue
    return TerminalSize(24, 80)


def _check_arguments(arguments: Sequence[bytes]) -> None:
    """Raises NotInherited for a descriptor of this process, as a shell's <(...) names it: the job would find
    nothing there, or something else."""
    for argument in arguments[1:]:
        number = re.fullmatch(rb"/(?:dev|proc/self)/fd/(\d{1,6})", argument)
        if number is not None and int(number[1]) > 2 and os.path.lexists(argument):
            raise NotInherited(os.fsdecode(argument))


def same_output(first: int, second: int) -> bool:
    """Whether both descriptors are one thing: then the order between them matters."""
    try:
        one, other = os.fstat(first), os.fstat(second)
    except OSError:
        return False
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def _is_closed(fd: int) -> bool:
    """By what main.keep_closed puts there. What refuses to be read and written is no stream to anybody."""
    return bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_PATH)


def _umask() -> int:
    """From /proc: umask(2) can only be read by setting it."""
    told = _status("Umask")
    if told:
        return int(told, 8)
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _status(field: str) -> str | None:
    """Of proc_pid_status(5); None where there is no /proc."""
    try:
        with open("/proc/self/status") as file:
            return next((line.split()[1] for line in file if line.startswith(f"{field}:")), None)
    except OSError:
        return None


def _ignored() -> tuple[int, ...]:
    """What nohup and a shell's "&" leave behind, by the kernel's word: libc hides two numbers. Python itself
    ignores SIGPIPE and SIGXFSZ, and nothing says what they were before: as after a login, then."""
    pythons = {signal.SIGPIPE, signal.SIGXFSZ}
    ignored = int(_status("SigIgn") or "0", 16)
    kept = (number for number in range(1, 65) if number not in pythons)
    return tuple(number for number in kept if ignored >> (number - 1) & 1)


def _limits() -> tuple[ResourceLimit, ...]:
    def bound(value: int) -> int | None:
        return None if value == resource.RLIM_INFINITY else value

    return tuple(
        ResourceLimit(number, *(bound(value) for value in resource.getrlimit(number))) for number in _LIMITS
    )


def _owner() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
