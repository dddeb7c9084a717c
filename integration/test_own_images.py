"""Relinked programs that checkpoint themselves: no pool, no hpool beside them, as root and as anybody."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.pool import HPOOL
from integration.rooms import wait_until

pytestmark = pytest.mark.slow

SOURCES = Path(__file__).parent / "alone"
SOMEBODY = 1234
STEPS = 90
AHEAD = 13
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME_OF_ALL": "here"}
WAYS = {"dynamic": (), "static": ("-static",), "not PIE": ("-no-pie",)}


class Bench:
    """A directory of somebody's, with a program in it."""

    def __init__(self, place: Path, uid: int) -> None:
        self.place = place
        self._user: dict[str, Any] = {"user": uid, "group": uid, "extra_groups": []} if uid else {}
        self.uid = uid

    def compile(self, name: str, *flags: str) -> str:
        command = [HPOOL, "cc", "-O1", "-g", "-pthread", *flags, str(SOURCES / f"{name}.c"), "-o", name]
        done = subprocess.run(command, cwd=self.place, check=True, capture_output=True)
        assert done.stderr == b""
        return f"./{name}"

    def start(self, *words: str, **options: Any) -> subprocess.Popen[bytes]:
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": ENVIRONMENT}
        return subprocess.Popen(words, cwd=self.place, **pipes | self._user | options)

    def run(self, *words: str, **options: Any) -> tuple[int, str, str]:
        process = self.start(*words, **options)
        out, err = process.communicate(timeout=60)
        return process.returncode, out.decode(), err.decode()

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.place / "place").iterdir()}


