"""What can be told of an image, line by line.

Owns: the words. Leaves to others: reading (records.py, store.py) and printing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime

from hpool.interpose_c.image.chunks import BLOCK
from hpool.interpose_c.image.records import Image, Mapping, Process, Run
from hpool.interpose_c.image.store import Epoch


def _size(count: int) -> str:
    value = float(count)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def show(epoch: Epoch, image: Image) -> Iterator[str]:
    job = image.job
    when = datetime.fromtimestamp(job.realtime_ns / 1e9, UTC).isoformat(" ", "seconds")
    yield f"epoch {epoch.number}, {when}, kernel {job.kernel}, host {job.hostname}"
    yield f"content: {_size(sum(run.length for run in image.runs))} in {len(epoch.blocks)} chunks"
    children: dict[int, list[Process]] = defaultdict(list)
    for process in image.processes:
        children[process.ppid].append(process)
    for process in children[1]:
        yield from _tree(image, process, children, 0)
    if image.names:
        yield f"scratch: {len(image.names)} names"


def _tree(image: Image, process: Process, children: dict[int, list[Process]], depth: int) -> Iterator[str]:
    threads = [thread for thread in image.threads if thread.pid == process.pid]
    indent = "  " * depth
    name = threads[0].name if threads else "(ended)"
    memory = sum(run.length for run in image.runs if run.object == 0 and run.pid == process.pid)
    mappings = sum(mapping.pid == process.pid for mapping in image.mappings)
    files = Counter(
        image.files[fd.file].kind
        for fd in image.descriptors
        if fd.pid == process.pid and fd.file in image.files
    )
    yield (
        f"{indent}{process.pid} {name}: {process.state}, {len(threads)} threads, "
        f"{_size(memory)} in {mappings} mappings, group {process.pgid}, session {process.sid}"
    )
    if files:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(files.items()))
        yield f"{indent}    directory {process.cwd}; descriptors: {kinds}"
    for child in children[process.pid]:
        yield from _tree(image, child, children, depth + 1)


def differences(old: Epoch, old_image: Image, new: Epoch, new_image: Image) -> Iterator[str]:
    """What became of processes and memory between two images of a job."""
    before = {process.pid for process in old_image.processes}
    after = {process.pid for process in new_image.processes}
    for pid in sorted(before - after):
        yield f"process {pid} has ended"
    for pid in sorted(after - before):
        yield f"process {pid} is new"
    there = set(old.blocks.values())
    fresh = {index for index, digest in new.blocks.items() if digest not in there}
    yield f"chunks: {len(new.blocks)}, of which {len(fresh)} ({_size(len(fresh) * BLOCK)}) are new"
    changed: Counter[str] = Counter()
    runs: dict[int, list[Run]] = defaultdict(list)
    for run in new_image.runs:
        if run.object == 0:
            runs[run.pid].append(run)
    for mapping in new_image.mappings:
        count = len(fresh & {block for run in runs[mapping.pid] for block in _blocks(run, mapping)})
        if count:
            thing = new_image.objects.get(mapping.object)
            what = thing.path if thing else mapping.name or "anonymous"
            changed[f"process {mapping.pid} {mapping.start:x}-{mapping.end:x} {what}"] += count
    for what, count in changed.most_common():
        yield f"  {what}: {_size(count * BLOCK)} new"


def _blocks(run: Run, mapping: Mapping) -> range:
    """Where the run's content is, if it is of that mapping: which may have its own in many places."""
    if not mapping.start <= run.at < mapping.end:
        return range(0)
    return range(run.pages // BLOCK, -(-(run.pages + run.length) // BLOCK))
