"""The log as it is read, now or as of a past day: what is pending, what was settled, and what its index answers."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TypeVar

from stockml.core.outcomes import EXPIRED, VERIFIED
from stockml.core.records import Prediction
from stockml.prediction_log.index import Index, IndexFiles, Stamp, read_from_end_to_end
from stockml.prediction_log.places import settled_day
from stockml.prediction_log.rows import Rows
from stockml.prediction_log.scan import Problem, lines_at
from stockml.prediction_log.view import Ids, Lines, View, pending_lines
from stockml.prediction_log.whole_change import LogChanged

T = TypeVar("T")


class LogReader:
    """The log at a path, as anybody may read it; under the lock of the one who writes it, it is known to be whole."""

    def __init__(self, path: Path, *, accepts_changes: bool = False) -> None:
        self.path = path
        self.accepts_changes = accepts_changes  # the log is taken as it is, though it was changed as a whole
        self._files = IndexFiles(path)
        self._index: Index | None = None
        self._later: dict[str, Prediction] = {}  # pending in the last view, but settled on a later day
        self._is_locked = self._is_unsaved = False

    def check(self) -> None:
        """LogChanged where the log was changed as a whole, and is not to be taken as it is; needs no lock."""
        self._agreed(self._known())

    def pending(self, as_of: date | None = None) -> list[Prediction]:
        """The predictions without an outcome; needs no lock."""
        return list(self.read(as_of).pending)

    def kinds(self) -> set[str]:
        """The kinds of source that the log's predictions were made from."""
        return set(self._known().kinds)

    @property
    def broken(self) -> str | None:
        """The first place where the chain of seals breaks; None where it is whole."""
        return self._known().known.broken

    def read(self, as_of: date | None = None) -> View:
        """The log, or the part that was there at the end of a day; under the lock it has been repaired first."""
        day = None if as_of is None else as_of.isoformat()
        self.check()
        lines = self._pending_lines()
        index = self._known()
        is_partial = day is not None and index.reaches_beyond(day)
        self._later = {line.id: line for line in self._settled_after(day)} if day and is_partial else {}
        lines += self._later.values()
        return View(
            pending=tuple(line for line in lines if day is None or line.data_through <= day),
            verified=Lines(self.path, lambda: self.settled(VERIFIED), day),
            settled=Lines(self.path, self.settled, day),
            ids=Ids(index, self._has),
            problems=tuple(self._problems(index)),
            is_partial=is_partial,
            folded=None if is_partial else index.folded,
        )

    def _problems(self, index: Index) -> Iterator[Problem]:
        note = "" if self._is_locked else " (not now: nothing is written)"
        for problem in index.scan.problems if index.scan else ():
            yield problem._replace(text=problem.text + note)

    def settled(self, status: str | None = None) -> Sequence[int]:
        """Keys of the settled lines, or of those with one status, in the order in which they were settled."""
        return self._asked(lambda rows: rows.settled(status))

    def expired(self, as_of: date | None = None) -> list[int]:
        """Keys of the expired lines, or of those expired by the end of a day, the last one first."""
        last = _last_day(as_of)
        return [key for key in reversed(self.settled(EXPIRED)) if settled_day(key) <= last]

    def newest(self, view: View, most: int) -> Iterator[Prediction]:
        """The pending and verified lines of a view, at least the newest `most` of each symbol and horizon.

        Of the log as it is now no others are read.
        """
        if view.is_partial:
            yield from view.verified
            yield from view.pending
        else:
            yield from self.lines_at(self._asked(lambda rows: rows.newest(most)))

    def of_stock(self, symbol: str, as_of: date | None = None, horizon: int | None = None) -> Iterator[Prediction]:
        """A stock's lines, the newest first, its symbol in any case; read from the log one by one as asked for."""
        places = [at for _, at in self._asked(lambda rows: rows.of_stock(symbol, horizon))]
        return self._as_of(places, as_of)

    def ids_of(self, symbol: str, as_of: date | None = None) -> list[str]:
        """The ids of a stock's lines, the newest first, its symbol in any case."""
        last = _last_day(as_of)
        ids = (id_ for id_, _ in self._asked(lambda rows: rows.of_stock(symbol)))
        return [id_ for id_ in ids if id_.rsplit(":", 2)[1] <= last]

    def made_on(self, day: str, horizon: int, as_of: date | None = None) -> Iterator[Prediction]:
        """The lines of all stocks made from a day at a horizon."""
        return self._as_of(self._asked(lambda rows: rows.made_on(day, horizon)), as_of)

    def _as_of(self, places: Sequence[int], as_of: date | None) -> Iterator[Prediction]:
        """The lines in these places, as they were at the end of a day."""
        last = _last_day(as_of)
        for line in self.lines_at(places):
            if line.data_through <= last:
                is_later = line.outcome is not None and line.outcome.ended_at[:10] > last
                yield replace(line, outcome=None) if is_later else line

    def places(self) -> array[int]:
        """The first byte of every line, ascending."""
        return self._asked(lambda rows: rows.places())

    @property
    def damage(self) -> tuple[tuple[Problem, ...], int]:
        """The damage of the log as it is, and the number of its lines that are no predictions."""
        scan = self._known().scan
        return (tuple(scan.problems), len(scan.set_aside)) if scan else ((), 0)

    @property
    def latest(self) -> dict[tuple[str, int], str]:
        """The newest day that anything was predicted from, by symbol and horizon."""
        return dict(self._known().latest)

    @property
    def count(self) -> int:
        """The number of lines."""
        return self._known().known.count

    def _has(self, symbol: str, horizon: int, day: str) -> bool:
        return self._asked(lambda rows: rows.has(symbol, horizon, day))

    def _asked(self, question: Callable[[Rows], T]) -> T:
        """The answer of the index; where that proves damaged, of a new one."""
        try:
            return question(self._known().rows)
        except (sqlite3.Error, TypeError, ValueError, LookupError):
            self._index, self._is_unsaved = self._scanned(), True
            return question(self._index.rows)

    def lines_at(self, keys: Sequence[int]) -> Iterator[Prediction]:
        """The predictions of settled lines by their keys, in their order."""
        yield from lines_at(self.path, keys)

    def _known(self) -> Index:
        stamp = Stamp.of(self.path)
        if self._index is None or (self._index.stamp != stamp and not self._is_locked):
            self._index = self._files.load(stamp) or self._scanned()
        return self._index

    def _pending_lines(self) -> list[Prediction]:
        return pending_lines(self.path, self._known())

    def _scanned(self) -> Index:
        return read_from_end_to_end(self.path, *self._files.known())

    def _agreed(self, index: Index) -> None:
        if index.changed and not self.accepts_changes:
            raise LogChanged(index.changed)

    def _settled_after(self, day: str) -> Iterator[Prediction]:
        for line in self.lines_at(self._asked(lambda rows: rows.settled_after(day))):
            if line.data_through <= day:
                yield replace(line, outcome=None)


def _last_day(as_of: date | None) -> str:
    """The last day that may be seen; one after all others where none is named."""
    return "9999" if as_of is None else as_of.isoformat()
