"""What a job's description means at the sandbox's end."""

from __future__ import annotations

from hpool.sandbox.starter.job import islands
from hpool.shadow.api.job import Sharing
from tests.shadow.test_store import description


def test_directories_of_home_below_local_places_are_islands() -> None:
    job = description()._replace(
        directory=b"/tmp/demo",
        program=b"/var/tmp/bin/p",
        sharing=(Sharing(b"/dev/shm/x", "rw"), Sharing(b"/tmp/secret", "hide"), Sharing(b"/home/me", "ro")),
    )
    assert islands(job) == [b"/dev/shm/x", b"/tmp/demo", b"/var/tmp/bin"]


def test_the_local_places_themselves_stay_local() -> None:
    assert islands(description()._replace(directory=b"/tmp", program=b"/tmp/p")) == []
    assert islands(description()._replace(directory=b"/tmpfiles", program=b"/bin/p")) == []
