"""Plays the starter for the tests of the jail: enters its namespaces, fills a mirror, runs one job.

Usage: driver.py CONFIG (JSON; see jail.Jail). The job gets this process's
stdio; what the keeper says goes to the descriptor `report`, a JSON line each.
"""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import select
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from hpool.interpose_c import cgroups
from hpool.interpose_c.executables import KEEPER
from hpool.interpose_c.keeper import (
    Exited,
    Failed,
    Keeper,
    KeeperSpec,
    Limit,
    Message,
    Started,
    TerminalReady,
    WindowSize,
)

# Covered by the mirror in this process's own mount namespace only.
MOUNT_POINT = b"/mnt"


class Starter:
    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.report = os.fdopen(config["report"], "w", buffering=1)
        self.actions: list[dict[str, Any]] = sorted(config["actions"], key=lambda action: action["after_s"])
        self.started_at: float | None = None
        self.master: int | None = None

    def enter(self) -> int:
        """Everything that needs a path of this machine comes before; returns the mirror's root."""
        config = self.config
        library = ctypes.CDLL(config["userns"])
        contents = {path: Path(source).read_bytes() for path, source in config["files"].items()}
        if config["hand_over"]:
            cgroups.hand_over(*config["outside"])
        if config["become"] is not None:
            os.setgroups([])
            os.setresgid(*[config["become"]] * 3)
            os.setresuid(*[config["become"]] * 3)
        failed = library.hp_userns_enter(*config["inside"], *config["outside"])
        if failed:
            raise OSError(-failed, os.strerror(-failed))
        size = ctypes.c_uint64(config["mirror_bytes"])
        root: int = library.hp_mirror_mount(MOUNT_POINT, size, ctypes.c_uint64(config["mirror_inodes"]))
        if root < 0:
            raise OSError(-root, os.strerror(-root))
        self.fill(contents)
        return root

    def fill(self, contents: dict[str, bytes]) -> None:
        top = Path(os.fsdecode(MOUNT_POINT))
        for path, content in contents.items():
            file = top / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            file.chmod(0o755)
        for name in self.config["applets"]:
            (top / "bin" / name).symlink_to("busybox")
        for directory, mode in self.config["directories"].items():
            path = top / directory.lstrip("/")
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(mode)

    def run(self) -> None:
        keeper_fd = os.open(KEEPER, os.O_RDONLY)
        root = self.enter()
        spec = self.config["spec"]
        with Keeper.launch(
            KeeperSpec(
                exe=spec["exe"].encode(),
                argv=[word.encode() for word in spec["argv"]],
                environment=[word.encode() for word in spec["environment"]],
                cwd=spec["cwd"].encode(),
                umask=spec["umask"],
                hostname=b"home",
                limits=[Limit(*limit) for limit in spec["limits"]],
                network=spec["network"],
                terminal=WindowSize(*spec["terminal"]) if spec["terminal"] else None,
                islands=[path.encode() for path in spec["islands"]],
                memory_bytes=spec["memory_bytes"],
                max_processes=spec["max_processes"],
                intercept=spec["intercept"],
                has_dispatch=spec["has_dispatch"],
            ),
            root,
            stdin=0,
            stdout=1,
            stderr=2,
            executable=keeper_fd,
        ) as keeper:
            if not spec["terminal"]:
                null = os.open("/dev/null", os.O_RDWR)
                os.dup2(null, 0)
                os.dup2(null, 1)
            self.serve(keeper)

    def serve(self, keeper: Keeper) -> None:
        while True:
            if self.started_at is not None and self.actions:
                due_s = self.started_at + self.actions[0]["after_s"] - time.monotonic()
                if due_s <= 0:
                    self.act(keeper, self.actions.pop(0))
                    continue
            else:
                due_s = 60
            watched = [keeper.fileno()] + ([] if self.master is None else [self.master])
            ready = select.select(watched, [], [], due_s)[0]
            if self.master in ready:
                self.copy_output()
            elif keeper.fileno() in ready:
                message = keeper.receive()
                if message is None:
                    break
                self.note(message)
        while self.master is not None:
            self.copy_output()

    def copy_output(self) -> None:
        assert self.master is not None
        try:
            os.write(1, os.read(self.master, 65536))
        except OSError:  # EIO: the last one on the other side is gone
            os.close(self.master)
            self.master = None

    def note(self, message: Message) -> None:
        print(json.dumps({"is": type(message).__name__, **dataclasses.asdict(message)}), file=self.report)
        match message:
            case TerminalReady(master_fd):
                self.master = master_fd
            case Started():
                self.started_at = time.monotonic()
            case Exited() | Failed():
                self.actions.clear()
            case _:
                pass

    def act(self, keeper: Keeper, action: dict[str, Any]) -> None:
        match action["do"]:
            case "signal":
                keeper.signal(action["number"])
            case "kill":
                keeper.kill()
            case "resize":
                keeper.resize(WindowSize(*action["size"]))
            case "type":
                assert self.master is not None
                os.write(self.master, action["text"].encode())
            case "hang up":
                keeper.close()
                sys.exit(0)
            case "kill keeper":
                os.kill(keeper.pid, 9)
            case "die":
                os.kill(os.getpid(), 9)


if __name__ == "__main__":
    os.chdir("/")
    assert shutil.which("busybox"), "busybox-static is needed"
    Starter(json.loads(sys.argv[1])).run()
