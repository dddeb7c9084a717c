"""One job on this machine, without a sandbox: a starter for whoever has the claim in hand.

    python -m hpool.sandbox.alone DIRECTORY < CLAIM

CLAIM is a line of JSON (Claim); the input stays open as long as the job is wanted. Ends with the job.

Owns: the starter's life. Leaves to others: everything between (starters), the job's home.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import sys
from pathlib import Path

from hpool.matchmaker.hosting.daemon import log_to_stderr
from hpool.matchmaker.model.settings import Directories
from hpool.sandbox import machine
from hpool.sandbox.api.door import DOORS
from hpool.sandbox.claims import Claims
from hpool.sandbox.starters import StarterLimits, Starters, end_in_words
from hpool.shadow.api.queue import ClaimReply

ONE_SLOT = 0


async def run(job_id: str, claim: ClaimReply, directory: Path, unwanted: asyncio.Event) -> int:
    """The starter's exit code; home hears of one that did not end well."""
    limits = StarterLimits(
        mirror_bytes=machine.default_mirror_bytes(1),
        mirror_inodes=1 << 20,
        memory_bytes=0,
        max_processes=4096,
        host_network=True,
    )
    doors = directory / DOORS
    doors.mkdir(mode=0o700, exist_ok=True)
    cache = Directories.of_user(os.environ, os.getuid()).cache / "executables"
    with contextlib.suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
    starters = Starters(
        limits, platform.node(), cache if cache.is_dir() else None, doors, machine.read_features()
    )
    starters.start()
    job = asyncio.create_task(starters.run(ONE_SLOT, job_id, claim))
    ending = asyncio.create_task(unwanted.wait())
    await asyncio.wait({job, ending}, return_when=asyncio.FIRST_COMPLETED)
    if not job.done():
        job.cancel()
    (status,) = await asyncio.gather(job, return_exceptions=True)
    starters.close()
    if status != 0:
        await Claims().starter_gone(claim, f"its starter here {end_in_words(status)}")
    return status if isinstance(status, int) else 1


async def main() -> int:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    job_id, claim = json.loads(await reader.readline())
    unwanted = asyncio.Event()

    async def watch() -> None:
        await reader.read()
        unwanted.set()

    watching = asyncio.create_task(watch())
    try:
        return await run(job_id, ClaimReply(*claim), Path(sys.argv[1]), unwanted)
    finally:
        watching.cancel()


if __name__ == "__main__":
    log_to_stderr("sandbox")
    sys.exit(abs(asyncio.run(main())))
