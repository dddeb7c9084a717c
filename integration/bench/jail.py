"""What the jail costs: milliseconds to start and to end one, nanoseconds a system call.

Plain fork and exec beside it, in the same run. Needs gcc; root or not. No shim and no
home are involved: a stand-in for the loader executes the program as it is. Speaks the
keeper's own protocol (interpose_c/KEEPER.md).

Usage: python integration/bench/jail.py [ROUNDS]
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEEPER = ROOT / "interpose_c/bin/hpool-keeper"
NOBODY = 65534
RUNS = 4
MOUNT_POINT = Path("/mnt")
# argv[0] is "hpool", marks, a colon and the program (front/info.c)
STANDIN = """
#include <string.h>
int main(int c, char **v, char **e) { return c < 2 || execve(strchr(v[0], ':') + 1, v + 1, e); }
"""
NOTHING = "int main(void) { return 0; }"


def compile_c(made: Path, name: str, source: str | Path, *flags: str) -> Path:
    if isinstance(source, str):
        text, source = source, made / f"{name}.c"
        source.write_text("#include <unistd.h>\n" + text)
    subprocess.run(["gcc", "-O2", *flags, "-o", made / name, source], check=True)
    return made / name


@contextlib.contextmanager
def programs() -> Iterator[dict[str, Path]]:
    with tempfile.TemporaryDirectory() as directory:
        made = Path(directory)
        made.chmod(0o755)
        yield {
            "userns": compile_c(
                made, "userns", ROOT / "interpose_c/csrc/keeper/userns.c", "-shared", "-fPIC"
            ),
            "loader": compile_c(made, "loader", STANDIN, "-static"),
            "nothing": compile_c(made, "nothing", NOTHING, "-static"),
            "calls": compile_c(made, "calls", Path(__file__).with_name("calls.c"), "-static"),
        }


def enter(library: ctypes.CDLL, contents: dict[str, bytes]) -> int:
    """This process becomes what a starter is; the mirror's root."""
    outside = NOBODY if os.geteuid() == 0 else os.geteuid()
    failed = library.hp_userns_enter(1000, 1000, outside, outside)
    assert failed == 0, os.strerror(-failed)
    root: int = library.hp_mirror_mount(
        os.fsencode(MOUNT_POINT), ctypes.c_uint64(64 << 20), ctypes.c_uint64(1000)
    )
    for path, name in ((".hpool/loader", "loader"), ("nothing", "nothing"), ("calls", "calls")):
        file = MOUNT_POINT / path
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(contents[name])
        file.chmod(0o755)
    return root


def run_jailed(executable: int, root: int, program: str, stdout: int) -> tuple[float, float, float]:
    """Seconds until it was started, had ended, was gone."""
    spec = os.memfd_create("spec")
    os.write(spec, f"exe\0/{program}\0arg\0{program}\0cwd\0/\0".encode())
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    passed = [spec, theirs.fileno(), root]
    start_s = time.perf_counter()
    at_s = {}
    with subprocess.Popen(
        [f"/proc/self/fd/{executable}", *map(str, passed)],
        stdout=stdout,
        pass_fds=[executable, *passed],
        env={},
    ):
        theirs.close()
        while datagram := ours.recv(4096):
            word = datagram.decode().split()[0]
            assert word != "failed", datagram
            at_s[word] = time.perf_counter() - start_s
    ours.close()
    os.close(spec)
    return at_s["started"], at_s["exit"], time.perf_counter() - start_s


def measured(name: str, seconds: list[float]) -> str:
    milliseconds = sorted(each * 1e3 for each in seconds)
    median, least = statistics.median(milliseconds), milliseconds[0]
    return f"{name:24} {least:8.2f} {median:8.2f} {milliseconds[int(len(milliseconds) * 0.9)]:8.2f}"


def read_calls(text: str) -> dict[str, float]:
    return {name: float(ns) for name, ns in (line.split() for line in text.splitlines())}


def calls_in_turn(keeper: int, root: int) -> tuple[dict[str, float], dict[str, float]]:
    """The least of some runs each, in turn: other work on the machine disturbs both alike."""
    native: list[dict[str, float]] = []
    within: list[dict[str, float]] = []
    for _ in range(RUNS):
        outside = subprocess.run([MOUNT_POINT / "calls"], check=True, capture_output=True, text=True)
        native.append(read_calls(outside.stdout))
        output = os.memfd_create("calls")
        run_jailed(keeper, root, "calls", output)
        within.append(read_calls(os.pread(output, 4096, 0).decode()))
        os.close(output)
    return least_of(native), least_of(within)


def least_of(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: min(run[name] for run in runs) for name in runs[0]}


def main(rounds: int) -> None:
    with programs() as built:
        keeper = os.open(KEEPER, os.O_RDONLY)
        native = read_calls(
            subprocess.run([built["calls"]], check=True, capture_output=True, text=True).stdout
        )
        plain = []
        for _ in range(rounds):
            start_s = time.perf_counter()
            subprocess.run([built["nothing"]], check=True)
            plain.append(time.perf_counter() - start_s)
        contents = {name: path.read_bytes() for name, path in built.items()}
        library = ctypes.CDLL(str(built["userns"]))
    root = enter(library, contents)
    jailed = [run_jailed(keeper, root, "nothing", 1) for _ in range(rounds)]
    native, within = calls_in_turn(keeper, root)
    print(f"{'ms':24} {'least':>8} {'median':>8} {'90 %':>8}")
    print(measured("fork, exec, exit, wait", plain))
    for column, name in enumerate(("jail: until exec", "jail: until exit", "jail: until gone")):
        print(measured(name, [each[column] for each in jailed]))
    print(f"\n{'ns a call':24} {'native':>8} {'jail':>8}    ratio")
    for name, ns in native.items():
        print(f"{name:24} {ns:8.1f} {within[name]:8.1f} {within[name] / ns:8.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
