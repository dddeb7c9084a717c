"""System calls in words: names, arguments, flags, results.

Owns: how a call is written. Uses the table's kinds of arguments, and python-ptrace's signatures and constants
where that package is installed (the extra `trace`). Leaves to others: which calls are shown (story, trace).
"""

from __future__ import annotations

import functools
import logging
import os
import re
from collections.abc import Mapping
from typing import Any, Final

from hpool.interpose_c import table
from hpool.interpose_c.refusals import error_name
from hpool.interpose_c.table import SystemCall

SHOWN_TEXT: Final = 120
_AT_FDCWD: Final = -100
_SIGNED: Final = {"fd": 32, "pid": 32, "sig": 32, "int": 32, "off": 64, "len": 64}
_CREATING: Final = 0o100 | 0o20000000
_OPENS: Final = {"open": 1, "openat": 2}
_NUMBER_BESIDE: Final = re.compile(r" \((0o)?[0-9a-fx]+\)$")
_AT: Final = {
    0x100: "AT_SYMLINK_NOFOLLOW",
    0x200: "AT_REMOVEDIR",
    0x400: "AT_SYMLINK_FOLLOW",
    0x800: "AT_NO_AUTOMOUNT",
    0x1000: "AT_EMPTY_PATH",
    0x2000: "AT_STATX_FORCE_SYNC",
    0x4000: "AT_STATX_DONT_SYNC",
}
_FLAGS: Final[dict[tuple[str, int], dict[int, str]]] = {
    ("mmap", 3): {
        1: "MAP_SHARED",
        2: "MAP_PRIVATE",
        0x10: "MAP_FIXED",
        0x20: "MAP_ANONYMOUS",
        0x800: "MAP_DENYWRITE",
        0x4000: "MAP_NORESERVE",
        0x8000: "MAP_POPULATE",
        0x20000: "MAP_STACK",
        0x100000: "MAP_FIXED_NOREPLACE",
    },
    ("renameat2", 4): {1: "RENAME_NOREPLACE", 2: "RENAME_EXCHANGE", 4: "RENAME_WHITEOUT"},
    ("pipe2", 1): {0o4000: "O_NONBLOCK", 0o2000000: "O_CLOEXEC", 0o40000: "O_DIRECT"},
    ("dup3", 2): {0o2000000: "O_CLOEXEC"},
    ("fallocate", 1): {1: "FALLOC_FL_KEEP_SIZE", 2: "FALLOC_FL_PUNCH_HOLE", 16: "FALLOC_FL_ZERO_RANGE"},
}
_LOCKS: Final = {1: "LOCK_SH", 2: "LOCK_EX", 8: "LOCK_UN", 5: "LOCK_SH|LOCK_NB", 6: "LOCK_EX|LOCK_NB"}
_FCNTL: Final = dict(
    enumerate(("F_DUPFD", "F_GETFD", "F_SETFD", "F_GETFL", "F_SETFL", "F_GETLK", "F_SETLK", "F_SETLKW"))
)
_FCNTL_MORE: Final = {36: "F_OFD_GETLK", 37: "F_OFD_SETLK", 38: "F_OFD_SETLKW", 1030: "F_DUPFD_CLOEXEC"}
_WORDS: Final[dict[tuple[str, int], dict[int, str]]] = {
    ("lseek", 2): {0: "SEEK_SET", 1: "SEEK_CUR", 2: "SEEK_END", 3: "SEEK_DATA", 4: "SEEK_HOLE"},
    ("flock", 1): _LOCKS,
    ("fcntl", 1): _FCNTL | _FCNTL_MORE,
    ("rt_sigprocmask", 0): {0: "SIG_BLOCK", 1: "SIG_UNBLOCK", 2: "SIG_SETMASK"},
    ("ioctl", 1): {
        0x5401: "TCGETS",
        0x5402: "TCSETS",
        0x5403: "TCSETSW",
        0x540F: "TIOCGPGRP",
        0x5410: "TIOCSPGRP",
        0x5412: "TIOCSTI",
        0x5413: "TIOCGWINSZ",
        0x541B: "FIONREAD",
        0x5421: "FIONBIO",
        0x40049409: "FICLONE",
    },
}
_NO_RETURN: Final = frozenset({"exit", "exit_group", "rt_sigreturn"})
_ADDRESSES: Final = frozenset({"mmap", "brk", "mremap", "shmat"})


def name_of(number: int) -> str:
    row = table.by_number().get(number)
    return f"call_{number}" if row is None else row.name


def route_of(number: int) -> str:
    row = table.by_number().get(number)
    return "refuse" if row is None else row.route.value


def never_returns(number: int) -> bool:
    return name_of(number) in _NO_RETURN


