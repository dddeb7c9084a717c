"""The acceptance corpus and other real programs: which, how each is prepared, what of its output counts.

Leaves to others: running and comparing them. A job whose package is missing is skipped with the reason;
.ci/packages installs them.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from integration import fixture
from integration.pool import StrictPool

CORPUS = Path(__file__).parent / "corpus"
PYTHON = f"{sys.prefix}/bin/python"
FFMPEG = (
    "ffmpeg -nostdin -y -loglevel error -threads 1 -f lavfi -i testsrc2=size=640x360:rate=25:duration=10"
    " -c:v libx264 -threads 1 -x264-params threads=1 out.mp4"
)


def nothing(place: Path) -> None:
    """Some jobs need no files."""


@dataclass(frozen=True)
class Job:
    """Commands that run one after the other, and which of their files are compared."""

    name: str
    commands: tuple[str, ...]
    outputs: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    prepare: Callable[[Path], None] = nothing
    env: tuple[tuple[str, str], ...] = ()
    says: bytes = b""


def instances(place: Path) -> None:
    """The QAP instances and the two programs, dynamic and static."""
    for name, arguments in (("q12.dat", "3 4 1"), ("q14.dat", "2 7 1"), ("q15.dat", "3 5 3")):
        command = [sys.executable, str(CORPUS / "qapgen.py"), *arguments.split()]
        (place / name).write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    for name, flags in (("qap", []), ("qap-static", ["-static"])):
        quiet = ["-Wno-unused-result"]
        subprocess.run(
            ["gcc", "-O2", *quiet, *flags, str(CORPUS / "qap.c"), "-o", str(place / name)], check=True
        )


def sequences(place: Path) -> None:
    subprocess.run([sys.executable, str(CORPUS / "gen.py")], cwd=place, check=True)


@functools.cache
def copied(*names: str) -> Callable[[Path], None]:
    def prepare(place: Path) -> None:
        for name in names:
            shutil.copy(CORPUS / name, place)

    return prepare


def project(place: Path) -> None:
    fixture.EXTRAS["sources"](place)


def transactions(place: Path) -> None:
    lines = ["pragma synchronous=FULL;", "create table t(a integer primary key, b text);"]
    lines += [f"begin; insert into t(b) values('row {n}'); commit;" for n in range(200)]
    (place / "load.sql").write_text("\n".join(lines) + "\n")


def texts(place: Path) -> None:
    fixture.lay_out(place)
    copied("count.pl", "history.sh", "boxes.sh", "archive.sh")(place)


def go_program(place: Path) -> None:
    fixture.lay_out(place)
    env = os.environ | {"GOCACHE": f"{place}.cache", "GO111MODULE": "off", "CGO_ENABLED": "0"}
    subprocess.run(["go", "build", "-o", str(place / "gojob"), str(CORPUS / "sums.go")], env=env, check=True)
    shutil.rmtree(f"{place}.cache")


def musl_program(place: Path) -> None:
    fixture.lay_out(place)
    for name, flags in (("hello", []), ("hello-static", ["-static"])):
        subprocess.run(["musl-gcc", *flags, str(CORPUS / "hello.c"), "-o", str(place / name)], check=True)


def sources(place: Path) -> None:
    instances(place)
    copied("qap.c")(place)


GIT = (("GIT_AUTHOR_DATE", "2020-01-01T00:00:00Z"), ("GIT_COMMITTER_DATE", "2020-01-01T00:00:00Z"))
JOBS = [
    Job("qap-12", ("./qap q12.dat",), prepare=instances, says=b"OPT 642 "),
    Job("qap-12-static", ("./qap-static q12.dat",), prepare=instances),
    Job("qap-14", ("./qap q14.dat",), prepare=instances, says=b"OPT 1188 "),
    Job(
        "hmmsearch",
        (
            "hmmbuild fam.hmm fam.afa > /dev/null",
            "hmmsearch --cpu 0 --noali --tblout hmm.tbl -o /dev/null fam.hmm db.fa",
        ),
        ("hmm.tbl",),
        ("hmmbuild", "hmmsearch"),
        sequences,
    ),
    Job(
        "blastp",
        (
            "makeblastdb -in db.fa -dbtype prot -out db > /dev/null",
            "blastp -num_threads 1 -query q.fa -db db -outfmt 6 -out blast.tsv",
        ),
        ("blast.tsv",),
        ("makeblastdb", "blastp"),
        sequences,
    ),
    Job("R", ("Rscript boot.R",), ("boot.csv",), ("Rscript",), copied("boot.R")),
    Job("numpy", (f"{PYTHON} mc.py",), ("mc.csv",), (), copied("mc.py")),
    Job("ffmpeg", (FFMPEG,), ("out.mp4",), ("ffmpeg",)),
    Job(
        "compile", ("make -C project -j2", "project/app"), ("project/*.o", "project/app"), ("make",), project
    ),
    Job(
        "sqlite",
        ("sqlite3 t.db < load.sql", "sqlite3 t.db 'pragma integrity_check' .dump"),
        (),
        ("sqlite3",),
        transactions,
    ),
    Job("git", ("sh history.sh",), (), ("git",), texts, GIT),
    Job("perl", ("perl count.pl",), ("out.txt",), ("perl",), texts),
    Job("tar", ("sh archive.sh",), ("big.bin.gz", "lines.txt.xz"), ("xz",), texts),
    Job("busybox", ("busybox sh boxes.sh",), (), ("busybox",), texts),
    Job("go", ("./gojob",), ("out*",), ("go",), go_program),
    Job("musl", ("./hello && ./hello-static",), ("made",), ("musl-gcc",), musl_program),
    Job("find", ("find /usr/share/doc /usr/lib/python3 -name '*.py' -o -name copyright | sort | md5sum",)),
    Job("gcc", ("gcc -O2 -w -o qap2 qap.c && ./qap2 q12.dat",), ("qap2",), (), sources),
]


def missing_of(job: Job) -> str:
    """Why it cannot run here, or nothing."""
    missing = [name for name in job.needs if shutil.which(name) is None and not Path(name).is_dir()]
    if missing:
        return f"{', '.join(missing)} not installed: .ci/packages installs it as root on Debian"
    if job.name == "numpy" and subprocess.run([PYTHON, "-c", "import numpy"], capture_output=True).returncode:
        return "numpy is not in this environment: pip install -e '.[test]'"
    return ""


def kept_places() -> Iterator[Callable[[Job], Path]]:
    """What preparing made, once per kind of preparation: a fixture's generator."""
    made: dict[Callable[[Path], None], Path] = {}

    def place_of(job: Job) -> Path:
        if job.prepare not in made:
            made[job.prepare] = Path(top) / str(len(made))
            made[job.prepare].mkdir()
            job.prepare(made[job.prepare])
        return made[job.prepare]

    with tempfile.TemporaryDirectory(prefix="hpool-corpus-") as top:
        yield place_of


def files_of(pool: StrictPool, job: Job) -> dict[str, bytes]:
    """Of its outputs what counts."""
    work = pool.home.outside(pool.home.work)
    found = {
        str(path.relative_to(work)): path.read_bytes()
        for name in job.outputs
        for path in sorted(work.glob(name))
    }
    if "hmm.tbl" in found:
        found["hmm.tbl"] = re.sub(rb"^#.*\n", b"", found["hmm.tbl"], flags=re.MULTILINE)
    return found
