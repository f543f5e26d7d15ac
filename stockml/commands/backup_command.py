"""--backup and --restore: the record copied into one file, and brought back from it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stockml.commands.exits import DONE, NotDoneError, UsageError
from stockml.commands.mixed_sources import refuse_mixed_sources
from stockml.commands.run import Run, print_json, refuse_beside
from stockml.core.wording import count
from stockml.prediction_log.backup import Backup, back_up, unpacked
from stockml.prediction_log.restore import alone, put_in_place, unready_folder
from stockml.storage.archive import ArchiveError

OTHERS = (
    *("verify_only", "explain", "replay", "self_check", "audit", "report", "status", "reopen", "as_of", "exchange"),
    *("symbols", "symbols_file", "offline"),
)


def run_backup(run: Run) -> int:
    """Copy the record into the new file that --backup names."""
    refuse_beside(run, "--backup", (*OTHERS, "restore", "dry_run"))
    path = run.args.backup.absolute()
    if os.path.lexists(path):
        raise UsageError(
            f"{path}: is there already, and no backup replaces another file; name a new one, such as one with the date"
        )
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}; create it, or mount the disk it is on")
    if not run.log.path.exists():
        raise NotDoneError(f"{run.log.path}: there is no prediction log to back up yet; name its --home")
    with run.log.locked(run.args.lock_timeout):
        names = back_up(run.home, run.log, path, run.clock.now)
        predictions = run.log.count
    if run.args.json:
        results = {"backup": str(path), "files": list(names), "predictions": predictions}
        print_json(run.to_json("backup", results, DONE))
    elif not run.args.quiet:
        told = f"{count(predictions, 'prediction')} in {count(len(names), 'file')}"
        print(f"{path}: {told}, checked; prices and models are left out")
    return DONE


def run_restore(run: Run) -> int:
    """Put the backup that --restore names in the record's place, which is moved aside and said to be."""
    refuse_beside(run, "--restore", (*OTHERS, "backup"))
    path = run.args.restore.absolute()
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file; name a file that --backup wrote")
    aside: Path | None = None
    try:
        with _ready(run) as folder:
            backup = unpacked(path, folder)
            for kind in backup.kinds:
                refuse_mixed_sources(run.home, kind, ())
            _refuse_loss(run, path, backup)
            if not run.args.dry_run:
                aside = put_in_place(run.log.path, backup.names, f"{run.clock.now.astimezone():%Y%m%d-%H%M%S}")
    except ArchiveError as error:
        raise UsageError(f"{path}: {error}; nothing was changed, name another backup") from None
    if run.args.json:
        results = {
            "restored": str(path),
            "made_at": backup.made_at,
            "predictions": backup.predictions,
            "moved_aside": aside and str(aside),
            "dry_run": run.args.dry_run,
        }
        print_json(run.to_json("restore", results, DONE))
    elif not run.args.quiet:
        _tell(run, path, backup, aside)
    return DONE


@contextmanager
def _ready(run: Run) -> Iterator[Path]:
    """A new folder to unpack into: beside the log under its lock, or with --dry-run somewhere else."""
    if run.args.dry_run:
        with tempfile.TemporaryDirectory() as elsewhere:
            yield Path(elsewhere)
        return
    with alone(run.log.path, run.args.lock_timeout):
        folder = unready_folder(run.log.path)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # where it has not taken its place


def _refuse_loss(run: Run, path: Path, backup: Backup) -> None:
    """UsageError where the present log holds predictions that the backup lacks."""
    lost, newest = backup.lacks(run.log.path)
    if not lost:
        return
    folder = run.log.path.parent
    raise UsageError(
        f"{path}: lacks {count(lost, 'prediction')} of the present log, up to {newest}; nothing was changed: to go "
        f"back all the same, move the present record away (mv {folder} {folder}.{newest}) and run again"
    )


def _tell(run: Run, path: Path, backup: Backup, aside: Path | None) -> None:
    done = "would be restored" if run.args.dry_run else "restored"
    print(f"{path}: {count(backup.predictions, 'prediction')} as of {backup.made_at}, each checked, {done}")
    if aside:
        print(f"The record that was here is now in {aside}")
