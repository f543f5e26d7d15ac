"""Small files of the data room as they are read back: symbols that rest, and announcements of results."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from typing import Annotated

from msgspec import Meta, Struct, field

from stockml.core.paths import is_symbol
from stockml.storage.decoding import Name, check_day

LONGEST_LINE = 1 << 16

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


def _check_days(days: Mapping[str, date | None]) -> None:
    for name, day in days.items():
        if day is not None:
            check_day(name, day)
