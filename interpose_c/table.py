"""The system call table, as Python sees it.

Owns: reading csrc/syscalls.def, the one source of dispatch, docs and tests.
Leaves to others: what a handler does (csrc) and how the table is shown
(`hpool syscalls`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Final

# Numbers without a row do not exist up to here; see core/table.c.
NEWEST_NUMBER: Final = 469
ARGUMENT_KINDS: Final = frozenset(
    {"fd", "path", "str", "buf", "ptr", "len", "off", "int", "flags", "mode", "pid", "sig"}
)
_ROW: Final = re.compile(
    r"HP_CALL\(\s*(?P<number>\d+), (?P<name>\w+),\s+(?P<route>[A-Z]+),\s+"
    r"(?:HP_NATIVE|HP_ERRNO\((?P<errno>E[A-Z0-9]+)\)|(?P<handler>hp_call_\w+)),\s+"
    r'"(?P<arguments>[a-z ]*)", "(?P<note>[^"]*)"\)'
)


class Route(StrEnum):
    """Which way a call goes."""

    NATIVE = "native"  # passed through untouched
    FAULT = "fault"  # what is missing comes from home, then native
    NOTE = "note"  # native, and noted
    CHANGE = "change"  # at home first
    PROCESS = "process"  # the shim goes along into what begins
    SIGNAL = "signal"  # SIGSYS stays the shim's
    REFUSE = "refuse"  # answered with an errno


class BadTable(ValueError):
    """A line of syscalls.def that is no row."""


@dataclass(frozen=True, slots=True)
class SystemCall:
    number: int
    name: str
    route: Route
    handler: str | None  # the C function; None when native or refused
    errno: str | None  # name of the errno; only when refused
    arguments: tuple[str, ...]
    note: str


def load() -> tuple[SystemCall, ...]:
    """Every row, by number; raises BadTable quoting what it could not read."""
    return _load()


@cache
def by_number() -> Mapping[int, SystemCall]:
    """The same rows, to be looked up."""
    return {call.number: call for call in _load()}


@cache
def _load() -> tuple[SystemCall, ...]:
    return parse((files(__package__) / "csrc" / "syscalls.def").read_text(encoding="utf-8"))


def parse(text: str) -> tuple[SystemCall, ...]:
    """The rows in `text`. Comments are allowed before the first row only."""
    head, start, rows = text.partition("\nHP_CALL(")
    if not start or "*/" not in head:
        raise BadTable("no row after the opening comment")
    return tuple(_row(line) for line in ("HP_CALL(" + rows).splitlines() if line.strip())


def _row(line: str) -> SystemCall:
    match = _ROW.fullmatch(line.strip())
    if match is None:
        raise BadTable(f"not a row: {line!r}")
    call = SystemCall(
        number=int(match["number"]),
        name=match["name"],
        route=_route(match["route"], line),
        handler=match["handler"],
        errno=match["errno"],
        arguments=tuple(match["arguments"].split()),
        note=match["note"],
    )
    unknown = set(call.arguments) - ARGUMENT_KINDS
    if unknown or len(call.arguments) > 6:
        raise BadTable(f"bad argument kinds {sorted(unknown)}: {line!r}")
    if (call.route is Route.REFUSE) != (call.errno is not None) or (
        call.route not in {Route.NATIVE, Route.REFUSE}
    ) != (call.handler is not None):
        raise BadTable(f"route and handler do not fit: {line!r}")
    return call


def _route(word: str, line: str) -> Route:
    try:
        return Route[word]
    except KeyError:
        raise BadTable(f"unknown route {word}: {line!r}") from None
