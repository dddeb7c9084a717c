"""What is made of a job's own words: entries, lines, crashes, sentences. All of it may be hostile."""

from __future__ import annotations

import asyncio
import errno
import json
import resource
import signal
import struct
import zlib
from typing import Any

import pytest

from hpool.interpose_c import table
from hpool.interpose_c.refusals import consequence
from hpool.interpose_c.table import Route
from hpool.matchmaker.model.errors import BadMessage
from hpool.shadow.api import attach, custody, home, seen
from hpool.shadow.api.crash import HEAD_BYTES, LAST_CALLS, NO_CALL, REGISTERS, Crash
from hpool.shadow.api.job import Cost, Outcome, ResourceLimit, Statistics, Waits
from hpool.shadow.api.seen import BEGUN, SeenCall
from hpool.shadow.api.waits import from_facts, percent
from hpool.shadow.cli.death import deaths
from hpool.shadow.cli.log import in_words
from hpool.shadow.cli.story import Story, Summary, Wanted
from hpool.shadow.job.account import MOST_COSTS, MOST_CRASHES, MOST_REFUSALS, WATCHER_QUEUE, Account, Watcher

OPENAT, READ, EXIT_GROUP, MMAP = 257, 0, 231, 9
AT_FDCWD = (1 << 64) - 100


def entry(number: int = OPENAT, flags: int = 0, result: int = 0, tid: int = 2, **facts: Any) -> SeenCall:
    texts = facts.pop("texts", {})
    arguments = facts.pop("arguments", (AT_FDCWD, 0x1000, 0o2000000, 0, 0, 0))
    return SeenCall(1_000, 500, result, arguments, number, flags, 2, tid, 0, facts.pop("trips", 0), texts)


# --- entries -------------------------------------------------------------------------------------


def test_an_entry_survives_the_wire() -> None:
    calls = [entry(texts={1: b"/etc/passwd"}), entry(READ, result=-4, texts={0: b"a", 1: b"b" * 399})]
    assert list(seen.unpack(seen.pack(calls))) == calls


@pytest.mark.parametrize("content", [b"", b"x", zlib.compress(b"x"), zlib.compress(bytes(512 * 257))])
def test_a_malformed_batch_is_refused(content: bytes) -> None:
    with pytest.raises(BadMessage):
        list(seen.unpack(content))


def test_texts_beyond_their_room_are_left_out() -> None:
    raw = bytearray(zlib.decompress(seen.pack([entry()])))
    struct.pack_into("<2H", raw, 104, 60000, 399)
    (call,) = seen.unpack(zlib.compress(bytes(raw)))
    assert len(call.texts) == 1


# --- lines ----------------------------------------------------------------------------------------


def test_a_call_is_one_line_with_flags_and_errno_by_name() -> None:
    story = Story()
    assert list(story.take(entry(flags=BEGUN, texts={1: b"/no\n"}), 0)) == []
    (line,) = story.take(entry(result=-2, trips=1), 0)
    text = line.as_text(0)
    assert 'openat(AT_FDCWD, "/no\\n", O_RDONLY|O_CLOEXEC)' in text
    assert "= -1 ENOENT (No such file or directory) <0.000000> fault, 1 round trip" in text
    assert line.as_object(0)["errno"] == "ENOENT"


def test_a_call_that_lasts_is_told_twice_and_one_that_never_returns_once() -> None:
    story = Story()
    list(story.take(entry(READ, flags=BEGUN), 10.0))
    assert list(story.lasting(10.1)) == []
    (going,) = story.lasting(11.0)
    assert going.as_text(0).endswith("<goes on>")
    assert list(story.lasting(12.0)) == []
    (back,) = story.take(entry(READ, result=3), 13.0)
    assert "<... read resumed> = 3" in back.as_text(0)
    (gone,) = story.take(entry(EXIT_GROUP, flags=BEGUN, arguments=(0,) * 6), 14.0)
    assert gone.as_text(0).endswith("exit_group(0) = ?")
    assert list(story.lasting(20.0)) == []


def test_threads_do_not_mix() -> None:
    story = Story()
    list(story.take(entry(flags=BEGUN, tid=2, texts={1: b"two"}), 0))
    list(story.take(entry(flags=BEGUN, tid=3, texts={1: b"three"}), 0))
    (line,) = story.take(entry(tid=2, result=5), 0)
    assert line.texts == (b"two",)


def test_an_end_without_its_beginning_is_a_line() -> None:
    (line,) = Story().take(entry(result=3), 0)
    assert line.result == 3


def test_filters() -> None:
    (line,) = Story().take(entry(result=3, texts={1: b"/home/x"}), 0)
    assert Wanted(routes=("fault",), calls=("openat",), path=b"home", pid=2).passes(line)
    for wanted in (Wanted(routes=("note",)), Wanted(calls=("read",)), Wanted(path=b"y"), Wanted(pid=3)):
        assert not wanted.passes(line)


