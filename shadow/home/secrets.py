"""What a job does not get unless its user says so: the list of secrets, and of files that start programs.

Owns: the lists, made of a home directory. Leaves to others: what hidden means (csrc/policy.c).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Final

# Hidden: below the home directory.
SECRETS_AT_HOME: Final = (
    # keys and sign-on
    ".ssh", ".gnupg", ".pki", ".password-store", ".netrc", "_netrc", ".authinfo", ".authinfo.gpg",
    ".pgpass", ".my.cnf", ".mylogin.cnf", ".git-credentials", ".config/git/credentials", ".Xauthority",
    ".ICEauthority", ".krb5", ".k5login", ".age", ".config/age", ".config/sops", ".vault-token",
    ".smbcredentials",
    # clouds and forges
    ".aws", ".azure", ".boto", ".s3cfg", ".oci", ".aliyun", ".config/gcloud", ".config/doctl",
    ".config/hcloud", ".config/rclone", ".rclone.conf", ".kube", ".docker/config.json",
    ".config/containers/auth.json", ".config/gh", ".config/hub", ".config/glab-cli",
    ".terraform.d/credentials.tfrc.json", ".terraformrc", ".databrickscfg", ".kaggle",
    ".cache/huggingface/token", ".huggingface", ".wandb",
    # package registries
    ".pypirc", ".npmrc", ".yarnrc.yml", ".cargo/credentials", ".cargo/credentials.toml",
    ".gem/credentials", ".m2/settings.xml", ".gradle/gradle.properties", ".nuget/NuGet/NuGet.Config",
    # keyrings, wallets, password managers
    ".local/share/keyrings", ".local/share/kwalletd", ".kde/share/apps/kwallet", ".config/keepassxc",
    ".config/Bitwarden", ".config/1Password", ".electrum", ".bitcoin", ".ethereum",
    # browsers and mail
    ".mozilla", ".thunderbird", ".config/google-chrome", ".config/chromium", ".config/BraveSoftware",
    ".config/microsoft-edge", ".config/vivaldi", ".config/opera", ".config/Signal", ".config/Slack",
    "snap/firefox", "snap/chromium", ".var/app/org.mozilla.firefox", ".var/app/com.google.Chrome",
    # what was typed
    ".bash_history", ".zsh_history", ".history", ".local/share/fish", ".python_history", ".psql_history",
    ".mysql_history", ".sqlite_history", ".node_repl_history", ".lesshst", ".viminfo",
    # our own
    ".config/hpool", ".local/state/hpool",
)  # fmt: skip

# Hidden on the whole machine; only a last component may be a pattern.
SECRETS_OF_MACHINE: Final = (
    "/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/security/opasswd",
    "/etc/sudoers*", "/etc/ssh/ssh_host_*_key", "/etc/ssl/private", "/etc/krb5.keytab",
    "/etc/letsencrypt", "/etc/wireguard", "/etc/NetworkManager/system-connections",
    "/etc/wpa_supplicant", "/etc/docker/key.json", "/run/secrets",
    "/run/credentials", "/run/hpool", "/var/lib/sss", "/var/lib/private", "/tmp/krb5cc_*", "/root/.ssh",
    # The job has a /proc of its own. This one would show the shadow's.
    "/proc",
)  # fmt: skip

# Read-only even where the home directory is shared for writing: what they say is run at the next
# login, outside of any sandbox.
GUARDED_AT_HOME: Final = (
    ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".profile", ".login",
    ".cshrc", ".tcshrc", ".kshrc", ".zshrc", ".zshenv", ".zprofile", ".zlogin", ".zlogout",
    ".config/fish", ".pam_environment", ".xprofile", ".xsession", ".xsessionrc", ".xinitrc", ".inputrc",
    ".gitconfig", ".config/git", ".config/autostart", ".config/systemd", ".config/environment.d",
    ".config/plasma-workspace", ".local/share/systemd", ".local/share/applications", ".local/bin", "bin",
    ".forward", ".procmailrc",
)  # fmt: skip


def homes_of(environment: Mapping[str, str], home_directory: str) -> tuple[str, ...]:
    """The user's home as the password file and as the environment have it."""
    homes = (home_directory, environment.get("HOME", ""))
    return tuple(
        dict.fromkeys(home.rstrip("/") for home in homes if home.startswith("/") and home.strip("/"))
    )


def secret_paths(environment: Mapping[str, str], home_directory: str, uid: int) -> list[str]:
    paths = list(SECRETS_OF_MACHINE)
    paths += _below(homes_of(environment, home_directory), SECRETS_AT_HOME)
    paths.append(f"/run/user/{uid}")
    paths.append(f"/tmp/hpool-{uid}")
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        paths += (
            [os.path.join(environment[name], "hpool")] if environment.get(name, "").startswith("/") else []
        )
    for name in ("HPOOL_STATE_DIR", "HPOOL_RUNTIME_DIR", "GNUPGHOME", "KRB5CCNAME", "XAUTHORITY"):
        paths.append(environment.get(name, "").removeprefix("FILE:"))
    return [path for path in dict.fromkeys(paths) if path.startswith("/") and path.strip("/")]


def guarded_paths(environment: Mapping[str, str], home_directory: str) -> list[str]:
    return _below(homes_of(environment, home_directory), GUARDED_AT_HOME)


def _below(homes: Iterable[str], names: Iterable[str]) -> list[str]:
    names = tuple(names)
    return [f"{home}/{name}" for home in homes for name in names]
