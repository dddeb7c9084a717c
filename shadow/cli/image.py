"""`hpool image show|verify|diff`: looks at images of jobs. Needs no pool, changes nothing.

Owns: which image is meant by a path. Leaves to others: reading and describing (interpose_c/image).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hpool.interpose_c.image.store import Epoch, Store


def find(path: Path) -> tuple[Store, Epoch]:
    """PATH is a store, then its newest whole epoch is meant; or STORE/epochs/NUMBER."""
    from hpool.interpose_c.image.store import Store

    path = path.resolve()
    if path.parent.name == "epochs" and re.fullmatch(r"\d+", path.name):
        store = Store(path.parent.parent)
        return store, store.epoch(int(path.name))
    store = Store(path)
    return store, store.newest()


@click.group()
def image() -> None:
    """Look at images of jobs. IMAGE is a directory of images, or one: DIRECTORY/epochs/NUMBER."""


@image.command()
@click.argument("path", metavar="IMAGE", type=click.Path(path_type=Path))
def show(path: Path) -> None:
    """Print what is in it."""
    from hpool.interpose_c.image import records, report

    _, epoch = find(path)
    for line in report.show(epoch, records.parse(epoch.meta(), str(path))):
        click.echo(line)


@image.command()
@click.argument("path", metavar="IMAGE", type=click.Path(path_type=Path))
def verify(path: Path) -> None:
    """Read every byte of it; say what is wrong, if anything."""
    store, epoch = find(path)
    parsed = store.verify(epoch)
    click.echo(f"epoch {epoch.number} is whole: {parsed.records} records, {len(epoch.blocks)} chunks")


@image.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
def diff(old: Path, new: Path) -> None:
    """Print what changed from OLD to NEW: processes, and memory by mapping."""
    from hpool.interpose_c.image import records, report

    (_, before), (_, after) = find(old), find(new)
    images = [records.parse(each.meta(), str(each.directory)) for each in (before, after)]
    for line in report.differences(before, images[0], after, images[1]):
        click.echo(line)
