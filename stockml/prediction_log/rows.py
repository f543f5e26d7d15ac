"""The index of the log's lines: an SQLite file beside it with one row a line, where it stands and what became of it.

It holds nothing that the log does not say, so it may be deleted at any time. It is changed in place and without a
journal: the checkpoint beside it (see `index`) is moved away before and names the file's state after, so whatever a
kill or a power cut leaves of it is not looked at. Readers need no lock; one that meets a change is told.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from stockml.core.outcomes import EXPIRED, PENDING, VERIFIED
from stockml.prediction_log.line import Facts
from stockml.prediction_log.places import Keys, Span, day_number, day_text, key_of, time_number
from stockml.storage.files import StorageError, storage

STATES = (PENDING, VERIFIED, EXPIRED)  # as numbers in the file
WAITING = 10_000  # rows that are written together
PATIENCE_SECONDS = 10.0  # for a reader to finish, which takes milliseconds

_TABLES = """
CREATE TABLE series (
    number INTEGER PRIMARY KEY, symbol TEXT NOT NULL, horizon INTEGER NOT NULL, latest INTEGER NOT NULL
);
CREATE TABLE lines (
    at INTEGER PRIMARY KEY, width INTEGER NOT NULL, series INTEGER NOT NULL,
    made INTEGER NOT NULL, target INTEGER NOT NULL, state INTEGER NOT NULL, settled INTEGER
);
CREATE VIEW predictions AS
    SELECT symbol || ':' || substr(made, 1, 4) || '-' || substr(made, 5, 2) || '-' || substr(made, 7) || ':' || horizon
    AS id, at, width, symbol, horizon, made, target, state, settled FROM lines JOIN series ON series = number;
