"""Reading records: the sizes are the C's, and no bytes are too strange."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpool.interpose_c.executables import LOADER
from hpool.interpose_c.image import records
from hpool.matchmaker.model.image_errors import ImageDamaged, ImageTooNew

CSRC: Final = LOADER.parents[1] / "csrc"
STRUCTS: Final = {
    "job": records.JOB,
    "process": records.PROCESS,
    "thread": records.THREAD,
    "vma": records.VMA,
    "run": records.RUN,
    "object": records.OBJECT,
    "file": records.FILE,
    "fd": records.FD,
    "name": records.NAME,
    "end": records.END,
}


def test_the_sizes_are_those_of_the_structs(tmp_path: Path) -> None:
    lines = "".join(f'printf("{name} %zu\\n", sizeof(struct hp_image_{name}));' for name in STRUCTS)
    source = tmp_path / "sizes.c"
    source.write_text(f'#include <stdio.h>\n#include "checkpoint/image.h"\nint main(void) {{ {lines} }}\n')
    subprocess.run(["gcc", f"-I{CSRC}", "-o", tmp_path / "sizes", source], check=True)
    out = subprocess.run([tmp_path / "sizes"], capture_output=True, text=True, check=True).stdout
    assert {name: int(size) for name, size in (line.split() for line in out.splitlines())} == {
        name: records.SIZES[kind] for name, kind in STRUCTS.items()
    }


def job_record(version: int = records.VERSION, magic: int = records.MAGIC) -> bytes:
    size = records.SIZES[records.JOB]
    head = struct.pack("<IIQII", records.JOB, size, magic, version, 2)
    return head + bytes(size - len(head))


def ended(body: bytes, count: int) -> bytes:
    return body + struct.pack("<IIQQ", records.END, 24, count, records.image_sum(body))


def test_the_least_image() -> None:
    assert records.parse(ended(job_record(), 2), "it").job.first == 2


@pytest.mark.parametrize(
    "meta",
    [
        b"",
        job_record(),
        ended(job_record(), 3),
        ended(job_record(magic=1), 2),
        ended(job_record() + struct.pack("<II", 77, 8), 3),
        ended(job_record() + struct.pack("<II", records.PROCESS, 8), 3),
        ended(job_record(), 2)[:-3],
        ended(job_record(), 2) + bytes(8),
        ended(job_record()[:-8], 2),
    ],
)
def test_what_is_not_whole_is_refused(meta: bytes) -> None:
    with pytest.raises(ImageDamaged):
        records.parse(meta, "it")


def test_another_format_is_named() -> None:
    with pytest.raises(ImageTooNew, match="format 99"):
        records.parse(ended(job_record(version=99), 2), "it")


@given(st.lists(st.tuples(st.integers(2, 14), st.binary(max_size=900))))
def test_any_bytes_are_read_or_refused(parts: list[tuple[int, bytes]]) -> None:
    body = job_record()
    for kind, content in parts:
        content += bytes(-len(content) % 8)
        body += struct.pack("<II", kind, 8 + len(content)) + content
    try:
        image = records.parse(ended(body, len(parts) + 2), "it")
    except ImageDamaged:
        return
    assert image.records == len(parts) + 2
