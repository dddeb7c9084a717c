"""Builds hpool.shadow.home._home, the C core of the file service.

Owns: which sources there are, and the C declarations that Python sees. Leaves to
others: packaging (setup.py names `ffibuilder`). Run as a script it compiles in
place, next to this file.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import cffi

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SOURCES = sorted((HERE / "csrc").glob("*.c"))

CFLAGS = [
    "-std=gnu11",
    "-O2",
    "-g",
    "-Wall",
    "-Wextra",
    "-fno-strict-aliasing",
    "-pthread",
    "-fvisibility=hidden",
]

DECLARATIONS = """
typedef struct hp_home hp_home;
typedef struct hp_lane hp_lane;
struct hp_home_rule { const char *path; uint32_t share; };
struct hp_home_policy { const struct hp_home_rule *rules; uint32_t count; uint32_t fallback; };
hp_home *hp_home_create(const struct hp_home_policy *, char *error, size_t room);
void hp_home_destroy(hp_home *);
struct hp_lane_result {
    const uint8_t *reply;
    uint64_t reply_bytes;
    uint64_t at;
    uint32_t more;
    uint32_t unlocked;
    uint32_t deferred_count;
    uint32_t reserved;
    uint64_t deferred[32];
};
hp_lane *hp_lane_create(hp_home *);
void hp_lane_destroy(hp_lane *);
int hp_lane_run(hp_lane *, const uint8_t *batch, size_t length, struct hp_lane_result *);
int hp_lane_retry(hp_lane *, const uint8_t *request, size_t length, struct hp_lane_result *);
long hp_home_execute(hp_home *, const uint8_t *batch, size_t length, uint8_t **reply);
void hp_home_free(uint8_t *reply);
void hp_home_acknowledge(hp_home *, uint64_t id);
long hp_home_refusals(hp_home *, char *buffer, size_t room);
int hp_home_watch(hp_home *);
long hp_home_changes(hp_home *, uint8_t *buffer, size_t room);
struct hp_home_stats { uint64_t requests, replayed, refused, handles, parked; };
void hp_home_stats(hp_home *, struct hp_home_stats *);
int hp_home_journal(hp_home *, const char *directory, uint64_t most_bytes);
int hp_home_commit(hp_home *, uint64_t epoch);
struct hp_home_epochs { uint64_t oldest, newest, records, log_bytes, data_bytes, held_bytes; };
void hp_home_epochs(hp_home *, struct hp_home_epochs *);
int hp_rollback(const char *directory, uint64_t epoch, int forced, char *report, size_t room);
int hp_home_confine(const char *const *writable, size_t count);
struct hpw_attr {
    uint64_t dev, ino, nlink;
    uint32_t mode, uid, gid;
    uint32_t access;
    uint64_t rdev, size, blocks;
    uint32_t blksize, sure;
    int64_t atime_s, mtime_s, ctime_s, btime_s;
    uint32_t atime_ns, mtime_ns, ctime_ns, btime_ns;
    uint64_t fsid;
};
struct hpw_request {
    uint32_t size; uint16_t op; uint16_t flags; uint64_t id; uint64_t handle; uint64_t offset;
    uint64_t length; uint32_t mode; uint32_t arg; uint32_t len1; uint32_t len2;
};
struct hpw_reply { uint32_t size; uint16_t op; uint16_t flags; uint64_t id; int32_t error; uint32_t count; };
struct hpw_entry {
    uint32_t size, flags, path_len, target_len, content_len, digest_len;
    struct hpw_attr attr;
};
int hp_lane_open(hp_lane *, const char *path, struct hpw_attr *);
"""


def wire_constants() -> str:
    """Every number of home_wire.h, so that a test can hold Python's against C's."""
    text = (ROOT / "shadow" / "api" / "home_wire.h").read_text()
    names = re.findall(r"\b(HPW_[A-Z0-9_]+) = \d+", text)
    names += re.findall(r"^#define (HPW_MAX_[A-Z_]+)", text, re.MULTILINE)
    return "".join(f"#define {name} ...\n" for name in dict.fromkeys(names))


def relative(path: Path) -> str:
    """setuptools wants sources relative to the project's root."""
    return os.path.relpath(path, ROOT)


ffibuilder = cffi.FFI()
ffibuilder.cdef(DECLARATIONS + wire_constants())
ffibuilder.set_source(
    "hpool.shadow.home._home",
    '#include "home.h"\n',
    sources=[relative(path) for path in SOURCES],
    include_dirs=[relative(HERE / "csrc"), relative(ROOT / "shadow" / "api")],
    depends=[relative(path) for path in sorted((HERE / "csrc").glob("*.h"))],
    extra_compile_args=CFLAGS,
)


def build_in_place() -> Path:
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as scratch:
        for path in ("shadow/home/csrc", "shadow/api"):
            shutil.copytree(
                ROOT / path, Path(scratch) / path, ignore=shutil.ignore_patterns("*.py", "*_pb2*")
            )
        os.chdir(scratch)
        built = Path(ffibuilder.compile(tmpdir=scratch, verbose="-v" in sys.argv))
        os.chdir(ROOT)
        target = HERE / "_home.abi3.so"  # the name setuptools gives it
        staged = target.with_suffix(".new")
        shutil.copy(built, staged)
        staged.replace(target)  # a process that has the old one mapped keeps it
    return target


if __name__ == "__main__":
    print(build_in_place())