def test_the_summary_counts_what_ended() -> None:
    summary = Summary()
    story = Story()
    for result in (3, -2):
        for line in story.take(entry(result=result, trips=1), 0):
            summary.add(line)
    for line in story.take(entry(EXIT_GROUP, flags=BEGUN), 0):
        summary.add(line)
    ((name, tally), _) = summary.rows()
    assert (name, tally.calls, tally.errors, tally.trips, tally.ns) == ("openat", 2, 1, 2, 1000)


@pytest.mark.parametrize("row", table.load(), ids=lambda row: row.name)
def test_every_call_can_be_written(row: table.SystemCall) -> None:
    (line,) = Story().take(entry(row.number, result=-1, arguments=(3, 1 << 63, 7, 0, (1 << 64) - 1, 9)), 0)
    assert line.as_text(0).startswith("  0.000001 [2] " + row.name + "(")
    assert len(line.arguments) <= len(row.arguments)


# --- refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row", [row for row in table.load() if row.route is Route.REFUSE], ids=lambda row: row.name
)
def test_every_refused_call_has_a_consequence_in_words(row: table.SystemCall) -> None:
    assert row.errno is not None
    found = consequence(row.number, getattr(errno, row.errno), 0, 0, "/usr/bin/thing")
    assert found.sentence == f"thing: {row.name} was refused ({row.errno}): {row.note}"
    assert len(row.note) > 10


def test_a_refusal_of_nonsense_is_a_sentence() -> None:
    assert "call 60000" in consequence(60000, 60000, -1, 1 << 62, "").sentence
    assert "--network host" in consequence(42, errno.ENETUNREACH, 3, 4, "/bin/x").sentence
    assert "TIOCSTI" in consequence(16, errno.EPERM, 0, 0x5412, "/bin/x").sentence


# --- crashes ------------------------------------------------------------------------------------------


def told(number: int, code: int, address: int, **registers: int) -> bytes:
    values = [registers.get(name, 0) for name in REGISTERS]
    head = struct.pack("<4i3Q18QQ16s", number, code, 2, 2, address, 14, 6, *values, 0, b"name\0junk")
    head += struct.pack("<2I6Qq", NO_CALL, 0, *(0,) * 6, 0) * (LAST_CALLS - 1)
    head += struct.pack("<2I6Qq", OPENAT, 1, *(0,) * 6, -2)
    assert len(head) == HEAD_BYTES
    maps = b"1000-2000 r-xp 00003000 00:01 7    /bin/thing here\n7f00-7fff rw"
    parts = [head, b"/bin/thing", maps, b"s" * 64]
    return zlib.compress(struct.pack("<4I", *map(len, parts)) + b"".join(parts))


def test_a_crash_is_read() -> None:
    crash = Crash.parse(told(signal.SIGSEGV, 1, 8, rip=0x1234, rsp=0x9000))
    assert crash.sentence == "SIGSEGV: nothing is mapped at 0x8 (writing)"
    assert (crash.thread_name, crash.program) == ("name", "/bin/thing")
    mapping = crash.mapping_of(crash.registers["rip"])
    assert mapping is not None
    assert (mapping.path, mapping.offset) == ("/bin/thing here", 0x3000)
    assert [call.result for call in crash.calls] == [-2]
    assert (crash.stack_start, len(crash.stack)) == (0x9000 - 128, 64)


@pytest.mark.parametrize(
    ("number", "code", "address", "words"),
    [
        (signal.SIGFPE, 1, 4096, "SIGFPE: integer division by zero at 0x1000"),
        (signal.SIGABRT, -6, 2 | 1000 << 32, "SIGABRT: sent by itself (abort, raise or kill)"),
        (signal.SIGSEGV, 0, 7 | 1000 << 32, "SIGSEGV: sent by process 7, user 1000"),
        (99, 77, 0, "signal 99: code 77"),
    ],
)
def test_signals_in_words(number: int, code: int, address: int, words: str) -> None:
    assert Crash.parse(told(number, code, address)).sentence == words


@pytest.mark.parametrize("content", [b"", b"junk", *map(zlib.compress, (b"", bytes(16), bytes(1 << 20)))])
def test_a_malformed_crash_is_refused(content: bytes) -> None:
    with pytest.raises(BadMessage):
        Crash.parse(content)


# --- the account at home ----------------------------------------------------------------------------------


class Home:
    def __init__(self) -> None:
        self.notes: list[custody.Noted] = []
        self.terminal: list[attach.ToTerminal] = []
        self.starter: list[home.ToStarter] = []
        self.account = Account(self.notes.append, self.terminal.append, self.starter.append)


