"""What the keeper is told of a job: the submitter's wishes within the bounds of the machine's owner.

Owns: that translation. Leaves to others: the keeper's words (interpose_c), starting it (job).
"""

from __future__ import annotations

import os
from typing import Final, Literal

from hpool.interpose_c import keeper as jail
from hpool.matchmaker.model.errors import SandboxFailed
from hpool.sandbox.api.order import Order
from hpool.sandbox.starter.before import island_roots
from hpool.shadow.api.job import JobDescription

# A smaller job has all of it about as soon as it would have had the first page it needs.
LAZY_LEAST_BYTES: Final = 32 << 20


def spec_of(
    job: JobDescription, order: Order, image: tuple[int, int] | None, faults_fd: int
) -> jail.KeeperSpec:
    """`image`: descriptors of the image to go on from, meta and pages. `faults_fd`: /dev/userfaultfd, or -1.
    Raises SandboxFailed for what the machine's owner does not allow."""
    network: Literal["none", "host"] = "none"
    if job.network == "host":
        if not order.host_network:
            raise SandboxFailed(order.machine, "its owner allows no network to jobs (--allow-network)")
        network = "host"
    bounds = [bound for bound in (job.memory_bytes, order.memory_bytes) if bound]
    size = job.terminal
    return jail.KeeperSpec(
        exe=job.program,
        argv=job.arguments,
        environment=job.environment,
        cwd=job.directory,
        umask=job.umask,
        hostname=job.hostname.encode(),
        limits=[jail.Limit(limit.resource, limit.soft, limit.hard) for limit in job.limits],
        ignored_signals=job.ignored_signals,
        blocked_signals=job.blocked_signals,
        closed_streams=job.closed_streams,
        own_session=job.leads_session,
        network=network,
        terminal=None if size is None else jail.WindowSize(size.rows, size.columns),
        islands=island_roots(job),
        memory_bytes=min(bounds, default=None),
        max_processes=order.max_processes or None,
        intercept=_front(job.intercept),
        has_dispatch=os.environ.get("HPOOL_DISPATCH") != "none",
        cpu_level=int(job.cpu_level[-1:] or 0),
        restore=image,
        lazy=None if faults_fd < 0 or image is None or job.restore_eagerly else (faults_fd, LAZY_LEAST_BYTES),
    )


def _front(name: str) -> jail.Front:
    """An older submitter names none: it leaves the choice to us."""
    match name:
        case "shim" | "trace":
            return name
        case _:
            return "auto"
