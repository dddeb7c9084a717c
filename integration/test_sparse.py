"""Files with holes: what nobody wrote takes no room at home."""

from __future__ import annotations

import pytest

from integration.pool import StrictPool

pytestmark = [pytest.mark.slow, pytest.mark.root]
SCATTERS = """
import os
with open("scattered", "wb") as file:
    for piece in range(100):
        file.seek(piece * (10 << 20) + piece * 777)
        file.write(b"x" * 2560)
with open("zeros", "wb") as file:
    file.write(bytes(3 << 20))
with open("cut", "wb") as file:
    file.write(b"y" * (1 << 20))
    file.truncate(0)
    file.seek(5 << 20)
    file.write(b"end")
with open("appended", "ab", 0) as log, open("appended", "r+b", 0) as file:
    log.write(b"first\\n")
    file.seek(64 << 20)
    file.write(b"placed\\n")
    log.write(b"last\\n" * 2000)
with open("old", "r+b") as file:
    file.seek(1 << 20)
    file.write(bytes(1 << 20))
    file.truncate(2 << 20)
    file.truncate(9 << 20)
"""


def test_holes_stay_holes_and_written_zeros_are_written(pool: StrictPool) -> None:
    found = []
    for run in (pool.home.run, lambda argv, work: pool.home.job(*argv)):
        work = pool.home.fresh_work()
        (work / "old").write_bytes(b"old" * (1 << 20))
        pool.home.own(pool.home.work)
        ended = run(["/usr/bin/python3", "-c", SCATTERS], pool.home.work)
        assert (ended.code, ended.stderr) == (0, b"")
        found.append({path.name: (path.read_bytes(), path.stat().st_blocks) for path in work.iterdir()})
    natively, away = found
    assert {name: content for name, (content, _) in away.items()} == {
        name: content for name, (content, _) in natively.items()
    }
    for name, (_, blocks) in natively.items():
        assert away[name][1] <= blocks + 512, name
    assert away["zeros"][1] >= natively["zeros"][1] - 64
