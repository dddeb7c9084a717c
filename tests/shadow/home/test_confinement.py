"""The last line: Landlock, descriptors that run out, and fuzzing under the sanitizers."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hpool.shadow.api.wire import Op
from hpool.shadow.home.landlock import confine
from tests.shadow.home.conftest import in_child

if TYPE_CHECKING:
    from tests.shadow.home.conftest import MakeClient

ROOT = Path(__file__).resolve().parents[3]
CORE = ROOT / "shadow/home/csrc"


def test_a_confined_process_writes_below_its_roots_only(make_client: MakeClient, tmp_path: Path) -> None:
    client = make_client()
    (tmp_path / "outside").mkdir()
    (tmp_path / "single").touch()
    (client.root / "sub").mkdir()

    def check() -> None:
        confinement = confine([os.fsencode(client.root), os.fsencode(tmp_path / "single"), b"/nonexistent"])
        if not confinement.abi:
            return
        assert confinement.sentence.startswith("landlock=yes")
        own = make_client()
        assert own.error(Op.MKDIR, "new", mode=0o755) == 0
        assert own.error(Op.RENAME, "new", "sub/new") == 0
        (client.root / "one").touch()
        assert own.error(Op.LINK, "one", "sub/two") == 0
        assert own.error(Op.RENAME, "one", "sub/new", arg=2) == 0
        assert own.error(Op.TMPFILE, "sub", handle=9, mode=0o600) == 0
        assert own.error(Op.LINKFILE, "named", handle=9) == 0
        assert own.error(Op.UNLINK, "named") == 0
        assert own.error(Op.OPEN, "f", handle=1, arg=os.O_RDWR | os.O_CREAT, mode=0o600) == 0
        for attempt in (
            lambda: os.mkdir(tmp_path / "outside/x"),
            lambda: (tmp_path / "outside/f").write_bytes(b""),
            lambda: os.unlink(tmp_path / "single"),
        ):
            with pytest.raises(PermissionError):
                attempt()
        (tmp_path / "single").write_bytes(b"allowed")
        assert (CORE / "home.h").read_bytes()

    in_child(check)


def test_more_files_than_descriptors(make_client: MakeClient) -> None:
    client = make_client()
    for number in range(600):
        (client.root / f"f{number}").write_bytes(b"%d" % number)

    def check() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))
        own = make_client()
        handles = [own.open(f"f{number}") for number in range(600)]
        statistics = own.home.statistics()
        assert statistics["handles"] == 600 and statistics["parked"] > 300
        for number in (0, 599, 1, 300):
            assert own.ask(Op.READ, handle=handles[number], length=9).data == b"%d" % number
        own.ask(Op.RENAME, "f2", "renamed")
        assert own.ask(Op.READ, handle=handles[2], length=9).data == b"2"
        os.replace(own.path("f3"), own.path("f4"))
        assert own.error(Op.READ, handle=handles[4], length=9) == errno.ESTALE
        written = [
            number
            for number in range(600)
            if own.error(Op.OPEN, f"f{number + 5}", handle=5000 + number, arg=os.O_RDWR) == 0
        ]
        assert 100 < len(written) < 300
        for number, handle in enumerate(handles):
            assert own.error(Op.CLOSE, handle=handle) == 0, number
        assert own.home.statistics()["parked"] == 0

    in_child(check)


@pytest.fixture(scope="session")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("needs a compiler")
    program = tmp_path_factory.mktemp("fuzz") / "fuzz_home"
    sources = [*sorted(CORE.glob("*.c")), Path(__file__).with_name("fuzz_home.c")]
    flags = ["-std=gnu11", "-O1", "-g", "-pthread", "-fno-omit-frame-pointer"]
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    includes = [f"-I{CORE}", f"-I{ROOT / 'shadow/api'}"]
    built = subprocess.run(
        ["gcc", *flags, *sanitizers, *includes, *sources, "-o", program], capture_output=True
    )
    if b"cannot find -lasan" in built.stderr or b"libasan" in built.stderr:
        pytest.skip("needs the compiler's sanitizers")
    assert built.returncode == 0, built.stderr.decode()
    return program


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_no_batch_harms_the_core(fuzzer: Path, tmp_path: Path, seed: int) -> None:
    directory = tmp_path / "tree"
    directory.mkdir()
    seconds = float(os.environ.get("HPOOL_FUZZ_SECONDS", "3"))
    began = time.monotonic()
    run = subprocess.run(
        [fuzzer, directory, str(seed), str(seconds)],
        capture_output=True,
        timeout=seconds + 60,
        env={"ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1"},
    )
    assert run.returncode == 0, run.stderr.decode(errors="replace")[-6000:]
    batches, malformed, replies = map(int, run.stdout.split())
    assert batches > 50 and malformed > 5 and replies > 500, (run.stdout, time.monotonic() - began)
    assert sorted(os.listdir(tmp_path)) == ["tree"]
    shutil.rmtree(directory, ignore_errors=True)
