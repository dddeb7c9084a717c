"""The sharing rules of one job, and the sentence for what they refused.

Owns: which rules apply, in which order. Leaves to others: parsing options into paths is here,
printing is the command's; obeying the rules is csrc/policy.c's; the built-in lists are secrets'.

By default a job reads what its user may read, without the secrets, and writes below its working
directory only. The most specific rule decides; of two for the same path the later one.
"""

from __future__ import annotations

import enum
import glob
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hpool.matchmaker.model.errors import BadShare
from hpool.shadow.home import secrets


class Share(enum.IntEnum):
    """As enum hp_share of home.h."""

    RO = 0
    RW = 1
    HIDE = 2


MODES: Final = {"ro": Share.RO, "rw": Share.RW, "hide": Share.HIDE}
PATTERN: Final = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Rule:
    path: bytes  # absolute and canonical; of a hidden one the last component may be a pattern
    share: Share


@dataclass(frozen=True, slots=True)
class SharingPolicy:
    rules: tuple[Rule, ...]
    fallback: Share = Share.RO

    def writable(self) -> list[bytes]:
        return [rule.path for rule in self.rules if rule.share is Share.RW]


def parse_share(text: str, directory: str) -> tuple[str, str]:
    """Reads "PATH", "PATH:ro" or "PATH:rw"; gives the absolute path and the mode."""
    path, colon, mode = text.rpartition(":")
    if not colon or mode not in {"ro", "rw"}:
        if colon and re.fullmatch(r"\w{1,4}", mode) and not os.path.lexists(os.path.join(directory, text)):
            raise BadShare(f"--share {text!r}", f"there is no mode {mode!r}")
        path, mode = text, "ro"
    if not path or "\0" in path:
        raise BadShare(f"--share {text!r}", "a path is missing")
    return _absolute(path, directory), mode


def parse_hide(text: str, directory: str) -> tuple[str, str]:
    """Reads the path of --hide; its last component may be a pattern."""
    if not text or "\0" in text:
        raise BadShare(f"--hide {text!r}", "a path is missing")
    return _absolute(text, directory), "hide"


def _absolute(path: str, directory: str) -> str:
    return os.path.normpath(os.path.join(directory, os.path.expanduser(path)))


def policy_for(
    directory: bytes,
    sharing: Iterable[tuple[bytes, str]],
    environment: Mapping[str, str],
    home_directory: str,
    uid: int,
) -> SharingPolicy:
    """Built-in rules, then the working directory, then what the user said."""
    asked = [Rule(path, MODES[mode]) for given, mode in sharing for path in _names(given, MODES[mode])]
    lifted = {rule.path for rule in asked if rule.share is not Share.HIDE}
    rules = [Rule(path, Share.RO) for path in _all_names(secrets.guarded_paths(environment, home_directory))]
    here = os.path.realpath(directory)
    # The root as working directory shares nothing: that would be the whole machine.
    rules += [Rule(here, Share.RW)] if here != b"/" else []
    hidden = _all_names(secrets.secret_paths(environment, home_directory, uid))
    rules += [Rule(path, Share.HIDE) for path in hidden if path not in lifted]
    return SharingPolicy(tuple(dict.fromkeys([*rules, *asked])))


def _all_names(paths: Iterable[str]) -> list[bytes]:
    return list(dict.fromkeys(name for path in paths for name in _names(os.fsencode(path), Share.HIDE)))


def _names(path: bytes, share: Share) -> list[bytes]:
    """The canonical names a rule is about: the path itself, what it leads to, and for a
    pattern also what matches it now (those are then known by inode, too)."""
    base, name = os.path.split(os.path.normpath(path))
    here = os.path.join(os.path.realpath(base), name)
    if share is not Share.HIDE:
        return [os.path.realpath(path)]
    if PATTERN.search(os.fsdecode(name)):
        matches = glob.glob(os.path.join(glob.escape(os.path.realpath(base)), name), include_hidden=True)
        return [here, *(canonical for match in matches for canonical in (match, os.path.realpath(match)))]
    return list(dict.fromkeys([here, os.path.realpath(path)]))


@dataclass(frozen=True, slots=True)
class Refusal:
    """Policy refused what the user himself could have done."""

    kind: str  # "read" or "write"
    path: str

    @property
    def flag(self) -> str:
        return f"--share {_quoted(self.path)}:{'rw' if self.kind == 'write' else 'ro'}"

    @property
    def sentence(self) -> str:
        what = "change anything in" if self.kind == "write" and Path(self.path).is_dir() else self.kind
        return f"the job may not {what} {self.path}; {self.flag} allows it"


def parse_refusals(lines: bytes) -> list[Refusal]:
    """What hp_home_refusals wrote."""
    found = []
    for line in lines.splitlines():
        kind, _, path = line.partition(b"\t")
        plain = re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), path)
        found.append(Refusal(kind.decode(), os.fsdecode(plain)))
    return found


def _quoted(path: str) -> str:
    return (
        path if re.fullmatch(r"[\w@%+=:,./~-]+", path, re.ASCII) else "'" + path.replace("'", "'\\''") + "'"
    )
