"""As whom PostgreSQL runs when we are root, which it refuses to be."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mikrobot_platform.local.problem import Problem

# The mapped number must stand in /etc/passwd, or PostgreSQL "could not look up effective user ID"; nobody is 65534
# on every Linux that has one.
NOBODY = 65534


@dataclass(frozen=True, slots=True)
class Identity:
    """Say how to start a program so that it does not see itself as root."""

    prefix: Sequence[str] = ()
    user: tuple[int, int] | None = None

    def own(self, folder: Path) -> None:
        """Give FOLDER, which is ours, to the user that will write in it."""
        if self.user:
            os.chown(folder, *self.user)


def choose(binary: Path, data: Path) -> Identity:
    """Choose for BINARY and the folder DATA, which may exist and then belongs to whoever ran it last.

    An ordinary user needs nothing. Root goes into a user namespace, where it is called nobody: no new user, no opened
    folder, files stay root's. Where namespaces are forbidden, or the data already belongs to somebody else, the program
    really becomes that user, if that user can reach it; then others may pass through our data directory (0711), whose
    secrets stay closed, and through nothing else."""
    if os.geteuid() != 0:
        return Identity()
    owner = data.stat().st_uid if data.exists() else 0
    if owner == 0 and _namespaces_work():
        unshare = shutil.which("unshare") or "unshare"
        return Identity(prefix=(unshare, "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--"))
    user = _account(owner)
    if user:
        data.parent.chmod(data.parent.stat().st_mode | 0o011)
        if _reaches(user, binary, data):
            return Identity(user=user)
    raise Problem(
        "PostgreSQL refuses to run as root, user namespaces are not allowed here, "
        f"and the user {_name(user)} cannot reach {binary if user else 'anything, because it does not exist'}.",
        "Run the command as an ordinary user, or put the checkout and the data (--data DIR) below folders that every "
        "user may enter, or give an own server: DATABASE_URL.",
    )


def _namespaces_work() -> bool:
    try:
        pwd.getpwuid(NOBODY)
    except KeyError:
        return False
    if not shutil.which("unshare"):
        return False
    probe = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--", "true"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def _account(owner: int) -> tuple[int, int] | None:
    try:
        entry = pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")
    except KeyError:
        return None
    return entry.pw_uid, entry.pw_gid


def _name(user: tuple[int, int] | None) -> str:
    return pwd.getpwuid(user[0]).pw_name if user else "nobody"


def _reaches(user: tuple[int, int], binary: Path, data: Path) -> bool:
    """Try it: the binary must start, and the folder's parent must be enterable."""
    base = data if data.exists() else data.parent
    for command in ([str(binary), "--version"], ["test", "-x", str(base)]):
        try:
            done = subprocess.run(
                command, user=user[0], group=user[1], extra_groups=[], cwd="/", capture_output=True, check=False
            )
        except OSError:
            return False
        if done.returncode != 0:
            return False
    return True
