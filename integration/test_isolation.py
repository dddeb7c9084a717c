"""No cheating by the shared disk: the two sides of the strict pool really have nothing in common."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.pool import PersonalPool, StrictPool
from integration.rooms import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.root]
CONTENT = b"only at home\n"
LOOK = """
import os, sys
for path in sys.argv[1:]:
    try:
        os.stat(path)
    except OSError as error:
        print(path, error.strerror)
    else:
        print(path, "EXISTS")
"""


def look(pool: StrictPool, *paths: str) -> str:
    """What the machine's user sees of these paths, without hpool."""
    return pool.machine.check(sys.executable, "-I", "-c", LOOK, *paths, uid=pool.machine.uid)


def test_no_path_of_the_submitter_exists_on_the_machine(pool: StrictPool) -> None:
    pool.home.fresh_work({"a.txt": CONTENT})
    path = f"{pool.home.work}/a.txt"
    paths = [
        path,
        pool.home.work,
        pool.home.directory,
        "/bin/cat",
        "/bin/sh",
        "/usr/bin/gcc",
        "/etc/debian_version",
    ]
    assert look(pool, *paths).splitlines() == [f"{path} No such file or directory" for path in paths]
    ended = pool.home.job("/bin/cat", path)
    assert (ended.code, ended.stdout, ended.stderr) == (0, CONTENT, b"")
    assert look(pool, *paths).splitlines() == [f"{path} No such file or directory" for path in paths]


def test_the_sides_have_different_users_and_namespaces(pool: StrictPool) -> None:
    def spaces(role: str) -> dict[str, str]:
        pid = min(pool.pids(role))
        return {kind: os.readlink(f"/proc/{pid}/ns/{kind}") for kind in ("net", "mnt", "uts", "ipc")}

    assert pool.home.job("/bin/true").code == 0
    agent, sandbox = spaces("agent"), spaces("sandbox")
    assert all(agent[kind] != sandbox[kind] for kind in agent)
    assert pool.room.uid != pool.machine.uid


def test_the_content_appears_nowhere_on_the_machine(pool: StrictPool) -> None:
    pool.home.fresh_work({"dir/b.txt": b"a content found nowhere else 8c1f\n"})
    assert pool.home.job("/bin/sh", "-c", "cat dir/b.txt; echo more > dir/c.txt").code == 0
    content, names = b"found nowhere else 8c1f", [b"dir/b.txt", pool.home.work.encode()]

    def files() -> dict[str, bytes]:
        found = {}
        for path in filter(Path.is_file, pool.machine.outside("/home").rglob("*")):
            with contextlib.suppress(FileNotFoundError):  # renamed meanwhile
                found[str(path)] = path.read_bytes()
        return found

    # What the sandbox remembers of a run is written when nobody waits any more.
    wait_until(lambda: any(name.endswith(".pack") for name in files()), "a memory of the run")
    for name, held in files().items():
        assert content not in held, name
        # Programs lie there as they are, and those of other tests may name where they were compiled.
        assert "/executables/" in name or not any(each in held for each in names), name


def test_a_job_sees_its_user_and_host_not_the_machines(pool: StrictPool) -> None:
    pool.home.fresh_work()
    ended = pool.home.job("/bin/sh", "-c", "id -u; id -un; echo $HOME; pwd; hostname")
    uid, user, home, cwd, _host = ended.stdout.decode().split("\n")[:5]
    assert (uid, user) == (str(pool.room.uid), pool.room.name)
    assert (home, cwd) == (pool.home.directory, pool.home.work)


def test_what_is_hidden_is_refused_with_the_flag_that_would_allow_it(pool: StrictPool) -> None:
    secret = pool.home.outside(f"{pool.home.directory}/.ssh/id_ed25519")
    secret.parent.mkdir(exist_ok=True)
    secret.write_bytes(b"a key\n")
    pool.home.own(f"{pool.home.directory}/.ssh")
    pool.home.fresh_work()
    path = f"{pool.home.directory}/.ssh/id_ed25519"
    ended = pool.home.job("/bin/cat", path)
    assert ended.code == 1
    assert b"a key" not in ended.stdout
    assert b"Permission denied" in ended.stderr
    assert b"--share" in ended.stderr, "a line should name the flag that would allow it"
    allowed = pool.home.job("/bin/cat", path, options=("--share", f"{pool.home.directory}/.ssh"))
    assert (allowed.code, allowed.stdout) == (0, b"a key\n")


def test_sharing_for_writing_outside_the_working_directory(pool: StrictPool) -> None:
    pool.home.fresh_work()
    other = f"{pool.home.directory}/other"
    pool.home.outside(other).mkdir(exist_ok=True)
    pool.home.own(other)
    refused = pool.home.job("/bin/sh", "-c", f"echo text > {other}/file")
    assert refused.code != 0
    assert b"--share" in refused.stderr
    allowed = pool.home.job("/bin/sh", "-c", f"echo text > {other}/file", options=("--share", f"{other}:rw"))
    assert allowed.code == 0
    assert pool.home.outside(f"{other}/file").read_bytes() == b"text\n"
    hidden = pool.home.job("/bin/cat", f"{other}/file", options=("--hide", other))
    assert hidden.code != 0


@pytest.fixture
def root_pool() -> Iterator[PersonalPool]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    with PersonalPool(uid=0) as pool:
        yield pool


def test_a_job_of_root_runs_as_an_unprivileged_user(root_pool: PersonalPool) -> None:
    work = root_pool.home.fresh_work()
    command = root_pool.home.hpool(["/bin/sh", "-c", "id -u; echo text > file; read word"])
    process = root_pool.home.popen(command, root_pool.home.work, stdin=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"0\n"
        owners = {
            os.stat(f"/proc/{pid}").st_uid
            for pid, line in root_pool.room.processes()
            if line.startswith("/bin/sh -c") and "hpool" not in line
        }
        assert owners, "no process of the job was found"
        assert 0 not in owners
        _, err = process.communicate(b"go\n", timeout=20)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, err) == (0, b"")
    assert (work / "file").stat().st_uid == 0
