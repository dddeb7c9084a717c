"""What of a process's memory is still missing, beside a table of pages."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.interpose_c.checkpoint.world import HERE, ROOT

CSRC = ROOT / "interpose_c" / "csrc"


def test_what_is_taken_is_no_longer_missing(tmp_path: Path) -> None:
    program = tmp_path / "model"
    sources = [HERE / "missing_model.c", CSRC / "checkpoint" / "missing.c"]
    flags = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined", "-g", f"-I{CSRC}"]
    subprocess.run(["gcc", *flags, "-o", program, *sources], check=True)
    for seed in range(40):
        ended = subprocess.run([program, str(seed)], capture_output=True, text=True, check=False)
        assert ended.returncode == 0, (seed, ended.stdout, ended.stderr)
