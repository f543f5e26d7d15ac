"""Announcements of results: which are expected, as known or foretold on a day, and how much the stock moves on them.

Nothing here sees an announcement before the day on which it was known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from stockml.data.announcements import Announcement
from stockml.indicators.volatility import true_ranges

if TYPE_CHECKING:
    from stockml.data.price_table import PriceTable

AHEAD_DAYS = 21  # further ahead no forecast reaches
OVERDUE_DAYS = 7  # foretold results that have not come are expected for another week
SAME_QUARTER_DAYS = 364  # a year later on the same weekday
SAME_DAYS = 45  # two dates so near are one quarter's results
USUAL_REACTION = 1.8  # how many times the usual range, over all stocks
USUAL_COUNTS = 3.0  # as so many of the stock's own announcements
BEFORE_SESSIONS = 20  # whose median range is the usual one
FARTHEST_REACTION = 10.0


@dataclass(frozen=True, slots=True)
class ExpectedResults:
    """Results that a company is expected to publish; `is_known` is False for a date foretold from the year before."""

    day: date
    is_known: bool


def expected_results(announcements: Sequence[Announcement], as_of: date) -> ExpectedResults | None:
    """The next results within three weeks after `as_of`, as known on that evening.

    Parameters
    ----------
    announcements : sequence of Announcement
        In any order; one is used from `first_known_on` on, without it from its own day on.
    as_of : date

    Returns
    -------
    ExpectedResults or None
        A date that was known, else the one of the same quarter of the year before, 364 days later, where no results
        have come near it; it may lie up to a week back, for late results. None where nothing is expected.
    """
    until = as_of + timedelta(days=AHEAD_DAYS)
    known = [a.day for a in announcements if a.first_known_on and a.first_known_on <= as_of < a.day <= until]
    if known:
        return ExpectedResults(min(known), is_known=True)
    past = [a.day for a in announcements if a.day <= as_of]
    later = [a.day for a in announcements if a.first_known_on and a.first_known_on <= as_of < a.day]
    since = as_of - timedelta(days=OVERDUE_DAYS)
    foretold = [
        day
        for day in (before + timedelta(days=SAME_QUARTER_DAYS) for before in past)
        if since <= day <= until and all(abs((day - other).days) > SAME_DAYS for other in (*past, *later))
    ]
    return ExpectedResults(min(foretold), is_known=False) if foretold else None


def reaction(prices: PriceTable, as_of: date) -> float:
    """How many times its usual range the stock moves when it publishes results, from its own past ones up to `as_of`.

    Parameters
    ----------
    prices : PriceTable
        With announcements.
    as_of : date

    Returns
    -------
    float
        1.0 to 10.0; 1.8, the usual one of all stocks, where it has published none yet.
    """
    frame = prices.frame.loc[: pd.Timestamp(as_of)]
    ranges = true_ranges(frame, prices.breaks)
    days = np.array([a.day for a in prices.announcements if a.day < as_of], dtype="datetime64[D]")
    rows = np.searchsorted(frame.index.to_numpy().astype("datetime64[D]"), np.sort(days))
    seen = [row for row in rows.tolist() if row >= BEFORE_SESSIONS and row + 1 < len(ranges)]
    logs = [_log_reaction(ranges, row) for row in seen]
    mean = (sum(logs) + USUAL_COUNTS * np.log(USUAL_REACTION)) / (len(logs) + USUAL_COUNTS)
    return round(float(np.exp(mean)), 4)


def _log_reaction(ranges: np.ndarray, row: int) -> float:
    """Of one announcement: the variance of its session and the next beyond one usual session's, as a log range."""
    usual = max(float(np.median(ranges[row - BEFORE_SESSIONS : row])), 1e-6)
    square = float(np.sum((ranges[row : row + 2] / usual) ** 2)) - 1  # before the open or after the close: either
    return 0.5 * float(np.log(min(max(square, 1.0), FARTHEST_REACTION**2)))
