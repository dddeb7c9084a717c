"""The commands, as far as they need no pool."""

from __future__ import annotations

import json
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from hpool.matchmaker.model.errors import CATALOGUE, BadShare, HpoolError
from hpool.matchmaker.model.inheriting import NotInherited
from hpool.shadow.api.job import Sharing, Statistics
from hpool.shadow.cli.describe import describe, parse_sharing, same_output
from hpool.shadow.cli.inspect import report
from hpool.shadow.cli.main import COMMANDS, hpool
from hpool.shadow.cli.render import bytes_text, duration_text, table
from hpool.shadow.cli.replay import Input
from hpool.shadow.cli.run import protection_text, say, summary


def call(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(hpool, arguments)
    if isinstance(result.exception, HpoolError):
        raise result.exception
    return result.exit_code, result.output


def test_every_command_is_there_and_has_help() -> None:
    code, text = call("--help")
    assert code == 0
    assert all(name in text for name in COMMANDS)
    for name in set(COMMANDS) - {"agent", "matchmaker", "sandbox"}:
        code, text = call(name, "--help")
        assert (code, "Usage:" in text) == (0, True), name


def test_options_end_at_the_program() -> None:
    run = hpool.get_command(click.Context(hpool), "run")
    assert run is not None
    for words in (["ls", "--stats", "-t"], ["--", "ls", "--stats", "-t"], ["-q", "ls", "--stats", "-t"]):
        context = run.make_context("run", list(words))
        assert context.params["command"] == ("ls", "--stats", "-t")
        assert context.params["stats"] is False


def test_explain_knows_the_catalogue() -> None:
    assert len(call("explain")[1].splitlines()) == len(CATALOGUE)
    code, text = call("explain", "run-001")
    assert (code, "Exit code of hpool run: 127" in text) == (0, True)
    with pytest.raises(HpoolError, match="no error has the code"):
        call("explain", "NO-999")


def test_the_table_of_calls_is_printed_in_both_shapes() -> None:
    rows = json.loads(call("syscalls", "--json")[1])
    assert len(call("syscalls")[1].splitlines()) == len(rows) + 1
    refused = json.loads(call("syscalls", "--json", "--route", "refuse")[1])
    assert 0 < len(refused) < len(rows)


def test_the_doctor_examines() -> None:
    code, text = call("doctor", "--json")
    assert code in {0, 1}
    assert {"name", "good", "found", "need", "fix"} <= set(json.loads(text)[0])


def test_a_job_is_described_as_a_process_inherits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STRANGE", "a\udcffb=c")
    job = describe(["sh", "-c", "\udcfe"])
    assert os.path.basename(job.program) == b"sh"
    assert job.arguments == (b"sh", b"-c", b"\xfe")
    assert b"STRANGE=a\xffb=c" in job.environment
    assert job.directory == os.fsencode(tmp_path.resolve())
    mask = os.umask(0o77)
    os.umask(mask)
    assert job.umask == mask
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert {limit.resource: limit.soft for limit in job.limits}[resource.RLIMIT_NOFILE] == soft
    assert job.terminal is None
    assert signal.SIGPIPE not in job.ignored_signals


def test_a_job_inherits_what_nohup_leaves_behind(restored_signals: None) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGUSR2, 40})
    job = describe(["sh"])
    assert signal.SIGHUP in job.ignored_signals
    assert signal.SIGUSR1 not in job.ignored_signals
    assert job.blocked_signals == (signal.SIGUSR2, 40)


def test_a_descriptor_of_the_shell_is_not_promised_to_a_job(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        name = f"/dev/fd/{file.fileno()}"
        with pytest.raises(NotInherited, match=name):
            describe(["cat", name])
    assert describe(["cat", name]).arguments == (b"cat", os.fsencode(name))


@pytest.fixture
def restored_signals() -> Iterator[None]:
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    handlers = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGUSR1)}
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_shares_and_hides_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d").mkdir()
    here = os.fsencode(tmp_path)
    assert parse_sharing(["d", "d:rw"], ["secret"]) == (
        Sharing(here + b"/d", "ro"),
        Sharing(here + b"/d", "rw"),
        Sharing(here + b"/secret", "hide"),
    )
    for bad in ("", ":rw", "missing", "missing:rw"):
        with pytest.raises(BadShare, match="--share"):
            parse_sharing([bad], [])
    with pytest.raises(BadShare, match="--hide"):
        parse_sharing([], [""])


def test_one_file_on_two_descriptors_is_one_output(tmp_path: Path) -> None:
    with (tmp_path / "a").open("w") as one, (tmp_path / "b").open("w") as other:
        assert same_output(one.fileno(), one.fileno())
        assert not same_output(one.fileno(), other.fileno())
    assert not same_output(-1, 0)


def test_a_file_is_left_where_the_job_had_read_to(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(bytes(100))
    with (tmp_path / "in").open("rb", buffering=0) as file:
        file.read(10)
        stdin = Input(file.fileno(), lambda message: None)
        file.read()
        stdin.leave_at(5)
        assert file.tell() == 15
    read_fd, write_fd = os.pipe()
    Input(read_fd, lambda message: None).leave_at(5)  # a pipe cannot be left anywhere: no harm
    os.close(read_fd)
    os.close(write_fd)


def test_inspect_follows_a_script_to_its_interpreter(tmp_path: Path) -> None:
    script = tmp_path / "s"
    script.write_text("#!/usr/bin/env sh\n")
    script.chmod(0o4755)
    lines = list(report(str(script)))
    assert any("set-uid" in line for line in lines)
    assert any("env would find sh as" in line for line in lines)
    assert any("ELF, x86-64, dynamic" in line for line in lines)


def test_inspect_counts_scripts_as_the_kernel_does(tmp_path: Path) -> None:
    before = "/bin/sh"
    for number in range(6):
        script = tmp_path / str(number)
        script.write_text(f"#!{before}\n")
        script.chmod(0o755)
        before = str(script)
    assert any("in process" in line for line in report(str(tmp_path / "4")))
    assert any("ELOOP" in line for line in report(str(tmp_path / "5")))


def test_lines_from_another_machine_cannot_speak_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say("evil \x1b]0;title\x07 text\nsecond")
    assert capsys.readouterr().err == "hpool: evil ?]0;title? text?second\n"


def test_the_line_of_stats_has_its_units() -> None:
    counted = Statistics(
        1_500_000, 250_000, 3 << 20, 4, 5, 6, 7, 8_000_000, 2_000_000_000, 250_000_000, 10**8
    )._replace(bytes_in=70_000, bytes_out=80)
    line = summary(counted, "m")
    assert line.startswith(
        "2.000 s on m, 0.250 s before it, 0.100 s after it: cpu 1.500 s user, 0.250 s system;"
    )
    assert "; peak memory 3.0 MiB; 4 faults; 5 round trips; 70000 bytes to the job, 80 bytes home; " in line
    assert protection_text(("seccomp=yes", "landlock=no:old kernel", "memory=no:not-asked")) == (
        "held by seccomp; without landlock: old kernel"
    )


def test_tables_are_plain_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    table(("a", "long"), [("xx", "y"), ("", "zz")])
    assert capsys.readouterr().out == "a   long\nxx  y\n    zz\n"
    assert [bytes_text(count) for count in (0, 1536, 5 << 40)] == ["0 bytes", "1.5 KiB", "5.0 TiB"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0 s"), (35.4, "35 s"), (119, "119 s"), (600, "10 min"), (9000, "2.5 h")]
)
def test_lengths_of_time_are_told_in_words(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text
