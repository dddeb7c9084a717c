"""Where images lie: epochs of a job, their content in chunks by digest.

    STORE/epochs/000007/manifest   JSON, sealed by its own digest
    STORE/epochs/000007/meta       the raw image's records
    STORE/epochs/000007/job        what its home had told of the job, if it is to be gone on with alone
    STORE/chunks/ab/abcd...        "z" or "r", then 64 KiB by zstd or as they are

Owns: that an epoch is there whole or not at all, that what is read is what was written. Leaves to others:
what the records say (records.py), when an epoch is made.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import shutil
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hpool.interpose_c.image import chunks, records
from hpool.interpose_c.image.chunks import BLOCK, digest_of
from hpool.matchmaker.model.image_errors import ImageDamaged, ImageTooNew, NoImage

FORMAT: Final = 1
KEPT: Final = 2
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_WORKERS: Final = 2


@dataclass(frozen=True, slots=True)
class Epoch:
    """One image by its manifest. `blocks`: digest of each block of `pages` that is not zeros."""

    number: int
    directory: Path
    pages_bytes: int
    meta_digest: str
    blocks: dict[int, str]
    job_digest: str = ""

    def meta(self) -> bytes:
        """Raises ImageDamaged if it is not what was written."""
        return self._read("meta", self.meta_digest)

    def job(self) -> bytes:
        """Empty: it has none. Raises ImageDamaged."""
        return self._read("job", self.job_digest) if self.job_digest else b""

    def _read(self, name: str, digest: str) -> bytes:
        try:
            content = (self.directory / name).read_bytes()
        except OSError as error:
            raise ImageDamaged(str(self.directory), f"{name}: {error.strerror}") from error
        if digest_of(content) != digest:
            raise ImageDamaged(str(self.directory), f"{name} is not what was written")
        return content


@dataclass(frozen=True, slots=True)
class Committed:
    """What an epoch took: chunks that are new, and those that were there already."""

    number: int
    new_chunks: int
    old_chunks: int
    new_bytes: int


def seal(fields: dict[str, Any]) -> bytes:
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return json.dumps({"sealed": digest_of(text.encode()), "image": fields}, separators=(",", ":")).encode()


def _unseal(raw: bytes, source: str) -> dict[str, Any]:
    try:
        outer = json.loads(raw)
        fields = outer["image"]
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        whole = outer["sealed"] == digest_of(text.encode()) and isinstance(fields, dict)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ImageDamaged(source, "its manifest cannot be read") from error
    if not whole:
        raise ImageDamaged(source, "its manifest is not what was written")
    return dict(fields)


class Store:
    """A directory of epochs. One writer; readers need no lock: an epoch never changes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._epochs = directory / "epochs"
        self._chunks = directory / "chunks"
        self._kept: dict[str, tuple[int, int, int]] = {}  # chunks that this object wrote: as they were then

    # --- reading ---------------------------------------------------------------------

    def numbers(self) -> list[int]:
        """The epochs that were committed, oldest first."""
        with contextlib.suppress(FileNotFoundError):
            return sorted(int(each.name) for each in self._epochs.iterdir() if each.name.isdigit())
        return []

    def epoch(self, number: int) -> Epoch:
        """Raises ImageDamaged, ImageTooNew, NoImage."""
        directory = self._epochs / f"{number:06d}"
        try:
            raw = (directory / "manifest").read_bytes()
        except FileNotFoundError as error:
            raise NoImage(str(directory)) from error
        fields = _unseal(raw, str(directory))
        if fields.get("format") != FORMAT:
            raise ImageTooNew(str(directory), fields.get("format"), FORMAT)
        try:
            blocks = {int(index): str(digest) for index, digest in fields["blocks"]}
            pages_bytes, meta = int(fields["pages_bytes"]), str(fields["meta"])
            job = str(fields.get("job", ""))
        except (KeyError, TypeError, ValueError) as error:
            raise ImageDamaged(str(directory), "its manifest lacks something") from error
        last = -(-pages_bytes // BLOCK)
        if any(not 0 <= index < last or not _DIGEST.fullmatch(digest) for index, digest in blocks.items()):
            raise ImageDamaged(str(directory), "its manifest names a chunk that cannot be")
        return Epoch(number, directory, pages_bytes, meta, blocks, job)

    def newest(self) -> Epoch:
        """The newest epoch that is whole. Raises what was wrong with the newest if none is."""
        first: ImageDamaged | ImageTooNew | None = None
        for number in reversed(self.numbers()):
            try:
                epoch = self.epoch(number)
                self.verify(epoch)
                return epoch
            except (ImageDamaged, ImageTooNew) as error:
                first = first or error
        raise first or NoImage(str(self._directory))

    def chunk(self, digest: str, source: str) -> bytes:
        """Raises ImageDamaged if it is not there or not what its name says."""
        return chunks.unpack(self.stored(digest, source), digest, source)

    def stored(self, digest: str, source: str) -> bytes:
        """As it lies here. Raises ImageDamaged if it is not there."""
        try:
            return self._path(digest).read_bytes()
        except OSError as error:
            raise ImageDamaged(source, f"chunk {digest[:12]}: {error.strerror}") from error

    def has(self, digest: str) -> bool:
        return self._path(digest).exists()

    def verify(self, epoch: Epoch) -> records.Image:
        """Every byte of it, but of chunks that this object wrote and nobody has touched since. Raises
        ImageDamaged."""
        image = records.parse(epoch.meta(), str(epoch.directory))
        epoch.job()
        for run in image.runs:
            if run.pages + run.length > epoch.pages_bytes:
                raise ImageDamaged(str(epoch.directory), "it names content that it does not have")
        with ThreadPoolExecutor(_WORKERS) as workers:
            for _ in workers.map(lambda digest: self._look_at(digest, epoch), set(epoch.blocks.values())):
                pass  # raises what the first of them raised
        return image

    def unpack(self, epoch: Epoch, meta_fd: int, pages_fd: int) -> None:
        """The raw image again, into two empty files. Raises ImageDamaged."""
        chunks.write(meta_fd, epoch.meta(), 0)
        os.ftruncate(pages_fd, epoch.pages_bytes)
        for index, digest in epoch.blocks.items():
            chunks.write(pages_fd, self.chunk(digest, str(epoch.directory)), index * BLOCK)

    # --- writing -----------------------------------------------------------------------

    def commit(self, meta: bytes, pages_fd: int, job: bytes = b"") -> Committed:
        """Takes a raw image in. Whatever interrupts this leaves the epochs there were."""
        with ThreadPoolExecutor(_WORKERS) as workers:
            kept = list(workers.map(lambda index: self._take(pages_fd, index), chunks.blocks_of(pages_fd)))
        blocks = [(index, digest) for index, digest, _ in kept if digest]
        number = self.commit_blocks(meta, os.fstat(pages_fd).st_size, blocks, job)
        new = [written for _, digest, written in kept if digest and written]
        return Committed(number, len(new), len(blocks) - len(new), sum(new))

    def commit_blocks(
        self, meta: bytes, pages_bytes: int, blocks: Iterable[tuple[int, str]], job: bytes = b""
    ) -> int:
        """An image whose chunks are kept here already: its number. As commit."""
        records.parse(meta, "the dump")  # written aside and looked at, before anything relies on it
        number = (self.numbers() or [0])[-1] + 1
        self._make(self._epochs)
        aside = self._epochs / f".{number:06d}"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        fields = {
            "format": FORMAT,
            "pages_bytes": pages_bytes,
            "meta": digest_of(meta),
            "blocks": sorted(blocks),
        }
        (aside / "meta").write_bytes(meta)
        if job:
            fields["job"] = digest_of(job)
            (aside / "job").write_bytes(job)
        (aside / "manifest").write_bytes(seal(fields))
        _sync(aside)  # all of the file system: the chunks too
        aside.rename(self._epochs / f"{number:06d}")
        _sync(self._epochs)
        return number

    def _take(self, pages_fd: int, index: int) -> tuple[int, str, int]:
        """The block's digest ("": zeros), and the bytes written if it was not there."""
        content = chunks.read(pages_fd, index)
        if not content:
            return index, "", 0
        digest = digest_of(content)
        if self.has(digest):
            return index, digest, 0
        stored = chunks.pack(content)
        self.keep(digest, stored)
        return index, digest, len(stored)

    def keep(self, digest: str, stored: bytes) -> None:
        """A chunk, packed; an epoch that names it is to follow. Raises OSError."""
        path = self._path(digest)
        self._make(path.parent)
        aside = path.with_name(f".{digest}-{threading.get_ident()}")  # the same may come twice at once
        aside.write_bytes(stored)
        aside.rename(path)
        self._kept[digest] = _state_of(path)

    def _make(self, directory: Path) -> None:
        """What is in a store was somebody's memory: nobody else looks into it."""
        if not directory.is_dir():
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory.mkdir(parents=True, exist_ok=True)

    def collect(self, keep: int = KEPT) -> int:
        """Removes all but the last epochs, and chunks nobody names; the bytes set free."""
        for number in self.numbers()[:-keep]:
            shutil.rmtree(self._epochs / f"{number:06d}")
        named: set[str] = set()
        for number in self.numbers():
            with contextlib.suppress(ImageDamaged, ImageTooNew):
                named.update(self.epoch(number).blocks.values())
        freed = 0
        for path in self._chunks.glob("*/*"):
            if path.name not in named:
                freed += path.stat().st_size
                path.unlink()
                self._kept.pop(path.name, None)
        return freed

    def copy_of(self, source: Store, epoch: Epoch) -> None:
        """That epoch of another store, as this one's first. Chunks are shared where the file system can."""
        for digest in set(epoch.blocks.values()):
            path = self._path(digest)
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(source._path(digest), path)
            except OSError:
                shutil.copyfile(source._path(digest), path)
        shutil.copytree(epoch.directory, self._epochs / f"{1:06d}")

    def forget_after(self, number: int) -> None:
        """Who goes on from that epoch makes others than those that came after it."""
        for later in reversed(self.numbers()):
            if later > number:
                shutil.rmtree(self._epochs / f"{later:06d}")

    def _look_at(self, digest: str, epoch: Epoch) -> None:
        path = self._path(digest)
        if digest not in self._kept or not path.exists() or _state_of(path) != self._kept[digest]:
            self.chunk(digest, str(epoch.directory))

    def _path(self, digest: str) -> Path:
        return self._chunks / digest[:2] / digest


def _state_of(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(fd):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(directory))
    finally:
        os.close(fd)
