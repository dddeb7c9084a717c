"""A lying home harms nothing: the engine under ASan and UBSan, fed with invented replies."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
SOURCES = sorted((TOP / "sandbox/starter/csrc").glob("*.c"))


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    binary = tmp_path_factory.mktemp("fuzz") / "fuzz_engine"
    headers = [
        f"-I{TOP / path}" for path in ("sandbox/starter/csrc", "interpose_c/csrc/include", "shadow/api")
    ]
    flags = ["-std=gnu11", "-O1", "-g", "-mcx16", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    sources = [str(TOP / "tests/sandbox/fuzz_engine.c"), *map(str, SOURCES)]
    subprocess.run(["gcc", *flags, *headers, *sources, "-o", str(binary), "-lpthread"], check=True)
    return binary


@pytest.mark.parametrize("seed", range(4))
def test_no_reply_makes_the_engine_touch_what_it_should_not(fuzzer: Path, seed: int, tmp_path: Path) -> None:
    mirror, bystander = tmp_path / "mirror", tmp_path / "bystander"
    mirror.mkdir()
    bystander.write_text("untouched")
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
    ended = subprocess.run(
        [str(fuzzer), str(seed), "600", str(mirror)],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    assert bystander.read_text() == "untouched"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bystander", "mirror"]
