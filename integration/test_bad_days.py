"""Bad input and bad days: one clear sentence, the right exit code, nothing left behind, nothing said lost."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration import fixture
from integration.judge import says_one_sentence
from integration.pool import StrictPool
from integration.tidy import Note

pytestmark = [pytest.mark.slow, pytest.mark.root]
# ---- bad input ------------------------------------------------------------------


@pytest.fixture
def work(pool: StrictPool) -> Path:
    place = pool.home.fresh_work()
    fixture.lay_out(place)
    (place / "arm").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00" + bytes(44))
    (place / "text").write_bytes(b"echo this is no program\n")
    (place / "lost").write_bytes(b"#!/no/such/interpreter\n")
    (place / "cut").write_bytes(b"\x7fELF\x02\x01\x01")
    (place / "nothing").write_bytes(b"")
    (place / "i386").write_bytes(b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x02\x00\x03\x00" + bytes(32))
    for name in ("arm", "lost", "cut", "nothing", "i386"):
        (place / name).chmod(0o755)
    pool.home.own(pool.home.work)
    return place


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("./absent", 127),
        ("no-such-program-anywhere", 127),
        ("./dangling", 127),
        ("./lost", 127),
        ("./notexec.sh", 126),
        ("./text", 126),
        ("./dir", 126),
        ("/", 126),
        ("./arm", 126),
        ("./i386", 126),
        ("./cut", 126),
        ("./nothing", 126),
        ("./secret.txt", 126),
        ("./small.txt/x", 127),
        ("./loop1", 126),
        ("", 127),
    ],
)
def test_what_cannot_be_executed(pool: StrictPool, work: Path, program: str, code: int) -> None:
    says_one_sentence(pool.home.job(program), code)


@pytest.mark.parametrize(
    "options",
    [("--share", "/absent-place:rx"), ("--memory", "lots"), ("--no-such-option",), ("--cpus", "0")],
    ids=lambda options: options[0],
)
def test_options_that_make_no_sense(pool: StrictPool, work: Path, options: tuple[str, ...]) -> None:
    ended = pool.home.job("/bin/true", options=options)
    assert ended.code in (2, 125)
    assert ended.stderr.count(b"\n") <= 4
    assert b"Traceback" not in ended.stderr


def test_no_command_at_all(pool: StrictPool) -> None:
    ended = pool.home.run(pool.home.hpool([]))
    assert ended.code in (2, 125)
    assert b"Traceback" not in ended.stderr


def test_too_little_memory_for_the_command_itself(pool: StrictPool) -> None:
    command = f"ulimit -v 50000; exec {' '.join(pool.home.hpool(['/bin/true']))}"
    ended = pool.home.run(["/bin/bash", "-c", command], pool.home.work)
    says_one_sentence(ended, 125)
    assert not ended.stderr.rstrip().endswith(b":")


def test_an_unreadable_working_directory(pool: StrictPool, work: Path) -> None:
    # A shell already inside sees the permissions go.
    command = f"cd emptydir && chmod 0 . && exec {' '.join(pool.home.hpool(['/bin/pwd']))}"
    ended = pool.home.run(["/bin/sh", "-c", command], pool.home.work)
    os.chmod(work / "emptydir", 0o755)
    assert ended.code in (0, 125), ended
    assert b"Traceback" not in ended.stderr


def test_a_working_directory_that_is_gone(pool: StrictPool, work: Path) -> None:
    command = f"cd emptydir && rmdir ../emptydir && exec {' '.join(pool.home.hpool(['/bin/pwd']))}"
    says_one_sentence(pool.home.run(["/bin/sh", "-c", command], pool.home.work), 125)


def test_unreadable_files_are_the_programs_own_errors(pool: StrictPool, work: Path) -> None:
    argv = ["/bin/sh", "-c", "cat secret.txt; echo x > readonly.txt; ls dir; exit 5"]
    expected = pool.home.run(argv, pool.home.work)
    assert pool.home.job(*argv) == expected
    assert expected.code == 5


def small_disk(pool: StrictPool, options: str) -> str:
    """A file system of its own at home."""
    where = f"{pool.home.directory}/disk"
    pool.room.check("mkdir", "-p", where)
    pool.room.check("mount", "-t", "tmpfs", "-o", options, "tmpfs", where)
    pool.room.check("chown", f"{pool.room.uid}:{pool.room.uid}", where)
    return where


@pytest.fixture
def disk(pool: StrictPool) -> Iterator[str]:
    yield small_disk(pool, "size=2m,mode=755")
    pool.room.check("umount", "-l", f"{pool.home.directory}/disk")


def test_a_full_disk_at_home_is_never_a_success(pool: StrictPool, disk: str) -> None:
    ended = pool.home.job("/bin/dd", "if=/dev/zero", "of=big", "bs=64k", "count=200", cwd=disk)
    assert ended.code in (1, 125), ended
    assert b"No space left on device" in ended.stderr


def test_a_disk_that_fills_after_the_last_write_is_told_at_the_end(pool: StrictPool, disk: str) -> None:
    program = """
