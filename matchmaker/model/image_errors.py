"""The catalogue's part on images of jobs (CKPT).

Owns: what can be wrong with one, in words. Leaves to others: finding that out.
"""

from __future__ import annotations

from hpool.matchmaker.model.errors import HpoolError


class ImageDamaged(HpoolError):
    """A checkpoint's image is torn, truncated or altered: the one before it is used, if there is one."""

    code = "CKPT-001"
    says = "the image {path} is damaged: {why}"
    remedy = "`hpool image verify` names what is wrong; the epoch before it may be whole."
    path: str
    why: str


class ImageTooNew(HpoolError):
    """The checkpoint was written by a newer hpool than this one, or an older one."""

    code = "CKPT-002"
    says = "the image {path} has format {found}, this hpool reads format {known}"
    remedy = "Resume on a sandbox whose hpool reads that format."
    path: str
    found: object
    known: int


class NoImage(HpoolError):
    """There is no committed image at this place."""

    code = "CKPT-003"
    says = "there is no image at {path}"
    remedy = "Name a directory of images, or one of its epochs: DIRECTORY/epochs/NUMBER."
    path: str
