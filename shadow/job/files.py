"""The job's files, opened for serving: policy, confinement, the file service.

Owns: putting them together for one job. Leaves to others: each of them (shadow.home).
"""

from __future__ import annotations

import contextlib
import logging
import os
import pwd
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from hpool.matchmaker.model.errors import HomeUnusable
from hpool.matchmaker.model.settings import Directories
from hpool.shadow.api.job import JobDescription
from hpool.shadow.home import landlock
from hpool.shadow.home.digests import Digests
from hpool.shadow.home.policy import policy_for
from hpool.shadow.home.service import Home

log = logging.getLogger("files")

MEMORY_KEY_BYTES: Final = 32


@contextlib.asynccontextmanager
async def open_home(job: JobDescription, spool: Path) -> AsyncIterator[Home]:
    """Raises HomeUnusable. This thread, and those it starts later, are confined afterwards."""
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
        confinement = landlock.confine([*policy.writable(), os.fsencode(spool), os.fsencode(cache)])
        log.info("%s", confinement.sentence)
        search_path = os.fsencode(environment.get("PATH", os.defpath)).split(b":")
        home = Home(policy, search_path=search_path, digests=digests)
    except OSError as error:
        raise HomeUnusable(str(error)) from error
    try:
        yield home
    finally:
        home.close()
        digests.close()


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
