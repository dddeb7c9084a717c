"""The starter as a process: a nursery that imports everything, and the child that runs one job.

Owns: giving up privileges before anything else, and that the process dies with its sandbox. Leaves to
others: the job. Whatever is needed from the installation is imported or opened before the privileges
go: an installation below /root cannot be read afterwards.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import socket
import struct
import sys
import threading
from pathlib import Path
from typing import Final

import grpc._channel  # noqa: F401 - grpc itself imports it with the first channel: too late here

from hpool.interpose_c.executables import KEEPER, LOADER
from hpool.matchmaker.hosting import nursery
from hpool.matchmaker.hosting.daemon import log_to_stderr
from hpool.matchmaker.model.again import CannotGoOn
from hpool.matchmaker.model.errors import SandboxFailed
from hpool.sandbox import cache, memory
from hpool.sandbox.api import door as door_api
from hpool.sandbox.api import order as words
from hpool.sandbox.api.order import ORDER, Order
from hpool.sandbox.kept import Kept
from hpool.sandbox.machine import hpool_version, needs_of
from hpool.sandbox.starter.blocks import KeptBlocks
from hpool.sandbox.starter.checkpoint import fetch
from hpool.sandbox.starter.door import Door
from hpool.sandbox.starter.dying import die_with_parent, die_with_threads
from hpool.sandbox.starter.engine import (
    Engine,
    EngineFailure,
    NativeEngine,
    enter_user_namespace,
    mount_mirror,
)
from hpool.sandbox.starter.job import RELEASE_WITHIN_S, JobRun
from hpool.sandbox.starter.link import Link, LinkLost
from hpool.shadow.api.home import Finished
from hpool.shadow.api.job import Problem

log = logging.getLogger("starter")

LEFT: Final = 3
SWITCH_INTERVAL_S: Final = 0.0005
_VERSION: Final = hpool_version()


def receive_order(link: socket.socket) -> Order:
    (length,) = struct.unpack("<I", link.recv(4, socket.MSG_WAITALL))
    return ORDER.decode(link.recv(length, socket.MSG_WAITALL))


def watch_owner(link: socket.socket, run: JobRun) -> None:
    """What the sandbox says after the order: a letter each."""

    def watch() -> None:
        with contextlib.suppress(OSError):
            while word := link.recv(1):
                match word:
                    case words.LEAVE:
                        run.wants_to_leave()
                    case words.STAND_STILL | words.GO_ON:
                        run.owner(is_there=word == words.STAND_STILL)

    threading.Thread(target=watch, name="owner", daemon=True).start()


def keep_programs(engine: Engine, cache_fd: int) -> None:
    """For the next job. The job is over and released: nobody waits for this."""
    while (found := engine.uncached()) is not None:
        digest, fd = found
        try:
            if not cache.keep(cache_fd, digest, fd):
                log.warning("a program's content is not what home said: not kept")
        except OSError as error:
            log.warning("the cache takes no more: %s", error)
            return
        finally:
            os.close(fd)


def keep_memory(engine: Engine, kept: memory.Memory, old: bytes) -> None:
    """What this run asked for beyond what the last one knew."""
    try:
        kept.save_pack(engine.pack)
        joined = memory.join(old, engine.remembered())
        if joined != old:
            kept.save(joined)
    except OSError as error:
        log.warning("the cache takes no memory of this run: %s", error)


def keep_blocks(blocks: KeptBlocks) -> None:
    """Of large files that this run has read."""
    try:
        blocks.keep()
    except OSError as error:
        log.warning("the cache takes no blocks of this run: %s", error)


def open_faults() -> int:
    """Before the privileges go: it may be root's alone. -1: not for us, a job that goes on has all its memory
    first."""
    try:
        return os.open("/dev/userfaultfd", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return -1


def open_door(doors: Path | None, job_id: str) -> Door | None:
    """A job without one runs as well."""
    try:
        return None if doors is None else Door(doors, job_id)
    except OSError as error:
        log.warning("job %s can be dumped by its home alone: %s", job_id, error)
        return None


def child_main(link: socket.socket, loader_fd: int, keeper_fd: int, doors: Path | None) -> int:
    die_with_parent()
    order = receive_order(link)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    failure: OSError | None = None
    door = open_door(doors, order.job_id)
    root_fd = cache_fd = -1
    faults_fd = open_faults()
    try:
        if order.cache_directory:
            cache_fd = os.open(order.cache_directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        enter_user_namespace((order.inside_uid, order.inside_gid), (order.outside_uid, order.outside_gid))
        root_fd = mount_mirror(order.mirror_directory, order.mirror_bytes, order.mirror_inodes)
    except OSError as error:
        failure = error
    die_with_parent()
    home_link = Link(order.shadow_address, order.claim_secret, order.machine, _VERSION)
    try:
        task = home_link.receive_task()
        offset_ns = home_link.measure_clock()
        if failure is not None:
            raise failure
        engine = NativeEngine(
            root_fd=root_fd,
            loader_fd=loader_fd,
            cache_fd=cache_fd,
            mirror_bytes=order.mirror_bytes,
            clock_offset_ns=offset_ns,
            groups=task.job.groups,
            network=task.job.network != "none",
            strict=task.job.sync == "strict",
        )
        needs = set(needs_of((), task.job.cpu_level)) if task.going is None else set(task.going.needs)
        if lacks := needs - set(order.features):
            raise CannotGoOn(order.machine, f"it has not {', '.join(sorted(lacks))}")
        image = None if task.going is None else fetch(home_link, task.going, order.machine)
        kept = memory.Memory(cache_fd, task.memory_key, task.job.program, task.job.arguments)
        recalled = kept.load() if cache_fd >= 0 else memory.NOTHING
        blocks = KeptBlocks(engine, Kept(cache_fd, task.memory_key))
        if cache_fd >= 0:
            blocks.serve()

        def tell_sandbox(word: bytes) -> None:
            with contextlib.suppress(OSError):
                link.sendall(word)

        run = JobRun(
            order, task, home_link, engine, root_fd, keeper_fd, recalled, image, faults_fd, tell_sandbox
        )
        watch_owner(link, run)
        if door is not None:
            door.serve(run.copy)
        has_left = run.run()
        if door is not None:
            door.close()
        if cache_fd >= 0:
            keep_memory(engine, kept, recalled.text)
            keep_programs(engine, cache_fd)
        if has_left:
            return LEFT  # the sandbox tells home that nobody comes back
        if cache_fd >= 0:
            keep_blocks(blocks)
    except LinkLost as error:
        log.warning("job %s: %s", order.job_id, error)
        return 1
    except (OSError, EngineFailure, CannotGoOn) as error:
        told = error if isinstance(error, CannotGoOn) else SandboxFailed(order.machine, str(error))
        problem = Problem.of(told)
        home_link.send(Finished(False, 0, 0, 0, problem))
        home_link.await_release(RELEASE_WITHIN_S)
        return 1
    return 0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(door_api.OPTION, type=Path)
    parser.add_argument("owner", type=int)
    options = parser.parse_args()
    log_to_stderr("starter")
    die_with_threads()
    os.umask(0o077)  # the mirror's mode bits are the owner's, and all of them mean something
    die_with_parent()
    # Once: a newer hpool may be installed meanwhile, and its loader is not for this engine.
    loader_fd = os.open(LOADER, os.O_RDONLY | os.O_CLOEXEC)
    keeper_fd = os.open(KEEPER, os.O_RDONLY | os.O_CLOEXEC)
    nursery.serve(
        socket.socket(fileno=options.owner),
        lambda link: child_main(link, loader_fd, keeper_fd, options.doors),
        kill_children=True,
    )


if __name__ == "__main__":
    main()
