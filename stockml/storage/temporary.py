"""Temporary files beside the files that they become: names that nobody can foretell, created by us alone.

Where others may write to a folder too, a name that can be foretold could be taken by a link to a file of theirs, or of
ours, before we open it. What a killed run left is known by its mark, and swept by the next that writes to the folder.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from contextlib import suppress
from pathlib import Path

_MARK = ".stockml-"
_OURS = re.compile(r"\..+\.stockml-[0-9a-f]{16}\.tmp")


def temporary_name(path: Path) -> Path:
    """A new name beside `path`, hidden."""
    return path.with_name(f".{path.name[:50]}{_MARK}{os.urandom(8).hex()}.tmp")


def parts_of(temporary: Path) -> Path:
    """The folder of what a temporary file is made of."""
    return temporary.with_name(f"{temporary.name}.parts")


def new_temporary(path: Path) -> tuple[int, Path]:
    """A new file beside `path`, for its owner alone: its descriptor, open and locked while it is written, and its path.

    Raises
    ------
    OSError
        Where none can be created.
    """
    _sweep_folder(path.parent)
    while True:
        temporary = temporary_name(path)
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, temporary
        os.close(descriptor)  # swept by another run in the very moment before it was locked


def new_temporary_folder(path: Path) -> Path:
    """A new folder beside `path`, for its owner alone, under a lock that keeps other runs from sweeping it; OSError."""
    _sweep_folder(path.parent)
    temporary = temporary_name(path)
    temporary.mkdir(mode=0o700)
    return temporary


def give_mode(descriptor: int, path: Path) -> None:
    """Give a finished temporary file the mode of the file whose place it takes, or the usual one of a new file."""
    try:
        found = path.lstat()
        mode = stat.S_IMODE(found.st_mode) & 0o777 if stat.S_ISREG(found.st_mode) else None
    except FileNotFoundError:
        mode = None
    os.fchmod(descriptor, 0o666 & ~_umask() if mode is None else mode)


def _umask() -> int:
    """The process's umask; read, since asking for it by setting it would change it for other threads."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_bytes().splitlines()
        return int(next(line for line in lines if line.startswith(b"Umask:")).split()[1], 8)
    kept = os.umask(0o077)
    os.umask(kept)
    return kept


def _sweep_folder(folder: Path) -> None:
    """Delete the temporary files that killed runs of ours left in a folder, with their parts."""
    with suppress(FileNotFoundError):
        names = os.listdir(folder)  # noqa: PTH208 - there may be thousands, at each writing of one of them
        for name in [name for name in names if _MARK in name]:
            mark = _OURS.match(name)
            if mark and (mark[0] == name or not os.path.lexists(folder / mark[0])):
                with suppress(OSError):
                    _sweep(folder / name)


def _sweep(left: Path) -> None:
    """Delete one that is ours; OSError where a run is writing it now."""
    if left.lstat().st_uid != os.geteuid():
        return
    import shutil  # slow to import, and mostly nothing was left

    descriptor = os.open(left, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            shutil.rmtree(left)
        else:
            shutil.rmtree(parts_of(left), ignore_errors=True)
            left.unlink()
    finally:
        os.close(descriptor)
