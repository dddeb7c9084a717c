"""A jail to test in: driver.py plays its starter, a stand-in its loader.

Owns: how a test says what to run and reads what came of it. Leaves to others: the
attacks (probe.c) and what is expected.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
USERNS = Path(__file__).parents[3] / "interpose_c" / "csrc" / "keeper" / "userns.c"
NOBODY = 65534
SOMEBODY = 1234
APPLETS = [
    *("sh", "id", "cat", "ls", "sleep", "env", "hostname", "setsid", "dd", "mv", "rmdir", "stat", "stty"),
    *("tty", "grep", "echo", "touch", "kill", "ps", "readlink"),
]


@dataclass(frozen=True)
class Programs:
    userns: Path
    standin: Path
    probe: Path


@dataclass(frozen=True)
class Outcome:
    messages: list[dict[str, Any]]
    stdout: str
    stderr: str

    def first(self, kind: str) -> dict[str, Any]:
        return next(message for message in self.messages if message["is"] == kind)

    @property
    def ended(self) -> tuple[int, int]:
        last = self.messages[-1]
        assert last["is"] == "Exited", (self.messages, self.stderr)
        return last["code"], last["signal"]


@dataclass(frozen=True)
class Jail:
    """Runs one job as its starter would; `become` is the user that starts it, None for whoever tests."""

    programs: Programs
    become: int | None
    outside: int
    inside: int = 1000
    files: dict[str, str] = field(default_factory=dict)
    hand_over: bool = False
    wrapper: tuple[str, ...] = ()

    def start(self, *argv: str, actions: list[dict[str, Any]] | None = None, **spec: Any) -> Running:
        read_end, write_end = os.pipe()
        config = {
            "report": write_end,
            "userns": str(self.programs.userns),
            "become": self.become,
            "hand_over": self.hand_over,
            "inside": [self.inside, self.inside],
            "outside": [self.outside, self.outside],
            "mirror_bytes": 32 << 20,
            "mirror_inodes": 1000,
            "files": {
                "/.hpool/loader": str(self.programs.standin),
                "/bin/busybox": shutil.which("busybox"),
                "/bin/probe": str(self.programs.probe),
                **self.files,
            },
            "applets": APPLETS,
            "directories": {"/home": 0o755} | spec.pop("directories", {}),
            "actions": actions or [],
            "spec": {
                "exe": f"/bin/{argv[0]}",
                "argv": argv,
                "environment": ["PATH=/bin"],
                "cwd": "/home",
                "umask": 0o022,
                "limits": [],
                "network": "none",
                "terminal": None,
                "islands": [],
                "memory_bytes": None,
                "max_processes": None,
                "intercept": "auto",
                "has_dispatch": True,
            }
            | spec,
        }
        process = subprocess.Popen(
            [*self.wrapper, sys.executable, HERE / "driver.py", json.dumps(config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[write_end],
            text=True,
        )
        os.close(write_end)
        return Running(process, read_end)

    def run(self, *argv: str, actions: list[dict[str, Any]] | None = None, **spec: Any) -> Outcome:
        return self.start(*argv, actions=actions, **spec).finish()

    def sh(self, script: str, actions: list[dict[str, Any]] | None = None, **spec: Any) -> Outcome:
        return self.run("sh", "-c", script, actions=actions, **spec)


@dataclass(frozen=True)
class Running:
    process: subprocess.Popen[str]
    report: int

    def finish(self) -> Outcome:
        stdout, stderr = self.process.communicate(timeout=30)
        with open(self.report) as report:
            return Outcome([json.loads(line) for line in report], stdout, stderr)


def survivors(token: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if token in line and "driver.py" not in line:
            found.append(f"{path.parent.name} {line}")
    return found


def await_survivors(token: str, count: int) -> None:
    deadline_s = time.monotonic() + 10
    while len(survivors(token)) < count:
        assert time.monotonic() < deadline_s, "the job never started"
        time.sleep(0.01)
