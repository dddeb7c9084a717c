"""Values and messages: there and back, and what is malformed."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from hpool.matchmaker.api import values
from hpool.matchmaker.model.errors import BadMessage
from hpool.sandbox.api.order import ORDER, Order
from hpool.shadow.api import attach, batch, custody, home, queue, stdio
from hpool.shadow.api.job import JOB, OUTCOME, JobDescription, Outcome, Problem, ResourceLimit, Sharing

ROOT = Path(__file__).resolve().parents[2]


def job() -> JobDescription:
    return JobDescription(
        program=b"/bin/\xff",
        arguments=(b"a", b"", b"\xfe"),
        environment=(b"A=\xff",),
        directory=b"/w",
        umask=0o22,
        limits=(ResourceLimit(7, 10, None), ResourceLimit(8, None, None), ResourceLimit(9, 0, 0)),
        uid=1,
        gid=2,
        groups=(3, 4),
        hostname="h",
        merged_output=True,
        network="none",
        cpus=1,
        memory_bytes=5,
        sharing=(Sharing(b"/x", "rw"),),
        owner="me",
    )


def test_a_description_survives_the_wire() -> None:
    assert JOB.decode(JOB.encode(job())) == job()


@given(st.booleans(), st.integers(0, 255), st.integers(0, 64), st.text(max_size=9), st.booleans())
def test_an_outcome_survives_the_wire(
    ended: bool, exit_code: int, signal: int, machine: str, removed: bool
) -> None:
    for problem in (None, Problem("A-1", "it was so", "", 125)):
        outcome = Outcome(ended, exit_code, signal, machine, removed, problem)
        assert OUTCOME.decode(OUTCOME.encode(outcome)) == outcome


def test_one_of_several_keeps_its_kind() -> None:
    for message in (home.Hello(1, "m", "v"), home.Started(), stdio.Output(1, 5, b"x"), stdio.Remark("r")):
        decoded = home.FROM_STARTER.decode(home.FROM_STARTER.encode(message))
        assert (type(decoded), decoded) == (type(message), message)


def test_a_sequence_number_travels_along() -> None:
    raw = attach.FROM_TERMINAL.encode(stdio.Kill(), 7)
    assert attach.FROM_TERMINAL.decode_numbered(raw) == (7, stdio.Kill())


@pytest.mark.parametrize("raw", [b"", b"\xff", b"\x08\x01", b"\x0a\x05ab"])
def test_what_is_no_message_is_malformed(raw: bytes) -> None:
    with pytest.raises(BadMessage):
        home.FROM_STARTER.decode(raw)


def test_a_required_part_that_is_missing_is_malformed() -> None:
    with pytest.raises(BadMessage, match="job is missing"):
        queue.SUBMIT.request.decode(b"")
    with pytest.raises(BadMessage, match="machine is missing"):
        values.MACHINE_REPORT.decode(b"")


@given(st.binary(max_size=64))
def test_random_bytes_never_do_worse_than_malformed(raw: bytes) -> None:
    for codec in (home.FROM_STARTER, attach.FROM_TERMINAL, custody.TO_SHADOW, queue.SUBMIT.request):
        try:
            codec.decode(raw)
        except BadMessage:
            continue


@given(st.binary(max_size=300))
def test_a_batch_is_framed_as_protobuf_would(records: bytes) -> None:
    framed = batch.batch_head(len(records)) + records
    assert bytes(batch.batch_records(memoryview(framed))) == records


def test_a_framed_batch_is_a_batch_message() -> None:
    # One field, number 1, of bytes: tag 0x0A, a varint, the bytes.
    for length in (0, 1, 127, 128, 16383, 16384, 3 << 20):
        records = bytes(length)
        size, varint = length, bytearray()
        while size > 0x7F:
            varint.append(size & 0x7F | 0x80)
            size >>= 7
        assert batch.batch_head(len(records)) == b"\x0a" + bytes([*varint, size])


@pytest.mark.parametrize(
    "raw", [b"", b"\x0a", b"\x0a\x05abc", b"\x0a\x02abc", b"\x12\x01a", b"\x0a\xff\xff\xff\xff\xff"]
)
def test_a_batch_of_the_wrong_length_is_malformed(raw: bytes) -> None:
    with pytest.raises(BadMessage):
        batch.batch_records(memoryview(raw))


def test_replies_that_shrink_travel_squeezed_and_others_soon_go_untried() -> None:
    squeezer = batch.Squeezer(batch.ALWAYS, batch.Pace())
    listing = b"".join(b"%08d a name and its attributes" % n for n in range(1000))
    head, body = squeezer.message(listing)
    assert head[0] == 0x12 and len(body) < len(listing) / 2
    assert bytes(batch.reply_records(memoryview(head + bytes(body)))) == listing
    with pytest.raises(BadMessage):  # not to home: what comes from a machine is taken as it is
        batch.batch_records(memoryview(head + bytes(body)))
    noise = random.Random(1).randbytes(1 << 16)
    for records in (noise, b"small", noise):
        head, body = squeezer.message(records)
        assert head[0] == 0x0A and bytes(body) == records
        assert bytes(batch.reply_records(memoryview(head + bytes(body)))) == records
    assert [squeezer.message(listing)[0][0] for _ in range(4)] == [0x0A, 0x0A, 0x0A, 0x12]


def test_a_slow_link_has_all_of_it_squeezed_and_a_quick_one_nothing() -> None:
    pace = batch.Pace()
    squeezer = batch.Squeezer(batch.IF_SLOW, pace)
    program = b"".join(b"%08d instructions and their operands" % n for n in range(50_000))

    def is_squeezed() -> bool:
        return squeezer.message(program)[0][0] == 0x12

    assert not is_squeezed()
    for _ in range(8):
        pace.sent(100, 5.0)  # so little says nothing of the link
    assert not is_squeezed()
    for _ in range(4):
        pace.sent(1 << 19, 0.25)  # 2 MB/s
    assert is_squeezed()
    for _ in range(12):
        pace.sent(1 << 19, 0.005)  # 100 MB/s
    assert not is_squeezed()


def test_a_squeezed_batch_is_not_believed() -> None:
    swells = zstandard.ZstdCompressor().compress(bytes(batch.MOST_BYTES + 1))
    for body in (swells, b"", b"no zstd frame", zstandard.ZstdCompressor().compress(b"x" * 9000)[:-3]):
        head = bytearray(batch.batch_head(len(body)))
        head[0] = 0x12
        with pytest.raises(BadMessage):
            batch.reply_records(memoryview(bytes(head) + body))


def test_an_order_survives_the_pipe() -> None:
    order = Order("1.0", "h:1", "s", "m", 1, 2, 3, 4, "/mnt", 5, 6, "", 7, 8, True)
    assert ORDER.decode(ORDER.encode(order)) == order


def test_the_committed_stubs_are_what_the_protos_give(tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools")
    from hpool.matchmaker.api.generate import generate

    for made in generate(ROOT, tmp_path):
        committed = ROOT / made.relative_to(tmp_path)
        assert committed.read_text() == made.read_text(), f"{committed} is stale: make stubs"
