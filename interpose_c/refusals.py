"""What a refused call means, in words.

Owns: the sentence for one refusal, and whether it is worth a line to somebody who did not ask. Leaves to
others: who refuses (csrc/core), telling it once (the engine), showing it.
"""

from __future__ import annotations

import errno
import os
from typing import Final, NamedTuple

from hpool.interpose_c import table
from hpool.interpose_c.table import Route

_NO_NETWORK: Final = (errno.ENETUNREACH, errno.EADDRNOTAVAIL)
_FAMILIES: Final = {
    3: "AX.25",
    4: "IPX",
    16: "netlink",
    17: "packet",
    29: "CAN",
    31: "Bluetooth",
    38: "crypto",
}
_FAMILIES_MORE: Final = {40: "vsock", 44: "XDP"}
_IOCTLS: Final = {
    0x5412: ("TIOCSTI", "nothing is typed into a terminal on the job's behalf"),
    0x541C: ("TIOCLINUX", "consoles are the machine's"),
    0x5423: ("TIOCSETD", "line disciplines are the machine's"),
    0x40086602: ("FS_IOC_SETFLAGS", "the flags of files at home stay as they are"),
    0x401C5820: ("FS_IOC_FSSETXATTR", "the flags of files at home stay as they are"),
    0xC020660B: (
        "FS_IOC_FIEMAP",
        "where a file's blocks lie is home's affair; programs read the file instead",
    ),
}
# Refused or degraded so that what the program does next is not what it would do at home.
_GRAVE: Final = frozenset(
    {"connect", "unshare", "setns", "mount", "chroot", "pivot_root", "sched_setscheduler"}
)


class Consequence(NamedTuple):
    call: str
    error: str  # name of the errno
    sentence: str
    is_grave: bool


def consequence(number: int, error: int, first: int, second: int, program: str) -> Consequence:
    """Never fails: the numbers come from the job."""
    name, what = _meaning(number, error, first, second)
    code = error_name(error)
    who = os.path.basename(program) or "a program"
    sentence = f"{who}: {name} was refused ({code}): {what}"
    return Consequence(name, code, sentence, name.partition("(")[0] in _GRAVE)


def error_name(number: int) -> str:
    """As the kernel's headers have it; Python's table has the other name for this one."""
    return "EOPNOTSUPP" if number == errno.EOPNOTSUPP else errno.errorcode.get(number, f"errno {number}")


def _meaning(number: int, error: int, first: int, second: int) -> tuple[str, str]:
    row = table.by_number().get(number)
    if row is None:
        return f"call {number}", "newer than hpool's table: programs use older calls instead"
    if row.name == "connect" and error in _NO_NETWORK:
        return (
            "connect",
            "the job has no network; --network host gives it the machine's, if its owner allows that",
        )
    if row.name == "ioctl":
        request, what = _IOCTLS.get(second & 0xFFFFFFFF, (hex(second & 0xFFFFFFFF), row.note))
        return f"ioctl({request})", what
    if row.name == "socket":
        family = (_FAMILIES | _FAMILIES_MORE).get(first, f"family {first}")
        return f"socket({family})", row.note
    if row.name == "arch_prctl":
        return (
            "arch_prctl(ARCH_SET_GS)",
            "hpool itself uses %gs: such a program needs `hpool run --intercept trace`",
        )
    return row.name, row.note or _ROUTES[row.route]


_ROUTES: Final = {
    route: "it would go round hpool" if route is Route.REFUSE else "the jail does not allow it"
    for route in Route
}
