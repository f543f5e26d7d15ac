"""A stock's CSV file before it is read: all that another machine, which has no file of this one, reads bars from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path

from stockml.core.clock import Clock
from stockml.core.failures import Failure, FetchError
from stockml.data.announcement_file import read_announcements
from stockml.data.announcements import Announcement
from stockml.data.csv_files import CsvFile, open_csv
from stockml.data.request import DateRange, Feed, RawBars


@dataclass(frozen=True, slots=True, eq=False)
class UnreadBars:
    """A symbol's file, its exchange's time zone, and the announcements that stand beside it."""

    file: CsvFile
    zone: tzinfo
    announcements: tuple[Announcement, ...]

    def read(self) -> RawBars:
        """The bars in the file; FetchError where it is no CSV file of daily bars."""
        return replace(self.file.bars(self.zone), announcements=self.announcements)

    def feed(self) -> Feed:
        """The bars in the file, or the failure."""
        symbol = self.file.symbol
        try:
            return Feed({symbol: self.read()}, {})
        except FetchError as error:
            return _failed(symbol, error)


def open_bars(symbol: str, folder: Path, zone: tzinfo) -> UnreadBars:
    """A symbol's file in a folder; FetchError where there is none, or it cannot be opened."""
    return UnreadBars(open_csv(symbol, folder), zone, read_announcements(folder).of(symbol, zone))


def open_feeds(spans: Mapping[str, DateRange], folder: Path, clock: Clock) -> dict[str, UnreadBars | Feed]:
    """Each symbol's file, or the failure of one that cannot be opened."""
    found: dict[str, UnreadBars | Feed] = {}
    for symbol in spans:
        try:
            found[symbol] = open_bars(symbol, folder, clock.calendar(symbol).timezone)
        except FetchError as error:
            found[symbol] = _failed(symbol, error)
    return found


def _failed(symbol: str, error: FetchError) -> Feed:
    return Feed({}, {symbol: Failure(symbol, error.kind, str(error))})
