"""Where hpool keeps its things, and what a user configured.

Owns: directories (XDG, overridden by HPOOL_*_DIR) and pool.toml. Leaves to others: creating files there.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hpool.matchmaker.model.again import BadDuration
from hpool.matchmaker.model.errors import BadSettings, BadSize

DEFAULT_IDLE_EXIT_S: Final = 600.0
ADVERTISE_PERIOD_S: Final = 5.0
DEFAULT_LEASE_S: Final = 60.0
"""How long a job and its home wait for each other when the connection between them is broken."""

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parse_size(text: str) -> int:
    """Reads "512", "500M", "2GiB"; raises BadSize."""
    number = text.strip().upper().removesuffix("IB").removesuffix("B")
    unit = number[-1:] if number[-1:] in _UNITS else ""
    try:
        size_bytes = int(float(number.removesuffix(unit)) * _UNITS[unit])
    except (ValueError, OverflowError):
        raise BadSize(text) from None
    if size_bytes < 0:
        raise BadSize(text)
    return size_bytes


def parse_rate(text: str) -> int:
    """Bytes a second of "2MB/s" or "2M"; "0" is no cap. Raises BadSize."""
    return parse_size(text.strip().removesuffix("/s"))


def parse_duration(text: str) -> int:
    """Whole seconds, at least one, of "90", "90s", "10m", "2h", "1d". Raises BadDuration."""
    number = text.strip().lower()
    unit = number[-1:] if number[-1:] in _SECONDS else ""
    try:
        seconds = float(number.removesuffix(unit)) * _SECONDS.get(unit, 1)
    except ValueError:
        raise BadDuration(text) from None
    if not 1 <= seconds < 2**31:
        raise BadDuration(text)
    return int(seconds)


def home_directory(environ: Mapping[str, str], uid: int) -> Path:
    """By $HOME, or where there is none, as in some jobs of cron, by the user database."""
    if environ.get("HOME"):
        return Path(environ["HOME"])
    import pwd

    try:
        return Path(pwd.getpwuid(uid).pw_dir)
    except KeyError:
        return Path("/")


@dataclass(frozen=True, slots=True)
class Directories:
    """The three places of one user. `runtime` is private (0700) and does not survive a reboot."""

    state: Path
    cache: Path
    runtime: Path

    @classmethod
    def of_user(cls, environ: Mapping[str, str], uid: int) -> Directories:
        """What the environment says; XDG's defaults below the home directory otherwise."""
        home = home_directory(environ, uid)
        state = Path(environ.get("XDG_STATE_HOME") or home / ".local/state") / "hpool"
        cache = Path(environ.get("XDG_CACHE_HOME") or home / ".cache") / "hpool"
        if environ.get("XDG_RUNTIME_DIR"):
            runtime = Path(environ["XDG_RUNTIME_DIR"]) / "hpool"
        elif uid == 0:
            runtime = Path("/run/hpool")
        else:
            runtime = Path(f"/tmp/hpool-{uid}")
        return cls(
            state=Path(environ.get("HPOOL_STATE_DIR") or state),
            cache=Path(environ.get("HPOOL_CACHE_DIR") or cache),
            runtime=Path(environ.get("HPOOL_RUNTIME_DIR") or runtime),
        )


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """What pool.toml and HPOOL_* say about the pool to use. No matchmaker: a personal pool."""

    matchmaker: str | None = None
    token_file: Path | None = None
    agent_listen: str = "127.0.0.1:0"
    advertise_host: str | None = None
    idle_exit_s: float = DEFAULT_IDLE_EXIT_S
    slots: int | None = None
    lease_s: float = DEFAULT_LEASE_S
    bandwidth: int = 0
    """Bytes a second of the link that a job may use in each direction; 0: no cap."""

    @property
    def is_personal(self) -> bool:
        return self.matchmaker is None

    @property
    def key(self) -> str:
        """Name of the pool's place in the runtime and state directories."""
        if self.matchmaker is None:
            return "personal"
        return "".join(sign if sign.isalnum() or sign in ".-" else "_" for sign in self.matchmaker)


def settings_path(environ: Mapping[str, str]) -> Path:
    """Where pool.toml is, whether it exists or not."""
    if environ.get("HPOOL_CONFIG"):
        return Path(environ["HPOOL_CONFIG"])
    base = environ.get("XDG_CONFIG_HOME") or home_directory(environ, os.getuid()) / ".config"
    return Path(base) / "hpool/pool.toml"


def load_settings(environ: Mapping[str, str]) -> PoolSettings:
    """Reads pool.toml and the environment; raises BadSettings."""
    path = settings_path(environ)
    table: object = {}
    if path.exists():
        # Imported here: most commands find no file, and it costs them 5 ms.
        import tomllib

        try:
            table = tomllib.loads(path.read_text()).get("pool", {})
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise BadSettings(str(path), str(error)) from error
    if not isinstance(table, dict):
        raise BadSettings(str(path), "[pool] is not a table")
    known = {
        *("matchmaker", "token_file", "agent_listen", "advertise_host"),
        *("idle_exit_s", "slots", "lease_s", "bandwidth"),
    }
    if unknown := sorted(set(table) - known):
        raise BadSettings(str(path), f"[pool] has no setting {', '.join(unknown)}")
    return _settings(table, environ, str(path))


def _settings(table: Mapping[str, object], environ: Mapping[str, str], where: str) -> PoolSettings:
    def origin(variable: str) -> str:
        """What the user has to correct."""
        return variable if environ.get(variable) else where

    def text(name: str, variable: str) -> str | None:
        value = environ.get(variable) or table.get(name)
        if value is not None and not isinstance(value, str):
            raise BadSettings(where, f"{name} must be a string")
        return value

    def number(name: str, variable: str) -> float | None:
        value = environ.get(variable) or table.get(name)
        try:
            found = None if value is None else float(str(value))
        except ValueError:
            found = math.nan
        if found is not None and not math.isfinite(found):
            raise BadSettings(origin(variable), f"{name} must be a number")
        return found

    token_file = text("token_file", "HPOOL_TOKEN_FILE")
    idle_exit_s = number("idle_exit_s", "HPOOL_IDLE_EXIT_S")
    slots = number("slots", "HPOOL_SLOTS")
    lease_s = number("lease_s", "HPOOL_LEASE_S")
    bandwidth = text("bandwidth", "HPOOL_BANDWIDTH")
    matchmaker = text("matchmaker", "HPOOL_POOL")
    host, _, port = ("host:0" if matchmaker is None else matchmaker).rpartition(":")
    if not host or not port.isdigit():
        origin_of_pool = "--pool or HPOOL_POOL" if environ.get("HPOOL_POOL") else where
        raise BadSettings(origin_of_pool, f"matchmaker {matchmaker!r} is not HOST:PORT")
    return PoolSettings(
        matchmaker=matchmaker,
        token_file=Path(token_file).expanduser() if token_file else None,
        agent_listen=text("agent_listen", "HPOOL_AGENT_LISTEN") or "127.0.0.1:0",
        advertise_host=text("advertise_host", "HPOOL_ADVERTISE_HOST"),
        idle_exit_s=DEFAULT_IDLE_EXIT_S if idle_exit_s is None else idle_exit_s,
        slots=None if slots is None else max(1, int(slots)),
        lease_s=DEFAULT_LEASE_S if lease_s is None else max(1.0, lease_s),
        bandwidth=parse_rate(bandwidth) if bandwidth else 0,
    )