"""
_INDEXES = """
CREATE INDEX by_series ON lines (series, made);
CREATE INDEX by_time ON lines (settled, at) WHERE state > 0;
CREATE INDEX expired ON lines (settled, at) WHERE state = 2;
CREATE INDEX waiting ON lines (at) WHERE state = 0;
"""
_FOREIGN = "SELECT 1 FROM sqlite_master WHERE type = 'trigger' OR (type = 'view' AND name IN ('series', 'lines'))"
_KEYS = "SELECT settled, at FROM lines WHERE state"
_PUT_SERIES = (
    "INSERT INTO series VALUES (?, ?, ?, ?) ON CONFLICT (number) DO UPDATE SET latest = max(latest, excluded.latest)"
)
_PUT = "INSERT OR REPLACE INTO lines VALUES (?, ?, ?, ?, ?, ?, ?)"


class RowsChanged(StorageError):  # noqa: N818
    """Another run changed the index while it was read."""


class Waiting(NamedTuple):
    """A line without an outcome."""

    id: str
    span: Span


class Rows:
    """The rows of a log's lines, in a file or, where nothing may be written, in memory.

    sqlite3.Error from any method means that the file is damaged, and that the log has to be read from end to end.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._open = connection
        self._path: Path | None = None  # None in memory
        self._series: dict[tuple[str, int], int] = {}
        self._named: dict[str, list[tuple[str, int]]] = {}  # the series of a stock by its symbol in capitals
        self._latest: dict[int, int] = {}  # by series, as it is to be written
        self._waiting: dict[int, tuple[int | None, ...] | None] = {}  # by place; None for a line that is gone
        self._version = 0

    @classmethod
    def new(cls) -> Rows:
        """Rows in memory, to be filled by a full reading, then `finish`ed."""
        rows = cls(_connected(":memory:"))
        rows._open.executescript(_TABLES)
        rows._begin()
        return rows

    @classmethod
    def of(cls, path: Path) -> Rows:
        """The rows in a file, as they are; sqlite3.Error where they cannot be read."""
        rows = cls(_connected(f"file:{_quoted(path)}?mode=rw", is_uri=True))
        rows._path = path
        rows._version = rows._data_version()
        if rows._all(_FOREIGN):  # a view may be without end, a trigger may do anything
            raise sqlite3.DatabaseError("views or triggers in the place of tables")
        found = rows._all("SELECT symbol, horizon, number FROM series")
        rows._series = {(str(symbol), int(horizon)): int(number) for symbol, horizon, number in found}
        return rows

    # Writing ----------------------------------------------------------------------------------------------------------

    def put(self, facts: Facts, span: Span) -> None:
        """Take in a line, or what became of it."""
        key = (facts.symbol, facts.horizon)
        number = self._series.get(key)
        if number is None:
            number = self._series[key] = len(self._series) + 1
            self._named.clear()
        made = day_number(facts.made)
        if made > self._latest.get(number, 0):
            self._latest[number] = made
        settled = None if facts.ended_at is None else time_number(facts.ended_at)
        state = STATES.index(facts.status)
        self._waiting[span.at] = (span.at, span.width, number, made, day_number(facts.target), state, settled)
        if len(self._waiting) >= WAITING:
            self.flush()

    def drop(self, at: int) -> None:
        """Take in that a line no longer stands in a place."""
        self._waiting[at] = None

    def flush(self) -> None:
        """Write what was taken in."""
        if not self._waiting:
            return
        self._begin()
        gone = [(at,) for at, row in self._waiting.items() if row is None]
        self._open.executemany("DELETE FROM lines WHERE at = ?", gone)
        self._open.executemany(_PUT, [row for row in self._waiting.values() if row is not None])
        self._waiting.clear()

    def finish(self) -> None:
        """Complete rows that a full reading filled."""
        self.flush()
        self._write_series()
        self._open.execute("COMMIT")
        self._open.executescript(_INDEXES)

    def save(self, path: Path) -> None:
        """Bring everything to the disk, into the file that it came from or, from memory, into a new one."""
        with self._telling(path):
            self.flush()
            if self._open.in_transaction:
                self._write_series()
                self._open.execute("COMMIT")
            if self._path is None:
                self._move_to(path)
        with storage(path, "write the index of the log"):
            descriptor = os.open(path, os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _move_to(self, path: Path) -> None:
        with storage(path, "write the index of the log"):
            path.unlink(missing_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666))
        file = _connected(path)
        self._open.backup(file)
        self._open.close()
        self._open, self._path = file, path

    def __del__(self) -> None:
        self._open.close()

    def _begin(self) -> None:
        if not self._open.in_transaction:
            self._open.execute("BEGIN IMMEDIATE")

    def _write_series(self) -> None:
        names = {number: key for key, number in self._series.items()}
        rows = [(number, *names[number], latest) for number, latest in self._latest.items()]
        self._open.executemany(_PUT_SERIES, rows)
        self._latest.clear()

    # Asking -----------------------------------------------------------------------------------------------------------

    def pending(self) -> list[Waiting]:
        """The lines without an outcome, in the file's order."""
        names = {number: key for key, number in self._series.items()}
        found = self._all("SELECT at, width, series, made FROM lines WHERE state = 0 ORDER BY at")
        return [
            Waiting(f"{names[series][0]}:{day_text(made)}:{names[series][1]}", Span(at, width))
            for at, width, series, made in found
        ]

    def latest(self) -> dict[tuple[str, int], str]:
        """The newest day by symbol and horizon."""
        found = self._all("SELECT symbol, horizon, latest FROM series ORDER BY number")
        return {(symbol, int(horizon)): day_text(latest) for symbol, horizon, latest in found}

    def has(self, symbol: str, horizon: int, day: str) -> bool:
        """True if the log holds this id."""
        number = self._series.get((symbol, horizon), 0)
        return bool(self._all("SELECT 1 FROM lines WHERE series = ? AND made = ?", (number, day_number(day))))

    def settled(self, status: str | None = None) -> Keys:
        """Keys of the settled lines, or of those with one status, ascending."""
        which = {None: "> 0", EXPIRED: "= 2"}.get(status, "> 0 AND state = 1")  # each by an index of its own
        self.flush()
        found = Keys(self._open.execute(f"{_KEYS} {which} ORDER BY settled, at"))  # one by one: they may be millions
        self._check_version()
        return found

    def places(self) -> array[int]:
        """The first byte of every line, ascending."""
        return array("q", (at for (at,) in self._all("SELECT at FROM lines ORDER BY at")))

    def settled_after(self, day: str) -> list[int]:
        """Keys of the lines settled after a day, in the file's order."""
        last = day_number(day) * 1_000_000 + 999_999
        return [key_of(time, at) for time, at in self._all(f"{_KEYS} > 0 AND settled > ? ORDER BY +at", (last,))]

    def last_settled(self) -> str:
        """The latest day on which a line was settled; empty without one."""
        ((time,),) = self._all("SELECT max(settled) FROM lines WHERE state > 0")
        return "" if time is None else day_text(time // 1_000_000)

    def settled_places(self, ids: Iterable[str]) -> dict[str, tuple[int, Span]]:
        """The key and the place of each id that is a settled line's."""
        found = {}
        for id_ in ids:
            with suppress(ValueError):
                symbol, day, horizon = id_.rsplit(":", 2)
                asked = (self._series.get((symbol, int(horizon)), 0), day_number(day))
                question = "SELECT settled, at, width FROM lines WHERE series = ? AND made = ? AND state > 0"
                for time, at, width in self._all(question, asked):
                    found[id_] = (key_of(time, at), Span(at, width))
        return found

    def of_stock(self, symbol: str, horizon: int | None = None) -> list[tuple[str, int]]:
        """The ids and places of a stock's lines, the newest first, its symbol in any case; perhaps at one horizon."""
        if not self._named:
            for key in self._series:
                self._named.setdefault(key[0].upper(), []).append(key)
        keys = [key for key in self._named.get(symbol.upper(), ()) if horizon in (None, key[1])]
        asked = "SELECT made, at FROM lines WHERE series = ?"
        rows = [(key, *row) for key in keys for row in self._all(asked, (self._series[key],))]
        rows.sort(key=lambda row: row[1], reverse=True)
        return [(f"{name}:{day_text(made)}:{ahead}", at) for (name, ahead), made, at in rows]

    def made_on(self, day: str, horizon: int) -> list[int]:
        """The places of the lines of all stocks made from a day at a horizon, ascending."""
        question = "SELECT at FROM lines WHERE series = ? AND made = ?"
        numbers = [number for (_, ahead), number in self._series.items() if ahead == horizon]
        return sorted(at for number in numbers for (at,) in self._all(question, (number, day_number(day))))

    def newest(self, most: int) -> list[int]:
        """The places of the newest pending and verified lines by symbol and horizon, up to `most` each, ascending."""
        question = "SELECT at FROM lines WHERE series = ? AND state < 2 ORDER BY made DESC LIMIT ?"
        found = [at for number in self._series.values() for (at,) in self._all(question, (number, most))]
        return sorted(found)

    def _all(self, question: str, values: tuple[Any, ...] = ()) -> list[Any]:
        self.flush()
        found = self._open.execute(question, values).fetchall()
        self._check_version()
        return found

    def _check_version(self) -> None:
        if self._version and self._version != self._data_version():
            raise RowsChanged(f"{self._path}: another run changed the log while it was read; run again")

    def _data_version(self) -> int:
        return int(self._open.execute("PRAGMA data_version").fetchone()[0])

    @contextmanager
    def _telling(self, path: Path) -> Iterator[None]:
        """Tell a full disk, and the like, in the usual words."""
        try:
            yield
        except sqlite3.Error as error:
            number = _ERRNO.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
            if number is None:
                raise
            with storage(path, "write the index of the log"):
                raise OSError(number, os.strerror(number)) from error


_ERRNO: Mapping[int, int] = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_PERM: errno.EACCES,
}


def _connected(name: Path | str, *, is_uri: bool = False) -> sqlite3.Connection:
    # only one thread at a time asks, but whichever collects garbage closes it
    opened = sqlite3.connect(name, timeout=PATIENCE_SECONDS, isolation_level=None, uri=is_uri, check_same_thread=False)
    opened.execute("PRAGMA journal_mode = OFF")
    opened.execute("PRAGMA synchronous = OFF")
    return opened


def _quoted(path: Path) -> str:
    from urllib.parse import quote

    return quote(os.path.abspath(path))  # noqa: PTH100 - not resolved: a link stays one
