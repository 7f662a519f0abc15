"""Bytes off a disk and onto it, below one folder, without being in anybody's way.

Whoever writes these files may be a customer's terminal on a share. So a path is walked folder by folder and no link is
followed: one could lead to the server's secrets, or to the file of another customer, and be put there while we look. A
file is open for the time of a read and no longer: on a share the EA's own opening fails meanwhile, in silence.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from django.conf import settings

from mikrobot_platform.kernel.decisions import Code, Refusal, Unreadable, refusal, unreadable
from mikrobot_platform.kernel.strict_json import MAX_KEPT

# A share answers with one of these while the other side has the file open for itself.
_HELD = frozenset({errno.EACCES, errno.EPERM, errno.EBUSY, errno.EAGAIN, errno.ETXTBSY})
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe in its place must not hold us up
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
READABLE_BY_ALL = 0o644  # the terminal is somebody else


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What a file held at one instant. Of one that is too large there is a little more than may be read."""

    changed_ns: int
    size: int
    sha256: bytes  # of `body`
    body: bytes

    @property
    def marks(self) -> tuple[int, int, bytes]:
        """Return what tells this version from every other."""
        return self.changed_ns, self.size, self.sha256

    def continues(self, earlier: Version) -> bool:
        """Tell whether an earlier text may have been the beginning of this one."""
        return self.body.startswith(earlier.body.rstrip(b"\0"))


def clean(path: str) -> str:
    """Write a path as it is kept, or raise Unreadable: relative, no way up, no link where it leads now."""
    parts = PurePosixPath(path).parts
    if not parts or "\0" in path or "\\" in path or path.startswith("/") or ".." in parts:
        raise unreadable(Code.FILE_OUTSIDE, path=path)
    kept = "/".join(parts)
    found = read(kept, limit=0)
    if isinstance(found, Refusal) and found.code == Code.FILE_OUTSIDE:
        raise Unreadable(found)
    return kept


def make_folder(path: str) -> None:
    """Make the folder in which a path ends, for the operator who has just named it."""
    (home() / path).parent.mkdir(parents=True, exist_ok=True)


def home() -> Path:
    """Return the folder for signal files; that it may itself be a link is the operator's business."""
    return Path(os.path.realpath(settings.SIGNAL_FILES_DIR))


def is_plain(folder: Path) -> bool:
    """Tell whether the way to a folder leads through no link."""
    return os.path.realpath(folder) == str(folder)


def glance(path: str) -> tuple[int, int, int] | None:
    """Tell how a file looks from outside, without opening it; None when there is nothing to see."""
    try:
        with _folder_of(path) as (folder, name):
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except (OSError, Unreadable):
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def read(path: str, *, limit: int = MAX_KEPT) -> Version | Refusal:
    """Take what a file holds, if it was at rest for as long as that took; else say what is wrong. Changes nothing."""
    try:
        with _folder_of(path) as (folder, name):
            descriptor = os.open(name, _READ, dir_fd=folder)
            try:
                return _read(descriptor, path, limit)
            finally:
                os.close(descriptor)
    except Unreadable as found:
        return found.reason
    except FileNotFoundError:
        return refusal(Code.FILE_MISSING, path=path)
    except OSError as error:
        return _refused(error, path)


def _read(descriptor: int, path: str, limit: int) -> Version:
    """Read twice between two looks at size and time: clocks of file systems stand still for up to some milliseconds."""
    before = os.fstat(descriptor)
    if not stat.S_ISREG(before.st_mode):
        raise unreadable(Code.FILE_UNREADABLE, path=path, problem="it is not a file")
    body, again = (os.pread(descriptor, limit, 0) for _ in range(2))
    after = os.fstat(descriptor)
    is_same = (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size) and body == again
    if not is_same or len(body) != min(before.st_size, limit):
        raise unreadable(Code.FILE_RESTLESS, path=path)
    return Version(changed_ns=before.st_mtime_ns, size=before.st_size, sha256=hashlib.sha256(body).digest(), body=body)


def write(path: str, body: bytes) -> Refusal | None:
    """Put a file there, whole at once and on the disk: whoever reads it sees the old one or the new one, no mixture."""
    try:
        with _folder_of(path) as (folder, name):
            temporary = f".{name}.{os.getpid()}-{threading.get_ident()}"
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
            descriptor = os.open(temporary, _WRITE, READABLE_BY_ALL, dir_fd=folder)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(body)
                    file.flush()
                    os.fsync(file.fileno())
                os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            except OSError:
                os.unlink(temporary, dir_fd=folder)
                raise
            os.fsync(folder)
    except Unreadable as found:
        return found.reason
    except OSError as error:
        return refusal(Code.FILE_ANSWER_UNWRITTEN, path=path, problem=_told(error))
    return None


@contextmanager
def _folder_of(path: str) -> Iterator[tuple[int, str]]:
    """Hold the folder open in which a path ends, and name what lies in it."""
    *folders, name = PurePosixPath(path).parts
    folder = _opened(str(home()), path)
    try:
        for part in folders:
            inner = _opened(part, path, inside=folder)
            os.close(folder)
            folder = inner
        yield folder, name
    finally:
        os.close(folder)


def _opened(part: str, path: str, *, inside: int | None = None) -> int:
    try:
        return os.open(part, _FOLDER, dir_fd=inside)
    except FileNotFoundError:
        raise unreadable(Code.FILE_FOLDER_MISSING, path=path) from None
    except NotADirectoryError:  # a file, or a link to whatever
        raise unreadable(Code.FILE_OUTSIDE, path=path) from None


def _refused(error: OSError, path: str) -> Refusal:
    if error.errno in _HELD:
        return refusal(Code.FILE_LOCKED, path=path)
    if error.errno == errno.ELOOP:  # it is a link
        return refusal(Code.FILE_OUTSIDE, path=path)
    return refusal(Code.FILE_UNREADABLE, path=path, problem=_told(error))


def _told(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