@pytest.fixture(params=["root", "anybody"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    is_root = os.geteuid() == 0
    if request.param == "root" and not is_root:
        pytest.skip("needs root")
    with tempfile.TemporaryDirectory(prefix="hpool-own-", dir="/tmp") as name:
        uid = SOMEBODY if is_root and request.param == "anybody" else 0
        place = Path(name)
        if uid:
            os.chown(place, uid, uid)
        place.chmod(0o755)
        yield Bench(place, uid)


def lines_of(process: subprocess.Popen[bytes], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().decode() for _ in range(count)]


@pytest.mark.parametrize("flags", WAYS.values(), ids=WAYS.keys())
def test_it_goes_on_from_each_of_its_images_as_if_nothing_had_been(
    flags: tuple[str, ...], bench: Bench
) -> None:
    program = bench.compile("whole", *flags)
    (bench.place / "text").write_text("".join(f"line {number}\n" for number in range(STEPS)))
    process = bench.start(program, str(STEPS), stdin=subprocess.PIPE)
    undisturbed, err = process.communicate(b"." * STEPS, timeout=60)
    assert (process.returncode, err) == (3, b"")
    expected, files = undisturbed.decode().splitlines(keepends=True), bench.files()
    image = bench.place / "image"
    options = ("--hpool-checkpoint-to", "image", "--hpool-checkpoint-signal=URG")
    process = bench.start(program, *options, str(STEPS), stdin=subprocess.PIPE)
    for _ in range(4):
        assert process.stdin is not None
        process.stdin.write(b"." * AHEAD)  # it gets no further
        process.stdin.flush()
        lines_of(process, 8)
        process.send_signal(signal.SIGURG)
        wait_until(image.exists, "the image", 10)
        lines_of(process, AHEAD - 8)  # it goes on; this is lost
        process.kill()
        process.communicate(timeout=20)
        kept = image.rename(bench.place / "kept")
        process = bench.start(program, "--hpool-restart", kept.name, stdin=subprocess.PIPE)
    out, err = process.communicate(b"." * STEPS, timeout=60)
    said = out.decode().splitlines(keepends=True)
    assert (process.returncode, err) == (3, b"")
    assert len(said) > STEPS // 4 and said == expected[-len(said) :]
    assert bench.files() == files
    assert not list(bench.place.glob("image*")), "nothing is left aside"


def test_what_cannot_be_kept_is_refused_and_it_goes_on(bench: Bench) -> None:
    program = bench.compile("refuses")
    for what, words in {
        "socket": "socket:[",
        "pipe": "pipe:[",
        "epoll": "anon_inode:[eventpoll]",
        "event": "anon_inode:[eventfd]",
        "memfd": "/memfd:x",
        "gone": "/gone (deleted)",
        "child": "it has a child",
        "timer": "timer_create",
    }.items():
        code, out, err = bench.run(program, "--hpool-checkpoint-to", "image", what)
        assert (code, out) == (5, "ready\non\n")
        assert err.startswith("hpool: no checkpoint was made: ") and words in err and err.count("\n") == 1, (
            err
        )
        assert not list(bench.place.glob("image*"))
    assert "cannot be made" in bench.run(program, "--hpool-checkpoint-to", "none/image")[2]


def test_an_image_that_is_not_what_was_written_is_refused(bench: Bench) -> None:
    program = bench.compile("refuses")
    assert bench.run(program, "--hpool-checkpoint-to=image", "nothing") == (5, "ready\non\n", "")
    image = bench.place / "image"
    assert image.stat().st_mode & 0o777 == 0o600
    whole = image.read_bytes()

    def said_of(content: bytes) -> str:
        image.write_bytes(content)
        code, out, err = bench.run(program, "--hpool-restart", "image")
        assert (code, out, err.count("\n")) == (125, "", 1), err
        return err

    for at in (20, 3000, 8192, len(whole) // 2, len(whole) - 9):
        assert "torn or altered" in said_of(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    assert "torn or altered" in said_of(whole[: len(whole) // 2])
    assert "torn" in said_of(b"")
    image.write_bytes(whole)
    assert bench.run(program, "--hpool-restart", "image") == (5, "on\n", "")
    os.utime(bench.place / "refuses")
    assert "has changed" in said_of(whole)
    assert "cannot be opened" in bench.run(program, "--hpool-restart", "none")[2]


POLL, CLOCK_NANOSLEEP, PSELECT6, READ = "7", "230", "270", "0"


def test_a_wait_does_not_show_that_a_checkpoint_was_made(bench: Bench) -> None:
    program = bench.compile("waits")
    process = bench.start(program, "--hpool-checkpoint-to", "image", stdin=subprocess.PIPE)
    lines_of(process, 1)
    image, state = bench.place / "image", Path(f"/proc/{process.pid}/syscall")
    for call in (POLL, CLOCK_NANOSLEEP, PSELECT6, READ):
        wait_until(lambda call=call: state.read_text().split()[0] == call, f"call {call}", 10)  # type: ignore[misc]
        process.send_signal(signal.SIGUSR2)
        wait_until(image.exists, "the image", 10)
        image.unlink()
    out, err = process.communicate(b"four", timeout=20)
    said = ["begun", "poll 0", "nanosleep 0", "select 0", "read 4"]
    assert (process.returncode, out.decode().split("\n")[:-1], err) == (0, said[1:], b"")


def is_back(pid: int) -> bool:
    """A child of this process has the command line of the image."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    lines = [Path(f"/proc/{child}/cmdline").read_bytes() for child in children]
    return any(b"--hpool-checkpoint-to" in line for line in lines)


def test_signals_and_the_end_pass_through(bench: Bench) -> None:
    program = bench.compile("waits", "-static")
    process = bench.start(program, "--hpool-checkpoint-to", "image", stdin=subprocess.PIPE)
    lines_of(process, 1)
    process.send_signal(signal.SIGUSR2)
    wait_until((bench.place / "image").exists, "the image")
    process.kill()
    process.communicate(timeout=20)
    again = bench.start(program, "--hpool-restart", "image", stdin=subprocess.PIPE)
    wait_until(lambda: is_back(again.pid), "the program")
    (bench.place / "image").unlink()
    again.send_signal(signal.SIGUSR2)
    wait_until((bench.place / "image").exists, "an image of what goes on from an image")
    again.terminate()
    again.communicate(timeout=20)
    assert again.returncode == -signal.SIGTERM
    by_name = [HPOOL, "restore"] if not bench.uid else [program, "--hpool-restart"]
    third = bench.start(*by_name, "image", stdin=subprocess.PIPE)  # who is nobody here cannot reach hpool
    out, err = third.communicate(b"xyz", timeout=20)
    assert (third.returncode, out.splitlines()[-1], err) == (0, b"read 3", b"")


def test_without_the_option_it_is_an_ordinary_program(bench: Bench) -> None:
    source = bench.place / "words.c"
    source.write_text("#include <stdio.h>\nint main(int c, char **v) { while (*v) puts(*v++); return c; }\n")
    subprocess.run([HPOOL, "cc", "words.c", "-o", "words"], cwd=bench.place, check=True)
    subprocess.run(["cc", "words.c", "-o", "plain"], cwd=bench.place, check=True)
    assert bench.run("./words", "a", "--hpool-restart") == (3, "./words\na\n--hpool-restart\n", "")
    assert bench.run("./words", "--hpool-checkpoint-to", "x", "a") == (2, "./words\na\n", "")
    code, _, err = bench.run("./words", "--hpool-something")
    assert code == 125 and "no such option" in err
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    calls = []
    for name in ("./words", "./plain"):
        bench.run("strace", "-o", "calls", name)
        calls.append((bench.place / "calls").read_text().count("\n"))
    assert calls[0] == calls[1] > 10
