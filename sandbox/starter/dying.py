"""When a process ends that others count on. Owns: dying with the parent, and with any thread's mistake."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from typing import Final

PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None)


def die_with_parent() -> None:
    """With the thread that made this process. A change of user takes it back: say it again after one."""
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def die_with_threads() -> None:
    """An exception that ends a thread ends the process: a job would wait for ever for what that thread did,
    a lost starter is noticed."""

    def end(arguments: threading.ExceptHookArgs) -> None:
        threading.__excepthook__(arguments)
        os._exit(1)

    threading.excepthook = end