def test_what_a_machine_can_make_home_keep_is_bounded() -> None:
    at_home = Home()
    for number in range(MOST_REFUSALS + 50):
        at_home.account.refused(home.Refused(number, 38, 0, 0, b"/bin/x" * 1000))
    for _ in range(MOST_CRASHES + 5):
        at_home.account.crashed(home.Crashed(told(11, 1, 0)))
    assert len(at_home.notes) == MOST_REFUSALS + MOST_CRASHES
    assert max(len(note.facts) for note in at_home.notes) < 10_000
    with pytest.raises(BadMessage):
        Home().account.crashed(home.Crashed(b"no"))


def test_watchers_come_and_go() -> None:
    at_home = Home()
    early = at_home.account.watch("calls", 0)
    assert at_home.starter == []
    at_home.account.started()
    late = at_home.account.watch("process", 7)
    assert at_home.starter == [home.Watch(early.number, "calls", 0), home.Watch(late.number, "process", 7)]
    at_home.account.unwatch(early)
    assert at_home.starter[-1] == home.Watch(early.number, "end", 0)
    at_home.account.seen(home.Seen(early.number, b"x", 0, ""))  # too late: nobody's


async def take(watcher: Watcher, count: int) -> list[home.Seen]:
    return [await watcher.next() for _ in range(count)]


def test_a_slow_watcher_loses_and_is_told_how_much() -> None:
    at_home = Home()
    watcher = at_home.account.watch("calls", 0)
    for _ in range(WATCHER_QUEUE + 7):
        at_home.account.seen(home.Seen(watcher.number, b"x", 0, ""))
    at_home.account.over()
    got = asyncio.run(take(watcher, WATCHER_QUEUE + 1))
    assert got[-1].ended == "the job is over"
    assert sum(each.lost for each in got) == 7
    with pytest.raises(BadMessage):
        at_home.account.watch("calls", 0)


# --- the end ------------------------------------------------------------------------------------------------


def outcome(number: int, user_us: int = 0) -> Outcome:
    return Outcome(True, 0, number, "m", False, None, Statistics(user_us, 0, 0, 0, 0, 0, 0, 0, 1))


def test_the_line_of_a_job_that_died() -> None:
    died = [attach.Died(9, 11, "SIGSEGV: child"), attach.Died(2, 11, "SIGSEGV: own")]
    assert deaths("7.0", outcome(11), died, [], all_of_them=False) == [
        "the job died of SIGSEGV: own; report: hpool report 7.0"
    ]
    assert deaths("7.0", outcome(11), died, [], all_of_them=True)[1:] == [
        "process 9 died of SIGSEGV: child; report: hpool report 7.0 --pid 9"
    ]
    assert deaths("7.0", outcome(0), died[:1], [], all_of_them=False) == []
    assert deaths("7.0", outcome(2), [], [], all_of_them=False) == []
    limits = [ResourceLimit(resource.RLIMIT_CPU, 1, 2)]
    assert "ulimit -t 2" in deaths("7.0", outcome(9, 2_000_000), [], limits, all_of_them=False)[0]
    assert "when its memory ran out" in deaths("7.0", outcome(9), [], limits, all_of_them=False)[0]


def test_a_line_of_the_log_cannot_move_the_cursor() -> None:
    facts = json.loads(json.dumps({"program": "/bin/\x1b[2J", "pid": 2, "sentence": "x\ny"}))
    assert in_words("crash", facts) == "crashed: /bin/?[2J (process 2): x?y"


# --- where the time went ---------------------------------------------------------------------------


def test_the_log_says_where_the_time_went_and_keeps_a_bounded_profile() -> None:
    noted: list[custody.Noted] = []
    account = Account(noted.append, lambda message: None, lambda message: None)
    counted = Statistics(
        *(1, 2, 3, 4, 5, 6, 7, 1_500_000_000, 9),
        waits=(Waits("names", 3, 500_000_000), Waits("content", 2, 1_000_000_000)),
        bytes_in=11,
        bytes_out=12,
        calls=200_000,
        asked=2,
    )
    costs = tuple(Cost(b"/x/\xff%d" % number, "open", 1, 1, 2, 3, 4) for number in range(MOST_COSTS + 5))
    account.profiled(counted, costs)
    account.profiled(None, costs)
    (line,) = noted
    facts = json.loads(line.facts)
    assert facts["sentence"] == (
        "waited 1.500 s for home, 5 times: content 1.000 s (2), names 0.500 s (3); 11 bytes from home,"
        " 12 to it; 99.999 % of 200000 calls did not wait"
    )
    found = from_facts(facts)
    assert found.costs == costs[:MOST_COSTS]
    assert found.statistics == counted


def test_a_hit_rate_is_never_rounded_up_to_all() -> None:
    assert [percent(rate) for rate in (None, 0.0, 0.5, 0.99999, 1.0)] == [
        "",
        "0.0 %",
        "50.0 %",
        "99.999 %",
        "100 %",
    ]
