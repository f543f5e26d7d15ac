"""Whole files, written so that neither a reader nor a crash meets half of one.

The contents are left to the files' owners. Every failure is a StorageError that a script may print as it is.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stockml.storage.temporary import give_mode, new_temporary

_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space and run again",
    errno.EDQUOT: "the quota is used up; free some space and run again",
    errno.EFBIG: "the file may not grow further; raise the limit on file sizes and run again",
    errno.EROFS: "the disk is read-only; make it writable or choose another folder with --home",
    errno.EACCES: "no right to write there; change the rights or choose another folder with --home",
    errno.EPERM: "no right to write there; change the rights or choose another folder with --home",
    errno.EIO: "the disk reports an error; check it, then run again",
    errno.ENOTDIR: "a file stands where a folder is needed; move it away and run again",
    errno.EISDIR: "a folder stands where a file is needed; move it away and run again",
}
_NO_EXCHANGE = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EXDEV}


class StorageError(RuntimeError):
    """A file could not be read or written; the text names the path, the cause and the remedy."""


@contextmanager
def storage(path: Path, doing: str) -> Iterator[None]:
    """Turn an OSError while `doing` something with `path` into a StorageError."""
    try:
        yield
    except OSError as error:
        cause = os.strerror(error.errno) if error.errno else str(error)
        remedy = _REMEDIES.get(error.errno or 0, "put it right and run again")
        raise StorageError(f"{path}: cannot {doing} ({cause}): {remedy}") from error


def write_fully(descriptor: int, data: bytes, at: int) -> None:
    """Write all of `data` at an offset; the system may take a part at a time."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, at)
        view, at = view[written:], at + written


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    sync_file(folder, os.O_DIRECTORY)


def sync_file(path: Path, kind: int = 0) -> None:
    """Make a file's content survive a power cut; `kind` is a further flag to open it with."""
    descriptor = os.open(path, os.O_RDONLY | kind)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents so that they survive a power cut; nothing where it exists."""
    with storage(folder, "create the folder"):
        if folder.is_dir():
            return
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def write_whole(path: Path, content: bytes | str) -> None:
    """Replace a file's content at once: a reader, or the next start, meets the old or the new, never a part.

    Two processes may write the same file; the later one wins.
    """
    data = content.encode() if isinstance(content, str) else content
    make_folder(path.parent)
    with storage(path, "write the file"):
        descriptor, temporary = new_temporary(path)
        try:
            write_fully(descriptor, data, 0)
            give_mode(descriptor, path)
            os.fsync(descriptor)  # before the rename: a name must never point at bytes that are not there yet
            temporary.replace(path)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            raise
        finally:
            os.close(descriptor)
        sync_folder(path.parent)


def sealed(body: bytes) -> bytes:
    """A file's content behind its checksum, so that `unsealed` can tell whether it is as it was written."""
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def unsealed(content: bytes) -> bytes | None:
    """The body of a sealed file; None unless it is whole."""
    checksum, _, body = content.partition(b"\n")
    return body if checksum == hashlib.sha256(body).hexdigest().encode() else None


def exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step; False where the system or the file system cannot."""
    import ctypes

    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    here, exchange_flag = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of linux/fs.h
    if renameat2(here, os.fsencode(one), here, os.fsencode(other), exchange_flag) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NO_EXCHANGE:
        return False
    raise OSError(code, os.strerror(code), str(other))
