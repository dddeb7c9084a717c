"""Whole pools for tests, made of rooms and of hpool's own commands.

Owns: the strict pool (submitter and machine in different network, mount and
user worlds), the personal pool (all in one room), waiting, killing, cutting
the wire. Leaves to others: rooms.py how a room is made, judge.py what is
compared. Everything that is started here ends with `close`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final, Self

from integration.judge import Ended
from integration.rooms import Room, connect, cut, mend, wait_until

HPOOL: Final = f"{sys.prefix}/bin/hpool"
FIRST_UID: Final = 61000
SUBMITTER: Final = "tess"
MACHINE: Final = "grid"
ROLE_WORDS: Final = {
    "matchmaker": ("hpool.matchmaker.daemon", "hpool matchmaker"),
    "agent": ("hpool.shadow.agent.daemon", "hpool agent"),
    "sandbox": ("hpool.sandbox.daemon", "hpool sandbox"),
}
WAITING: Final = b"hpool: waiting for a machine\n"
LOCKS: Final = "/var/lock/hpool-test-{}"


class Number:
    """Tells pools apart, also those of several test runs at once: users and networks follow from it."""

    def __init__(self) -> None:
        for self.value in range(1, 250):
            path = LOCKS.format(self.value)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with contextlib.suppress(BlockingIOError, FileNotFoundError):
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.stat(path).st_ino == os.fstat(self._fd).st_ino:  # not one that was released meanwhile
                    return
            os.close(self._fd)
        raise RuntimeError("250 pools at once?")

    def release(self) -> None:
        os.unlink(LOCKS.format(self.value))
        os.close(self._fd)


class RoomHome:
    """A submitter at home in a room: judge.Home."""

    def __init__(self, room: Room, intercept: str = "auto") -> None:
        self.room = room
        self.intercept = intercept
        self.directory = room.home
        self.work = f"{room.home}/work"

    @property
    def env(self) -> dict[str, str]:
        return self.room.env()

    def outside(self, path: str) -> Path:
        return self.room.outside(path)

    def own(self, directory: str) -> None:
        place, uid = os.fsencode(self.outside(directory)), self.room.uid
        os.lchown(place, uid, uid)
        for parent, directories, files in os.walk(place):
            for name in directories + files:
                os.lchown(parent + b"/" + name, uid, uid)

    def hpool(self, argv: list[str], *options: str) -> list[str]:
        """With the pool's front end, unless `options` name another."""
        front = () if self.intercept == "auto" else ("--intercept", self.intercept)
        return [HPOOL, "run", *front, *options, "--", *argv]

    def popen(
        self,
        argv: list[str],
        cwd: str | None = None,
        *,
        env: dict[str, str] | None = None,
        stdin: int | IO[bytes] | None = subprocess.DEVNULL,
        stdout: int | IO[bytes] | None = subprocess.PIPE,
        stderr: int | IO[bytes] | None = subprocess.PIPE,
    ) -> subprocess.Popen[bytes]:
        return self.room.popen(
            argv, cwd=cwd or self.directory, env=env, stdin=stdin, stdout=stdout, stderr=stderr
        )

    def run(
        self,
        argv: list[str],
        cwd: str | None = None,
        *,
        env: dict[str, str] | None = None,
        stdin: bytes | None = None,
        timeout_s: float = 60,
    ) -> Ended:
        """To the end; past the time limit everything of it is killed and the test fails.

        Without hpool's word that it waits for a machine: that says how busy this machine is.
        """
        start = time.monotonic()
        source = subprocess.DEVNULL if stdin is None else subprocess.PIPE
        process = self.popen(argv, cwd, env=env, stdin=source)
        try:
            out, err = process.communicate(stdin, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            raise TimeoutError(
                f"{argv} ran longer than {timeout_s:.0f} s; printed {out[-500:]!r} {err[-500:]!r}"
            ) from None
        code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        return Ended(code, out, err.replace(WAITING, b""), time.monotonic() - start)

    def job(
        self,
        *argv: str,
        options: tuple[str, ...] = (),
        stdin: bytes | None = None,
        cwd: str | None = None,
        env: dict[str, str] | None = None,
        timeout_s: float = 60,
    ) -> Ended:
        """`hpool run argv` in the working directory."""
        command = self.hpool(list(argv), *options)
        return self.run(command, cwd or self.work, env=env, stdin=stdin, timeout_s=timeout_s)

    def fresh_work(self, files: dict[str, bytes] | None = None) -> Path:
        """An empty working directory of the submitter's, with some files; its path from outside."""
        self.room.check("sh", "-c", f"chmod -R u+rwx {self.work} 2>/dev/null; rm -rf {self.work}")
        place = self.outside(self.work)
        place.mkdir(mode=0o755)
        for name, content in (files or {}).items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(content)
        self.own(self.work)
        return place


class PersonalPool:
    """`hpool run` with nothing configured: all roles in one room, started by the command itself."""

    def __init__(self, *, uid: int | None = None) -> None:
        self._number = Number()
        uid = FIRST_UID + 2 * self._number.value if uid is None else uid
        self.room = Room(SUBMITTER, uid=uid, bare=False)
        self.room.check("ip", "link", "set", "lo", "up")
        self.home = RoomHome(self.room)
        self.home.fresh_work()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.room.close()
        self._number.release()


class StrictPool:
    """Submitter and machine share nothing but a wire.

    The submitter's files are in an ext4 that only his mount namespace has; the
    machine's root has hpool's Python and nothing else; the users differ.
    `intercept` is the front end of its jobs; `wire` lays the wire and returns both addresses.
    """

    def __init__(
        self,
        *,
        home_bytes: int = 4 << 30,
        machine_options: tuple[str, ...] = (),
        slots: int = 2,
        intercept: str = "auto",
        lease_s: float = 60.0,
        wire: Callable[[Room, Room, str], tuple[str, str]] = connect,
    ) -> None:
        self._number = Number()
        self.number = self._number.value
        uid = FIRST_UID + 2 * self.number
        self.logs = tempfile.TemporaryDirectory(prefix="hpool-pool-")
        self.room = Room(SUBMITTER, uid=uid, bare=False, home_bytes=home_bytes)
        self.machine = Room(MACHINE, uid=uid + 1, bare=True)
        for room in (self.room, self.machine):
            subprocess.run(
                ["nsenter", "-t", str(room.pid), "-n", "ip", "link", "set", "lo", "up"], check=True
            )
        self.address, self.machine_address = wire(self.room, self.machine, f"10.231.{self.number}")
        self.home = RoomHome(self.room, intercept)
        self.lease_s = lease_s
        self.machine_options = ("--slots", str(slots), *machine_options)
        self.roles: dict[str, subprocess.Popen[bytes]] = {}
        self._configure()
        self.start("matchmaker")
        self.start("sandbox")
        self.home.fresh_work()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _configure(self) -> None:
        self.port = 20000 + self.number
        config = f'[pool]\nmatchmaker = "{self.address}:{self.port}"\ntoken_file = "~/pool.token"\n'
        config += f'agent_listen = "{self.address}:0"\nlease_s = {self.lease_s}\n'
        for room in (self.room, self.machine):
            token = room.outside(f"{room.home}/pool.token")
            token.touch(mode=0o600)
            token.write_text("a shared token of this test pool")
            os.chown(token, room.uid, room.uid)
        place = self.room.outside(f"{self.room.home}/.config/hpool")
        place.mkdir(parents=True)
        (place / "pool.toml").write_text(config)
        self.home.own(f"{self.room.home}/.config")

    def start(self, role: str) -> None:
        """Starts (again) one of the roles that a person would start by hand."""
        address = f"{self.address}:{self.port}"
        words = {
            "matchmaker": ["--listen", address],
            "sandbox": ["--matchmaker", address, "--name", MACHINE, *self.machine_options],
        }[role]
        self._start(role, words)

    def start_another(self, name: str, *options: str, lacks: str = "") -> None:
        """One more machine, beside the first; its role is its name. `lacks`: features it does not have."""
        place = f"{self.machine.home}/{name}"
        words = ["--matchmaker", f"{self.address}:{self.port}", "--name", name, "--directory", place]
        before = self.machine_names()
        self._start("sandbox", [*words, *self.machine_options, *options], name, {"HPOOL_LACKS": lacks})
        wait_until(lambda: name in self.machine_names() - before, f"{name} in the pool")

    def vacate(self, what: str) -> str:
        done = self.home.run([HPOOL, "vacate", what])
        assert done.code == 0, done
        return done.stdout.decode()

    def machine_names(self) -> set[str]:
        listed = self.home.run([HPOOL, "status"]).stdout.decode().splitlines()
        return {line.split()[0] for line in listed[1:-1]}

    def _start(
        self, role: str, words: list[str], name: str = "", environment: dict[str, str] | None = None
    ) -> None:
        """`name`: by which it is known here, if that is not its role."""
        room = self.machine if role == "sandbox" else self.room
        log_path = Path(self.logs.name) / f"{name or role}.log"
        with open(log_path, "ab") as log:
            argv = [HPOOL, role, *words, "--token-file", f"{room.home}/pool.token"]
            env = room.env() | (environment or {})
            self.roles[name or role] = room.popen(argv, env=env, stdout=log, stderr=log)
        if role == "matchmaker":
            wait_until(lambda: "listens on" in log_path.read_text(), "the matchmaker")

    def log(self, role: str) -> str:
        return (Path(self.logs.name) / f"{role}.log").read_text()

    def pids(self, role: str) -> list[int]:
        """Processes of a role: matchmaker, agent, sandbox, or a word of the command line."""
        return list(self._find(ROLE_WORDS.get(role, (role,))))

    def _find(self, words: tuple[str, ...]) -> Iterator[int]:
        for room in (self.room, self.machine):
            for pid, line in room.processes():
                if any(word in line for word in words):
                    yield pid

    def kill(self, role: str, number: int = signal.SIGKILL) -> list[int]:
        """Sends a signal to every process of a role; their pids, of which there is at least one."""
        found = wait_until(lambda: self.pids(role), f"a {role} to kill")
        for pid in found:
            os.kill(pid, number)
        return list(found)

    def processes(self) -> list[str]:
        """Command lines of everything that runs on either side, sorted."""
        return sorted(line for room in (self.room, self.machine) for _, line in room.processes())

    def reset_connections(self) -> int:
        """Ends every TCP connection that there is between the two at this moment; how many those were."""
        inside = ["nsenter", "-t", str(self.room.pid), "-n"]
        which = ["-t", "state", "established", "dst", self.machine_address]
        ended = subprocess.run([*inside, "ss", "-K", "-H", *which], capture_output=True, check=True)
        return len(ended.stdout.splitlines())

    def partition(self) -> None:
        cut(self.room)

    def heal(self) -> None:
        mend(self.room)

    def close(self) -> None:
        self.room.close()
        self.machine.close()
        self.logs.cleanup()
        self._number.release()
