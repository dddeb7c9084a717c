"""Errors of checkpoints, going back and beginning again: a part of the catalogue.

Owns: those. Leaves to others: all others (errors).
"""

from __future__ import annotations

from hpool.matchmaker.model.errors import HpoolError


class CannotRollBack(HpoolError):
    """What a job changed can be undone while its journal is there and nobody else changed the same files.

    `--force` undoes it although others have: what they wrote into the same places is lost.
    """

    code = "HOME-003"
    says = "job {job_id} cannot be rolled back: {why}"
    remedy = "See what is in the way above; `hpool rollback --force` if it is only others' changes."
    job_id: str
    why: str


class NoWayBack(HpoolError):
    """The journal of what a job changed is kept for a day if the job did not complete; of one that completed
    it is gone, and while it runs the job's own.
    """

    code = "HOME-004"
    says = "job {job_id} cannot be rolled back: {why}"
    remedy = "`hpool queue --history` says how it ended: what a job that completed has changed stays."
    job_id: str
    why: str


class InputLost(HpoolError):
    """The job had to begin again, and more of its input had been read from a pipe than hpool keeps (64 MiB).

    Its files are as they were before it began. An input that is a file is read again, whatever its size.
    """

    code = "RUN-010"
    says = "the job cannot begin again: more of its input was taken from a pipe than is kept"
    remedy = "Run it again, with its input from a file if it may have to begin again."


class CannotGoOn(HpoolError):
    """A job's image does not fit this machine: another kernel or processor, or what it needs is taken.

    The job is given to another machine; where none will do, an older image is tried, then it begins again.
    """

    code = "CKPT-005"
    says = "the job could not go on on {machine}: {why}"
    remedy = "Nothing: it goes on elsewhere, or from an older checkpoint."
    machine: str
    why: str


class NoCheckpoint(HpoolError):
    """A job is written down whole or not at all: what cannot travel is named, and the job goes on untouched.

    Sockets to others, devices, or a thread that waits for a lock stand in the way, for example.
    """

    code = "CKPT-004"
    says = "job {job_id}: {why}"
    remedy = "The job goes on. Ask again later, if what stands in the way is of the moment."
    job_id: str
    why: str


class BadDuration(HpoolError):
    """Times are a number of seconds, or one with s, m, h or d behind it."""

    code = "USE-010"
    says = "{text!r} is not a length of time"
    remedy = "Write for instance 90s, 10m or 2h."
    text: str


class NeitherJobNorMachine(HpoolError):
    """What is to be left is a job of yours, or a machine of the pool in use, by the name it has there."""

    code = "USE-011"
    says = "{text!r} is neither a job of yours nor a machine of the pool"
    remedy = "`hpool queue` lists your jobs, `hpool status` the machines."
    text: str


class NoSuchProcess(HpoolError):
    """`hpool dump` takes the number of a process as this machine counts, of any that belongs to the job."""

    code = "CKPT-006"
    says = "there is no process {pid}"
    remedy = "`ps` on the machine where the job runs shows its processes."
    pid: int


class NotAJobHere(HpoolError):
    """A job is found by its processes on the machine that runs it; who runs the sandbox there may dump it."""

    code = "CKPT-007"
    says = "{what} is no job that runs on this machine, or not one of a sandbox of yours: {why}"
    remedy = (
        "Name a process of an hpool job, or the job, on the machine where it runs, as who runs the sandbox."
    )
    what: str
    why: str


class CannotKeepImage(HpoolError):
    """Where an image goes there must be room for the job's memory, packed."""

    code = "CKPT-010"
    says = "the image cannot be kept in {path}: {why}"
    remedy = "Name a place with room: -o IMAGE."
    path: str
    why: str


class NoJobInImage(HpoolError):
    """What `hpool dump` writes can be gone on with alone; an image that a job's home keeps is gone on with
    by its home."""

    code = "CKPT-008"
    says = "the image {path} does not tell of its job"
    remedy = "Restore an image that `hpool dump` wrote."
    path: str


class CannotRestore(HpoolError):
    """An image is restored where the processor has the features the job may use, kernel and hpool are the
    same version, and the files it had mapped are what they were."""

    code = "CKPT-009"
    says = "the image {path} cannot be restored here: {why}"
    remedy = "Nothing was run. Restore it where it was made, with the files as they were."
    path: str
    why: str


class BadHours(HpoolError):
    """Hours are two times of the day, of 24 hours; they may lie on both sides of midnight."""

    code = "USE-012"
    says = "{text!r} are no hours"
    remedy = "Write for instance 18:00-08:00."
    text: str


class NoSandbox(HpoolError):
    """Only who started a sandbox is its owner for it. One in a directory of its own: `--directory`."""

    code = "USE-013"
    says = "no sandbox of yours runs on this machine"
    remedy = "`hpool sandbox` offers this machine to a pool; a personal pool has no owner but its user."
