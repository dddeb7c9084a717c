"""Rooms: a machine of one's own inside this one, without a container engine.

Owns: mount, network, UTS and IPC namespaces with a user of their own, kept by
one small process; entering them; the wire between two of them; sweeping up.
Leaves to others: what runs inside (pool.py). Needs root.

Two kinds. A *full* room is this machine with fresh /home, /tmp and /run: a
submitter's. A *bare* room has the Python that runs hpool, the libraries that
takes, and nothing else: a machine where no path of the submitter exists and no
program stands that a job could have run instead of its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final, Self

NEW_NS, NEW_UTS, NEW_IPC, NEW_NET = 0x20000, 0x4000000, 0x8000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
MNT_DETACH: Final = 2
PR_SET_PDEATHSIG: Final = 1
SYS_PIVOT_ROOT: Final = 155
NAMESPACES: Final = ("net", "uts", "ipc", "mnt")
CHECKOUT: Final = Path(__file__).resolve().parent.parent
MARK: Final = "HPOOL_ROOM"
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def _mount(
    source: str | None, target: str, kind: str | None, flags: int = 0, options: str | None = None
) -> None:
    arguments = [None if text is None else text.encode() for text in (source, target, kind)]
    _check(_libc.mount(*arguments, flags, None if options is None else options.encode()), f"mount {target}")


def wait_until(true: Callable[[], Any], what: str, timeout_s: float = 20.0) -> Any:
    """Waits for a condition, not for a time; its value."""
    deadline = time.monotonic() + timeout_s
    while not (value := true()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s:.0f} s for: {what}")
        time.sleep(0.01)
    return value


def _link_targets(path: str) -> list[str]:
    """Each name on the way from an environment's `python3` to the program: /usr/bin/python3, python3.11."""
    targets = []
    while os.path.islink(path):
        path = os.path.join(os.path.dirname(path), os.readlink(path))
        targets.append(path)
    return targets


def runtime_paths() -> list[str]:
    """What has to be readable for hpool to run at all."""
    paths = [str(CHECKOUT), sys.prefix]
    if sys.base_prefix == "/usr":
        paths += [*_link_targets(sys.executable), sysconfig.get_path("stdlib")]
    else:
        paths.append(sys.base_prefix)
    paths += [path for path in sys.path if "-packages" in path]
    return [path for path in paths if not any(path.startswith(other + "/") for other in paths)]


@functools.cache
def library_closure() -> list[str]:
    """Shared libraries of this Python, its extension modules and hpool's programs."""
    places = [sys.prefix, sysconfig.get_path("stdlib"), str(CHECKOUT / "interpose_c/bin"), str(CHECKOUT)]
    objects = {os.path.realpath(sys.executable)}
    for place in places:
        found = subprocess.run(
            ["find", place, "-name", "*.so*", "-type", "f"], capture_output=True, text=True
        )
        objects.update(found.stdout.split())
    listed = subprocess.run(["ldd", *sorted(objects)], capture_output=True, text=True).stdout
    words = {
        word for line in listed.splitlines() for word in line.split() if word.startswith(("/lib", "/usr"))
    }
    return sorted(word.rstrip(":") for word in words if ".so" in word)


