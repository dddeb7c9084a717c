"""The job's files, opened for serving."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from hpool.matchmaker.model.errors import HomeUnusable
from hpool.shadow.api.job import JobDescription
from hpool.shadow.home import _home  # type: ignore[attr-defined]
from hpool.shadow.job.conversation import Conversation
from hpool.shadow.job.service import ServeLane

ffi, lib = _home.ffi, _home.lib


@contextlib.asynccontextmanager
async def open_home(job: JobDescription, conversation: Conversation) -> AsyncIterator[ServeLane]:
    """Raises HomeUnusable."""
    policy = ffi.new("struct hp_home_policy *")
    path = ffi.new("char[]", job.directory)
    rules = ffi.new("struct hp_home_rule[]", [{"path": path, "share": 1}])
    policy.rules = rules
    policy.count = 1
    policy.fallback = 0
    error = ffi.new("char[]", 256)
    handle = lib.hp_home_create(policy, error, 256)
    if handle == ffi.NULL:
        raise HomeUnusable(ffi.string(error).decode())

    async def serve_lane(
        lane: int,
        receive: Callable[[], Awaitable[bytes | memoryview]],
        send: Callable[[bytes], Awaitable[None]],
    ) -> None:
        while records := await receive():
            reply = ffi.new("uint8_t **")
            length = lib.hp_home_execute(handle, ffi.from_buffer(records), len(records), reply)
            content = bytes(ffi.buffer(reply[0], length))
            lib.hp_home_free(reply[0])
            await send(content)

    yield serve_lane
