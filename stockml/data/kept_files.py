"""Small files of the data room as they are read back: symbols that rest, and announcements of results."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from stockml.core.paths import is_symbol
from stockml.storage.decoding import Name, check_day, converted, decoded_object

LONGEST_LINE = 1 << 16
BARS = ("Open", "High", "Low", "Close", "Adj Close", "Volume")

KeptDead = dict[Name, Annotated[list[date], Meta(max_length=100)]]


class _KeptDate(Struct, forbid_unknown_fields=True):
    day: date = field(name="date")
    written: str | None = field(name="time", default=None)
    first_known_on: date | None = None

    def __post_init__(self) -> None:
        _check_days({"date": self.day, "first_known_on": self.first_known_on})
        self.at()

    def at(self) -> time | None:
        """The time of day at the exchange."""
        if not self.written:
            return None
        try:
            found = time.fromisoformat(self.written)
        except ValueError:
            found = None
        if found is None or found.tzinfo is not None:
            raise ValueError(f"has {self.written[:60]!r} for time, not a time of day like 15:30")
        return found


class KeptDates(Struct, forbid_unknown_fields=True):
    """A line of announcements.jsonl."""

    symbol: str
    asked_on: date
    dates: list[_KeptDate]
    past_asked_on: date | None = None

    def __post_init__(self) -> None:
        if not is_symbol(self.symbol):
            raise ValueError(f"has {self.symbol[:60]!r} for symbol")
        _check_days({"asked_on": self.asked_on, "past_asked_on": self.past_asked_on})


class _PriceNotes(Struct):
    currency: Name | None
    asked_from: date
    fetched_at: datetime
    exchange: Name | None = None
    timezone: Name | None = None

    def __post_init__(self) -> None:
        _check_days({"asked_from": self.asked_from, "fetched_at": self.fetched_at.date()})


def price_notes(table: Any, key: bytes) -> dict[str, Any]:
    """The notes beside the bars in a Parquet table; ValueError or KeyError where it is none of the price cache's."""
    notes = decoded_object((table.schema.metadata or {})[key], LONGEST_LINE)
    converted(_PriceNotes, notes)
    if (table.schema.pandas_metadata or {}).get("index_columns") != ["Date"]:
        raise ValueError("has bars without days")
    for name, kinds in (("Date", ("timestamp",)), *((name, ("double", "int64")) for name in BARS)):
        found = str(table.schema.field(name).type).partition("[")[0]
        if found not in kinds:
            raise ValueError(f"has {found} for {name}")
    return notes


def _check_days(days: Mapping[str, date | None]) -> None:
    for name, day in days.items():
        if day is not None:
            check_day(name, day)
