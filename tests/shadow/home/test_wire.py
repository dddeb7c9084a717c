"""Python's idea of the wire is C's."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from hpool.shadow.api import wire
from hpool.shadow.home._home import ffi, lib

u16, u32, u64 = (st.integers(0, 2**bits - 1) for bits in (16, 32, 64))
s64 = st.integers(-(2**63), 2**63 - 1)
attrs = st.builds(wire.Attr, *[u64] * 3, *[u32] * 4, *[u64] * 3, *[u32] * 2, *[s64] * 4, *[u32] * 4, u64)
entries = st.builds(
    wire.Entry,
    flags=st.just(wire.EntryFlag.CONTENT),
    path=st.binary(max_size=100),
    target=st.binary(max_size=100),
    content=st.binary(max_size=100),
    digest=st.sampled_from([b"", b"d" * 32]),
    attr=attrs,
)
requests = st.builds(
    wire.Request, u16, u64, st.binary(max_size=50), st.binary(max_size=50), u64, u64, u64, u32, u32, u16
)


def test_shapes_have_the_sizes_c_asserts() -> None:
    assert wire.REQUEST.size == ffi.sizeof("struct hpw_request")
    assert wire.REPLY.size == ffi.sizeof("struct hpw_reply")
    assert wire.ENTRY.size + wire.ATTR.size == ffi.sizeof("struct hpw_entry")
    assert wire.ATTR.size == ffi.sizeof("struct hpw_attr")


def test_fields_lie_where_c_has_them() -> None:
    for number, (name, _) in enumerate(ffi.typeof("struct hpw_attr").fields):
        values = [0] * len(wire.Attr._fields)
        values[number] = 0x7654321
        c_attr = ffi.from_buffer("struct hpw_attr *", bytearray(wire.ATTR.pack(*values)))
        assert wire.Attr._fields[number] == name
        assert getattr(c_attr, name) == 0x7654321


def test_a_request_is_read_by_c_as_it_was_meant() -> None:
    packed = bytearray(wire.Request(7, 11, b"/a", b"bc", 13, 17, 19, 23, 29, 3).pack())
    c_request = ffi.from_buffer("struct hpw_request *", packed, require_writable=False)
    fields = ["size", "op", "flags", "id", "handle", "offset", "length", "mode", "arg", "len1", "len2"]
    assert [getattr(c_request, name) for name in fields] == [64, 7, 3, 11, 13, 17, 19, 23, 29, 2, 2]


def test_every_number_is_c_s() -> None:
    groups = {"": wire.Op, "SET_": wire.Set, "E_": wire.EntryFlag, "SURE_": wire.Sure}
    flags = {f"HPW_{flag.name}": flag.value for flag in wire.Flag}
    limits = {
        f"HPW_{name}": getattr(wire, name) for name in ("MAX_RECORD", "MAX_READ", "MAX_PATH", "MAX_XATTR")
    }
    known = {
        f"HPW_{prefix}{member.name}": member.value for prefix, group in groups.items() for member in group
    }
    ours = known | flags | limits
    theirs = {name: getattr(lib, name) for name in dir(lib) if re.match(r"HPW_[A-Z]", name)}
    assert ours == theirs


@given(st.lists(entries, max_size=4), u64, st.integers(-1, 133))
def test_replies_survive_the_round_trip(group: list[wire.Entry], number: int, error: int) -> None:
    reply = wire.Reply(wire.Op.LIST, wire.Flag.MORE, number, error, tuple(group), b"")
    assert wire.parse_replies(reply.pack() + reply.pack()) == [reply, reply]


@given(requests)
def test_requests_survive_the_round_trip(request: wire.Request) -> None:
    assert wire.Request.parse(request.pack()) == request
