"""Which system calls can be led past a gate: bytes in, decisions out; and damaged programs.

Owns: the rules of sites.py one by one, the post-linker against files of nonsense. Leaves to
others: programs that run (test_relinked.py).
"""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpool.interpose_c import link, relinked
from hpool.interpose_c.postlink import BACK_OFFSET, STUB_BYTES, make_stub, post_link, relink
from hpool.interpose_c.sites import ANY_NUMBER, Function, Left, Site, find_sites
from hpool.matchmaker.model.errors import NotRelinkable

HPOOL: Final = f"{sys.prefix}/bin/hpool"
START: Final = 0x401000
SYSCALL: Final = "0f 05"
RETURN: Final = "c3"
CMP: Final = "48 3d 01 f0 ff ff"


def decide(text: str, name: str = "f") -> Site | Left | None:
    code = bytes.fromhex(text)
    sites, left = find_sites(code, START, [Function(START, START + len(code), name)])
    assert len(sites) + len(left) <= 1
    return (*sites, *left, None)[0]


@pytest.mark.parametrize(
    ("before", "number", "moved_bytes"),
    [
        ("b8 27 00 00 00", 39, 5),  # mov $39, %eax
        ("48 c7 c0 27 00 00 00", 39, 7),  # mov $39, %rax
        ("80 3d 10 00 00 00 00 74 0f 31 c0", 0, 11),  # cmpb; je; xor %eax, %eax: read() of glibc 2.36
        ("b8 9e 00 00 00 48 89 36 48 89 76 10", 158, 12),  # mov $158, %eax; two stores
        ("b8 01 00 00 00 48 8d 35 00 00 01 00", 1, 12),  # mov $1, %eax; lea: both move, the number is known
        ("4c 8b 4c 24 08", ANY_NUMBER, 5),  # mov 8(%rsp), %r9: syscall()
        ("b8 27 00 00 00 b0 01", ANY_NUMBER, 7),  # a part of %eax changes behind it
    ],
)
def test_a_site_that_can_be_led(before: str, number: int, moved_bytes: int) -> None:
    site = decide(f"{before} {SYSCALL} {CMP} {RETURN}")
    assert isinstance(site, Site)
    assert (site.number, site.address - site.start) == (number, moved_bytes)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"31 c0 {SYSCALL} {CMP} {RETURN}", "hold a jump"),
        (f"50 b8 27 00 00 00 5f {SYSCALL} {RETURN}", "hold a jump"),  # the stack would not be as it was
        (f"e8 00 00 00 00 {SYSCALL} {RETURN}", "hold a jump"),  # a call returns between
        (f"f0 0f b1 15 00 00 00 00 {SYSCALL} {RETURN}", "hold a jump"),  # some code jumps behind its prefix
        (f"48 c7 c0 0f 00 00 00 {SYSCALL}", "return from a signal"),
        (f"b8 0f 00 00 00 {SYSCALL}", "return from a signal"),
        (f"8b 07 a8 04 75 20 4c 8b 44 24 08 {SYSCALL} {RETURN}", "libc looks at"),
        (f"4c 8b 4c 24 08 {SYSCALL} 72 00 {RETURN}", "flags"),  # jb
        (f"4c 8b 4c 24 08 {SYSCALL} 48 89 c2", "flags"),  # runs out of its function
        (f"b8 27 00 00 00 06 {SYSCALL} {RETURN}", "no code"),
    ],
)
def test_a_site_that_is_left(text: str, why: str) -> None:
    left = decide(text)
    assert isinstance(left, Left)
    assert why in left.why


def test_code_between_two_labels_of_libc_is_known_by_name() -> None:
    text = f"4c 8b 4c 24 08 {SYSCALL} {CMP} {RETURN}"
    assert isinstance(decide(text), Site)
    assert isinstance(decide(text, "__syscall_cancel_arch"), Left)


def test_two_bytes_within_another_instruction_are_none() -> None:
    assert decide(f"b8 0f 05 00 00 {RETURN}") is None
    assert decide(f"48 b8 b8 27 00 00 00 0f 05 c3 {RETURN}") is None


def test_what_is_in_no_function_is_left() -> None:
    _, left = find_sites(bytes.fromhex(f"b8 27 00 00 00 {SYSCALL}"), START, [])
    assert [each.why for each in left] == ["in no known function"]


def test_a_stub_is_what_it_should_be() -> None:
    site = decide(f"80 3d 10 00 00 00 00 74 0f 31 c0 {SYSCALL} {CMP} {RETURN}")
    assert isinstance(site, Site)
    stub, gate = START + 0x1000, START + 0x2000
    code = make_stub(site, stub, gate)
    assert len(code) == STUB_BYTES
    assert struct.unpack_from("<i", code, 60)[0] + stub == site.address + 2
    compared = struct.unpack_from("<i", code, 2)[0] + stub + 7
    assert compared == START + 7 + 0x10
    assert code[7:9] == b"\x0f\x84"
    assert struct.unpack_from("<i", code, 9)[0] + stub + 13 == START + 9 + 0x0F
    assert code[13:15] == b"\x31\xc0"
    assert code[15:18] + code[22:24] == b"\x48\x8b\x0d\xe3\x0d"
    assert struct.unpack_from("<i", code, 18)[0] + stub + 22 == gate
    assert code[37:38] == b"\xe9"
    assert struct.unpack_from("<i", code, 38)[0] + stub + 42 == site.address


