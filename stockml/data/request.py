"""Requests to a source and its answers: settings and date range in, raw bars or a failure per symbol out.

Plain values without a library, so that every part of the data room can use them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from stockml.core.failures import Failure
from stockml.core.progress import Progress, no_progress
from stockml.core.record_fields import EARLIEST_DATE
from stockml.data.announcements import Announcement

if TYPE_CHECKING:
    import pandas as pd

    from stockml.core.calendars import Calendar

EARLIEST = date.fromisoformat(EARLIEST_DATE)


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """Settings of a download: threads, time-outs, back-off, and the progress callback.

    Waits double from `first_wait_s` on; random jitter keeps the threads from retrying all at once.
    """

    threads: int = 4
    timeout_s: float = 15.0  # for each request; Yahoo answers within one second
    first_wait_s: float = 2.0
    longest_wait_s: float = 60.0
    offline: bool = False  # use the price cache alone, however old it is
    asks_announcements: bool = False  # after the prices, for the days on which results are published
    history_bars: int = 0  # beside each table as many of all bars at hand, at most; no more are asked for
    tell: Progress = no_progress


DEFAULT_SETTINGS = FetchSettings()


@dataclass(frozen=True, slots=True)
class DateRange:
    """The days one symbol's table may hold."""

    start: date  # surely before the first session that is needed
    limit: date  # the last day whose bar is complete and may be seen
    expected: date  # the last session that should be there
    is_past: bool  # acting as on a past day: bars after it are not worth a finding
    calendar: Calendar | None = None  # None: the one that the symbol names


@dataclass(frozen=True, slots=True)
class Listing:
    """The place where Yahoo says that a symbol is listed: its own name of the exchange, and the time zone."""

    exchange: str | None = None
    timezone: str | None = None


NOWHERE = Listing()


SPLITS = "Stock Splits"  # a column that only some sources have: new shares per old on that day, 0 where there is none


@dataclass(frozen=True, slots=True, eq=False)
class RawBars:
    """A symbol's bars as the source gave them, shape (n_rows, n_columns).

    `notes` are findings as (kind, text). `fetched_at` is when the source was asked, and `asked_through` the last
    day it was asked for; both None for a file, which speaks of no day after its last one. `complete_through` is the
    last day whose bar is complete by the time that the answer itself tells; None where it tells none.
    """

    frame: pd.DataFrame
    currency: str | None
    notes: tuple[tuple[str, str], ...] = ()
    fetched_at: datetime | None = None
    asked_through: date | None = None
    listing: Listing = NOWHERE
    complete_through: date | None = None
    announcements: tuple[Announcement, ...] = ()  # by day


@dataclass(frozen=True, slots=True)
class Feed:
    """Bars or a failure for each symbol, and the number of chart requests to Yahoo.

    `skew` is how much Yahoo's clock is ahead of the machine's; None where no answer told.
    """

    bars: Mapping[str, RawBars]
    failures: Mapping[str, Failure]
    requests: Mapping[str, int] = field(default_factory=dict)
    skew: timedelta | None = None
