"""A starter whose thread makes a mistake must not live on: its job would wait for ever."""

from __future__ import annotations

import subprocess
import sys

WAITS_FOR_EVER = """
import threading
from hpool.sandbox.starter.dying import die_with_threads
die_with_threads()
threading.Thread(target=lambda: {}["missing"], name="lane").start()
threading.Event().wait()
"""


def test_a_thread_that_fails_ends_the_process_and_says_why() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WAITS_FOR_EVER], capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert b"KeyError: 'missing'" in done.stderr and b"lane" in done.stderr
