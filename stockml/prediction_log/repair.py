"""Repairs of a log that was read from end to end: damaged lines are set aside, cut ones completed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from stockml.core.records import Prediction
from stockml.prediction_log.line import read_line
from stockml.prediction_log.scan import Scan, read_span, rejected_entry
from stockml.storage.files import storage
from stockml.storage.plain_files import open_plain, plain_status
from stockml.storage.redo_journal import Change

T = TypeVar("T")

LINES_A_COMMIT = 1000  # keeps the journal in bounds where a log is damaged throughout


def repairs(path: Path, found: Scan) -> Iterator[list[Change]]:
    """The changes to commit, list by list; damaged lines come first, so that they are kept as they were found."""
    rejected = rejected_path(path)
    for some in batches(found.set_aside):
        entries, blanks = [], []
        with storage(path, "read the log"), open_plain(path) as file:
            for problem, span in some:
                raw = read_span(file, span)
                entries.append(rejected_entry(problem, raw))
                blanks.append(Change(path.name, span.at, raw, b" " * span.width))
        yield [grown(rejected, b"".join(entries)), *blanks]
    yield from batches(found.repairs)


def rejected_path(path: Path) -> Path:
    """The file that keeps the lines set aside, byte for byte."""
    return path.with_name("predictions.rejected.jsonl")


def grown(path: Path, new: bytes) -> Change:
    """The change by which a file gains bytes at its end."""
    status = plain_status(path)
    return Change(path.name, status.st_size if status else 0, b"", new)


def lost_lines(path: Path, left: Sequence[Change]) -> list[Prediction]:
    """The predictions in changes to the log that an interrupted run could not make.

    A change without a whole line (blanks, or the missing end of one) lost nothing: the line it was to repair is in the
    log and is checked again there.
    """
    lines = []
    for change in left:
        for raw in change.new.split(b"\n") if change.file == path.name else ():
            if raw.startswith(b"{"):
                lines.append(read_line(raw))  # our own bytes, behind a checksum
    return lines


def batches(items: Sequence[T]) -> Iterator[list[T]]:
    """The items in lists of up to LINES_A_COMMIT."""
    for start in range(0, len(items), LINES_A_COMMIT):
        yield list(items[start : start + LINES_A_COMMIT])