f = open("big", "wb", buffering=0)
try:
    f.write(bytes(3 << 20))
except OSError:
    raise SystemExit(9)
"""
    ended = pool.home.job("/usr/bin/python3", "-c", program, cwd=disk)
    assert ended.code != 0, "a job whose writes were lost has not succeeded"


def test_a_full_disk_spares_what_is_there(pool: StrictPool, disk: str) -> None:
    place = pool.home.outside(disk)
    (place / "kept").write_bytes(b"kept\n")
    pool.home.own(disk)
    pool.home.job("/bin/dd", "if=/dev/zero", "of=big", "bs=64k", "count=200", cwd=disk)
    assert (place / "kept").read_bytes() == b"kept\n"
    after = pool.home.job("/bin/sh", "-c", "rm big && echo room > small && cat small", cwd=disk)
    assert (after.code, after.stdout) == (0, b"room\n")


# argv: bytes in each. Errors are for whoever reads what is printed.
MANY_FILES = """
import sys
made = 0
for number in range(400):
    try:
        with open(f"f{number}", "wb") as file:
            file.write(b"x" * int(sys.argv[1]))
        made += 1
    except OSError:
        pass
print(made)
"""


def test_new_files_for_which_home_has_no_room_are_no_success(pool: StrictPool, disk: str) -> None:
    ended = pool.home.job("/usr/bin/python3", "-c", MANY_FILES, "16000", cwd=disk)
    says_one_sentence(ended, 125)
    assert b"No space left on device" in ended.stderr
    whole = [file for file in pool.home.outside(disk).iterdir() if file.stat().st_size == 16_000]
    assert 100 < len(whole) < 132


def test_files_that_home_cannot_even_name_are_told_at_once(pool: StrictPool) -> None:
    disk = small_disk(pool, "size=2m,nr_inodes=60,mode=755")
    try:
        argv = ["/usr/bin/python3", "-c", MANY_FILES, "10"]
        expected = pool.home.run(argv, disk)
        for file in pool.home.outside(disk).iterdir():
            file.unlink()
        ended = pool.home.job(*argv, cwd=disk)
        assert (ended.code, ended.stdout) == (0, expected.stdout), ended
        assert len(list(pool.home.outside(disk).iterdir())) == int(ended.stdout)
    finally:
        pool.room.check("umount", "-l", disk)


def test_a_read_only_home(pool: StrictPool, disk: str) -> None:
    (pool.home.outside(disk) / "file").write_bytes(b"text\n")
    pool.home.own(disk)
    pool.room.check("mount", "-o", "remount,ro", disk)
    argv = ["/bin/sh", "-c", "cat file; echo x > new; echo y > file; rm file; mkdir d; exit 3"]
    expected = pool.home.run(argv, disk)
    got = pool.home.job(*argv, cwd=disk)
    assert (got.code, got.stdout) == (expected.code, expected.stdout)
    assert got.stderr.count(b"Read-only file system") == expected.stderr.count(b"Read-only file system")


# ---- a small mirror ---------------------------------------------------------------


@pytest.fixture(scope="module")
def small_mirror() -> Iterator[StrictPool]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    with StrictPool(machine_options=("--mirror-size", "64M")) as pool:
        yield pool


MAPS = (
    "import mmap,hashlib; f=open('large','rb'); m=mmap.mmap(f.fileno(),0,access=mmap.ACCESS_READ);"
    "print(hashlib.md5(m).hexdigest())"
)


def test_files_larger_than_the_mirror_stream_through(small_mirror: StrictPool) -> None:
    work = small_mirror.home.fresh_work()
    block = fixture.random_bytes(1 << 20, seed=5)
    (work / "large").write_bytes(block * 200)
    small_mirror.home.own(small_mirror.home.work)
    argv = ["/bin/sh", "-c", "md5sum large; cp large copy; md5sum copy; md5sum large"]
    expected = small_mirror.home.run(argv, small_mirror.home.work)
    (work / "copy").unlink()
    got = small_mirror.home.job(*argv, timeout_s=120)
    assert (got.code, got.stderr, got.stdout) == (0, b"", expected.stdout)
    assert (work / "copy").stat().st_size == 200 << 20


WRITES = """
for n in range(40):
    with open(f"{n}", "wb") as file: file.write(bytes([n + 1]) * (4 << 20))
