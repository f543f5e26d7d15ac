"""A CSV folder's `announcements.csv`: the days on which its companies publish results, past and to come."""

from __future__ import annotations

import csv
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo
from pathlib import Path

from stockml.core.markets import as_yahoo_writes
from stockml.core.wording import count
from stockml.data.announcements import Announcement
from stockml.data.known_symbols import sidecar
from stockml.storage.files import StorageError
from stockml.storage.plain_files import plain_status, read_plain

NAME = "announcements.csv"
SYMBOL, PUBLISHED, DAY, FIRST_KNOWN = "symbol", "published_at", "date", "first_known_on"
SEPARATORS = ",;\t|"
YEARS = range(1900, 2200)  # others are slips of the pen
NEEDED = "write a first line symbol,date[,first_known_on], or published_at for date"


@dataclass(frozen=True, slots=True)
class _Row:
    """A line: an announcement, in the zone of `published` where that names one, else exchange-local."""

    published: datetime | date
    first_known: datetime | date | None

    def at_exchange(self, zone: tzinfo) -> Announcement:
        first = None if self.first_known is None else _local(self.first_known, zone)[0]
        return Announcement(*_local(self.published, zone), first_known_on=first)


@dataclass(frozen=True, slots=True)
class AnnouncementFile:
    """The lines of a folder's file by symbol in upper case, and one sentence on those left out; "" without any."""

    rows: dict[str, tuple[_Row, ...]]
    left_out: str = ""

    def of(self, symbol: str, zone: tzinfo) -> tuple[Announcement, ...]:
        """A symbol's announcements, by day.

        Parameters
        ----------
        symbol : str
        zone : tzinfo
            The exchange's; a time with a zone of its own is brought to it.
        """
        dates: dict[date, Announcement] = {}
        for row in self.rows.get(symbol.upper(), ()):
            one = row.at_exchange(zone)
            before = dates.get(one.day)
            dates[one.day] = one if before is None else _joined(before, one)
        return tuple(dates[day] for day in sorted(dates))


def read_announcements(folder: Path) -> AnnouncementFile:
    """The folder's file; an empty one where there is none.

    Raises
    ------
    ValueError
        Where the file cannot be read, or names no column of days; the message names the file.
    """
    path = sidecar(NAME, folder)
    try:
        status = plain_status(path)
        return AnnouncementFile({}) if status is None else _read(path, status.st_mtime_ns, status.st_size)
    except StorageError as error:
        raise ValueError(str(error)) from None


@functools.lru_cache(maxsize=8)
def _read(path: Path, changed_ns: int, size: int) -> AnnouncementFile:
    """The file as of a change: it is read once, not once a symbol."""
    lines = _text(path).splitlines()
    separator = max(SEPARATORS, key=(lines[0] if lines else "").count)
    try:
        table = list(csv.reader(lines, delimiter=separator, skipinitialspace=True))
    except csv.Error as error:
        raise ValueError(f"{path}: cannot be read as CSV ({error}); {NEEDED}") from None
    head = [name.strip().lower().replace(" ", "_") for name in table[0]] if table else []
    if SYMBOL not in head or not {DAY, PUBLISHED} & set(head):
        first = separator.join(table[0])[:60] if table else ""
        raise ValueError(f"{path}: its first line {first!r} names no symbol and date; {NEEDED}")
    rows: dict[str, list[_Row]] = {}
    wrong: list[str] = []
    for number, cells in enumerate(table[1:], start=2):
        named = dict(zip(head, (cell.strip() for cell in cells), strict=False))
        if not any(named.values()) or cells[0].lstrip().startswith("#"):
            continue
        try:
            symbol, row = _row(named)
            rows.setdefault(symbol, []).append(row)
        except ValueError as error:
            wrong.append(f"line {number}, {error}")
    text = f"{path}: {count(len(wrong), 'row')} left out, first {wrong[0]}" if wrong else ""
    return AnnouncementFile({symbol: tuple(members) for symbol, members in rows.items()}, text)


def _text(path: Path) -> str:
    content = read_plain(path) or b""
    try:
        text = content.decode("utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: is no text in UTF-8 ({error.reason}); {NEEDED}") from None
    if "\0" in text:
        raise ValueError(f"{path}: is no text, perhaps a workbook; {NEEDED}")
    return text


def _row(named: dict[str, str]) -> tuple[str, _Row]:
    """A line's symbol and days; ValueError names the column, the text and the remedy."""
    if not named.get(SYMBOL):
        raise ValueError(f"column {SYMBOL}: it is empty; name the stock")
    column = PUBLISHED if named.get(PUBLISHED) else DAY
    published = _moment(column, named.get(column, ""))
    first = _moment(FIRST_KNOWN, named[FIRST_KNOWN]) if named.get(FIRST_KNOWN) else None
    if first is not None and _day(first) > _day(published):
        remedy = "leave it empty where the date was only known afterwards"
        raise ValueError(f"column {FIRST_KNOWN}: {named[FIRST_KNOWN]!r} is after {named[column]!r}; {remedy}")
    return as_yahoo_writes(named[SYMBOL].upper()), _Row(published, first)


def _moment(column: str, text: str) -> datetime | date:
    for read in (date.fromisoformat, datetime.fromisoformat):
        try:
            moment = read(text)
        except ValueError:
            continue
        if moment.year in YEARS:
            return moment
    raise ValueError(f"column {column}: {text[:60]!r} is no date; write YYYY-MM-DD or YYYY-MM-DDTHH:MM")


def _day(moment: datetime | date) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _local(moment: datetime | date, zone: tzinfo) -> tuple[date, time | None]:
    """Day and time at the exchange; midnight, as it is written, is a day without a time."""
    if not isinstance(moment, datetime):
        return moment, None
    if moment.time() == time(0):
        return moment.date(), None
    local = moment.astimezone(zone) if moment.tzinfo else moment
    return local.date(), local.time()


def _joined(one: Announcement, other: Announcement) -> Announcement:
    """Two lines of one day: the earlier knowledge holds."""
    known: Sequence[date] = [found for found in (one.first_known_on, other.first_known_on) if found]
    return Announcement(one.day, one.at or other.at, min(known, default=None))
