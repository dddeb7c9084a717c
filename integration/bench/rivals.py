"""What else one does with work far from one's files: sshfs, and carrying them there and back.

Owns: a machine with every program installed (`far`) that reaches the submitter over a wire as slow as
hpool's; an ssh server of the submitter's; mounts; staging as one command. Leaves to others: what is run, what
it should have left.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Final, Self

from integration.bench.wire import SlowWire
from integration.rooms import Room, wait_until

FAR: Final = "far"
PORT: Final = 2222
TOOLS: Final = ("sshfs", "ssh", "fusermount3", "/usr/sbin/sshd")
DEFAULT: Final = ("-o", "reconnect")
TUNED: Final = (
    *("-o", "kernel_cache,max_conns=4,Ciphers=aes128-gcm@openssh.com"),
    *("-o", "entry_timeout=600,attr_timeout=600,negative_timeout=600"),
    *("-o", "dcache_timeout=600,dcache_stat_timeout=600,dcache_link_timeout=600,dcache_dir_timeout=600"),
)


def missing() -> list[str]:
    """Tools that are not installed here."""
    return [tool for tool in TOOLS if shutil.which(tool) is None]


class Far:
    """The other machine, as ssh and sshfs know it. Its commands run as root there: it may mount."""

    def __init__(
        self, home: Room, worker: Path, network: str, round_trip_ms: float, bytes_per_s: float
    ) -> None:
        self.home = home
        self.room = Room(FAR, uid=home.uid + 10000, bare=False)
        self.wire = SlowWire(home, self.room, network, round_trip_ms, device="eth1", bytes_per_s=bytes_per_s)
        self.work = f"{self.room.home}/work"
        place = self.room.outside(self.room.home)
        shutil.copy(worker, place / "worker")
        (place / "work").mkdir()
        self._serve()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._server.kill()
        self._server.communicate()
        self.room.close()
        self.wire.close()

    def _serve(self) -> None:
        """An sshd of the submitter's own, and a key for it."""
        here, there = self.home.outside(f"{self.home.home}/.ssh"), self.room.outside(self.room.home)
        here.mkdir(mode=0o700)
        for key in (here / "host", there / "key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        shutil.copy(there / "key.pub", here / "authorized_keys")
        words = [f"Port {PORT}", f"ListenAddress {self.wire.addresses[0]}", "StrictModes no", "UsePAM no"]
        directory = f"{self.home.home}/.ssh"
        words += [f"HostKey {directory}/host", f"AuthorizedKeysFile {directory}/authorized_keys"]
        words += [f"PidFile {directory}/pid", "Subsystem sftp internal-sftp"]
        (here / "config").write_text("\n".join(words) + "\n")
        for path in (here, *here.iterdir()):
            os.chown(path, self.home.uid, self.home.uid)
        self._server = self.home.popen(["/usr/sbin/sshd", "-D", "-e", "-f", f"{directory}/config"])
        self._ssh = ["-p", str(PORT), "-i", f"{self.room.home}/key"]
        for option in ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"):
            self._ssh += ["-o", option]
        self._address = f"{self.home.name}@{self.wire.addresses[0]}"

        def answers() -> bool:
            return self._start(["ssh", *self._ssh, self._address, "true"]).wait() == 0

        wait_until(answers, "the ssh server")

    def _start(self, argv: list[str], env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        return self.room.popen(argv, uid=0, cwd="/", env=env)

    def run(
        self, argv: list[str], env: dict[str, str], timeout_s: float
    ) -> tuple[int, bytes, bytes, float] | None:
        """In the working directory there: code, output, errors, seconds; None: it took longer than that."""
        inside = {name: value.replace("{here}", self.work) for name, value in env.items()}
        command = f"cd {self.work} && exec ../worker clock {shlex.join(argv)}"
        process = self._start(["/bin/sh", "-c", command], self.room.env() | inside)
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self._end(process)
            return None
        err, clock = clocked(err)
        return process.returncode, out, err, clock

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        os.killpg(process.pid, 9)
        process.communicate()

    # ---- sshfs ------------------------------------------------------------------

    def mount(self, options: tuple[str, ...]) -> None:
        words = shlex.join(["ssh", *self._ssh])
        source = f"{self._address}:{self.home.home}/work"
        argv = ["sshfs", *options, "-o", f"ssh_command={words}", "-o", "idmap=user", source, self.work]
        process = self._start(argv)
        _, err = process.communicate(timeout=60)
        if process.returncode != 0:
            raise RuntimeError(f"sshfs: {err.decode()}")

    def unmount(self) -> None:
        self.room.check("fusermount3", "-u", "-z", self.work)

    # ---- staging ----------------------------------------------------------------

    def stage(
        self, argv: list[str], env: dict[str, str], timeout_s: float
    ) -> tuple[int, bytes, bytes, float] | None:
        """In, run, and what is new back, on one ssh connection each way: what file transfer does."""
        inside = {name: value.replace("{here}", self.work) for name, value in env.items()}
        self.room.check("sh", "-c", f"rm -rf {self.work}; mkdir {self.work}")
        ssh, tar = shlex.join(["ssh", *self._ssh, self._address]), f"tar -C {self.home.home}/work"
        script = (
            f"cd {self.work} && {ssh} '{tar} -cf - .' | tar -xf - --no-same-owner\n"
            "touch -d '-0.05 sec' ../staged\n"
            f"{shlex.join(argv)}; code=$?\n"
            f"find . -type f -newer ../staged -print0 | tar -cf - --null -T - | {ssh} '{tar} -xf -'\n"
            "exit $code"
        )
        process = self._start(
            [f"{self.room.home}/worker", "clock", "/bin/sh", "-c", script], self.room.env() | inside
        )
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self._end(process)
            return None
        err, clock = clocked(err)
        self.room.check("sh", "-c", f"rm -rf {self.work}; mkdir {self.work}")
        return process.returncode, out, err, clock


def clocked(err: bytes) -> tuple[bytes, float]:
    """What `worker clock` said last is taken off."""
    rest, _, last = err.rstrip(b"\n").rpartition(b"\n")
    if not last.endswith(b" ns"):
        raise RuntimeError(f"no time in {err.decode()!r}")
    return rest + b"\n" if rest else b"", int(last.split()[0]) / 1e9
