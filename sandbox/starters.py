"""Starters as the sandbox sees them: forked from a nursery, one per job, gone without a trace.

Owns: forking them, their user, where their mirrors are mounted, and that nothing of a job is left
when a slot is free again. Leaves to others: the job itself (starter).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from hpool.matchmaker.hosting.nursery import Nursery
from hpool.sandbox import cache
from hpool.sandbox.api import door
from hpool.sandbox.api.order import GO_ON, LEAVE, ORDER, STAND_STILL, STANDS, Order
from hpool.sandbox.users import SlotUsers
from hpool.shadow.api.queue import ClaimReply

log = logging.getLogger("starters")

FIRST_OUTSIDE_ID: Final = 64_000
STANDS_WITHIN_S: Final = 5.0
MOUNT_PLACES: Final = ("/mnt", "/media", "/srv", "/tmp", "/run", "/var", "/home")


@dataclass(frozen=True, slots=True)
class StarterLimits:
    """What the owner grants each job."""

    mirror_bytes: int
    mirror_inodes: int
    memory_bytes: int
    max_processes: int
    host_network: bool
    cache_bytes: int = cache.DEFAULT_BOUND_BYTES
    first_outside_id: int = FIRST_OUTSIDE_ID


def end_in_words(status: int | BaseException) -> str:
    """How a starter ended, for who waits for the job."""
    if isinstance(status, int) and status < 0:
        return f"was killed by signal {-status}"
    return f"ended with {status!r}"


class Starters:
    """The supply of starters. As root each slot has a user of its own, and what runs as that user
    after a job's end is killed; otherwise the keeper's PID namespace alone sees to that."""

    def __init__(
        self,
        limits: StarterLimits,
        machine: str,
        cache_directory: Path | None,
        doors: Path | None = None,
        features: tuple[str, ...] = (),
    ) -> None:
        """`doors`: a private directory for what lets this machine's owner ask a starter for an image."""
        self._limits = limits
        self._machine = machine
        self._features = features
        self._doors = doors
        options = [] if doors is None else [door.OPTION, os.fspath(doors)]
        self._nursery = Nursery(door.MODULE, options)
        self._cache = cache_directory
        self._users = SlotUsers(limits.first_outside_id)
        self._links: dict[socket.socket, asyncio.Queue[int]] = {}  # what each answered
        self._is_still = False

    def start(self) -> None:
        self._nursery.start()

    async def run(self, slot: int, job_id: str, claim: ClaimReply) -> int:
        """Runs one job; returns when nothing of it is left. The starter's exit code, negative: a signal."""
        is_root = os.geteuid() == 0
        outside = (self._users.of(slot),) * 2 if is_root else (os.geteuid(), os.getegid())
        order = Order(
            job_id=job_id,
            shadow_address=claim.shadow_address,
            claim_secret=claim.claim_secret,
            machine=self._machine,
            inside_uid=claim.uid,
            inside_gid=claim.gid,
            outside_uid=outside[0],
            outside_gid=outside[1],
            mirror_directory=mirror_place(),
            mirror_bytes=self._limits.mirror_bytes,
            mirror_inodes=self._limits.mirror_inodes,
            cache_directory=self._cache_of(slot),
            memory_bytes=self._limits.memory_bytes,
            max_processes=self._limits.max_processes,
            host_network=self._limits.host_network,
            features=self._features,
        )
        child = await self._nursery.fork()
        raw = ORDER.encode(order)
        try:
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(child.link, struct.pack("<I", len(raw)) + raw)
            answers: asyncio.Queue[int] = asyncio.Queue()
            self._links[child.link] = answers
            listening = asyncio.create_task(_listen(child.link, answers))
            if self._is_still:  # it was on its way here when the owner came
                child.link.send(STAND_STILL)
            return await asyncio.shield(child.ended)
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)
            await child.ended
            raise
        finally:
            if self._links.pop(child.link, None) is not None:
                listening.cancel()
            child.link.close()
            if self._doors is not None:
                (self._doors / door.name_of(child.pid, job_id)).unlink(missing_ok=True)
            if is_root:
                await _sweep(order.outside_uid)
            if order.cache_directory:
                cache.prune(Path(order.cache_directory), self._limits.cache_bytes)

    def ask_to_leave(self) -> None:
        """Every job that runs here: its home may take it back, and end its starter by that."""
        for link in self._links:
            with contextlib.suppress(OSError):
                link.send(LEAVE)

    async def stand(self, *, is_still: bool) -> list[int]:
        """Microseconds each took to stop or to go on. One that has not begun yet does not answer: it will
        stop as it begins."""
        self._is_still = is_still
        waiting = []
        for link, answers in self._links.items():
            while not answers.empty():
                answers.get_nowait()
            with contextlib.suppress(OSError):
                link.send(STAND_STILL if is_still else GO_ON)
                waiting.append(asyncio.create_task(answers.get()))
        if not waiting:
            return []
        done, late = await asyncio.wait(waiting, timeout=STANDS_WITHIN_S)
        for each in late:
            each.cancel()
        return sorted(each.result() for each in done)

    def _cache_of(self, slot: int) -> str:
        """As root each slot has a cache of its own: what one job's user could spoil is no other's."""
        if self._cache is None:
            return ""
        place = self._cache
        try:
            if os.geteuid() == 0:
                uid = self._users.of(slot)
                place = self._cache / str(uid)
                place.mkdir(mode=0o700, exist_ok=True)
                os.chown(place, uid, uid)
        except OSError as error:
            log.warning("no cache for slot %d: %s", slot, error)
            return ""
        return os.fspath(place)

    def close(self) -> None:
        self._nursery.close()
        self._users.close()


def mirror_place() -> str:
    """A directory for mirrors to be mounted on. Each starter mounts in a namespace of its own, so any
    one that every user can reach serves them all, nobody sees anything in it, and nothing is left."""
    return next((place for place in MOUNT_PLACES if os.path.isdir(place)), "/tmp")


async def _listen(link: socket.socket, answers: asyncio.Queue[int]) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        while raw := await loop.sock_recv(link, STANDS.size):
            answers.put_nowait(STANDS.unpack(raw)[1])


async def _sweep(uid: int) -> None:
    """Kills whatever still runs as the slot's user. It is the slot's alone."""
    while True:
        left = [process for process in psutil.process_iter(["uids"]) if _runs_as(process, uid)]
        for process in left:
            log.warning("killing %s, left behind by a job", process)
            with contextlib.suppress(psutil.Error):
                process.kill()
        if not left:
            return
        await asyncio.sleep(0.02)


def _runs_as(process: psutil.Process, uid: int) -> bool:
    uids = process.info["uids"]
    return uids is not None and uid in uids and process.status() != psutil.STATUS_ZOMBIE
