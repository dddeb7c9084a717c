"""The home of one job that goes on from an image, without an agent and a pool.

    python -m hpool.shadow.agent.alone PLACE

PLACE has `job` (the job, encoded) and `journal` with the image. The first line of output is JSON: the
shadow's address and secret for the terminal; the last one why the job could not go on, if so. Its input
stays open as long as the job is wanted.

Owns: what an agent and a sandbox would do for this one job. Leaves to others: being its home (shadow),
running it (sandbox.alone), showing it (cli.restore).
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import platform
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Final

from hpool.matchmaker.hosting.daemon import log_to_stderr
from hpool.shadow.agent.shadows import Report, Shadow, Shadows
from hpool.shadow.api import custody
from hpool.shadow.api.job import JOB
from hpool.shadow.api.queue import ClaimReply

log = logging.getLogger("alone")

MACHINE_MODULE: Final = "hpool.sandbox.alone"
LISTEN: Final = "127.0.0.1"
LEASE_S: Final = 60.0
JOB_ID: Final = "restored"
JOB_NAME: Final = "job"
JOURNAL: Final = "journal"
_END_WITHIN_S: Final = 10.0


def tell(line: object) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class Alone:
    def __init__(self, place: Path, shadow: Shadow) -> None:
        self._place = place
        self._shadow = shadow
        self._job = JOB.decode((place / JOB_NAME).read_bytes())
        self._machine: subprocess.Popen[bytes] | None = None
        self.over = asyncio.Event()

    def begin(self) -> None:
        secret = secrets.token_hex(16)
        self._shadow.follow(self._reported, self.over.set)
        self._shadow.tell(
            custody.Assignment(
                *(JOB_ID, self._job, secret, os.fsencode(self._place / "spool"), secrets.token_hex(16)),
                journal=os.fsencode(self._place / JOURNAL),
                begins_again=True,
            )
        )
        tell([self._shadow.address, secret])

    def _reported(self, report: Report) -> None:
        match report:
            case custody.Returned() if self._machine is None:  # its home is ready to go on
                self._claim()
            case custody.Returned(why) | custody.NeverStarted(why):
                tell([why])
                self._shadow.tell(custody.Removal(why))
            case custody.JobEnded():
                self._shadow.tell(custody.Recorded())

    def _claim(self) -> None:
        claim = ClaimReply("", self._shadow.address, secrets.token_hex(16), self._job.uid, self._job.gid)
        self._shadow.tell(custody.Claimed(claim.claim_secret, platform.node()))
        self._machine = subprocess.Popen(
            [sys.executable, "-I", "-m", MACHINE_MODULE, os.fspath(self._place)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        assert self._machine.stdin is not None
        self._machine.stdin.write(json.dumps([JOB_ID, list(claim)]).encode() + b"\n")
        self._machine.stdin.flush()

    def end(self) -> None:
        """Nothing of the job is left here when this returns."""
        if self._machine is not None:
            assert self._machine.stdin is not None
            self._machine.stdin.close()
            self._machine.wait(_END_WITHIN_S)


async def main() -> None:
    shadows = Shadows(LISTEN, None, LEASE_S)
    shadows.start()
    shadow = await shadows.take()
    shadows.close()
    alone = Alone(Path(sys.argv[1]), shadow)
    loop = asyncio.get_running_loop()
    unwanted = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(unwanted), sys.stdin)
    alone.begin()
    waiting = (alone.over.wait(), unwanted.read())
    await asyncio.wait(map(asyncio.ensure_future, waiting), return_when=asyncio.FIRST_COMPLETED)
    alone.end()


if __name__ == "__main__":
    log_to_stderr("agent")
    asyncio.run(main())
