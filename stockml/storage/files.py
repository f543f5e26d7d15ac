"""Whole files, whole folders, and scores for `tail -f`, written so that neither a reader nor a crash meets half of one.

What stands in a file is its owner's business. Every failure leaves as a StorageError that a script may print as it is.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

TAIL_BLOCK = 4096  # bytes; scores are padded to a multiple, so that a new text rarely changes the length
TAIL_PAUSE_SECONDS = (
    0.05  # tail must wake inside it to notice that a file got shorter; 0.02 sufficed on an idle machine
)

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
    """Turns what the system refuses while `doing` something with `path` into a StorageError."""
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
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
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
    """Put `content` in place of the file at once: a reader, or the next start, meets the old or the new, never a part.

    Two processes may write the same file; the later one wins. The temporary file's name is fixed and the file locked,
    so that a killed writer leaves at most one, which the next takes over.
    """
    data = content.encode() if isinstance(content, str) else content
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.tmp")
    with storage(path, "write the file"):
        descriptor = _open_alone(temporary)
        try:
            os.ftruncate(descriptor, 0)
            write_fully(descriptor, data, 0)
            os.fsync(descriptor)  # before the rename: a name must never point at bytes that are not there yet
            temporary.replace(path)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            raise
        finally:
            os.close(descriptor)
        sync_folder(path.parent)


def _open_alone(temporary: Path) -> int:
    """The temporary file, open and locked; waits for another writer to rename the one it holds."""
    import fcntl

    while True:
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.fstat(descriptor).st_ino == temporary.stat().st_ino:
                    return os.dup(descriptor)
        finally:
            os.close(descriptor)  # where it was renamed meanwhile, these are another writer's finished bytes


def sealed(body: bytes) -> bytes:
    """A file's content behind its checksum, so that `unsealed` can tell whether it is as it was written."""
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def unsealed(content: bytes) -> bytes | None:
    """What was sealed; None unless it is whole."""
    checksum, _, body = content.partition(b"\n")
    return body if checksum == hashlib.sha256(body).hexdigest().encode() else None


def write_for_tail(path: Path, text: str) -> None:
    """Put `text`, padded, in place of the file so that `tail -f` shows it and no reader meets a torn file.

    `tail -f` follows the file it opened, not its name, so a rename alone shows nothing; a file overwritten under its
    name is met torn by about one reader in 10^5. Hence two files that swap the name: the spare one is rewritten and
    takes the name; then, after a pause in which readers that had already opened it finish, the other is rewritten for
    those who follow it. Writing the same text again changes nothing and shows nothing.
    """
    data = text.encode()
    data += b" " * (-(len(data) + 1) % TAIL_BLOCK) + b"\n"
    spare = path.with_name(f".{path.name}.spare")
    with storage(path, "write the file"):
        if not path.exists():
            write_whole(path, data)
        if not spare.exists():
            write_whole(spare, path.read_bytes())
        if path.read_bytes() != data:
            with _shown(spare, data):
                is_exchanged = _exchange(spare, path)
            if not is_exchanged:
                with _shown(path, data):
                    pass
            sync_folder(path.parent)
        if spare.read_bytes() != data:
            with _shown(spare, data):
                pass


@contextmanager
def _shown(path: Path, data: bytes) -> Iterator[None]:
    """Rewrite a file at once; it lacks its last line feed until the end, so that followers see that it got shorter."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        write_fully(descriptor, data, 0)
        os.ftruncate(descriptor, len(data) - 1)
        os.fsync(descriptor)
        yield
        time.sleep(TAIL_PAUSE_SECONDS)
        write_fully(descriptor, data[-1:], len(data) - 1)
    finally:
        os.close(descriptor)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step; False where the system or the disk does not know how."""
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


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write these files into a new folder; where the disk refuses one, none takes its room.

    They are writable by the owner alone, whatever the umask: what others could have written is not trusted.
    """
    with storage(folder, "write the folder"):
        shutil.rmtree(folder, ignore_errors=True)  # what an interrupted run left
        try:
            folder.mkdir(parents=True, mode=0o755)
            for name, content in files.items():
                (folder / name).write_bytes(content)
                (folder / name).chmod(0o644)
            folder.chmod(0o755)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def replace_folder(new: Path, target: Path) -> None:
    """Put the complete folder `new` in place of `target`, which is deleted; both lie beside each other.

    Every file in `new` is on the disk before it takes the name. Where names cannot be exchanged in one step the old
    folder is moved away first: `recover_folder` brings it back should that be interrupted.
    """
    with storage(target, "replace the folder"):
        recover_folder(target)
        _remove(_moved(target))
        _sync_files(new)
        if not target.exists():
            new.rename(target)
        elif not _exchange(new, target):
            target.rename(_moved(target))
            new.rename(target)
        sync_folder(target.parent)
        _remove(new)
        _remove(_moved(target))


def recover_folder(target: Path) -> None:
    """Bring back a folder whose replacement was interrupted between its two renames; call before reading it."""
    with storage(target, "bring back the folder"), suppress(FileNotFoundError):
        if not target.exists():
            _moved(target).rename(target)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def moved_folders(parent: Path) -> Iterator[Path]:
    """Folders that are, or have been, replaced: where that was interrupted, all there is of them."""
    return parent.glob(_moved(parent / "*").name)


def _moved(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _sync_files(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    sync_folder(folder)
