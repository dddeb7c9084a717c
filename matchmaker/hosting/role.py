"""One running process of a role: its lock, and the contact file by which others find it.

Owns: that a role runs at most once per directory, and what is told about it. The lock dies with the
process, so a contact file is believed only while its lock is held. Leaves to others: starting roles.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Contact:
    """How to reach a role. The token opens its services; the file is for its owner's eyes only."""

    address: str
    token: str
    pid: int


def private_directory(path: Path) -> Path:
    """Makes a directory only its owner can enter; refuses one that is somebody else's."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if found.st_uid != os.geteuid() or not path.is_dir() or path.is_symlink():
        raise PermissionError(errno.EACCES, "it belongs to somebody else", os.fspath(path))
    if found.st_mode & 0o077:
        path.chmod(0o700)
    return path


def write_private(path: Path, text: str) -> None:
    """Replaces the file at once, readable by its owner only."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(fd, "w") as file:
        file.write(text)
    aside.replace(path)


class RoleAlreadyRuns(Exception):
    """Somebody holds the lock of this role in this directory."""


class Role:
    """This process's hold on a role."""

    def __init__(self, directory: Path, name: str) -> None:
        self._lock_path = directory / f"{name}.lock"
        self._contact_path = directory / f"{name}.contact"
        self._lock_fd = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock_fd)
            raise RoleAlreadyRuns(name) from None
        with contextlib.suppress(FileNotFoundError):
            self._contact_path.unlink()

    def announce(self, address: str, token: str) -> Contact:
        """From now on others find this process."""
        contact = Contact(address, token, os.getpid())
        write_private(self._contact_path, json.dumps(asdict(contact)))
        return contact

    def leave(self) -> None:
        """Takes the announcement back; the lock goes with the process."""
        with contextlib.suppress(FileNotFoundError):
            self._contact_path.unlink()


def is_running(directory: Path, name: str) -> bool:
    """Whether some process holds the role's lock."""
    try:
        fd = os.open(directory / f"{name}.lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def read_contact(directory: Path, name: str) -> Contact | None:
    """What the role announced, if it runs and is ready."""
    if not is_running(directory, name):
        return None
    return read_contact_file(directory / f"{name}.contact")


def read_contact_file(path: Path) -> Contact | None:
    """The file alone, whoever may still stand behind it."""
    try:
        found = json.loads(path.read_text())
        return Contact(str(found["address"]), str(found["token"]), int(found["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
