"""What the job may see and change, and what its user is told."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hpool.matchmaker.model.errors import BadShare
from hpool.shadow.api.wire import Attr, EntryFlag, Flag, Op, Set
from hpool.shadow.home.policy import (
    Refusal,
    Rule,
    Share,
    parse_hide,
    parse_refusals,
    parse_share,
    policy_for,
)
from tests.shadow.home.conftest import in_child

if TYPE_CHECKING:
    from tests.shadow.home.conftest import Client, MakeClient

WORK = ("work", Share.RW)


@pytest.fixture
def client(make_client: MakeClient) -> Client:
    client = make_client(
        WORK,
        ("work/kept", Share.RO),
        ("secret", Share.HIDE),
        ("secret/public", Share.RO),
        ("work/.netrc", Share.HIDE),
        ("etc/*_key", Share.HIDE),
    )
    for name in ("work/kept", "secret/public", "secret/private", "etc", "work/directory"):
        (client.root / name).mkdir(parents=True)
    for name in (
        "secret/key",
        "secret/public/f",
        "etc/host_key",
        "etc/host",
        "work/kept/f",
        "work/f",
        "outside",
    ):
        (client.root / name).write_bytes(b"content of " + name.encode())
    return client


def test_a_hidden_directory_is_a_name_and_nothing_more(client: Client) -> None:
    (entry,) = [entry for entry in client.ask(Op.LIST, "").entries if entry.path == b"secret"]
    assert entry.attr.access == 0
    assert client.ask(Op.RESOLVE, "secret").entries[-1].attr.access == 0
    for op in (Op.LIST, Op.OPEN):
        assert client.error(op, "secret", handle=1) == errno.EACCES
    for name in ("secret/key", "secret/nothing", "secret/private/x", "work/../secret/key"):
        assert client.error(Op.RESOLVE, name) == errno.EACCES
        assert client.error(Op.OPEN, name, handle=1) == errno.EACCES
        assert client.error(Op.GETXATTR, name, b"user.x", length=9) == errno.EACCES
    assert client.refusals() == [f"read {client.root}/secret"]


def test_a_hidden_file_s_extended_attributes_disturb_no_listing(client: Client) -> None:
    assert client.ask(Op.LISTXATTR, "secret", length=99).data == b""
    assert client.error(Op.GETXATTR, "secret", b"system.posix_acl_access", length=99) == errno.ENODATA
    assert client.error(Op.GETXATTR, "secret", b"user.x", length=99) == errno.EACCES
    assert client.error(Op.REMOVEXATTR, "secret", b"user.x") == errno.EACCES


def test_what_is_shared_below_something_hidden_is_reached(client: Client) -> None:
    reply = client.ask(Op.RESOLVE, "secret/public/f", flags=Flag.CONTENT, length=99)
    assert reply.entries[-1].content == b"content of secret/public/f"
    assert client.error(Op.LIST, "secret/public") == 0
    assert client.error(Op.RESOLVE, "secret/public/../key") == errno.EACCES


def test_links_to_a_secret_do_not_reveal_it(client: Client) -> None:
    (client.root / "work/way").symlink_to("../secret")
    (client.root / "work/direct").symlink_to(client.root / "secret/key")
    for name in ("work/way/key", "work/direct"):
        assert client.error(Op.RESOLVE, name) == errno.EACCES
    # A symlink to the hidden directory itself: its name, no rights.
    assert client.ask(Op.RESOLVE, "work/way").entries[-1].attr.access == 0


def test_a_hard_link_to_a_secret_is_known_by_its_inode(make_client: MakeClient) -> None:
    client = make_client(("", Share.RW), ("token", Share.HIDE))
    (client.root / "token").write_bytes(b"secret")
    os.link(client.root / "token", client.root / "elsewhere")
    client = make_client(("", Share.RW), ("token", Share.HIDE))
    reply = client.ask(Op.RESOLVE, "elsewhere", flags=Flag.CONTENT, length=99)
    assert (reply.entries[-1].attr.access, reply.entries[-1].content) == (0, None)
    assert client.error(Op.OPEN, "elsewhere", handle=1) == errno.EACCES
    (entry,) = [
        entry
        for entry in client.ask(Op.LIST, "", flags=4, length=9, mode=99).entries
        if entry.path == b"elsewhere"
    ]
    assert (entry.attr.access, entry.content) == (0, None)


def test_patterns_hide_what_matches_now_and_later(client: Client) -> None:
    assert client.error(Op.OPEN, "etc/host_key", handle=1) == errno.EACCES
    (client.root / "etc/new_key").write_bytes(b"later")
    assert client.error(Op.OPEN, "etc/new_key", handle=1) == errno.EACCES
    assert client.error(Op.OPEN, "etc/host", handle=1) == 0


CHANGES: list[tuple[Op, Any, Any, dict[str, int]]] = [
    (Op.OPEN, "outside", b"", {"handle": 5, "arg": os.O_WRONLY}),
    (Op.OPEN, "outside", b"", {"handle": 5, "arg": os.O_RDONLY | os.O_TRUNC}),
    (Op.OPEN, "new", b"", {"handle": 5, "arg": os.O_RDWR | os.O_CREAT, "mode": 0o600}),
    (Op.OPEN, "work/kept/f", b"", {"handle": 5, "arg": os.O_RDWR}),
    (Op.OPEN, "work/.netrc", b"", {"handle": 5, "arg": os.O_RDWR | os.O_CREAT, "mode": 0o600}),
    (Op.TMPFILE, "work/kept", b"", {"handle": 5}),
    (Op.MKDIR, "new", b"", {}),
    (Op.MKDIR, "work/.netrc", b"", {}),
    (Op.SYMLINK, "work/.netrc", b"text", {}),
    (Op.MKNOD, "work/kept/p", b"", {"mode": stat.S_IFIFO}),
    (Op.UNLINK, "outside", b"", {}),
    (Op.UNLINK, "work/kept/f", b"", {}),
    (Op.RMDIR, "work/kept", b"", {}),
    (Op.RENAME, "outside", "work/stolen", {}),
    (Op.RENAME, "work/f", "new", {}),
    (Op.RENAME, "work/kept/f", "work/stolen", {}),
    (Op.RENAME, "work/kept", "work/free", {}),
    (Op.RENAME, "work", "free", {}),
    (Op.RENAME, "work/f", "work/kept/f", {}),
    (Op.RENAME, "work/f", "work/.netrc", {}),
    (Op.RENAME, "work/f", "outside", {"arg": 2}),
    (Op.LINK, "outside", "work/mine", {}),
    (Op.LINK, "secret/key", "work/mine", {}),
    (Op.LINK, "etc/host_key", "work/mine", {}),
    (Op.LINK, "work/f", "etc/f", {}),
    (Op.SETATTR, "outside", Attr(mode=0o777).pack(), {"mode": Set.MODE}),
    (Op.SETATTR, "work/kept", Attr(mode=0o777).pack(), {"mode": Set.MODE}),
    (Op.SETATTR, "outside", Attr(size=0).pack(), {"mode": Set.SIZE}),
    (Op.SETXATTR, "outside", b"user.x\0y", {}),
    (Op.REMOVEXATTR, "outside", b"user.x", {}),
]


def snapshot(root: Path) -> list[tuple[Any, ...]]:
    return [
        (path, status.st_mode, status.st_ino, status.st_nlink, status.st_mtime_ns, status.st_size)
        for path in sorted([root, *root.rglob("*")])
        for status in [path.lstat()]
    ]


@pytest.mark.parametrize(("op", "first", "second", "fields"), CHANGES)
def test_nothing_is_changed_outside(
    client: Client, op: Op, first: Any, second: Any, fields: dict[str, int]
) -> None:
    before = snapshot(client.root)
    assert client.error(op, first, second, **fields) == errno.EACCES
    assert snapshot(client.root) == before
    assert len(client.refusals()) == 1
    assert client.error(op, first, second, **fields) == errno.EACCES
    assert client.refusals() == []


def test_a_handle_opened_for_reading_changes_no_attributes(client: Client) -> None:
    handle = client.open("outside")
    for op, second in ((Op.SETATTR, Attr(mode=0o777).pack()), (Op.SETXATTR, b"user.x\0y")):
        assert client.error(op, b"", second, handle=handle, mode=Set.MODE) == errno.EACCES


@pytest.mark.parametrize(
    ("op", "first", "expected"),
    [
        (Op.MKDIR, "etc", errno.EEXIST),
        (Op.SYMLINK, "outside", errno.EEXIST),
        (Op.UNLINK, "nothing", errno.ENOENT),
        (Op.RMDIR, "nothing", errno.ENOENT),
    ],
)
def test_what_would_fail_anyway_says_why(client: Client, op: Op, first: str, expected: int) -> None:
    assert client.error(op, first, b"text" if op is Op.SYMLINK else b"") == expected
    assert client.refusals() == []


def test_a_refusal_names_what_the_flag_has_to_name(make_client: MakeClient) -> None:
    client = make_client(WORK, ("work/.bashrc", Share.RO))
    (client.root / "work").mkdir()
    for name in ("work/.bashrc", "elsewhere"):
        (client.root / name).touch()
        assert client.error(Op.OPEN, name, handle=1, arg=os.O_WRONLY) == errno.EACCES
        assert client.error(Op.SETATTR, name, Attr().pack(), mode=Set.MTIME_NOW) == errno.EACCES
        assert client.error(Op.UNLINK, name) == errno.EACCES
    assert client.refusals() == [f"write {client.root}/work/.bashrc", f"write {client.root}"]


def test_an_existing_file_may_be_opened_for_reading_with_creat(client: Client) -> None:
    client.open("outside", os.O_RDONLY | os.O_CREAT)


def test_access_is_what_the_job_would_get(client: Client) -> None:
    def access(name: str) -> int:
        return client.ask(Op.RESOLVE, name).entries[-1].attr.access

    assert access("outside") & os.W_OK == 0
    assert access("work/f") & os.W_OK
    assert access("work/kept/f") & os.W_OK == 0
    by_name = {entry.path: entry.attr.access for entry in client.ask(Op.LIST, "work").entries}
    assert by_name[b"f"] & os.W_OK and not by_name[b"kept"] & os.W_OK
    reply = client.ask(Op.MKDIR, "work/sub", mode=0o755)
    assert [bool(entry.attr.access & os.W_OK) for entry in reply.entries] == [True, True]


def test_inside_the_working_directory_everything_goes(client: Client) -> None:
    assert client.error(Op.RENAME, "work/f", "work/directory/f") == 0
    assert client.error(Op.RENAME, "work/directory", "work/moved") == 0
    assert client.error(Op.LINK, "work/moved/f", "work/again") == 0
    assert client.refusals() == []


def test_home_s_proc_is_never_shown(client: Client) -> None:
    for path in (b"/proc/self/environ", b"/proc/1", b"/proc/self/root/etc/passwd", b"/proc/self/fd/0"):
        assert client.error(Op.RESOLVE, path) == errno.EACCES
    assert client.error(Op.LIST, b"/proc") == errno.EACCES
    assert client.refusals() == []


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_access_of_an_ordinary_user_is_the_kernel_s(make_client: MakeClient, tmp_path: Path) -> None:
    client = make_client()
    (tmp_path / "home").chmod(0o777)
    for mode in (0, 0o400, 0o040, 0o004, 0o755, 0o666, 0o700, 0o070, 0o007):
        for owner in (0, 4321):
            for kind in ("f", "d"):
                path = client.root / f"{kind}{mode:o}-{owner}"
                path.mkdir() if kind == "d" else path.touch()
                os.chown(path, owner, 0)
                path.chmod(mode)
    for parent in [tmp_path, *tmp_path.parents]:
        if parent.stat().st_uid == 0 and not parent.stat().st_mode & 1:
            parent.chmod(parent.stat().st_mode | 0o011)

    def check() -> None:
        own = make_client()
        entries = own.ask(Op.LIST, "").entries
        assert len(entries) == 37
        for entry in entries[1:]:
            wanted = sum(bit for bit in (1, 2, 4) if os.access(own.path(entry.path), bit, effective_ids=True))
            assert entry.attr.access == wanted, entry.path
            resolved = own.ask(Op.RESOLVE, own.path(entry.path)).entries[-1]
            assert (resolved.flags, resolved.attr.access) == (EntryFlag(0), wanted), entry.path
        assert own.error(Op.OPEN, "f0-4321", handle=1) == errno.EACCES
        assert own.refusals() == []

    in_child(check, uid=4321)


def test_options_are_read_as_written(tmp_path: Path) -> None:
    here = os.fspath(tmp_path)
    assert parse_share("data", here) == (f"{here}/data", "ro")
    assert parse_share("/a/../b:rw", here) == ("/b", "rw")
    assert parse_share("/a:ro", here) == ("/a", "ro")
    (tmp_path / "odd:x").mkdir()
    assert parse_share("odd:x", here) == (f"{here}/odd:x", "ro")
    assert parse_hide("sub/*.pem", here) == (f"{here}/sub/*.pem", "hide")
    for text in ("/a:wr", "", ":rw"):
        with pytest.raises(BadShare):
            parse_share(text, here)


def test_the_default_hides_secrets_and_shares_the_working_directory(tmp_path: Path) -> None:
    home = tmp_path.resolve()
    (home / "keys").mkdir()
    (home / ".ssh").symlink_to("keys")
    work = home / "work"
    work.mkdir()

    def rules(*sharing: tuple[str, str]) -> dict[bytes, Share]:
        given = [(os.fsencode(home / path), mode) for path, mode in sharing]
        policy = policy_for(os.fsencode(work), given, {"HOME": os.fspath(home)}, "/nonexistent", 1000)
        assert policy.fallback is Share.RO
        return {rule.path: rule.share for rule in policy.rules}

    plain = rules()
    assert plain[os.fsencode(work)] is Share.RW
    for name in (".ssh", "keys", ".gnupg", ".config/hpool"):
        assert plain[os.fsencode(home / name)] is Share.HIDE
    assert plain[b"/etc/shadow"] is Share.HIDE
    assert plain[os.fsencode(home / ".bashrc")] is Share.RO
    # The user's word is the last one, and lifts a secret by whatever name.
    lifted = rules((".ssh", "ro"), ("keys", "ro"))
    assert lifted[os.fsencode(home / "keys")] is Share.RO
    assert rules((".bashrc", "rw"))[os.fsencode(home / ".bashrc")] is Share.RW


def test_the_root_as_working_directory_shares_nothing_for_writing() -> None:
    policy = policy_for(b"/", [], {}, "/nonexistent", 1000)
    assert Rule(b"/", Share.RW) not in policy.rules


def test_refusals_name_the_flag() -> None:
    found = parse_refusals(b"write\t/usr/lib\nread\t/a\\011b c\n")
    assert found == [Refusal("write", "/usr/lib"), Refusal("read", "/a\tb c")]
    assert found[0].sentence == "the job may not change anything in /usr/lib; --share /usr/lib:rw allows it"
    assert found[1].flag == "--share '/a\tb c':ro"


def test_only_what_may_be_written_is_foreseeable_with_its_content_too(make_client: MakeClient) -> None:
    client = make_client(("work", Share.RW))
    for name in ("work/mine", "kept"):
        (client.root / name).parent.mkdir(exist_ok=True)
        (client.root / name).write_bytes(b"content")
    for flags in (Flag(0), Flag.CONTENT):
        sure = {
            name: client.ask(Op.RESOLVE, name, flags=flags, length=1000).entries[-1].attr.sure != 0
            for name in ("work/mine", "kept")
        }
        assert sure == {"work/mine": True, "kept": False}, flags
    whole = client.ask(Op.RESOLVE, "kept", flags=Flag.CONTENT, length=1000).entries[-1]
    assert whole.content == b"content"
    for entry in client.ask(Op.LIST, "", flags=Flag.CONTENT, length=1000).entries:
        assert not entry.attr.sure or stat.S_ISDIR(entry.attr.mode)
