"""One run at a time: an exclusive lock on a file, held by the system for as long as the process lives."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stockml.files import StorageError, make_folder, storage

LOG = logging.getLogger(__name__)

POLL_SECONDS = 0.05


class LockTimeout(StorageError):  # noqa: N818 - it is no error of anybody's
    """Another run held the lock for longer than this one was told to wait; nothing was changed."""


@contextmanager
def exclusive(path: Path, *, timeout: float) -> Iterator[None]:
    """Hold the lock file at `path`, waiting up to `timeout` seconds and saying so once; LockTimeout after that.

    The lock is the kernel's (flock) and ends with the process that holds it, however that ends; the file itself is
    never deleted, or two runs could hold two files of one name.
    """
    make_folder(path.parent)
    with storage(path, "open the lock file"):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _wait(descriptor, path, timeout)
        yield
    finally:
        os.close(descriptor)


def _wait(descriptor: int, path: Path, timeout: float) -> None:
    gives_up_at = time.monotonic() + timeout
    said = False
    while not _taken(descriptor, path):
        if time.monotonic() >= gives_up_at:
            raise LockTimeout(
                f"{path}: another run still holds the lock after {timeout:g} s, nothing was changed; "
                "run again when it has ended or allow a longer --lock-timeout"
            )
        if not said:
            LOG.warning("another run is writing the prediction log; waiting up to %g s for it to end", timeout)
            said = True
        time.sleep(POLL_SECONDS)


def _taken(descriptor: int, path: Path) -> bool:
    with storage(path, "lock the file"):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