def arguments_of(number: int, values: tuple[int, ...], texts: Mapping[int, bytes]) -> list[str]:
    """One text for each argument the call has."""
    row = table.by_number().get(number)
    if row is None:
        return [hex(value) for value in values]
    known = _signature(row.name, values)
    shown = []
    for place, (kind, value) in enumerate(zip(row.arguments, values, strict=False)):
        if place in texts:
            shown.append(_quoted(texts[place], is_whole=kind != "buf"))
        elif (flags := _FLAGS.get((row.name, place)) or (_AT if _is_at(row, kind) else None)) is not None:
            shown.append(_flags(flags, value))
        elif (row.name, place) in _WORDS:
            shown.append(_WORDS[row.name, place].get(value, str(value)))
        elif place in known:
            shown.append(known[place])
        else:
            shown.append(_plain(kind, value))
    if row.name in _OPENS and not values[_OPENS[row.name]] & _CREATING:
        del shown[_OPENS[row.name] + 1 :]
    return shown


def result_of(number: int, result: int) -> str:
    if -4096 < result < 0:
        return f"-1 {error_of(result)} ({os.strerror(-result)})"
    return hex(result & (1 << 64) - 1) if name_of(number) in _ADDRESSES else str(result)


def error_of(result: int) -> str:
    """The errno's name, or nothing."""
    return error_name(-result) if -4096 < result < 0 else ""


def _plain(kind: str, value: int) -> str:
    bits = _SIGNED.get(kind)
    if bits is not None:
        low = value & (1 << bits) - 1
        low -= (1 << bits) if low >> (bits - 1) else 0
        return "AT_FDCWD" if kind == "fd" and low == _AT_FDCWD else str(low)
    if kind == "mode":
        return oct(value & 0o177777)
    return "NULL" if value == 0 and kind in {"ptr", "path", "str", "buf"} else hex(value)


def _is_at(row: SystemCall, kind: str) -> bool:
    return kind == "flags" and row.arguments[:2] == ("fd", "path") and not row.name.startswith("open")


def _flags(names: Mapping[int, str], value: int) -> str:
    found = [name for bit, name in names.items() if value & bit == bit]
    rest = value & 0xFFFFFFFF
    for bit in names:
        rest &= ~bit
    return "|".join(found + ([hex(rest)] if rest else [])) or "0"


def _quoted(text: bytes, *, is_whole: bool) -> str:
    shown = text[:SHOWN_TEXT].decode("utf-8", "backslashreplace")
    body = "".join(sign if sign.isprintable() and sign not in '"\\' else _escaped(sign) for sign in shown)
    return f'"{body}"' + ("..." if len(text) > SHOWN_TEXT or (not is_whole and len(text) >= 32) else "")


def _escaped(sign: str) -> str:
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}.get(sign, f"\\x{ord(sign):02x}")


# --- python-ptrace -----------------------------------------------------------------------


@functools.cache
def has_signatures() -> bool:
    """Whether python-ptrace is there."""
    try:
        import ptrace.syscall  # noqa: F401
    except ImportError:
        return False
    logging.getLogger().setLevel(logging.CRITICAL)  # it complains of memory it cannot read; there is none
    return True


class _Elsewhere:
    """What python-ptrace takes for the process: all of its memory is far away."""

    def readCString(self, address: int, _max_size: int) -> Any:  # noqa: N802
        raise _unreadable(address)

    def readBytes(self, address: int, _size: int) -> Any:  # noqa: N802
        raise _unreadable(address)

    def readStruct(self, address: int, _struct: Any) -> Any:  # noqa: N802
        raise _unreadable(address)

    def readWord(self, address: int) -> Any:  # noqa: N802
        raise _unreadable(address)

    def readArray(self, address: int, _kind: Any, _count: int) -> Any:  # noqa: N802
        raise _unreadable(address)


def _unreadable(address: int) -> Exception:
    from ptrace import PtraceError

    error: Exception = PtraceError(f"{address:#x}")
    return error


def _signature(name: str, values: tuple[int, ...]) -> dict[int, str]:
    """Arguments that python-ptrace has names for: flags, signals, constants."""
    if not has_signatures():
        return {}
    from ptrace.func_call import FunctionCall, FunctionCallOptions
    from ptrace.syscall import SYSCALL_PROTOTYPES, SyscallArgument

    _, formats = SYSCALL_PROTOTYPES.get(name, ("", ()))
    call = FunctionCall(name, FunctionCallOptions(), SyscallArgument)
    call.process = _Elsewhere()
    known = {}
    for place, ((kind, label), value) in enumerate(zip(formats, values, strict=False)):
        call.addArgument(value, label, kind)
        text = call[place].getText()
        # Only what is more than a number: numbers are ours.
        if any(sign.isupper() for sign in text.removeprefix("0x")) and "NULL" not in text:
            known[place] = _NUMBER_BESIDE.sub("", text).strip("<>")
    return known


def is_known(name: str) -> bool:
    return any(call.name == name for call in table.load())
