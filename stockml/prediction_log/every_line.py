"""Every prediction of the log in the file's order, for those who read all of it: an export, not a run."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stockml.core.records import Prediction
from stockml.prediction_log.line import BYTE_ORDER_MARK, joined_lines, read_line
from stockml.prediction_log.log import PredictionLog
from stockml.prediction_log.places import LONGEST_LINE
from stockml.prediction_log.scan import Problem
from stockml.storage.files import StorageError, storage
from stockml.storage.pause import pause
from stockml.storage.plain_files import open_plain

TRIES = 20  # at a line that another run is completing just now, which takes it microseconds
PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class EveryLine(Iterable[Prediction]):
    """The predictions that were in the log when it was opened, read from the file anew at each iteration.

    Attributes
    ----------
    path : Path
        The log.
    places : array of int
        The first byte of each line, ascending.
    problems : tuple of Problem
        What is wrong with the log; nothing is put right by reading.
    left_out : int
        The number of lines that are no predictions, or are second ones of an id.
    """

    path: Path
    places: array[int]
    problems: tuple[Problem, ...]
    left_out: int

    def __iter__(self) -> Iterator[Prediction]:
        if not self.places:
            return
        with storage(self.path, "read the log"), open_plain(self.path) as file:
            for at in self.places:
                file.seek(at)
                raw = file.readline(LONGEST_LINE)
                try:
                    line = _unrepaired(raw)
                except ValueError:
                    line = self._once_whole(file.fileno(), at)
                yield line

    def _once_whole(self, descriptor: int, at: int) -> Prediction:
        for _ in range(TRIES):
            pause(PAUSE_SECONDS)
            raw = os.pread(descriptor, LONGEST_LINE, at)  # what the file holds now, not what was read ahead
            with suppress(ValueError):
                return _unrepaired(raw.partition(b"\n")[0])
        raise StorageError(f"{self.path}: the file was edited while it was read; run again")


def _unrepaired(raw: bytes) -> Prediction:
    """The prediction of a line that the next run may have to put right first; ValueError where there is none."""
    body = raw.removeprefix(BYTE_ORDER_MARK)
    try:
        return read_line(body)
    except ValueError:
        pieces = joined_lines(body)
        return read_line(body[: pieces[0][1]] if pieces else body + b"}")  # the last line may lack its end


def every_line(log: PredictionLog) -> EveryLine:
    """The lines of a log as it is now; takes no lock, so that a long reading keeps no run waiting."""
    places = log.places()
    found, left_out = log.damage
    problems = (
        problem._replace(text=problem.text.replace("set aside", "left out; the next run sets it aside"))
        for problem in found
    )
    return EveryLine(log.path, places, tuple(problems), left_out)
