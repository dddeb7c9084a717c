"""How fast the link is decides what comes unasked.

Owns: that reads here and there of a large file bring all of it where that is quicker, and only what is read
where it is not. Wires are simulated by the lanes' pumps; no job runs.
"""

from __future__ import annotations

import functools
import itertools
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox import test_engine as base
from tests.sandbox.test_engine import FILL, OPEN, RETRY, Away, away_from, stats

BLOCK = 64 << 10
SIZE = 512 * BLOCK  # 32 MiB
client_library = base.client_library
home = base.home


def read_here_and_there(away: Away, file: Path, count: int) -> None:
    assert away.ask(OPEN, file, os.O_RDONLY) == RETRY
    inode = away.there(file).stat().st_ino
    places = random.Random(7).sample(range(1, SIZE // BLOCK, 3), count)
    with file.open("rb") as ours, away.there(file).open("rb") as mirrored:
        for block in places:
            assert away.ask(FILL, "", block * BLOCK, 4096, base=inode) == 0
            assert os.pread(mirrored.fileno(), 4096, block * BLOCK) == os.pread(
                ours.fileno(), 4096, block * BLOCK
            )


def await_bytes(away: Away, count: int) -> None:
    deadline_s = time.monotonic() + 60
    while stats(away).bytes_read < count and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert stats(away).bytes_read == count


@pytest.fixture
def large(home: Path) -> Path:
    (home / "large").write_bytes(os.urandom(SIZE))
    return home / "large"


def test_on_a_slow_link_only_what_is_read_comes_and_little_more(
    large: Path, client_library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "pump", functools.partial(base.pump, answer_s=0.01, bytes_per_s=2e6))
    with away_from(large.parent, client_library) as away:
        read_here_and_there(away, large, 40)
        assert stats(away).bytes_read < SIZE // 3  # 40 blocks, and what it took to see how slow it is


def test_on_a_fast_link_all_of_it_comes_once_enough_was_waited_for(
    large: Path, client_library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "pump", functools.partial(base.pump, answer_s=0.02))
    with away_from(large.parent, client_library) as away:
        read_here_and_there(away, large, 60)
        await_bytes(away, SIZE)


@pytest.mark.parametrize("step", [3, 1, -1, -3])
def test_reads_at_equal_distances_are_foretold(large: Path, client_library: Any, step: int) -> None:
    with away_from(large.parent, client_library) as away:
        assert away.ask(OPEN, large, os.O_RDONLY) == RETRY
        inode = away.there(large).stat().st_ino
        content, came = large.read_bytes(), 0
        places = iter(range(200, 200 + 40 * step, step))
        # The third shows the distance; then four, eight and sixteen come before they are asked for.
        for asked, foretold in ((3, 4), (1, 8), (1, 16)):
            for block in itertools.islice(places, asked):
                assert away.ask(FILL, "", block * BLOCK, 4096, base=inode) == 0
            came += asked + foretold
            await_bytes(away, came * BLOCK)
            with away.there(large).open("rb") as mirrored:
                for block in itertools.islice(places, foretold):
                    there = os.pread(mirrored.fileno(), BLOCK, block * BLOCK)
                    assert there == content[block * BLOCK :][:BLOCK]
        assert away.ask(FILL, "", 3 * BLOCK, 4096, base=inode) == 0  # the reader goes elsewhere
        assert stats(away).bytes_read == (came + 1) * BLOCK
