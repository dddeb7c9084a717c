"""The bench of far work at toy size: every row is there, and what was done far away is as natively."""

from __future__ import annotations

import re

import pytest

from integration.bench import remote, rivals, work
from integration.bench.wire import SlowWire
from integration.conftest import needs_root
from integration.rooms import Room

pytestmark = [pytest.mark.slow, pytest.mark.root]


def test_a_slow_wire_is_as_slow_as_it_says_and_carries_what_a_network_does() -> None:
    needs_root()
    with (
        Room("here", uid=62001, bare=False, home_bytes=1 << 26) as here,
        Room("there", uid=62002, bare=False, home_bytes=1 << 26) as there,
        SlowWire(here, there, "10.233.1", 20) as wire,
    ):
        found = wire.measure(rounds=20, megabytes=16)
        assert 20 <= found.round_trip_ms < 25
        assert found.bytes_per_s > 10e6


def test_the_bench_of_far_work_has_every_row_and_nothing_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    needs_root()
    if rivals.missing():
        pytest.skip(f"not installed: {rivals.missing()}")
    remote.main(["--toy", "--rtt", "2", "--rounds", "1"])
    printed = capsys.readouterr().out
    rows = [line.split(" | ") for line in printed.splitlines() if line.startswith("| ")]
    assert [cells[0].strip("| ") for cells in rows] == ["work", *work.WORK]
    assert "WRONG" not in printed
    for cells in rows[1:]:
        assert all(re.fullmatch(r"[\d.]+ \(\d+\)", cell) for cell in cells[2:5]), cells
        assert all(re.fullmatch(r"[\d.]+", cells[number]) for number in (1, 5, 7, 9)), cells