def test_what_a_jump_does_not_reach_is_said() -> None:
    site = decide(f"b8 27 00 00 00 {SYSCALL} {RETURN}")
    assert isinstance(site, Site)
    with pytest.raises(ValueError, match="reach"):
        make_stub(site, START + (1 << 32), START + (1 << 32))


def test_python_and_c_agree_on_the_note() -> None:
    header = (Path(link.__file__).parent / "csrc" / "include" / "hpool" / "relinked.h").read_text()
    defined = dict(re.findall(r"#define (HP_\w+) (\w+)", header))
    numbers = {name: int(value, 0) for name, value in defined.items()}
    assert numbers["HP_NOTE_RELINKED"] == relinked.TYPE
    assert numbers["HP_RELINKED_VERSION"] == relinked.VERSION
    assert numbers["HP_RELINKED_DONE"] == relinked.DONE
    assert numbers["HP_STUB_BYTES"] == STUB_BYTES
    assert numbers["HP_STUB_BACK"] == BACK_OFFSET
    assert numbers["HP_ANY_NUMBER"] == ANY_NUMBER
    asserted = re.search(r"sizeof\(struct hp_relinked\) == (\d+)", header)
    assert asserted
    assert int(asserted[1]) == relinked.HEADER.size


# ---- damaged programs ----------------------------------------------------------


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Linked by hand and small: no libc."""
    place = tmp_path_factory.mktemp("linked")
    library = subprocess.run(
        [HPOOL, "cc", "--library"], capture_output=True, text=True, check=True
    ).stdout.strip()
    (place / "small.c").write_text(
        "__attribute__((noinline)) long call(long nr)\n{ long r;\n"
        '__asm__ volatile("mov $39, %%eax; syscall" : "=a"(r) : "D"(nr) : "rcx", "r11");\n'
        "return r; }\nvoid _start(void) { call(1); for (;;) ; }\n"
    )
    subprocess.run(
        ["gcc", "-O1", "-static", "-nostdlib", "-Wl,-u,hp_relinked_small", "-o", "small", "small.c", library],
        cwd=place,
        check=True,
    )
    return (place / "small").read_bytes()


def test_an_undamaged_one_is_led(linked: bytes) -> None:
    changed, result = relink(linked)
    assert (len(result.covered), len(changed)) == (1, len(linked))
    with pytest.raises(ValueError, match="already"):
        relink(changed)


def test_a_note_that_lies_beyond_all_memory_is_refused(linked: bytes) -> None:
    damaged = bytearray(linked)
    headers = [64 + 56 * number for number in range(struct.unpack_from("<H", linked, 56)[0])]
    for at in headers:
        if struct.unpack_from("<I", linked, at)[0] == 4:  # PT_NOTE
            struct.pack_into("<Q", damaged, at + 16, (1 << 64) - 0x1600)
    with pytest.raises(ValueError, match="are not where they should be"):
        relink(bytes(damaged))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data())
def test_a_damaged_program_is_refused_in_a_sentence_or_keeps_its_size(
    linked: bytes, draw: st.DataObject
) -> None:
    damaged = bytearray(linked)
    interesting = st.one_of(st.integers(0, 0x400), st.integers(len(linked) - 0x600, len(linked) - 1))
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.one_of(interesting, st.integers(0, len(linked) - 1)))
        junk = draw.draw(
            st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from([b"\xff" * 8, b"\0" * 8]))
        )
        damaged[at : at + len(junk)] = junk[: len(damaged) - at]
    if draw.draw(st.booleans()):
        del damaged[draw.draw(st.integers(0, len(damaged))) :]
    try:
        changed, _ = relink(bytes(damaged))
    except ValueError as error:
        assert str(error)
        assert "\n" not in str(error)[:200]
    else:
        assert len(changed) == len(damaged)


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=300), prefix=st.sampled_from([b"", b"\x7fELF", b"\x7fELF\x02\x01\x01"]))
def test_noise_is_refused(content: bytes, prefix: bytes) -> None:
    with pytest.raises(ValueError):
        relink(prefix + content)


def test_a_refused_file_stays_as_it_was(linked: bytes, tmp_path: Path) -> None:
    program = tmp_path / "program"
    for content in (b"", b"#!/bin/sh\n", linked[: len(linked) // 2], linked.replace(b"hpool\0", b"other\0")):
        program.write_bytes(content)
        os.utime(program, ns=(1, 1))
        with pytest.raises(NotRelinkable) as refused:
            post_link(program)
        assert str(program) in refused.value.sentence
        assert (program.read_bytes(), program.stat().st_mtime_ns) == (content, 1)
        assert os.listdir(tmp_path) == ["program"]
