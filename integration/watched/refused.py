"""Asks for what a job cannot have, twice each, and goes on; its argument is the exit code."""

import contextlib
import ctypes
import os
import socket
import sys

libc = ctypes.CDLL(None, use_errno=True)
for _ in range(2):
    libc.syscall(425, 1, 0)  # io_uring_setup
    libc.syscall(206, 1, 0)  # io_setup
    libc.unshare(0x10000000)
    with contextlib.suppress(OSError):
        socket.socket(40, socket.SOCK_STREAM)  # vsock
    with contextlib.suppress(OSError), socket.socket() as away:
        away.connect(("192.0.2.1", 80))
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    with contextlib.suppress(OSError):
        open(os.path.expanduser("~/not-below-the-working-directory"), "w").close()
here = socket.create_server(("127.0.0.1", 0))
socket.create_connection(here.getsockname()).close()
print("went on")
sys.exit(int(sys.argv[1]) if sys.argv[1:] else 0)
