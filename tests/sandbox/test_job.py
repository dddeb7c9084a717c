"""What a job's description means at the sandbox's end."""

from __future__ import annotations

import errno
from typing import Any
from unittest.mock import Mock

import pytest

from hpool.sandbox.starter import job as starter_job
from hpool.sandbox.starter.before import islands, sure_questions
from hpool.sandbox.starter.job import JobRun
from hpool.shadow.api import home
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


def test_what_libc_asks_for_a_locale_is_in_the_first_question() -> None:
    plain = sure_questions(description()._replace(environment=(b"LANG=C",)))
    assert b"locale" not in plain
    assert b"R /etc/selinux/config\n" in plain
    given = sure_questions(
        description()._replace(environment=(b"LANG=de_DE.UTF-8", b"LC_ALL=C.UTF-8"))
    ).splitlines()
    for line in (
        b"R /usr/lib/locale/locale-archive",
        b"D /usr/lib/locale/C.utf8",
        b"D /usr/lib/locale/C.utf8/LC_MESSAGES",
        b"B /usr/lib/locale/C.utf8/LC_CTYPE",
        b"R /usr/share/locale/C.UTF-8",
        b"R /usr/share/locale/C.utf8",
        b"R /usr/share/locale/C",
        b"C /etc/locale.alias",
        b"B /usr/lib/x86_64-linux-gnu/gconv/gconv-modules.cache",
    ):
        assert line in given
    assert not any(
        b".." in line
        for line in sure_questions(description()._replace(environment=(b"LANG=../../etc",))).splitlines()
    )


class Gone(BaseException):
    """The process would have ended."""


def test_lanes_that_end_as_home_releases_the_job_are_no_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(_code: int) -> None:
        raise Gone

    monkeypatch.setattr("os._exit", leave)
    monkeypatch.setattr(starter_job, "RELEASE_HEARD_WITHIN_S", 0.05)
    silent: Any = Mock(features=(), job=Mock(cpu_level=""))
    run = JobRun(silent, silent, silent, silent, -1, -1)
    with pytest.raises(Gone):
        run._lost("a broken link")
    run._is_told.set()
    with pytest.raises(Gone):
        run._lost("broken before home had the report")
    run._released.set()
    run._lost("the shadow ended it")


def test_home_that_lets_go_of_a_removed_job_is_waited_for_no_longer() -> None:
    silent: Any = Mock(features=(), job=Mock(cpu_level=""))
    engine, keeper = Mock(), Mock()
    run = JobRun(silent, silent, silent, engine, -1, -1)
    run._keeper = keeper
    run._obey(home.Release())
    keeper.kill.assert_called_once_with()
    engine.fail.assert_called_once_with(errno.EIO)


def test_home_that_lets_go_after_the_report_ends_nothing() -> None:
    silent: Any = Mock(features=(), job=Mock(cpu_level=""))
    engine = Mock()
    run = JobRun(silent, silent, silent, engine, -1, -1)
    run._is_told.set()
    run._obey(home.Release())
    engine.fail.assert_not_called()
