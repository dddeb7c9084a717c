"""Meets a lock that a program at home holds: sees who, gives up at a signal, waits: waiting.py KIND PID."""

import fcntl
import os
import signal
import struct
import sys

kind, holder = sys.argv[1], int(sys.argv[2])
fd = os.open("locked", os.O_RDWR)
take = fcntl.flock if kind == "flock" else fcntl.lockf
if kind == "posix":
    asked = struct.pack("hhqqixxxx", fcntl.F_WRLCK, os.SEEK_SET, 10, 5, 0)
    type_, _, start, length, pid = struct.unpack("hhqqixxxx", fcntl.fcntl(fd, fcntl.F_GETLK, asked))
    print(type_ == fcntl.F_WRLCK, start, length, pid == holder)
try:
    take(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("taken")


class Enough(Exception):
    pass


def stop(*_: object) -> None:
    raise Enough


signal.signal(signal.SIGALRM, stop)
signal.setitimer(signal.ITIMER_REAL, 0.2)
try:
    take(fd, fcntl.LOCK_EX)
except Enough:
    print("gave up")
os.close(os.open("waiting", os.O_CREAT | os.O_WRONLY))
take(fd, fcntl.LOCK_EX)
print(os.pread(fd, 100, 0))
os.pwrite(fd, b"the job's", 0)
