"""Builds `hpool.sandbox.starter._call`: a gRPC call in C, where nghttp2 is.

Owns the declarations that Python sees. Without nghttp2's header (Debian: libnghttp2-dev) nothing is built,
and the lanes go by gRPC's own core.
"""

from pathlib import Path

from cffi import FFI

CALL = Path(__file__).resolve().parent / "csrc" / "call"
TOP = CALL.parents[3]

ffibuilder = FFI()
ffibuilder.cdef(
    """
    typedef struct hp_call hp_call;
    struct hp_call_limits { uint32_t message_bytes, window_bytes; int quiet_ms, answer_ms; };
    hp_call *hp_call_open(int fd, const struct hp_call_limits *, const char *const *fields, size_t count);
    int hp_call_send(hp_call *, const uint8_t *message, size_t length);
    void hp_call_finish(hp_call *);
    int64_t hp_call_receive(hp_call *, uint8_t **message);
    void hp_call_free(uint8_t *message);
    int64_t hp_call_fields(hp_call *, char *room, size_t size);
    int hp_call_status(hp_call *, char *text, size_t size);
    void hp_call_close(hp_call *);
    """
)
ffibuilder.set_source(
    "hpool.sandbox.starter._call",
    '#include "call.h"\n',
    sources=[path.relative_to(TOP).as_posix() for path in sorted(CALL.glob("*.c"))],
    include_dirs=[CALL.relative_to(TOP).as_posix()],
    libraries=["nghttp2"],
    extra_compile_args=["-std=gnu11", "-O2", "-Wall", "-Wextra"],
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