print([n for n in range(40) if open(f"{n}", "rb").read() != bytes([n + 1]) * (4 << 20)])
"""
WRITES_MAPPED = """
import mmap
for n in range(40):
    with open(f"{n}", "w+b") as file:
        file.truncate(4 << 20)
        with mmap.mmap(file.fileno(), 0) as mapped: mapped[:] = bytes([n + 1]) * (4 << 20)
print([n for n in range(40) if open(f"{n}", "rb").read() != bytes([n + 1]) * (4 << 20)])
"""
KEEPS_MAPPED = """
import mmap
content = bytes(range(1, 251)) * 50_000
with open("mapped", "wb") as file: file.write(content)
with open("mapped", "rb") as file: mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
for n in range(12):
    with open(f"{n}", "wb") as file: file.write(bytes([n + 1]) * (12 << 20))
print(mapped[:] == content, open("mapped", "rb").read() == content)
"""


@pytest.mark.parametrize("script", [WRITES, WRITES_MAPPED, KEEPS_MAPPED], ids=["written", "mapped", "kept"])
def test_a_job_writes_more_than_the_mirror_holds(small_mirror: StrictPool, script: str) -> None:
    argv = ["/usr/bin/python3", "-c", script]
    small_mirror.home.fresh_work()
    expected = small_mirror.home.run(argv, small_mirror.home.work)
    small_mirror.home.fresh_work()
    assert small_mirror.home.job(*argv, timeout_s=120) == expected


def test_more_small_files_than_the_mirror_holds(small_mirror: StrictPool) -> None:
    work = small_mirror.home.fresh_work()
    for number in range(1200):
        (work / f"f{number}").write_bytes(bytes([number % 256]) * 100_000)
    small_mirror.home.own(small_mirror.home.work)
    argv = ["/bin/sh", "-c", "cat f* | md5sum; ls | wc -l; cat f* | md5sum"]
    expected = small_mirror.home.run(argv, small_mirror.home.work)
    assert small_mirror.home.job(*argv, timeout_s=120) == expected


RESERVES = """
import hashlib, os
with open("large", "w+b") as large:
    os.posix_fallocate(large.fileno(), 0, 200 << 20)
    for at in (0, 100 << 20, (200 << 20) - 8):
        os.pwrite(large.fileno(), b"written", at)
    print(os.fstat(large.fileno()).st_size, hashlib.md5(large.read()).hexdigest())
