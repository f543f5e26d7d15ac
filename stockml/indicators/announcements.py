"""Announcements of results: which are expected, as known or foretold on a day, and how much the stock moves on them.

Nothing here sees an announcement before the day on which it was known.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stockml.core.calendars import calendar_for
from stockml.data.announcements import Announcement, known_by
from stockml.indicators.events import QUARTERS, USUAL_SESSIONS
from stockml.indicators.volatility import true_ranges

if TYPE_CHECKING:
    from stockml.data.price_table import PriceTable

Array = NDArray[np.float64]

AHEAD_DAYS = 21  # further ahead no forecast reaches
OVERDUE_DAYS = 7  # foretold results that have not come are expected for another week
SAME_QUARTER_DAYS = 364  # a year later on the same weekday
SAME_DAYS = 45  # two dates so near are one quarter's results
LOOKED_BACK = timedelta(days=SAME_QUARTER_DAYS + OVERDUE_DAYS + SAME_DAYS)
LOOKED_AHEAD = timedelta(days=AHEAD_DAYS + SAME_DAYS)
SESSIONS = QUARTERS[-1] + 4  # whose announcements tell the stock's own reaction: four, as a rule
FOLLOWED = 3  # announcements in that time by which a stock's dates are known well enough
USUAL_REACTION, USUAL_COUNTS = 2.2, 2.0  # of all stocks, and the number of a stock's own that it counts as
GREATEST_REACTION = 10.0
DAYS_AHEAD, REACTION, FORETOLD = "results_days_ahead", "results_reaction", "results_foretold"
RESULTS_INPUTS = (DAYS_AHEAD, REACTION, FORETOLD)


@dataclass(frozen=True, slots=True)
class ExpectedResults:
    """Results that a company is expected to publish; `is_known` is False for a date foretold from the year before."""

    day: date
    is_known: bool
    at: time | None = None


def expected_results(announcements: Iterable[Announcement], as_of: date) -> ExpectedResults | None:
    """The next results within three weeks after `as_of`, as known on that evening.

    Parameters
    ----------
    announcements : iterable of Announcement
        In any order; one is used from `first_known_on` on, without it from its own day on.
    as_of : date

    Returns
    -------
    ExpectedResults or None
        A date that was known, else the one of the same quarter of the year before, 364 days later, where no results
        have come near it; it may lie up to a week back, for late results. None where nothing is expected.
    """
    until = as_of + timedelta(days=AHEAD_DAYS)
    known_now = known_by(announcements, as_of)
    past = [known.day for known in known_now if known.day <= as_of]
    ahead = [known for known in known_now if known.day > as_of]
    first = min(ahead, key=lambda known: known.day, default=None)
    if first is not None and first.day <= until:
        return ExpectedResults(first.day, is_known=True, at=first.at)
    others = [*past, *(known.day for known in ahead)]
    since, year = as_of - timedelta(days=OVERDUE_DAYS), timedelta(days=SAME_QUARTER_DAYS)
    foretold = [
        day
        for day in (before + year for before in past)
        if since <= day <= until and all(abs((day - other).days) > SAME_DAYS for other in others)
    ]
    return ExpectedResults(min(foretold), is_known=False) if foretold else None


def reaction(prices: PriceTable, as_of: date) -> float:
    """Range of the stock on days of results, as a multiple of the usual, from those of the year to `as_of`.

    Parameters
    ----------
    prices : PriceTable
        With announcements.
    as_of : date

    Returns
    -------
    float
        1.0 to 10.0; 2.2, the usual one of all stocks, where it has published none yet.
    """
    known = replace(prices, frame=prices.frame.loc[: pd.Timestamp(as_of)])
    reactions = _Reactions.of(known.announcements, _days(known), true_ranges(known.frame, known.breaks))
    return reactions.at(len(known.frame) - 1, as_of)[0]


def results_columns(prices: PriceTable, ranges: Array, first: int = 0) -> tuple[dict[str, Array], NDArray[np.bool_]]:
    """The results expected on each day, from row `first` on.

    Parameters
    ----------
    prices : PriceTable
    ranges : array, shape (n_days,)
        Its `true_ranges`.
    first : int

    Returns
    -------
    columns : dict
        Of arrays of shape (n_days,), NaN where nothing is expected. `results_days_ahead`: calendar days from the
        session to the stock's reaction, half a day more where the time of day is not known, one more after the close;
        `results_foretold`: 1 where the date is foretold, else 0; `results_reaction`: see `reaction`, told where
        nothing is expected too, if enough results are past.
    is_followed : bool array, shape (n_days,)
        True where a year of announcements is known.
    """
    n = len(ranges)
    columns = {name: np.full(n, np.nan) for name in RESULTS_INPUTS}
    is_followed = np.zeros(n, dtype=bool)
    if not prices.announcements:
        return columns, is_followed
    sessions, close = prices.frame.index, calendar_for(prices.symbol).close
    oldest = min(sessions[0].date(), sessions[first].date() - LOOKED_BACK)
    in_order = sorted((one for one in prices.announcements if one.day >= oldest), key=lambda one: one.day)
    days = [one.day for one in in_order]
    reactions = _Reactions.of(in_order, _days(prices), ranges)
    known_from = min((min(one.first_known_on or one.day, one.day) for one in in_order), default=date.max)
    begin = int(np.searchsorted(_days(prices), np.datetime64(known_from)))  # on no day before it is any known
    for row in range(max(first, begin), n):
        as_of = sessions[row].date()
        near = in_order[bisect_left(days, as_of - LOOKED_BACK) : bisect_right(days, as_of + LOOKED_AHEAD)]
        times, number = reactions.at(row, as_of)
        is_followed[row] = number >= FOLLOWED
        found = _days_ahead(near, as_of, close)
        if found is not None:
            columns[DAYS_AHEAD][row], columns[FORETOLD][row] = found
        if found is not None or is_followed[row]:
            columns[REACTION][row] = times
    return columns, is_followed


def _days(prices: PriceTable) -> NDArray[np.datetime64]:
    return prices.frame.index.to_numpy().astype("datetime64[D]")


def _days_ahead(announcements: Sequence[Announcement], as_of: date, close: time) -> tuple[float, float] | None:
    """Calendar days to the stock's next reaction, and 1 where its date is foretold, else 0."""
    for known in known_by(announcements, as_of):
        if known.day == as_of and (late := _later(known.at, close)):  # published today, perhaps after the close
            return late, 0.0
    expected = expected_results(announcements, as_of)
    if expected is None:
        return None
    return (expected.day - as_of).days + _later(expected.at, close), float(not expected.is_known)


