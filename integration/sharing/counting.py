"""Adds to a counter in a file, again and again, under a lock: counting.py KIND TIMES.

KIND: flock, posix, ofd; beside: the lock is of another file than the counter; mkdir,
create, link, rename: the lock is a name, and the counter is opened under it.
"""

import fcntl
import os
import struct
import sys
import time

kind, times = sys.argv[1], int(sys.argv[2])
F_OFD_SETLKW = 38
EVERYTHING = struct.pack("hhqqixxxx", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
NOTHING = struct.pack("hhqqixxxx", fcntl.F_UNLCK, os.SEEK_SET, 0, 0, 0)


def lock(fd: int, take: bool) -> None:
    if kind in ("flock", "beside"):
        fcntl.flock(fd, fcntl.LOCK_EX if take else fcntl.LOCK_UN)
    elif kind == "posix":
        fcntl.lockf(fd, fcntl.LOCK_EX if take else fcntl.LOCK_UN)
    else:
        fcntl.fcntl(fd, F_OFD_SETLKW, EVERYTHING if take else NOTHING)


def claim(mine: str) -> None:
    if kind == "mkdir":
        os.mkdir("lock")
    elif kind == "create":
        os.close(os.open("lock", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    elif kind == "link":
        os.link(mine, "lock")
    else:
        os.rename("guard", mine)


def give_back(mine: str) -> None:
    if kind == "mkdir":
        os.rmdir("lock")
    elif kind == "rename":
        os.rename(mine, "guard")
    else:
        os.unlink("lock")


def add_one(counter: int) -> None:
    value = int(os.pread(counter, 20, 0))
    os.pwrite(counter, b"%020d" % (value + 1), 0)


def by_lock() -> None:
    counter = os.open("counter", os.O_RDWR)
    guard = os.open("guard", os.O_RDWR) if kind == "beside" else counter
    for _ in range(times):
        lock(guard, True)
        add_one(counter)
        lock(guard, False)


def by_name() -> None:
    mine = f"mine.{time.time_ns()}"
    if kind == "link":
        open(mine, "x").close()
    for _ in range(times):
        while True:
            try:
                claim(mine)
            except (FileExistsError, FileNotFoundError):
                continue
            break
        counter = os.open("counter", os.O_RDWR)
        add_one(counter)
        os.close(counter)
        give_back(mine)


if kind in ("mkdir", "create", "link", "rename"):
    by_name()
else:
    by_lock()
print("done")
