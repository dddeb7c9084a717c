"""What a job's waits cost: counted by the engine, folded for people."""

from __future__ import annotations

import os
from pathlib import Path

from hpool.sandbox.starter import costs
from hpool.sandbox.starter._engine import ffi, lib
from hpool.shadow.api.job import Cost
from tests.sandbox import test_engine as base
from tests.sandbox.test_engine import FILL, MKDIR, NAME, OPEN, READ, RETRY, STAT, Away

home, client_library, away = base.home, base.client_library, base.away


def counted(away: Away) -> list[Cost]:
    room = int(lib.hp_engine_costs(away.engine, ffi.NULL, 0))
    buffer = ffi.new("char[]", room)
    assert lib.hp_engine_costs(away.engine, buffer, room) == room
    return costs.parse(bytes(ffi.buffer(buffer, room)))


def waits_by_kind(away: Away) -> dict[str, int]:
    found = base.stats(away)
    assert sum(found.waits) == found.round_trips
    assert sum(found.waited_ns) == found.wait_ns
    return {kind: int(count) for kind, count in zip(costs.KINDS, found.waits, strict=True) if count}


def test_each_wait_is_counted_by_kind_path_and_call(away: Away) -> None:
    big = away.home / "big"
    big.write_bytes(os.urandom(3 << 20))
    assert away.ask(NAME, away.home / "no\nsuch", STAT) < 0
    assert away.ask(OPEN, big, os.O_RDONLY) == RETRY
    inode = away.there(big).stat().st_ino
    assert away.ask(FILL, "", 0, 3 << 20, base=inode) == 0
    assert away.ask(MKDIR, away.home / "new", 0o755) == 0
    before = waits_by_kind(away)
    assert before["name changes"] == 1
    assert before["names"] >= 1
    assert before["content"] >= 1
    found = {(os.fsdecode(cost.path), cost.call): cost for cost in counted(away)}
    assert found[f"{away.home}/no\nsuch", "name"].waits == 1
    assert found[f"{away.home}/new", "mkdir"].waits == 1
    read = found[str(big), "read"]
    assert read.bytes_in == 3 << 20
    assert read.waits >= 1
    assert away.ask(NAME, big, READ) == RETRY
    assert away.ask(FILL, "", 0, 3 << 20, base=inode) == 0
    assert waits_by_kind(away) == before, "what is there costs nothing"


def test_the_table_is_bounded_and_keeps_what_cost_most(away: Away) -> None:
    big = away.home / "big"
    big.write_bytes(os.urandom(5 << 20))
    assert away.ask(OPEN, big, os.O_RDONLY) == RETRY
    assert away.ask(FILL, "", 0, 5 << 20, base=away.there(big).stat().st_ino) == 0
    for number in range(1500):
        assert away.ask(MKDIR, away.home / f"directory {number}", 0o755) == 0
    found = counted(away)
    assert len(found) <= 512 + 1
    assert sum(cost.waits for cost in found) == base.stats(away).round_trips, "nothing is lost, only its name"
    (read,) = [cost for cost in found if os.fsdecode(cost.path) == str(big) and cost.call == "read"]
    assert read.bytes_in == 5 << 20


def cost(path: str, call: str, waits: int, wait_ns: int, bytes_in: int = 0) -> Cost:
    return Cost(path.encode(), call, 1 if path else 0, waits, wait_ns, bytes_in, 0)


def test_many_cheap_names_of_a_directory_are_one_line() -> None:
    names = [cost(f"/d/{number}", "name", 2, 10) for number in range(100)]
    dear = cost("/d/big", "read", 3, 5000, 1 << 20)
    few = [cost("/e/1", "name", 1, 3), cost("/e/2", "name", 1, 2)]
    assert costs.fold([*names, *few, dear, cost("", "", 7, 1)]) == (
        dear,
        Cost(b"/d/*", "name", 100, 200, 1000, 0, 0),
        few[0],
        few[1],
        Cost(b"", "", 0, 7, 1, 0, 0),
    )


def test_many_cheap_directories_are_one_line_too() -> None:
    lines = [cost(f"/t/{one}/{two}", "name", 1, 2) for one in range(20) for two in range(5)]
    lines += [cost(f"/u/{one}/sole", "open", 1, 1) for one in range(20)]
    lines += [cost(f"/few/{one}/x", "name", 1, 1) for one in range(10)]
    found = costs.fold(lines)
    assert found[0] == Cost(b"/t/**", "name", 100, 100, 200, 0, 0)
    assert found[1] == Cost(b"/u/**", "open", 20, 20, 20, 0, 0)
    assert {each.path for each in found[2:]} == {f"/few/{one}/x".encode() for one in range(10)}


def test_a_dear_name_keeps_its_line_and_the_cheapest_lose_theirs() -> None:
    names = [cost(f"/d/{number}", "open", 1, 1) for number in range(10)]
    lines = [cost(f"/only{number}/x", "open", 1, 100 - number) for number in range(40)]
    dear = cost("/d/slow", "open", 1, 10_000)
    found = costs.fold([*names, *lines, dear], 11)
    assert found[0] == dear
    assert [each.path for each in found[1:-1]] == [f"/only{number}/x".encode() for number in range(10)]
    assert found[-1] == Cost(b"", "", 0, 40, sum(range(61, 91)) + 10, 0, 0)
    assert sum(each.wait_ns for each in found) == sum(each.wait_ns for each in [*names, *lines, dear])


def test_a_path_is_taken_as_it_is() -> None:
    lines = b"3 1 2 3 4 /a b\n c\x00" + b"99 1 2 3 4 /x\x00" + b"203 5 6 7 8 \x00"
    assert costs.parse(lines) == [
        Cost(b"/a b\n c", "read", 1, 1, 2, 3, 4),
        Cost(b"/x", "other", 1, 1, 2, 3, 4),
        Cost(b"", "", 0, 5, 6, 7, 8),
    ]


def test_words_belong_to_the_numbers_of_the_shim() -> None:
    header = Path(base.TOP / "interpose_c/csrc/include/hpool/shm.h").read_text()
    body = header.partition("enum hp_request_op {")[2].partition("};")[0]
    names = [
        line.split("HP_REQ_")[1].split(",")[0].split(" ")[0]
        for line in body.splitlines()
        if "HP_REQ_" in line
    ]
    numbers = {name.lower(): number for number, name in enumerate(names, 1)}
    for word, request in {
        "rename": "rename",
        "read": "fill",
        "setattr": "setattr",
        "append": "append",
    }.items():
        assert costs._CALLS[numbers[request]] == word
    assert numbers["locked"] == 28
    assert len(costs.KINDS) == len(ffi.new("struct hp_engine_stats *").waits)
