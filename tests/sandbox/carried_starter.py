"""Plays a starter with a real engine and a real home, around one job that is dumped and restored.

Usage: carried_starter.py CONFIG (JSON; see test_carried.Carried). The home is this machine, the job's
directory of it the test's. Orders come as lines on stdin, answers go to the descriptor `report`, also JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hpool.interpose_c.beside import DumpRefused, dump
from hpool.interpose_c.executables import KEEPER, LOADER
from hpool.interpose_c.keeper import Exited, Failed, Keeper, KeeperSpec
from hpool.sandbox.starter.engine import WANT_DIRECTORY, WANT_PROGRAM, NativeEngine, mount_mirror
from hpool.sandbox.starter.engine import enter_user_namespace as enter
from hpool.shadow.home.digests import loading_of
from hpool.shadow.home.policy import Rule, Share, SharingPolicy
from hpool.shadow.home.service import Home

MIRROR_BYTES = 256 << 20


def serve(engine: NativeEngine, home: Home) -> None:
    """Both lanes, in a loop of its own: without end."""
    waiting = ThreadPoolExecutor(2)

    async def serve_lane(number: int) -> None:
        async def receive() -> bytes:
            while True:
                batch = await asyncio.get_running_loop().run_in_executor(waiting, engine.next, number, 1000)
                if batch != b"":
                    return batch or b""

        async def send(reply: bytes | memoryview) -> None:
            assert engine.feed(number, memoryview(reply))

        await home.serve_lane(number, receive, send)

    async def both() -> None:
        await asyncio.gather(serve_lane(0), serve_lane(1))

    asyncio.run(both())


def main() -> None:
    config = json.loads(sys.argv[1])
    report = os.fdopen(config["report"], "w", buffering=1)
    keeper_fd, loader_fd = os.open(KEEPER, os.O_RDONLY), os.open(LOADER, os.O_RDONLY)
    files = {name: os.open(path, os.O_RDWR) for name, path in config["image"].items()}
    loading_of(loader_fd)  # what home imports when it needs it cannot be read any more below
    os.lseek(loader_fd, 0, os.SEEK_SET)
    enter((1000, 1000), tuple(config["outside"]))
    root_fd = mount_mirror("/mnt", MIRROR_BYTES, 100_000)
    policy = SharingPolicy((Rule(os.fsencode(config["directory"]), Share.RW),))
    home = Home(policy, journal=Path(config["journal"]))
    engine = NativeEngine(
        root_fd=root_fd,
        loader_fd=loader_fd,
        cache_fd=-1,
        mirror_bytes=MIRROR_BYTES,
        clock_offset_ns=0,
        groups=(),
        network=False,
        strict=False,
    )
    threading.Thread(target=serve, args=(engine, home), daemon=True).start()
    directory, argv = os.fsencode(config["directory"]), [os.fsencode(word) for word in config["argv"]]
    assert engine.prepare(directory, WANT_DIRECTORY) == 0
    assert engine.prepare(argv[0], WANT_PROGRAM) == 0
    spec = KeeperSpec(
        exe=argv[0],
        argv=argv,
        environment=[b"PATH=/usr/bin:/bin", b"LANG=C.UTF-8"],
        cwd=directory,
        hostname=b"home",
        intercept="shim",
        restore=(files["meta"], files["pages"]) if config["restore"] else None,
    )
    epoch = config["epoch"]

    def quiesce() -> str:
        nonlocal epoch
        failed = engine.epoch(epoch + 1)
        epoch += not failed
        return os.strerror(failed) if failed else ""

    def say(*words: object) -> None:
        print(json.dumps(words), file=report)

    streams = {"stdin": config["stdin"], "stdout": 1, "stderr": 2}
    with Keeper.launch(spec, root_fd, executable=keeper_fd, **streams) as keeper:
        os.dup2(os.open("/dev/null", os.O_RDWR), 1)
        while True:
            ready, _, _ = select.select([keeper.fileno(), 0], [], [])
            if keeper.fileno() in ready:
                message = keeper.receive()
                say(type(message).__name__, str(message))
                if message is None or isinstance(message, (Exited, Failed)):
                    if isinstance(message, Exited):
                        say("end", message.shell_code, engine.barrier(), engine.lost())
                    break
            elif 0 in ready:
                order = os.read(0, 100).decode().strip()
                if not order:
                    break
                for fd in files.values():
                    os.ftruncate(fd, 0)
                    os.lseek(fd, 0, os.SEEK_SET)
                try:
                    engine.epoch(0)
                    done = dump(
                        keeper,
                        files["meta"],
                        files["pages"],
                        kill=order == "kill",
                        executable=keeper_fd,
                        while_still=quiesce,
                    )
                    say("dumped", epoch, done.frozen_us, done.pages_bytes)
                except DumpRefused as refusal:
                    say("refused", str(refusal))
    report.flush()
    os._exit(0)  # the engine's threads and ours go with the process


if __name__ == "__main__":
    main()
