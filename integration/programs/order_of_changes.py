"""Creating, writing, changing, linking, renaming, removing, one right after the other and by two processes."""

import os
import subprocess
import sys
from pathlib import Path

from say import attempt, listing, sha


def put(name: str, content: bytes, mode: int = 0o666) -> None:
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    os.write(fd, content)
    os.close(fd)


def times(name: str) -> tuple[int, int]:
    st = os.stat(name)
    return st.st_atime_ns, st.st_mtime_ns


os.mkdir("o")
os.chdir("o")
for n in range(40):
    # written, renamed over another, read under the new name
    put(f"temp{n}", b"new %d\n" % n)
    if n % 2:
        put(f"kept{n}", b"old %d\n" % n)
    os.rename(f"temp{n}", f"kept{n}")
    assert Path(f"kept{n}").read_bytes() == b"new %d\n" % n
    # mode and times, asked at once
    put(f"mode{n}", b"m" * n)
    os.chmod(f"mode{n}", 0o600 + n % 8 * 8)
    os.utime(f"mode{n}", ns=(10**18 + n, 10**18 + 2 * n))
    assert os.stat(f"mode{n}").st_mode & 0o777 == 0o600 + n % 8 * 8
    assert times(f"mode{n}") == (10**18 + n, 10**18 + 2 * n)
    # removed and made again, another mode, another length
    put(f"again{n}", b"first" * 100)
    first = os.stat(f"again{n}").st_ino
    keep = os.open(f"again{n}", os.O_RDONLY)
    os.unlink(f"again{n}")
    put(f"again{n}", b"2nd", 0o604)
    assert os.stat(f"again{n}").st_ino != first and os.fstat(keep).st_nlink == 0
    assert os.pread(keep, 10, 0) == b"firstfirst"
    os.close(keep)
    # made, removed, its name taken by a link
    put(f"link{n}", b"gone")
    os.unlink(f"link{n}")
    os.link(f"kept{n}", f"link{n}")
    assert os.path.samefile(f"kept{n}", f"link{n}") and os.stat(f"link{n}").st_nlink == 2
    # a directory for a file and the other way round
    put(f"turn{n}", b"file")
    os.unlink(f"turn{n}")
    os.mkdir(f"turn{n}")
    put(f"turn{n}/in", b"inside")
    os.rename(f"turn{n}", f"moved{n}")
    put(f"moved{n}/in", b"inside, moved")
    put(f"moved{n}/in2", b"x")
    os.unlink(f"moved{n}/in2")
    # chmod of what a rename has just brought
    put(f"ready{n}.part", b"r" * (n * 1000))
    os.rename(f"ready{n}.part", f"ready{n}")
    os.chmod(f"ready{n}", 0o444)
    put(f"none{n}", b"")
    os.unlink(f"none{n}")

attempt("no such name", lambda: os.unlink("none3"))
attempt("is there", lambda: os.mkdir("mode3"))
attempt("exclusive", lambda: os.open("mode3", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
attempt("not empty", lambda: os.rmdir("moved3"))
os.chmod("moved4", 0o500)
attempt("may not make", lambda: put("moved4/new", b"x"))
attempt("may not remove", lambda: os.unlink("moved4/in"))
os.chmod("moved4", 0o700)
attempt("may make", lambda: put("moved4/new", b"x"))
os.chmod("mode5", 0o000)
attempt("may not write", lambda: put("mode5", b"x"))
child = "import os, sys; print(len(os.listdir('.')), sum(e.stat().st_size for e in os.scandir('.') if e.is_file()))"
for n in range(10):
    put(f"more{n}", b"y" * n)
    sys.stdout.write(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout)
    if n % 2:
        os.unlink(f"more{n}")
        sys.stdout.write(subprocess.run(["ls", f"more{n}"], capture_output=True, text=True).stderr[-27:])
os.chmod("mode5", 0o600)
for name in listing("."):
    if not name.endswith("/"):
        print(name, oct(os.stat(name).st_mode), os.stat(name).st_nlink, sha(name))
