"""Executables are told apart by looking at them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hpool.interpose_c.kinds import Kind, read
from hpool.shadow.cli.inspect import report

START = 'void _start(void) { __asm__("mov $60,%%eax; xor %%edi,%%edi; syscall" ::: "memory"); }\n'


@pytest.fixture
def kind(tmp_path: Path) -> Callable[..., Kind]:
    def compiled(*flags: str, source: str = START) -> Kind:
        (tmp_path / "x.c").write_text(source)
        command = ["gcc", "-w", "-nostdlib", *flags, "-o", str(tmp_path / "x"), str(tmp_path / "x.c")]
        subprocess.run(command, check=True)
        return read(str(tmp_path / "x"))

    return compiled


def test_how_it_is_linked(kind: Callable[..., Kind]) -> None:
    assert kind("-static").linkage == "static"
    assert kind("-static").is_fixed
    assert kind("-static-pie", "-fPIE").linkage == "static position-independent"
    assert kind("-pie", "-fPIE").linkage == "dynamic"
    assert kind("-pie", "-fPIE", "-Wl,--dynamic-linker=here/ld.so").interpreter == "here/ld.so"


def test_what_is_unusual(kind: Callable[..., Kind]) -> None:
    assert kind("-static", "-Wl,-z,execstack").executable_stack
    assert kind("-static", "-Wl,-z,max-page-size=0x200000").alignment == 0x200000
    assert not kind("-static").writes_gs
    assert kind("-static").turns == ()


def test_code_that_writes_gs_gets_a_tracer(kind: Callable[..., Kind], tmp_path: Path) -> None:
    source = START + 'void gs(long value) { __asm__ volatile("wrgsbase %0" :: "r"(value)); }\n'
    assert kind("-static", source=source).writes_gs
    assert any("by a tracer from its first call on" in line for line in report(str(tmp_path / "x")))
    prefixed = source.replace("wrgsbase %0", ".byte 0xf3, 0x4d, 0x0f, 0xae, 0xdf")
    assert kind("-static", source=prefixed).writes_gs
    data = START + 'const char text[] = "\\xf3\\x0f\\xae\\xd8";\n'
    assert not kind("-static", "-Wl,-z,separate-code", source=data).writes_gs
    other = source.replace("wrgsbase", "wrfsbase")
    assert not kind("-static", source=other).writes_gs


def test_a_program_for_another_machine_is_named(kind: Callable[..., Kind], tmp_path: Path) -> None:
    kind("-static")
    image = bytearray((tmp_path / "x").read_bytes())
    image[18] = 0xB7
    (tmp_path / "x").write_bytes(image)
    assert read(str(tmp_path / "x")).foreign == "aarch64"
    assert any("not at all" in line for line in report(str(tmp_path / "x")))
