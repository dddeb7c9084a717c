"""Plays the starter for the tests of dump and restore: a world without home, around one job.

Usage: starter.py CONFIG (JSON; see world.World). The mirror holds the machine's own system directories
and a working directory that the test looks into. Orders come as lines on stdin, answers go to the descriptor
`report`.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from hpool.interpose_c.beside import DumpRefused, dump, suspend
from hpool.interpose_c.executables import KEEPER
from hpool.interpose_c.keeper import Exited, Failed, Keeper, KeeperSpec
from hpool.sandbox.starter import processes

MIRROR = "/mnt"
WORK = "/work"
SYSTEM = ("/usr", "/etc")
LINKS = ("/bin", "/lib", "/lib64", "/sbin")


def enter(config: dict[str, Any]) -> int:
    library = ctypes.CDLL(config["userns"])
    loader = Path(config["loader"]).read_bytes()
    if config["descriptors"]:
        resource.setrlimit(resource.RLIMIT_NOFILE, (config["descriptors"],) * 2)
    if config["become"]:
        os.setgroups([])
        os.setresgid(*config["outside"][1:] * 3)
        os.setresuid(*config["outside"][:1] * 3)
    failed = library.hp_userns_enter(1000, 1000, *config["outside"])
    if failed:
        raise OSError(-failed, os.strerror(-failed))
    size, inodes = ctypes.c_uint64(256 << 20), ctypes.c_uint64(100_000)
    root: int = library.hp_mirror_mount(MIRROR.encode(), size, inodes)
    if root < 0:
        raise OSError(-root, os.strerror(-root))
    top = Path(MIRROR)
    (top / ".hpool/loader").write_bytes(loader)
    (top / ".hpool/loader").chmod(0o755)
    (top / ".hpool").chmod(0o711)
    for directory, name in (*((each, each) for each in SYSTEM), (config["work"], WORK)):
        target = top / name.lstrip("/")
        target.mkdir()
        subprocess.run(["mount", "--rbind", directory, target], check=True)
    for link in LINKS:
        (top / link.lstrip("/")).symlink_to(os.readlink(link))
    return root


def kill_the_dumper(keeper_pid: int, after_s: float) -> None:
    """As soon as there is one, and then a moment later."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    deadline_s = time.monotonic() + 5
    while time.monotonic() < deadline_s:
        for pid in map(int, children.read_text().split()):
            if pid != keeper_pid:
                time.sleep(after_s)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                return


def stand_still(keeper: Keeper, keeper_fd: int, for_s: float) -> list[Any]:
    """States of the job's threads meanwhile, and how long it took to stop them."""
    begun_ns = time.monotonic_ns()
    suspension = suspend(keeper, keeper_fd)
    took_us = (time.monotonic_ns() - begun_ns) // 1000
    time.sleep(for_s)
    found = set()
    for pid, _ in processes.tasks(keeper.pid):
        for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
            found.add(stat.read_text().rpartition(")")[2].split()[0])
    suspension.release()
    return ["stood", "".join(sorted(found)), took_us]


def main() -> None:
    config = json.loads(sys.argv[1])
    report = os.fdopen(config["report"], "w", buffering=1)
    keeper_fd = os.open(KEEPER, os.O_RDONLY)
    files = {name: os.open(path, os.O_RDWR) for name, path in config["image"].items()}
    old = [os.open(path, os.O_RDWR) for path in config["from"].values()] if config["restore"] else []
    lazy = None
    if config["lazy_bytes"] is not None:
        lazy = os.open("/dev/userfaultfd", os.O_RDWR | os.O_CLOEXEC), config["lazy_bytes"]
    root = enter(config)
    spec = KeeperSpec(
        exe=config["argv"][0].encode(),
        argv=[word.encode() for word in config["argv"]],
        environment=[b"PATH=/usr/bin:/bin", b"LANG=C.UTF-8"],
        cwd=WORK.encode(),
        hostname=b"home",
        network="none",
        intercept="shim",
        restore=(old[0], old[1]) if old else None,
        memory_bytes=config["memory_bytes"],
        lazy=lazy if config["restore"] else None,
    )
    begun_ns = time.monotonic_ns()
    with Keeper.launch(spec, root, stdin=config["stdin"], stdout=1, stderr=2, executable=keeper_fd) as keeper:
        null = os.open("/dev/null", os.O_RDWR)
        os.dup2(null, 1)
        while True:
            ready, _, _ = select.select([keeper.fileno(), 0], [], [])
            if keeper.fileno() in ready:
                message = keeper.receive()
                took_us = (time.monotonic_ns() - begun_ns) // 1000
                print(json.dumps([type(message).__name__, str(message), took_us]), file=report)
                if message is None or isinstance(message, (Exited, Failed)):
                    if isinstance(message, Exited):
                        print(json.dumps(["end", message.code, message.signal]), file=report)
                    return
            elif 0 in ready:
                order = os.read(0, 100).decode()
                if not order:
                    return
                for fd in files.values():
                    os.ftruncate(fd, 0)
                    os.lseek(fd, 0, os.SEEK_SET)
                if order.startswith("still"):
                    said = stand_still(keeper, keeper_fd, float(order.split()[1]))
                    print(json.dumps(said), file=report)
                    continue
                if order.startswith("crash"):
                    after_s = float(order.split()[1])
                    threading.Thread(target=kill_the_dumper, args=(keeper.pid, after_s)).start()
                try:
                    done = dump(
                        keeper,
                        files["meta"],
                        files["pages"],
                        kill="kill" in order,
                        executable=keeper_fd,
                        live="plain" not in order,
                    )
                    print(
                        json.dumps(["dumped", done.frozen_us, done.pages_bytes, done.stopped_us]), file=report
                    )
                except DumpRefused as refusal:
                    print(json.dumps(["refused", str(refusal)]), file=report)


if __name__ == "__main__":
    main()
