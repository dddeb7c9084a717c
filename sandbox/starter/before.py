"""What is known of a job's needs before it begins.

Owns: what any run asks home for, which places below the sandbox's own are home's. Leaves to others: asking
(engine), what a former run asked (memory), the order of things (job).
"""

from __future__ import annotations

import os
from typing import Final

from hpool.shadow.api.job import JobDescription

LOCAL_PLACES: Final = (b"/tmp", b"/var/tmp", b"/dev/shm")
LOCALES: Final = b"/usr/lib/locale"
MESSAGES: Final = b"/usr/share/locale"
CONVERSIONS: Final = (  # one of them, by distribution
    b"/usr/lib/x86_64-linux-gnu/gconv/gconv-modules.cache",
    b"/usr/lib64/gconv/gconv-modules.cache",
)
ALIASES: Final = (b"/usr/share/locale/locale.alias", b"/etc/locale.alias")  # the latter is Debian's
ASKED_BY_LIBRARIES: Final = (
    *(b"/etc/ld.so.preload", b"/selinux", b"/etc/selinux/config"),  # ld.so, libselinux, before main
    b"/var/run/nscd/socket",
)
READ_BY_LIBRARIES: Final = (b"/etc/nsswitch.conf", b"/etc/passwd")  # who looks for a user or a host


def sure_questions(job: JobDescription) -> bytes:
    """What any run asks home for, as lines of a memory: with it the first run begins after one round trip.
    Few bytes: the connection is new, and each doubling of what it carries is a round trip more."""
    variables = dict(variable.partition(b"=")[::2] for variable in job.environment)
    lines = [b"N " + job.directory]
    lines += [*(b"R " + path for path in islands(job)), b"B " + job.program]
    locale = variables.get(b"LC_ALL") or variables.get(b"LC_CTYPE") or variables.get(b"LANG") or b"C"
    if locale not in {b"C", b"POSIX"} and b"/" not in locale:
        name, dot, charset = locale.partition(b".")  # glibc looks for both spellings
        other = name + dot + charset.lower().replace(b"-", b"")
        place = LOCALES + b"/" + other
        lines += [b"R " + LOCALES + b"/locale-archive", b"L " + LOCALES]
        lines += [b"D " + place, b"D " + place + b"/LC_MESSAGES", b"B " + place + b"/LC_CTYPE"]
        spellings = dict.fromkeys([locale, other, name, name.partition(b"_")[0]])
        lines += [b"R " + MESSAGES + b"/" + spelling for spelling in spellings]
        lines += [b"C " + path for path in ALIASES]
        lines += [b"B " + path for path in CONVERSIONS]
    lines += [b"R " + path for path in ASKED_BY_LIBRARIES]
    lines += [b"C " + path for path in READ_BY_LIBRARIES]
    return b"".join(line + b"\n" for line in lines)


def is_local(path: bytes) -> bool:
    return path.startswith(tuple(place + b"/" for place in LOCAL_PLACES))


def islands(job: JobDescription) -> list[bytes]:
    """Directories of home below places that are otherwise the sandbox's own."""
    wanted = [job.directory, os.path.dirname(job.program)]
    wanted += [sharing.path for sharing in job.sharing if sharing.mode != "hide"]
    return sorted({path for path in wanted if is_local(path)})


def island_roots(job: JobDescription) -> list[bytes]:
    """The first directory of each island: what the job must not be able to rename."""
    roots = set()
    for path in islands(job):
        place = next(place for place in LOCAL_PLACES if path.startswith(place + b"/"))
        roots.add(place + b"/" + path[len(place) + 1 :].split(b"/", 1)[0])
    return sorted(roots)
