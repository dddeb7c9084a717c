"""The doctor: every probe answers, harms nothing, and has a way out where it complains."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from hpool.interpose_c import doctor
from hpool.interpose_c.doctor import Finding, Need


def test_every_finding_is_a_sentence_with_a_way_out() -> None:
    findings = doctor.examine()
    assert len({finding.name for finding in findings}) == len(findings)
    for finding in findings:
        assert finding.found
        assert finding.good or finding.fix, finding
    assert {finding.need for finding in findings} == set(Need)


def children() -> set[str]:
    return {
        pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()
    }


def test_looking_changes_nothing_here() -> None:
    others = children()
    before = {name: os.readlink(f"/proc/self/ns/{name}") for name in ("user", "mnt", "pid", "net")}
    status = Path("/proc/self/status").read_text().split("Cpus_allowed")[0].split("Pid:")[0]
    doctor.examine()
    assert {name: os.readlink(f"/proc/self/ns/{name}") for name in before} == before
    assert Path("/proc/self/status").read_text().startswith(status)
    assert children() <= others


def test_a_probe_that_dies_is_a_finding_too() -> None:
    def kill_itself() -> int:
        os.kill(os.getpid(), 9)
        return 0

    def raise_it() -> int:
        raise PermissionError(13, "no")

    assert doctor._tried("a", kill_itself, Need.TO_RUN, "fix") == Finding(
        "a", False, "killed by signal 9", Need.TO_RUN, "fix"
    )
    assert doctor._tried("b", raise_it, Need.TO_RUN, "fix").found == "Permission denied"


@pytest.mark.parametrize(
    ("name", "value", "needle"),
    [
        ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone = 1"),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "kernel.apparmor_restrict_unprivileged_userns = 0",
        ),
        ("user/max_user_namespaces", "0", "user.max_user_namespaces = 15000"),
        ("nothing", "", "CONFIG_USER_NS"),
    ],
)
def test_the_fix_names_the_setting_that_is_in_the_way(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, needle: str
) -> None:
    monkeypatch.setattr(doctor, "_read", {f"/proc/sys/{name}": value}.get)
    assert needle in doctor._user_namespace_fix()


@pytest.mark.parametrize("scope", ["0", "3"])
def test_ptrace_is_tried_and_not_only_looked_up(monkeypatch: pytest.MonkeyPatch, scope: str) -> None:
    """A container may refuse it whatever the setting says."""
    monkeypatch.setattr(doctor, "_read", {"/proc/sys/kernel/yama/ptrace_scope": scope}.get)
    monkeypatch.setattr(doctor, "_seize_a_child", lambda: errno.EPERM)
    for finding in (doctor.tracing(), doctor.yama()):
        assert (finding.good, finding.found) == (False, os.strerror(1) if scope == "0" else "ptrace_scope 3")


def test_a_child_can_be_seized_where_jobs_are_traced() -> None:
    assert doctor._in_child(doctor._seize_a_child) == 0