"""


def test_room_for_a_file_larger_than_the_mirror_is_kept_at_home(small_mirror: StrictPool) -> None:
    work = small_mirror.home.fresh_work()
    small_mirror.home.own(small_mirror.home.work)
    argv = [
        "/bin/sh",
        "-c",
        f"python3 -c '{RESERVES}'; : >kept; fallocate -n -l 200M kept; stat -c %s kept",
    ]
    expected = small_mirror.home.run(argv, small_mirror.home.work)
    blocks = [(work / name).stat().st_blocks for name in ("large", "kept")]
    for name in ("large", "kept"):
        (work / name).unlink()
    assert small_mirror.home.job(*argv, timeout_s=120) == expected
    assert [(work / name).stat().st_blocks for name in ("large", "kept")] == blocks


def test_a_map_larger_than_the_mirror_fails_cleanly(small_mirror: StrictPool) -> None:
    work = small_mirror.home.fresh_work()
    (work / "large").write_bytes(fixture.random_bytes(1 << 20, seed=6) * 200)
    small_mirror.home.own(small_mirror.home.work)
    expected = small_mirror.home.run(["/usr/bin/python3", "-c", MAPS], small_mirror.home.work)
    got = small_mirror.home.job("/usr/bin/python3", "-c", MAPS, timeout_s=120)
    # Either it works, or it says so: never other bytes.
    assert got.code != 0 or got.stdout == expected.stdout, got
    if got.code != 0:
        assert got.stdout == b""
    assert small_mirror.home.job("/bin/echo", "well").stdout == b"well\n"


def test_a_large_file_is_mapped_whole(pool: StrictPool) -> None:
    work = pool.home.fresh_work()
    piece = fixture.random_bytes(1 << 20, seed=7)
    with (work / "large").open("wb") as large:
        for number in range(60):  # 600 MiB: one answer's messages, more than may be unreceipted
            large.seek(number * (10 << 20) + (9 << 20))
            large.write(number.to_bytes(8, "little") + piece[8:])
    pool.home.own(pool.home.work)
    expected = pool.home.run(["/usr/bin/python3", "-c", MAPS], pool.home.work)
    got = pool.home.job("/usr/bin/python3", "-c", MAPS, timeout_s=120)
    assert (got.code, got.stdout) == (0, expected.stdout), got


# ---- processes of ours that die -----------------------------------------------------


def test_the_matchmaker_dies_and_running_jobs_never_notice(own_pool: StrictPool) -> None:
    own_pool.home.fresh_work()
    command = own_pool.home.hpool(["/bin/sh", "-c", "echo started; read word; echo $word"])
    process = own_pool.home.popen(command, own_pool.home.work, stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"started\n"
    own_pool.roles["matchmaker"].kill()
    own_pool.roles["matchmaker"].wait()
    out, err = process.communicate(b"done\n", timeout=30)
    assert (process.returncode, out, err) == (0, b"done\n", b"")
    own_pool.start("matchmaker")
    assert own_pool.home.job("/bin/echo", "well", timeout_s=30).stdout == b"well\n"


def test_the_agent_dies_and_the_next_run_starts_another(own_pool: StrictPool) -> None:
    note = Note.of(own_pool)
    own_pool.kill("agent")
    assert own_pool.home.job("/bin/echo", "well", timeout_s=30).stdout == b"well\n"
    assert len(own_pool.pids("agent")) == 1
    del note


def test_a_reader_that_goes_away(pool: StrictPool) -> None:
    pool.home.fresh_work()
    command = " ".join(pool.home.hpool(["/usr/bin/yes"]))
    ended = pool.home.run(
        ["/bin/bash", "-c", f"{command} | head -2; echo ${{PIPESTATUS[0]}}"], pool.home.work
    )
    assert ended.stdout == b"y\ny\n141\n"


def test_a_job_without_a_machine_says_that_it_waits(own_pool: StrictPool) -> None:
    own_pool.roles["sandbox"].kill()
    own_pool.roles["sandbox"].wait()
    process = own_pool.home.popen(own_pool.home.hpool(["/bin/echo", "at last"]), own_pool.home.work)
    assert process.stderr is not None
    assert b"waiting for a machine" in process.stderr.readline()
    own_pool.start("sandbox")
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, b"at last\n")


def test_no_pool_answers(own_pool: StrictPool) -> None:
    for role in ("matchmaker", "sandbox"):
        own_pool.roles[role].kill()
        own_pool.roles[role].wait()
    process = own_pool.home.popen(own_pool.home.hpool(["/bin/true"]), own_pool.home.work)
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode in (125, 130)
    assert b"Traceback" not in err
    assert err.count(b"\n") <= 3
