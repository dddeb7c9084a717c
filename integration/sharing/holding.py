"""A child takes a lock and is killed; its parent goes on: holding.py KIND (flock, posix)."""

import fcntl
import os
import signal
import sys
import time


def wait_for(name: str) -> None:
    while not os.path.exists(name):
        time.sleep(0.005)


child = os.fork()
if child == 0:
    fd = os.open("locked", os.O_RDWR)
    (fcntl.flock if sys.argv[1] == "flock" else fcntl.lockf)(fd, fcntl.LOCK_EX)
    os.close(os.open("held", os.O_CREAT | os.O_WRONLY))
    signal.pause()
wait_for("kill")
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
os.close(os.open("killed", os.O_CREAT | os.O_WRONLY))
wait_for("end")