class Room:
    """A living room. Whoever makes one closes it."""

    def __init__(self, name: str, *, uid: int, bare: bool, home_bytes: int = 2 << 30) -> None:
        self.name, self.uid, self.bare = name, uid, bare
        self.mark = f"{name}-{os.getpid()}-{time.monotonic_ns()}"
        self.home = f"/home/{name}"
        plan = {
            "name": name,
            "uid": uid,
            "bare": bare,
            "home_bytes": home_bytes,
            "runtime": runtime_paths(),
            "libraries": library_closure() if bare else [],
        }
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", str(Path(__file__).resolve()), json.dumps(plan)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PATH": os.environ["PATH"]},
        )
        assert self._keeper.stdout is not None
        if self._keeper.stdout.readline() != b"ready\n":
            raise RuntimeError(f"no room {name}")
        self.pid = self._keeper.pid
        self._fds = [
            os.open(f"/proc/{self.pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in NAMESPACES
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def outside(self, path: str) -> Path:
        """How this process, as root outside, reaches a path of the room."""
        return Path(f"/proc/{self.pid}/root{path}")

    def env(self) -> dict[str, str]:
        return {
            "HOME": self.home,
            "USER": self.name,
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "XDG_RUNTIME_DIR": f"{self.home}/.run",
            MARK: self.mark,
        }

    def popen(
        self,
        argv: list[str],
        *,
        cwd: str | None = None,
        env: dict[str, str] | None = None,
        stdin: int | IO[bytes] | None = subprocess.DEVNULL,
        stdout: int | IO[bytes] | None = subprocess.PIPE,
        stderr: int | IO[bytes] | None = subprocess.PIPE,
        uid: int | None = None,
        session: bool = True,
        in_child: Callable[[], None] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Starts a command in the room as its user."""
        user = self.uid if uid is None else uid

        def enter() -> None:
            for fd in self._fds:
                _check(_libc.setns(fd, 0), "setns")
            for fd in (0, 1, 2):
                # A pipe belongs to who made it: /dev/stdout could not be opened otherwise.
                if stat.S_ISFIFO(os.fstat(fd).st_mode):
                    os.fchown(fd, user, user)
            os.umask(0o022)
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
            os.chdir(cwd or self.home)
            if in_child is not None:
                in_child()

        return subprocess.Popen(
            argv,
            env=self.env() if env is None else env,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            preexec_fn=enter,
            start_new_session=session,
        )

    def check(self, *argv: str, uid: int = 0) -> str:
        """Runs a command of the room to its end, as root unless said otherwise; what it printed."""
        process = self.popen(list(argv), uid=uid, cwd="/")
        out, err = process.communicate(timeout=60)
        if process.returncode != 0:
            raise RuntimeError(f"{argv}: {err.decode()}")
        return out.decode()

    def processes(self) -> Iterator[tuple[int, str]]:
        """Every process of this room's user or with its mark: pid and command line."""
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) in (os.getpid(), self.pid):
                continue
            with contextlib.suppress(OSError):
                ours = self.uid != 0 and os.stat(f"/proc/{entry}").st_uid == self.uid
                status = Path(f"/proc/{entry}/status").read_text()
                ours = ours or (self.uid != 0 and f"\nUid:\t{self.uid}\t" in status)
                ours = ours or self.mark.encode() in Path(f"/proc/{entry}/environ").read_bytes()
                if ours and "\nState:\tZ" not in status:
                    line = (
                        Path(f"/proc/{entry}/cmdline")
                        .read_bytes()
                        .replace(b"\0", b" ")
                        .decode(errors="replace")
                    )
                    yield int(entry), line.strip()

    def sweep(self) -> None:
        """Ends whatever still runs here, by pid, until nothing does."""

        def none_left() -> bool:
            left = [pid for pid, _ in self.processes()]
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not left

        wait_until(none_left, f"an empty room {self.name}")

    def close(self) -> None:
        self.sweep()
        for fd in self._fds:
            os.close(fd)
        self._keeper.kill()
        self._keeper.communicate()


def connect(one: Room, two: Room, network: str) -> tuple[str, str]:
    """A wire between two rooms; their addresses, e.g. 10.231.7.1 and .2 for network "10.231.7"."""
    subprocess.run(
        ["nsenter", "-t", str(one.pid), "-n", "ip", "link", "add", "eth0", "type", "veth", "peer"]
        + ["name", "eth0", "netns", str(two.pid)],
        check=True,
    )
    for number, room in ((1, one), (2, two)):
        _ip(room, "addr", "add", f"{network}.{number}/24", "dev", "eth0")
        _ip(room, "link", "set", "eth0", "up")
    return f"{network}.1", f"{network}.2"


def cut(room: Room) -> None:
    _ip(room, "link", "set", "eth0", "down")


def mend(room: Room) -> None:
    _ip(room, "link", "set", "eth0", "up")


def _ip(room: Room, *words: str) -> None:
    subprocess.run(["nsenter", "-t", str(room.pid), "-n", "ip", *words], check=True)


# ---- inside: the process that keeps a room ------------------------------------


def keep(plan: dict[str, Any]) -> None:
    """Makes the namespaces, furnishes them, and stays until its parent goes."""
    os.umask(0o022)
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    _check(_libc.unshare(NEW_NS | NEW_UTS | NEW_IPC | NEW_NET), "unshare")
    _check(_libc.sethostname(plan["name"].encode(), len(plan["name"])), "sethostname")
    _mount(None, "/", None, MS_REC | MS_PRIVATE)
    _furnish_bare(plan) if plan["bare"] else _furnish_full(plan)
    home = f"/home/{plan['name']}"
    for directory in (home, f"{home}/.run"):
        os.mkdir(directory, 0o700)
        os.chown(directory, plan["uid"], plan["uid"])
    os.chdir("/")
    print("ready", flush=True)
    sys.stdin.read()


def _tmpfs(target: str, options: str) -> None:
    _mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, options)


def _ext4(target: str, size_bytes: int) -> None:
    """The file system most homes have, its blocks in memory. Where the kernel has no loop devices: tmpfs."""
    _tmpfs("/mnt", "mode=700,size=100%")
    image = "/mnt/image"
    Path(image).touch()
    os.truncate(image, size_bytes)
    # no journal: it would only be written twice to the same memory
    options = ["-O", "^has_journal", "-E", "lazy_itable_init=1,nodiscard", "-m", "0", "-I", "256"]
    made = subprocess.run(["mkfs.ext4", "-q", *options, image], capture_output=True)
    words = ["mount", "-t", "ext4", "-o", "loop,nosuid,nodev", image, target]
    if made.returncode != 0 or subprocess.run(words, capture_output=True).returncode != 0:
        _tmpfs(target, f"mode=755,size={size_bytes}")
    _check(_libc.umount2(b"/mnt", MNT_DETACH), "umount")


def _bind(source: str, target: str, read_only: bool = False) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        Path(target).touch()
    _mount(source, target, None, MS_BIND | MS_REC)
    if read_only:
        _mount(None, target, None, MS_BIND | MS_REMOUNT | MS_RDONLY)


def _users(plan: dict[str, Any]) -> str:
    user = (
        ""
        if plan["uid"] == 0
        else f"{plan['name']}:x:{plan['uid']}:{plan['uid']}::/home/{plan['name']}:/bin/sh\n"
    )
    return f"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n{user}"


def _furnish_full(plan: dict[str, Any]) -> None:
    """This machine, with fresh places where a user's things are. What hpool needs is put back."""
    held = {path: os.open(path, os.O_PATH) for path in plan["runtime"]}
    passwd = Path("/etc/passwd").read_text()
    for place, options in (
        ("/root", "mode=755"),
        ("/run", "mode=755"),
        ("/tmp", "mode=1777"),
        ("/var/tmp", "mode=1777"),
    ):
        _tmpfs(place, options)
    _ext4("/home", plan["home_bytes"])
    for path, fd in held.items():
        if not _reachable(path):
            _bind(f"/proc/self/fd/{fd}", path) if os.path.isdir(f"/proc/self/fd/{fd}") else None
    os.makedirs("/run/room")
    Path("/run/room/passwd").write_text(passwd + "".join(_users(plan).splitlines(keepends=True)[2:]))
    _mount("/run/room/passwd", "/etc/passwd", None, MS_BIND)


def _reachable(path: str) -> bool:
    """Anyone may walk to it."""
    parts = Path(path).resolve().parents
    return os.path.exists(path) and all(os.stat(part).st_mode & 0o005 == 0o005 for part in parts)


def _furnish_bare(plan: dict[str, Any]) -> None:
    """A root of its own: Python, libraries, devices, and an /etc of three lines."""
    new = "/mnt"
    _tmpfs(new, "mode=755,size=4g")
    for directory in (
        "usr/lib",
        "usr/lib64",
        "usr/bin",
        "usr/sbin",
        "etc",
        "proc",
        "sys",
        "dev",
        "run",
        "old",
    ):
        os.makedirs(f"{new}/{directory}")
    for name in ("lib", "lib64", "bin", "sbin"):
        os.symlink(f"usr/{name}", f"{new}/{name}")
    for library in plan["libraries"]:
        target = Path(f"{new}/usr{library.removeprefix('/usr')}")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    for path in plan["runtime"]:
        _bind(path, f"{new}{path}", read_only=True)
    Path(f"{new}/etc/passwd").write_text(_users(plan))
    Path(f"{new}/etc/group").write_text(f"root:x:0:\n{plan['name']}:x:{plan['uid']}:\n")
    Path(f"{new}/etc/hosts").write_text("127.0.0.1 localhost\n")
    _mount("/dev", f"{new}/dev", None, MS_BIND | MS_REC)
    os.chdir(new)
    _check(_libc.syscall(SYS_PIVOT_ROOT, b".", b"old"), "pivot_root")
    os.chdir("/")
    _mount("proc", "/proc", "proc")
    _mount("sysfs", "/sys", "sysfs")
    _tmpfs("/dev/shm", "mode=1777")
    _check(_libc.umount2(b"/old", MNT_DETACH), "umount")
    os.rmdir("/old")
    for place, mode in (("/tmp", "1777"), ("/var/tmp", "1777"), ("/home", "755")):
        os.makedirs(place, exist_ok=True)
        _tmpfs(place, f"mode={mode}")


if __name__ == "__main__":
    keep(json.loads(sys.argv[1]))
