"""Bundles: all that must be there before a program's first instruction, in one answer.

Owns: the closure of a program: its `#!` interpreters, its ELF interpreter, the libraries ld.so will
look for, in its order (ld.so(8)); LD_LIBRARY_PATH aside. Leaves to others: what a file says of
itself and its digest (digests), walking under policy (csrc), the answer's use.

A bundle only saves round trips. What it misses is found by faults; what it has too much costs bytes.
"""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from hpool.shadow.api import wire
from hpool.shadow.home._home import ffi, lib
from hpool.shadow.home.digests import Digests, Facts
from hpool.shadow.home.ldcache import libraries

CACHE: Final = "/etc/ld.so.cache"
PRELOAD: Final = "/etc/ld.so.preload"
LIB_NAMES: Final = ("lib/x86_64-linux-gnu", "lib64", "lib")
DEFAULT_DIRECTORIES: Final = (
    "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib",
)  # fmt: skip
MUSL_DIRECTORIES: Final = ("/lib", "/usr/local/lib", "/usr/lib")
INTERPRETERS_MAX: Final = 5  # scripts interpreted by scripts; the kernel's limit
FILES_MAX: Final = 2000
NOT_LOADABLE: Final = -1  # it is there, but no regular file, or not to be read
RECORD_BYTES: Final = 900_000
CACHE_BYTES_MAX: Final = 64 << 20


class Loaded(NamedTuple):
    path: str  # as ld.so would have it, not canonical
    canonical: str
    facts: Facts
    loader: Loaded | None  # who needs it


class Bundler:
    """One thread at a time: the lane's buffers are its own."""

    def __init__(self, lane: Any, digests: Digests, search_path: tuple[bytes, ...]) -> None:
        self._lane = lane
        self._digests = digests
        self._search_path = [os.fsdecode(path) for path in search_path]
        self._cache: tuple[bytes, dict[str, list[str]]] = (b"", {})

    def answer(self, request: wire.Request) -> bytes:
        """The reply to a BUNDLE request, in one or more records."""
        closure = _Closure(self, request)
        error = closure.collect(os.fsdecode(request.first))
        return _records(request, error, closure.entries.values())

    def resolve(self, path: str, request: wire.Request) -> wire.Reply:
        asked = wire.Request(
            wire.Op.RESOLVE,
            request.id,
            os.fsencode(path),
            length=request.length,
            flags=request.flags & wire.Flag.CONTENT,
        )
        stream = b"".join(piece for piece, _ in self._lane.run(asked.pack()))
        replies = wire.parse_replies(stream)
        return replies[-1]._replace(entries=tuple(itertools.chain(*(reply.entries for reply in replies))))

    def facts(self, canonical: str) -> Facts | None:
        fd = lib.hp_lane_open(self._lane.c_lane, os.fsencode(canonical), ffi.new("struct hpw_attr *"))
        if fd < 0:
            return None
        try:
            return self._digests.of(fd)
        except OSError:
            return None
        finally:
            os.close(fd)

    def cached_paths(self, name: str, digest: bytes) -> list[str]:
        """What ld.so.cache, of this digest, says of a library."""
        if self._cache[0] != digest:
            fd = lib.hp_lane_open(self._lane.c_lane, CACHE.encode(), ffi.new("struct hpw_attr *"))
            content = b""
            if fd >= 0:
                with open(fd, "rb") as file:
                    content = file.read(CACHE_BYTES_MAX)
            self._cache = (digest, libraries(content))
        return self._cache[1].get(name, [])

    def in_search_path(self, name: str) -> Iterator[str]:
        yield from [name] if "/" in name else (os.path.join(place, name) for place in self._search_path)


