"""Adds to a counter in a file, again and again, under a lock: counting.py KIND TIMES.

KIND: flock, posix, ofd; or beside: the lock is of another file than the counter.
"""

import fcntl
import os
import struct
import sys

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


counter = os.open("counter", os.O_RDWR)
guard = os.open("guard", os.O_RDWR) if kind == "beside" else counter
for _ in range(times):
    lock(guard, True)
    value = int(os.pread(counter, 20, 0))
    os.pwrite(counter, b"%020d" % (value + 1), 0)
    lock(guard, False)
print("done")
