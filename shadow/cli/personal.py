"""The pool a command uses: finding it, and starting what is missing of it in the background.

Owns: a personal pool's processes (matchmaker, agent, sandbox), started once even if two commands
start together, restarted if one died. For a pool with a matchmaker of its own only the agent is
started. Leaves to others: what the processes do, and their end (they go when idle).
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hpool.matchmaker.hosting.role import (
    Contact,
    is_running,
    private_directory,
    read_contact,
    write_private,
)
from hpool.matchmaker.model.errors import CouldNotStart
from hpool.matchmaker.model.places import PlaceUnusable
from hpool.matchmaker.model.settings import Directories, PoolSettings

START_WITHIN_S: Final = 20.0
STOP_WITHIN_S: Final = 8.0
FOLLOW_AFTER_S: Final = 5.0
# What a background process may see of the environment of whoever happened to start it.
_KEPT: Final = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR", "TZ")
MODULES: Final = {
    "matchmaker": "hpool.matchmaker.daemon",
    "agent": "hpool.shadow.agent.daemon",
    "sandbox": "hpool.sandbox.daemon",
}


class Pool:
    """One pool as this user's commands see it."""

    def __init__(self, settings: PoolSettings, environ: Mapping[str, str], uid: int) -> None:
        places = Directories.of_user(environ, uid)
        self.settings = settings
        self._environ = environ
        self.directory = places.runtime / settings.key
        self.state = places.state / settings.key
        self.roles = ("matchmaker", "agent", "sandbox") if settings.is_personal else ("agent",)

    def running(self) -> dict[str, bool]:
        """A glance: which roles hold their locks."""
        return {role: is_running(self.directory, role) for role in self.roles}

    def agent(self) -> Contact | None:
        return read_contact(self.directory, "agent")

    def contact(self, role: str) -> Contact | None:
        return read_contact(self.directory, role)

    def log_path(self, role: str) -> Path:
        return self.state / f"{role}.log"

    def ensure(self) -> Contact:
        """Everything runs and the agent is ready when this returns. Quick if it did already."""
        if all(self.running().values()) and (contact := self.agent()) is not None:
            return contact
        try:
            return self._ensure()
        except OSError as error:
            place = error.filename or self._full_place() or self.state
            raise PlaceUnusable(os.fspath(place), error.strerror or str(error)) from error

    def _ensure(self) -> Contact:
        for place in (self.directory, self.state):
            private_directory(place.parent)
            private_directory(place)
        with (self.directory / "start.lock").open("w") as lock:
            # Of two commands that start together the second waits here and finds everything there.
            fcntl.flock(lock, fcntl.LOCK_EX)
            started = {role: self._start(role) for role, runs in self.running().items() if not runs}
            return self._wait(started)

    def stop(self) -> list[str]:
        """Ends the pool's processes; returns the roles that ran."""
        stopped = []
        for role in self.roles:
            contact = read_contact(self.directory, role)
            if contact is not None:
                stopped.append(role)
                os.kill(contact.pid, signal.SIGTERM)
        deadline_s = time.monotonic() + STOP_WITHIN_S
        while any(self.running().values()) and time.monotonic() < deadline_s:
            time.sleep(0.02)
        return stopped

    def _start(self, role: str) -> subprocess.Popen[bytes]:
        environment = {
            name: value
            for name, value in self._environ.items()
            if name in _KEPT or name.startswith(("XDG_", "HPOOL_", "LC_"))
        }
        with self.log_path(role).open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-I", "-m", MODULES[role], *self._options(role)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd="/",
                start_new_session=True,
            )

    def _options(self, role: str) -> list[str]:
        settings = self.settings
        matchmaker = settings.matchmaker or os.fspath(self.directory / "matchmaker.contact")
        # The agent alone knows whether somebody still wants the pool; the others go soon after it.
        idle_exit_s = settings.idle_exit_s if role == "agent" else min(settings.idle_exit_s, FOLLOW_AFTER_S)
        options = ["--directory", os.fspath(self.directory), "--idle-exit", str(idle_exit_s)]
        token_file = self._personal_token() if settings.is_personal else settings.token_file
        if token_file is not None:
            options += ["--token-file", os.fspath(token_file)]
        if role != "matchmaker":
            options += ["--matchmaker", matchmaker]
        if role == "agent":
            options += ["--state", os.fspath(self.state), "--listen", settings.agent_listen]
            options += ["--lease", str(settings.lease_s)]
            if settings.advertise_host:
                options += ["--advertise-host", settings.advertise_host]
        if role == "sandbox" and settings.slots:
            options += ["--slots", str(settings.slots)]
        if role == "sandbox":
            # Submitter and owner are the same person here: --network host is his own affair.
            options += ["--allow-network"]
            if settings.is_personal:  # home ends with it: there is nowhere to go
                options += ["--leave-within", "0"]
        return options

    def _personal_token(self) -> Path:
        path = self.directory / "pool.token"
        if not path.exists():
            write_private(path, os.urandom(16).hex())
        return path

    def _wait(self, started: Mapping[str, subprocess.Popen[bytes]]) -> Contact:
        deadline_s = time.monotonic() + START_WITHIN_S
        while True:
            contacts = {role: self.contact(role) for role in self.roles}
            if all(contacts.values()) and (agent := contacts["agent"]) is not None:
                return agent
            for role, process in started.items():
                if process.poll() is not None:
                    if self._full_place() is not None:  # its log tells nothing then
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    why = f"it ended with status {process.returncode}: {self._last_words(role)}"
                    raise CouldNotStart(role, why, os.fspath(self.log_path(role)))
            if time.monotonic() > deadline_s:
                role = next(role for role, contact in contacts.items() if contact is None)
                why = f"it was not ready within {START_WITHIN_S:.0f} s"
                raise CouldNotStart(role, why, os.fspath(self.log_path(role)))
            time.sleep(0.005)

    def _last_words(self, role: str) -> str:
        try:
            lines = self.log_path(role).read_text(errors="replace").splitlines()
        except OSError:
            return "no log"
        return lines[-1] if lines else "nothing in its log"

    def _full_place(self) -> Path | None:
        return next((place for place in (self.directory, self.state) if not os.statvfs(place).f_bavail), None)