class _Closure:
    """One answer in the making."""

    def __init__(self, bundler: Bundler, request: wire.Request) -> None:
        self.entries: dict[bytes, wire.Entry] = {}
        self._bundler = bundler
        self._request = request
        self._tried: dict[str, Loaded | int] = {}
        self._cache_digest = b""

    def collect(self, program: str) -> int:
        """0, or the errno of the program itself."""
        found = self._look(program, None)
        if isinstance(found, int):
            return 0 if found == NOT_LOADABLE else found
        for _ in range(INTERPRETERS_MAX):
            shebang = found.facts.loading.shebang
            if not shebang:
                break
            interpreter = self._interpreter(shebang)
            if interpreter is None:
                return 0
            found = interpreter
        self._load(found)
        loaded = [each for each in self._tried.values() if isinstance(each, Loaded)]
        if any(each.facts.loading.writes_gs for each in loaded):
            path = os.fsencode(found.canonical)
            entry = self.entries[path]
            self.entries[path] = entry._replace(flags=entry.flags | wire.EntryFlag.TAKES_GS)
        return 0

    def _look(self, path: str, loader: Loaded | None) -> Loaded | int:
        """Puts everything on the way to a file into the answer; errno, or NOT_LOADABLE."""
        if path in self._tried:
            return self._tried[path]
        if len(self._tried) >= FILES_MAX:
            return NOT_LOADABLE
        reply = self._bundler.resolve(path, self._request)
        for entry in reply.entries:
            self.entries.setdefault(entry.path, entry)
        result: Loaded | int = reply.error or NOT_LOADABLE
        if not reply.error:
            last = self.entries[reply.entries[-1].path]
            canonical = os.fsdecode(last.path)
            facts = self._bundler.facts(canonical) if stat.S_ISREG(last.attr.mode) else None
            if facts is not None:
                self.entries[last.path] = last._replace(digest=facts.digest)
                result = Loaded(path, canonical, facts, loader)
        self._tried[path] = result
        return result

    def _interpreter(self, shebang: str) -> Loaded | None:
        words = os.fsdecode(shebang.encode("latin-1")).split(maxsplit=1)
        found = self._look(words[0], None) if words and words[0].startswith("/") else None
        if isinstance(found, Loaded) and os.path.basename(words[0]) == "env" and len(words) > 1:
            self._load(found)
            name = next(
                (word for word in words[1].split() if not word.startswith("-") and "=" not in word), ""
            )
            for path in self._bundler.in_search_path(name) if name else ():
                if path.startswith("/") and isinstance(program := self._look(path, None), Loaded):
                    return program
            return None
        return found if isinstance(found, Loaded) else None

    def _load(self, program: Loaded) -> None:
        loading = program.facts.loading
        if not loading.machine:
            return
        if loading.interpreter.startswith("/"):  # a relative one is looked for where the job stands
            self._look(loading.interpreter, program)
        if not loading.interpreter and not loading.needed:
            return  # static
        musl = os.path.basename(loading.interpreter).startswith("ld-musl")
        if not musl:
            cache = self._look(CACHE, program)
            self._cache_digest = cache.facts.digest if isinstance(cache, Loaded) else b""
            self._look(PRELOAD, program)
        names: set[str] = set()
        queue = [program]
        while queue:
            needing = queue.pop(0)
            for name in needing.facts.loading.needed:
                if name not in names:
                    names.add(name)
                    queue += self._library(name, needing, program, musl)

    def _library(self, name: str, needing: Loaded, program: Loaded, musl: bool) -> list[Loaded]:
        """The file ld.so would take, and behind it variants that better processors take instead."""
        found: list[Loaded] = []
        for path in self._candidates(name, needing, musl):
            candidate = self._look(path, needing)
            if (
                isinstance(candidate, Loaded)
                and candidate.facts.loading.machine == program.facts.loading.machine
            ):
                found.append(candidate)
                if "/glibc-hwcaps/" not in path:
                    break
        return found

    def _candidates(self, name: str, needing: Loaded, musl: bool) -> Iterator[str]:
        if "/" in name:
            yield from [name] if name.startswith("/") else []
            return
        for directory in _run_paths(needing):
            # ld.so asks for this first; that it is not there is worth knowing.
            self._look(f"{directory}/glibc-hwcaps", needing)
            yield f"{directory}/{name}"
        if not musl:
            yield from self._bundler.cached_paths(name, self._cache_digest)
        for directory in MUSL_DIRECTORIES if musl else DEFAULT_DIRECTORIES:
            yield f"{directory}/{name}"


def _run_paths(needing: Loaded) -> Iterator[str]:
    """RPATH of the library and of who needs it, unless it has a RUNPATH; then that one."""
    loading = needing.facts.loading
    chain: Loaded | None = needing
    while chain is not None and not loading.runpath:
        yield from _expanded(chain.facts.loading.rpath if not chain.facts.loading.runpath else (), chain)
        chain = chain.loader
    yield from _expanded(loading.runpath, needing)


def _expanded(directories: Iterable[str], owner: Loaded) -> Iterator[str]:
    origin = os.path.dirname(owner.canonical if owner.loader is None else owner.path)
    for directory in directories:
        plain = directory.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)
        plain = plain.replace("${PLATFORM}", "x86_64").replace("$PLATFORM", "x86_64")
        for lib_name in LIB_NAMES if "$LIB" in plain or "${LIB}" in plain else ("",):
            path = plain.replace("${LIB}", lib_name).replace("$LIB", lib_name)
            if path.startswith("/"):
                yield path.rstrip("/")


def _records(request: wire.Request, error: int, entries: Iterable[wire.Entry]) -> bytes:
    groups: list[list[wire.Entry]] = [[]]
    size = 0
    for entry in entries:
        length = len(entry.pack())
        if groups[-1] and size + length > RECORD_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(entry)
        size += length
    last = len(groups) - 1
    return b"".join(
        wire.Reply(
            wire.Op.BUNDLE,
            wire.Flag.MORE if number < last else wire.Flag(0),
            request.id,
            error if number == last else 0,
            tuple(group),
            b"",
        ).pack()
        for number, group in enumerate(groups)
    )
