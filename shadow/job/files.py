"""The job's files, opened for serving: policy, confinement, the file service, the way back.

Owns: putting them together for one job, and again when it begins again. Leaves to others:
each of them (shadow.home).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pwd
import secrets
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from hpool.matchmaker.model.errors import HomeUnusable
from hpool.matchmaker.model.settings import Directories
from hpool.shadow.api.home import Going
from hpool.shadow.api.job import JobDescription
from hpool.shadow.home import landlock
from hpool.shadow.home.digests import Digests
from hpool.shadow.home.epochs import RolledBack, roll_back
from hpool.shadow.home.policy import Refusal, policy_for
from hpool.shadow.home.service import Home, Receive, Send
from hpool.shadow.job.images import IMAGES, Images

log = logging.getLogger("files")

MEMORY_KEY_BYTES: Final = 32
LITTLE_BYTES: Final = 256 << 20
FEW_EPOCHS: Final = 1000  # a journal has room for some thousand marks


class JobFiles:
    """The file service of a job, begun anew when the job is."""

    def __init__(
        self, make_home: Callable[[], Home], journal: Path | None, going: Going | None = None
    ) -> None:
        """`going`: what the job goes on from, if an earlier shadow had got so far."""
        self.going = going
        self._make_home = make_home
        self._journal = journal
        self._home: Home | None = make_home()
        self._refusals: list[Refusal] = []

    async def serve_lane(self, number: int, receive: Receive, send: Send) -> None:
        assert self._home is not None  # while things are undone nobody is admitted
        await self._home.serve_lane(number, receive, send)

    def refusals(self) -> list[Refusal]:
        """Of all runs, each once."""
        last = self._home.refusals() if self._home is not None else []
        return list(dict.fromkeys([*self._refusals, *last]))

    def commit(self, epoch: int) -> None:
        """Nobody need go back to before it; but so long as it costs little, the way to the beginning stays
        open, for a job that no machine can go on with. Raises HomeUnusable."""
        if self._home is None or self._journal is None:
            return
        if epoch > FEW_EPOCHS or _takes(self._journal, LITTLE_BYTES):
            self._home.commit(epoch)

    async def go_back(self, epoch: int) -> RolledBack:
        """To the beginning of that epoch; no lane may be served. Handles, locks and leases of the lost run
        are gone before anything is undone."""
        if self._journal is None:
            return RolledBack("no journal was kept of what it changed")
        self._refusals = self.refusals()
        self.close()
        back = await asyncio.to_thread(roll_back, self._journal, epoch)
        if back.is_whole:
            self._home = self._make_home()
        return back

    async def let_go(self) -> None:
        """The job completed and that is on record: removed files go for good, and so do the names by which
        link counts of others are too high. The rest of the journal is the agent's to discard."""
        if self._journal is not None:
            await asyncio.to_thread(shutil.rmtree, self._journal / "hold", ignore_errors=True)

    def close(self) -> None:
        if self._home is not None:
            self._home.close()
            self._home = None


@contextlib.asynccontextmanager
async def open_files(
    job: JobDescription, spool: Path, journal: Path | None, images: Images | None
) -> AsyncIterator[JobFiles]:
    """Raises HomeUnusable. This thread, and those it starts later, are confined afterwards. What an earlier
    shadow of the job had changed is undone first, back to the newest image that can be gone on from."""
    environment = _environment(job)
    cache = Directories.of_user(os.environ, os.getuid()).cache
    try:
        policy = policy_for(
            job.directory,
            [(each.path, each.mode) for each in job.sharing],
            environment,
            _home_directory(),
            os.geteuid(),
        )
        digests = Digests(cache)
        own = [os.fsencode(each) for each in (spool, cache, journal) if each is not None]
        confinement = landlock.confine([*policy.writable(), *own])
        log.info("%s", confinement.sentence)
        search_path = os.fsencode(environment.get("PATH", os.defpath)).split(b":")

        def make_home() -> Home:
            return Home(
                *(policy,),
                search_path=search_path,
                digests=digests,
                journal=journal,
                journal_bytes=job.undo_bytes,
            )

        going = None
        if journal is not None and images is not None:
            has_changed = (journal / "log").exists()
            if has_changed or images.are_there:
                going = await images.newest(shown=True)
            if has_changed:
                back = await asyncio.to_thread(roll_back, journal, 0 if going is None else going.epoch)
                if not back.is_whole:
                    raise HomeUnusable(f"what the job had changed cannot be undone: {back.sentence}")
        files = JobFiles(make_home, journal, going)
    except OSError as error:
        raise HomeUnusable(str(error)) from error
    try:
        yield files
    finally:
        files.close()
        digests.close()


def _takes(journal: Path, much_bytes: int) -> bool:
    """Whether a journal takes so much room; its images are not counted."""
    taken_bytes = 0
    for place, directories, names in os.walk(journal):
        if IMAGES in directories:
            directories.remove(IMAGES)
        for name in names:
            with contextlib.suppress(OSError):
                taken_bytes += os.lstat(os.path.join(place, name)).st_blocks * 512
            if taken_bytes >= much_bytes:
                return True
    return False


def memory_key() -> bytes:
    """The submitter's secret, made at first use. Where none can be kept, one that is forgotten."""
    path = Directories.of_user(os.environ, os.getuid()).state / "memory.key"
    aside = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        if not path.exists():
            aside.touch(0o600)
            aside.write_bytes(secrets.token_bytes(MEMORY_KEY_BYTES))
            with contextlib.suppress(FileExistsError):
                os.link(aside, path)
            aside.unlink()
        key = path.read_bytes()
    except OSError as error:
        log.warning("sandboxes will not remember this run: %s", error)
        key = b""
    return key if len(key) == MEMORY_KEY_BYTES else secrets.token_bytes(MEMORY_KEY_BYTES)


def _environment(job: JobDescription) -> dict[str, str]:
    pairs = (os.fsdecode(each).partition("=") for each in job.environment)
    return {name: value for name, _, value in pairs}


def _home_directory() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return "/"
