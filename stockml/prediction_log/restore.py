"""Restoring of a record: files unpacked beside the log take the places of those there, which are moved aside.

Why no crash can tear it:

1. The new files lie in a folder of their own, on the disk, with a plan. Until that folder takes its name by a rename
   nothing else was touched: the record is the old one.
2. From then on each start under the lock carries the plan out; doing a step twice changes nothing. First what is known
   of the old log moves aside, and the old log gets a second name there; then the new files take their places, the log
   by one rename, so that a reader meets the old log or the new one. What is known of the new log comes last.
3. The plan is deleted when all else is on the disk.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stockml.core.paths import Home
from stockml.storage.file_lock import exclusive
from stockml.storage.files import StorageError, make_folder, sealed, storage, sync_folder, unsealed, write_whole
from stockml.storage.plain_files import read_plain

_FOLDER = Home(Path()).log.parent.name
LOG = f"{_FOLDER}/predictions.jsonl"
_KNOWN = tuple(f"{_FOLDER}/{name}" for name in (".predictions.checkpoint.json", ".predictions.known.json"))
RECORD = (  # names from the home on, in the order in which they take their places
    LOG,
    *(f"{_FOLDER}/{name}" for name in ("predictions.rejected.jsonl", "seals.jsonl", "exchanges.json", "last_run.json")),
    *(f"{_FOLDER}/feedback/{name}" for name in ("accuracy_scores.json", "learned.json")),
    "stockml.toml",
    *_KNOWN,
)
_UNFINISHED = tuple(f"{_FOLDER}/{name}" for name in (".predictions.journal", ".predictions.journal.left"))

MOST_BYTES = 1 << 16

_STAGING, _UNREADY, _PLAN = ".restore", ".restore.tmp", "plan.json"


@contextmanager
def alone(log: Path, timeout: float) -> Iterator[None]:
    """Hold the lock of a log, with whatever restore was interrupted finished; LockTimeout after so many seconds."""
    with exclusive(log.with_name(".predictions.lock"), timeout=timeout):
        finish_restore(log)
        yield


def unready_folder(log: Path) -> Path:
    """The folder to unpack a backup into: new, and beside the log; under its lock."""
    folder = log.with_name(_UNREADY)
    from stockml.storage.folders import new_folder

    new_folder(folder)
    return folder


def put_in_place(log: Path, names: Iterable[str], stamp: str) -> Path | None:
    """Put the files of the unready folder in the record's place, under the log's lock.

    Parameters
    ----------
    log : Path
    names : iterable of str
        Of the files there, out of RECORD.
    stamp : str
        For the name of the folder that the present record moves to.

    Returns
    -------
    Path or None
        That folder; None where there was no record.
    """
    unready = log.with_name(_UNREADY)
    aside = log.with_name(f"before-restore-{stamp}")
    number = 1
    while aside.exists():
        number += 1
        aside = aside.with_name(f"before-restore-{stamp}-{number}")
    write_whole(unready / _PLAN, sealed(json.dumps({"names": list(names), "aside": aside.name}).encode()))
    with storage(unready, "restore the backup, so nothing was changed"):
        for folder in unready.rglob("*/"):
            sync_folder(folder)
        unready.rename(log.with_name(_STAGING))
        sync_folder(log.parent)
    finish_restore(log)
    return aside if aside.exists() else None


def finish_restore(log: Path) -> None:
    """Carry out the plan of a restore, if there is one; the caller holds the lock."""
    staging = log.with_name(_STAGING)
    with storage(staging, "finish restoring a backup, which is kept for the next run to finish"):
        if staging.is_symlink():
            raise StorageError(f"{staging}: is a link, where a folder of ours is needed; remove it and run again")
        if not staging.is_dir():
            return
        import shutil  # slow to import, and mostly there is nothing to finish

        if (content := read_plain(staging / _PLAN, MOST_BYTES)) is not None:
            _carry_out(log.parent.parent, staging, *_planned(staging, content))
            (staging / _PLAN).unlink()
            sync_folder(staging)
        shutil.rmtree(staging, ignore_errors=True)


def _planned(staging: Path, content: bytes) -> tuple[list[str], str]:
    """The names of a plan, and the folder that the present record moves to; StorageError for no plan of ours."""
    from stockml.prediction_log.kept_files import KeptPlan
    from stockml.storage.decoding import DecodingError, decoded

    try:
        plan = decoded(KeptPlan, unsealed(content) or b"")
    except DecodingError:
        raise StorageError(f"{staging}: its {_PLAN} is damaged; move the folder away and restore again") from None
    return plan.names, plan.aside


def _carry_out(home: Path, staging: Path, names: list[str], aside: str) -> None:
    kept = staging.with_name(aside)
    planned = [name for name in RECORD if name in names]
    waiting = [name for name in planned if (staging / name).exists()]
    for name in (*_KNOWN, *_UNFINISHED, *RECORD):
        if name in waiting or name not in planned:  # else the file there is the new one
            _move_aside(home / name, kept / name, keep=name == LOG and LOG in waiting)
    _sync(home, kept)
    for name in waiting:
        make_folder((home / name).parent)
        (staging / name).replace(home / name)
    _sync(home, kept)


def _move_aside(old: Path, kept: Path, *, keep: bool) -> None:
    """Give the file another name; with `keep` it has both until something takes its place."""
    if not os.path.lexists(old):
        return
    make_folder(kept.parent)
    if keep and (os.path.lexists(kept) or _linked(old, kept)):
        return
    old.replace(kept)


def _linked(old: Path, kept: Path) -> bool:
    """Give the file a second name; False for a folder, and where the file system knows no such thing."""
    try:
        os.link(old, kept, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
            raise
        return False
    return True


def _sync(home: Path, kept: Path) -> None:
    """Make the names in every folder of the record survive a power cut."""
    for root in (home, kept):
        for folder in {(root / name).parent for name in RECORD}:
            if folder.is_dir():
                sync_folder(folder)
