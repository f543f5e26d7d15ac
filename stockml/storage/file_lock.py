"""One run at a time: an exclusive lock on a file, held by the system for as long as the process lives."""

from __future__ import annotations

import fcntl
import logging
import math
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stockml.storage.files import StorageError, make_folder, storage
from stockml.storage.lock_holder import lock_holder
from stockml.storage.pause import pause

LOG = logging.getLogger(__name__)

POLL_SECONDS = 0.02


class LockTimeout(StorageError):  # noqa: N818
    """Another run held the lock for longer than this one was to wait; nothing was changed."""


@contextmanager
def exclusive(path: Path, *, timeout: float = math.inf, guarded: str = "the prediction log") -> Iterator[None]:
    """Hold the lock file at `path`, waiting up to `timeout` seconds and saying so once; LockTimeout after that.

    The message says for whom it waits, and what is `guarded` by the lock. Without a timeout it waits in silence, for
    locks that are held for a moment only.

    Whoever can open the file could lock it for good, so it is its owner's alone.

    The lock is the kernel's (flock) and ends with the process that holds it, however that ends; its files are never
    deleted, or two runs could hold two files of one name. A second lock is the head of a queue: only its holder waits
    for the first, so a run that has just ended cannot overtake it, and no run starves.
    """
    make_folder(path.parent)
    deadline = _Deadline(path, timeout, guarded)
    with _opened(path) as lock:
        with _opened(path.with_name(f"{path.name}.queue")) as queue:
            deadline.take(queue)
            deadline.take(lock)
        yield


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    with storage(path, "open the lock file"):
        if path.is_symlink():
            raise StorageError(f"{path}: is a link, where a lock file is needed; remove it and run again")
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
    try:
        with storage(path, "open the lock file"):
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise StorageError(f"{path}: is no plain file, as a lock file is; remove it and run again")
            if status.st_mode & 0o077 and status.st_uid == os.geteuid():
                os.fchmod(descriptor, 0o600)  # of an earlier version
        yield descriptor
    finally:
        os.close(descriptor)


def _named(descriptor: int) -> str:
    """The holder of a lock in brackets; nothing where it is not known."""
    holder = lock_holder(descriptor)
    return f" ({holder})" if holder else ""


class _Deadline:
    """Waits for one lock after another, in all no longer than `timeout` seconds, and says so once."""

    def __init__(self, path: Path, timeout: float, guarded: str) -> None:
        self.path = path
        self.guarded = guarded
        self.timeout = timeout
        self.gives_up_at = time.monotonic() + timeout
        self.said = False

    def take(self, descriptor: int) -> None:
        """Lock the open file as soon as it is free; LockTimeout after the deadline."""
        while not self._taken(descriptor):
            if time.monotonic() >= self.gives_up_at:
                raise LockTimeout(
                    f"{self.path}: another run still holds the lock after {self.timeout:g} s{_named(descriptor)}, "
                    "nothing was changed; run again when it has ended or allow a longer --lock-timeout"
                )
            if not self.said and self.timeout < math.inf:
                LOG.warning(
                    "another run is writing %s%s; waiting up to %g s for it to end",
                    self.guarded,
                    _named(descriptor),
                    self.timeout,
                )
                self.said = True
            pause(POLL_SECONDS)

    def _taken(self, descriptor: int) -> bool:
        with storage(self.path, "lock the file"):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True
