"""Builds `hpool.sandbox.starter._engine`: the engine in C, for Python.

Owns the list of sources and the declarations that Python sees. The engine's own
shape stays in `csrc/`; of the keeper only the entry into the user namespace is
compiled in.
"""

from pathlib import Path

from cffi import FFI

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
KEEPER = TOP / "interpose_c" / "csrc" / "keeper"

ffibuilder = FFI()
ffibuilder.cdef(
    """
    typedef struct hp_engine hp_engine;
    struct hp_engine_config {
        int root_fd; int loader_fd; int cache_fd; int network; int strict;
        uint32_t ngroups; uint64_t mirror_bytes; int64_t clock_offset_ns; const uint32_t *groups;
    };
    struct hp_engine_stats {
        uint64_t faults, round_trips, wait_ns, bytes_in, bytes_out, bytes_read, bytes_written,
                 names, evicted_bytes, cache_hits, calls, asked, operations, waits[10], waited_ns[10];
    };
    hp_engine *hp_engine_create(const struct hp_engine_config *config, char *error, size_t room);
    long hp_engine_next(hp_engine *, int lane, uint8_t *buffer, size_t room, int timeout_ms);
    void hp_engine_nudge(hp_engine *, int lane);
    int hp_engine_feed(hp_engine *, int lane, const uint8_t *bytes, size_t length);
    int hp_engine_prepare(hp_engine *, const char *path, int want);
    int hp_engine_barrier(hp_engine *);
    int hp_engine_epoch(hp_engine *, uint64_t number);
    void hp_engine_await_synced(hp_engine *);
    long hp_engine_lost(hp_engine *, char *buffer, size_t room);
    void hp_engine_stats(hp_engine *, struct hp_engine_stats *);
    long hp_engine_note(hp_engine *, char *buffer, size_t room, int timeout_ms);
    void hp_engine_end_notes(hp_engine *);
    uint64_t hp_engine_observe(hp_engine *, int on);
    long hp_engine_seen(hp_engine *, uint8_t *buffer, size_t room, uint64_t *next, uint64_t *lost);
    long hp_engine_remembered(hp_engine *, char *buffer, size_t room);
    void hp_engine_recall(hp_engine *, const char *, size_t, const uint8_t *pack, size_t pack_length);
    void hp_engine_await_recalled(hp_engine *);
    long hp_engine_pack(hp_engine *, int fd);
    struct hp_kept_file {
        uint64_t dev, ino, size; int64_t mtime_s, ctime_s; uint32_t mtime_ns, ctime_ns; uint64_t blocks;
        char path[4096];
    };
    struct hp_kept_question { uint64_t id, first, count; struct hp_kept_file file; };
    void hp_engine_kept_begin(hp_engine *);
    int hp_engine_kept_next(hp_engine *, struct hp_kept_question *, int timeout_ms);
    void hp_engine_kept_answer(hp_engine *, uint64_t id, const uint8_t *bytes, size_t length);
    void hp_engine_kept_end(hp_engine *);
    int hp_engine_keepable(hp_engine *, struct hp_kept_file *, uint8_t *present, size_t room, int *fd);
    long hp_engine_costs(hp_engine *, char *buffer, size_t room);
    int hp_engine_uncached(hp_engine *, uint8_t digest[32], int *fd);
    void hp_engine_fail(hp_engine *, int error);
    void hp_engine_close(hp_engine *);
    void hp_engine_stop(hp_engine *);
    int hp_userns_enter(unsigned inside_uid, unsigned inside_gid, unsigned outside_uid, unsigned outside_gid);
    int hp_mirror_mount(const char *directory, uint64_t size_bytes, uint64_t inodes);
    """
)


def relative(path: Path) -> str:
    """Setuptools wants sources below the project, named relative to it."""
    return path.relative_to(TOP).as_posix()


ffibuilder.set_source(
    "hpool.sandbox.starter._engine",
    '#include "engine.h"\n#include "userns.h"\n',
    sources=[relative(path) for path in sorted((HERE / "csrc").glob("*.c"))]
    + [relative(KEEPER / "userns.c")],
    include_dirs=[
        relative(HERE / "csrc"),
        relative(KEEPER),
        "interpose_c/csrc/include",
        "shadow/api",
    ],
    extra_compile_args=["-std=gnu11", "-O2", "-Wall", "-Wextra", "-mcx16"],
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
