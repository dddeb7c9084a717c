"""Identifiers, states and settings."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpool.matchmaker.api.values import MachineAd
from hpool.matchmaker.model.again import BadDuration
from hpool.matchmaker.model.attributes import MACHINE_ATTRIBUTES
from hpool.matchmaker.model.errors import BadJobId, BadSettings, BadSize
from hpool.matchmaker.model.ids import JobId
from hpool.matchmaker.model.settings import (
    Directories,
    load_settings,
    parse_duration,
    parse_rate,
    parse_size,
    settings_path,
)
from hpool.matchmaker.model.states import FINAL_STATES, LEGAL_MOVES, JobState, may_move


@given(st.integers(1, 10**17), st.integers(0, 10**8))
def test_a_job_id_reads_as_it_was_written(cluster: int, proc: int) -> None:
    assert JobId.parse(str(JobId(cluster, proc))) == JobId(cluster, proc)


@pytest.mark.parametrize("text", ["", "1", "1.", ".1", "0.1", "1.0.0", "-1.0", "1.00", "1.0 ", "１.0"])
def test_what_is_no_job_id_is_refused(text: str) -> None:
    with pytest.raises(BadJobId, match="not a job's name"):
        JobId.parse(text)


def test_every_state_has_a_row_and_final_ones_stay() -> None:
    assert set(LEGAL_MOVES) == set(JobState)
    assert {JobState.COMPLETED, JobState.FAILED, JobState.REMOVED} == FINAL_STATES
    assert not any(may_move(final, after) for final in FINAL_STATES for after in JobState)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("512", 512), ("1K", 1024), ("1.5m", 3 << 19), ("2GiB", 2 << 30), ("1TB", 1 << 40), ("0", 0)],
)
def test_sizes_are_read(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["", "G", "-1", "1X", "1e999", "nan"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(BadSize):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("1s", 1), ("1.5m", 90), ("2h", 7200), ("1d", 86400)]
)
def test_lengths_of_time_are_read(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "0", "-1", "0.5s", "1w", "1e999", "nan"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(BadDuration):
        parse_duration(text)


def test_nothing_configured_is_a_personal_pool(tmp_path: Path) -> None:
    settings = load_settings({"HOME": str(tmp_path)})
    assert settings.is_personal
    assert settings.key == "personal"


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    file = tmp_path / "pool.toml"
    file.write_text('[pool]\nmatchmaker = "a:1"\nidle_exit_s = 3\nslots = 2\n')
    settings = load_settings({"HPOOL_CONFIG": str(file), "HPOOL_POOL": "b:2"})
    assert (settings.matchmaker, settings.idle_exit_s, settings.slots) == ("b:2", 3.0, 2)
    assert settings.key == "b_2"
    assert settings.bandwidth == 0


def test_a_cap_on_the_link_is_a_size_a_second(tmp_path: Path) -> None:
    file = tmp_path / "pool.toml"
    file.write_text('[pool]\nbandwidth = "1.5MB/s"\n')
    assert load_settings({"HPOOL_CONFIG": str(file)}).bandwidth == 3 << 19
    assert load_settings({"HPOOL_CONFIG": str(file), "HPOOL_BANDWIDTH": "2K"}).bandwidth == 2048
    assert [parse_rate(text) for text in ("2MB/s", "0", "7")] == [2 << 20, 0, 7]


@pytest.mark.parametrize(
    "text",
    ["[pool", "[pool]\nmatchmaker = 3", "[pool]\nunknown = 1", "pool = 3"]
    + ['[pool]\nmatchmaker = "nonsense"', "[pool]\nslots = nan"],
)
def test_a_bad_file_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "pool.toml"
    file.write_text(text)
    with pytest.raises(BadSettings, match=r"pool\.toml"):
        load_settings({"HPOOL_CONFIG": str(file)})


@pytest.mark.parametrize(
    ("variable", "value"), [("HPOOL_POOL", "nonsense"), ("HPOOL_POOL", "host:"), ("HPOOL_SLOTS", "inf")]
)
def test_a_bad_variable_is_named(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(BadSettings, match=variable):
        load_settings({"HOME": str(tmp_path), variable: value})


def test_directories_follow_xdg_and_are_overridden_one_by_one() -> None:
    found = Directories.of_user({"HOME": "/h", "XDG_STATE_HOME": "/s", "HPOOL_CACHE_DIR": "/c"}, 1000)
    assert found == Directories(Path("/s/hpool"), Path("/c"), Path("/tmp/hpool-1000"))
    assert Directories.of_user({"HOME": "/root"}, 0).runtime == Path("/run/hpool")


def test_without_home_the_user_database_says_where_it_is() -> None:
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert Directories.of_user({}, os.getuid()).state == home / ".local/state/hpool"
    assert settings_path({"HOME": ""}) == home / ".config/hpool/pool.toml"
    assert Directories.of_user({}, 2_000_000_000).state == Path("/.local/state/hpool")


def test_the_lexicon_knows_the_fields_of_the_ad() -> None:
    assert {attribute.field for attribute in MACHINE_ATTRIBUTES} <= set(MachineAd._fields)
