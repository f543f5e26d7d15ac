"""A log held still: nothing else writes while it is read through, and nothing of it is repaired or finished."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stockml.core.installation import PREDICT
from stockml.storage.file_lock import exclusive
from stockml.storage.files import StorageError

_UNFINISHED = (".predictions.journal", ".predictions.journal.left", ".restore")


@contextmanager
def held_still(log: Path, timeout: float) -> Iterator[None]:
    """Hold a log's lock without changing it; on a disk that cannot be written nobody else can write either.

    Raises
    ------
    LockTimeout
        If another run holds the lock for too long.
    StorageError
        Where an interrupted run left something to finish.
    """
    if not os.access(log.parent, os.W_OK):
        yield
        return
    with exclusive(log.with_name(".predictions.lock"), timeout=timeout):
        for name in _UNFINISHED:
            if log.with_name(name).exists():
                raise StorageError(
                    f"{log}: an interrupted run left a change unfinished; run {PREDICT} --verify-only, "
                    "which finishes it, then audit again"
                )
        yield
