"""`hpool run --bandwidth`: the cap is kept, and what the job waits for does not stand behind its uploads."""

from __future__ import annotations

import time

import pytest

from integration.pool import StrictPool

pytestmark = [pytest.mark.slow, pytest.mark.root]
RATE_TEXT, RATE = "2MB/s", 2 << 20
UPLOADED = 8 << 20
PROGRAM = """
import os
content = os.urandom(1 << 20) * 8
with open("large", "wb") as file:
    file.write(content)
print("written", flush=True)
print(open("small.txt").read(), end="", flush=True)
"""


def test_a_small_read_comes_before_the_end_of_a_capped_upload(pool: StrictPool) -> None:
    home = pool.home
    place = home.fresh_work({"small.txt": b"small\n"})
    home.own(home.work)
    assert home.job("/usr/bin/python3", "-c", "pass").code == 0  # the next start has little to fetch
    began_s = time.monotonic()
    job = home.popen(home.hpool(["/usr/bin/python3", "-c", PROGRAM], "--bandwidth", RATE_TEXT), home.work)
    assert job.stdout is not None
    assert job.stdout.readline() == b"written\n"
    assert job.stdout.readline() == b"small\n"
    arrived = (place / "large").stat().st_size
    assert arrived < UPLOADED, "all of the upload came before what was waited for"
    _, said = job.communicate(timeout=60)
    assert job.returncode == 0, said
    assert (place / "large").stat().st_size == UPLOADED
    # one message on its way at each end of the span
    assert time.monotonic() - began_s >= (UPLOADED - (2 << 20)) / RATE
    home.fresh_work()


def test_a_cap_that_is_none_is_refused(pool: StrictPool) -> None:
    ended = pool.home.job("/bin/true", options=("--bandwidth", "quick"))
    assert ended.code != 0
    assert b"quick" in ended.stderr
