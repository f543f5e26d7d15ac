"""Backup of the record: all that cannot be made again, as one archive that is checked when it is written and read.

The record is the log with what lies beside it, the feedback, the exchanges, the last run and the settings. Prices can
be fetched again and models trained again: they are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stockml import __version__
from stockml.core.paths import Home
from stockml.prediction_log.log import PredictionLog
from stockml.prediction_log.restore import LOG, RECORD
from stockml.prediction_log.scan import Scan, scan
from stockml.storage.archive import ArchiveError, read_archive, write_archive
from stockml.storage.plain_files import plain_status

FORMAT = 1  # of a backup
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup whose every file and line was read: when it was made, and its log."""

    made_at: str  # UTC, YYYY-MM-DDTHH:MM:SSZ
    names: tuple[str, ...]
    found: Scan

    @property
    def predictions(self) -> int:
        """The number of lines in its log."""
        return self.found.known.count

    @property
    def kinds(self) -> set[str]:
        """The kinds of source that its predictions were made from."""
        return self.found.kinds

    def lacks(self, log: Path) -> tuple[int, str]:
        """The number of a log's predictions that the backup does not hold, and the newest day of those."""
        return self.found.ids.lacking(scan(log).ids)


def back_up(home: Home, log: PredictionLog, path: Path, now: datetime) -> tuple[str, ...]:
    """Write the record into a new archive, under the log's lock; returns the names of the files in it.

    Parameters
    ----------
    home : Home
    log : PredictionLog
        The home's, locked by the caller.
    path : Path
        Where nothing stands yet.
    now : datetime
        With its time zone.
    """
    files = {name: home.root / name for name in RECORD if plain_status(home.root / name) is not None}
    made_at = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    about = {"format": FORMAT, "version": __version__, "made_at": made_at}
    write_archive(path, files, about | {"predictions": log.count})
    return tuple(files)


def unpacked(path: Path, folder: Path) -> Backup:
    """The backup, unpacked into a new folder and checked to its last line.

    Raises
    ------
    ArchiveError
        For a file that is no whole backup, or one of a newer version; the text goes after the path.
    """
    manifest = read_archive(path, RECORD, folder)
    _check_format(manifest)
    if LOG not in manifest["files"]:
        raise ArchiveError("holds no prediction log")
    found = scan(folder / LOG)
    if found.set_aside:
        problem = found.set_aside[0][0]
        raise ArchiveError(f"holds a log whose line {problem.line} does not read ({problem.text.split(': set')[0]})")
    return Backup(str(manifest["made_at"]), tuple(manifest["files"]), found)


def _check_format(manifest: dict[str, Any]) -> None:
    found = manifest.get("format")
    if type(found) is not int or found < 1 or not _TIME.fullmatch(str(manifest.get("made_at"))):
        raise ArchiveError("is no backup of a prediction log")
    if found > FORMAT:
        raise ArchiveError(f"is of format {found}, which a newer version wrote (this one reads up to {FORMAT}); update")
