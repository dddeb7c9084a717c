"""Why an image needs all register sets that its machine saved, whatever level the job was shown."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.interpose_c.checkpoint.world import HERE


def test_a_frame_of_a_machine_with_more_register_sets_would_lose_half_a_register(tmp_path: Path) -> None:
    if "avx" not in Path("/proc/cpuinfo").read_text().split():
        pytest.skip("needs a processor with AVX")
    program = tmp_path / "larger_frame"
    warnings = ["-O1", "-mavx", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["gcc", *warnings, "-o", program, HERE / "larger_frame.c"], check=True)
    assert subprocess.run([program], capture_output=True, check=True).stdout == b"1 0\n"