def _later(at: time | None, close: time) -> float:
    """Days between an announcement and the session that it moves."""
    if at is None:
        return 0.5
    return 1.0 if at >= close else 0.0


@dataclass(frozen=True, slots=True)
class _Reactions:
    """Ranges of the stock on each of its announcements."""

    rows: NDArray[np.int64]  # (n,) of the table, ascending
    logs: Array  # (n,) ranges beside the usual
    known_on: Sequence[date]  # n

    @classmethod
    def of(cls, announcements: Sequence[Announcement], sessions: NDArray[np.datetime64], ranges: Array) -> _Reactions:
        days = np.array([known.day for known in announcements], dtype="datetime64[D]")
        rows_of = np.searchsorted(sessions, days)
        known_on: dict[int, date] = {}
        for known, row in zip(announcements, rows_of.tolist(), strict=True):
            if USUAL_SESSIONS < row < len(ranges) - 1:
                first = known.first_known_on or known.day
                known_on[row] = min(known_on.get(row, first), first)
        rows = sorted(known_on)
        logs = np.array([_log_reaction(ranges, row) for row in rows])
        return cls(np.array(rows, dtype=np.int64), logs, [known_on[row] for row in rows])

    def at(self, row: int, as_of: date) -> tuple[float, int]:
        """The reaction as known after a row's session, and the number of announcements that it rests on."""
        first, end = np.searchsorted(self.rows, [row - SESSIONS + 1, row])  # the session after each is known
        logs = [float(self.logs[number]) for number in range(first, end) if self.known_on[number] <= as_of]
        mean = (sum(logs) + USUAL_COUNTS * np.log(USUAL_REACTION)) / (len(logs) + USUAL_COUNTS)
        return round(float(np.exp(mean)), 4), len(logs)


def _log_reaction(ranges: Array, row: int) -> float:
    """The variance of an announcement's session and the next, beyond one usual session's, as a log range."""
    usual = max(float(np.median(ranges[row - USUAL_SESSIONS : row])), 0.05)
    square = float(np.sum((ranges[row : row + 2] / usual) ** 2)) - 1  # before the open or after the close: either
    return 0.5 * float(np.log(min(max(square, 1.0), GREATEST_REACTION**2)))
