"""Files of ours that are read back: plain files only, opened without waiting for anybody.

Something else may have taken a file's place by now. A FIFO would hang the run for ever, a device never ends, and a link
to nothing looks like a file that is not there until it is written.
"""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import BinaryIO

from stockml.storage.files import StorageError, storage

MOST_READ = 1 << 28  # bytes

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def plain_status(path: Path) -> os.stat_result | None:
    """The status of a plain file, or of the one a link leads to; None where there is nothing.

    Raises
    ------
    StorageError
        Where something else has the name: a folder, a FIFO, a device, a socket or a link to nothing.
    """
    with storage(path, "look at the file"):
        try:
            status = path.stat()
        except FileNotFoundError:
            if not path.is_symlink():
                return None
            where = path.readlink()
            raise StorageError(
                f"{path}: is a link to {where}, where there is nothing; put it right and run again"
            ) from None
    _refuse_others(path, status.st_mode)
    return status


def others_could_write(status: os.stat_result) -> bool:
    """True where a file or folder is another user's, root aside, or could have been written by one."""
    return status.st_uid not in (os.getuid(), 0) or bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def open_plain(path: Path) -> BinaryIO:
    """Open a plain file for reading; StorageError for anything else, also where it took the file's place just now."""
    with storage(path, "read the file"):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            _refuse_others(path, os.fstat(descriptor).st_mode)
        except StorageError:
            os.close(descriptor)
            raise
        return io.BufferedReader(io.FileIO(descriptor))


def read_plain(path: Path, most_bytes: int = MOST_READ) -> bytes | None:
    """The content of a plain file; None where there is no file.

    Of one that is longer than `most_bytes` only as many are read, and one more, by which whoever decodes it is told.
    """
    if plain_status(path) is None:
        return None
    with storage(path, "read the file"), open_plain(path) as file:
        size = os.fstat(file.fileno()).st_size
        return file.read(min(size, most_bytes) + 1)


def _refuse_others(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((name for is_one, name in _KINDS if is_one(mode)), "something else")
        raise StorageError(f"{path}: is {kind}, where a plain file is needed; move it away and run again")
