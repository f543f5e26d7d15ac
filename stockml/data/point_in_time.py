"""A symbol's raw bars -> the checked table of any past session, as a run after that session would have had it.

The price checks may look at later bars to tell a phantom from a crash, so a table checked today is not the one of a
past day. Where no bar nearby is suspicious the two are the same and need no second check; else the bars up to that
day are checked again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stockml.core.calendars import Calendar, calendar_for
from stockml.data.adjustment_steps import Split, in_newest_units
from stockml.data.announcements import known_by
from stockml.data.bar_checks import COLUMNS, LEVEL, columns, is_wrong_alone, log_changes, sort_dates
from stockml.data.day_checks import LONGEST_STEP, RECENT_STEPS, day_steps, is_filled_forward, is_sparse
from stockml.data.fetch import checked
from stockml.data.findings import Mask
from stockml.data.history import with_history
from stockml.data.neighbour_checks import MISADJUSTED_ROWS, adjustment_ratio
from stockml.data.price_jumps import LOOKED_BACK, find_faults, steps
from stockml.data.price_table import MIN_SESSIONS, PriceError, PriceTable
from stockml.data.raw_table import tidy
from stockml.data.request import DateRange, RawBars
from stockml.data.source_bars import SourceBars
from stockml.data.volume_checks import is_still, repeats_close


class PointInTimePrices:
    """One symbol's bars as they were known after any past session.

    Attributes
    ----------
    bars : DataFrame, shape (n_bars, 6)
        The bars that no check objects to for themselves, in the units of the newest. A run of them is the table of a
        session where `rows` says so.
    source_bars : SourceBars
        All bars as settlement needs them; `through` gives those of a past session.
    """

    def __init__(self, symbol: str, raw: RawBars, kind: str, calendar: Calendar | None = None) -> None:
        self.symbol, self._raw, self._kind = symbol, raw, kind
        try:
            rows, unread = tidy(raw.frame)
            rows = sort_dates(rows)[0]
            rows = rows[~is_filled_forward(rows, calendar or calendar_for(symbol))]
        except PriceError:
            unread = []
            rows = pd.DataFrame(columns=list(COLUMNS), index=pd.DatetimeIndex([], name="Date"), dtype=float)
        sound = ~_is_bad_alone(rows)
        copies = _copies(rows) & sound
        self._days = rows.index.to_numpy()
        self.source_bars = SourceBars.of(rows, raw)
        splits = [(self.source_bars.days[split.row], split.ratio) for split in self.source_bars.undone]
        self._newest_split = int(np.searchsorted(self._days, splits[-1][0])) if splits else 0
        kept = rows[sound & ~copies]
        self.bars = in_newest_units(kept, [Split(int(kept.index.searchsorted(at)), ratio) for at, ratio in splits])
        self._starts_badly = copies
        self._kept_before = _counted(sound & ~copies)
        self._copied_before, self._traded_before = _counted(copies), _counted(rows["volume"].to_numpy() > 0)
        odd = ~sound
        odd[np.flatnonzero(sound & ~copies)[_is_odd_beside_others(self.bars)]] = True
        self._odd_before = _counted(odd)
        self._long_steps_before = _counted(day_steps(rows) > LONGEST_STEP)
        self._is_partly_unread = bool(unread)
        self._steps = np.flatnonzero(steps(columns(self.bars).close))

    def table(self, span: DateRange) -> PriceTable:
        """The table of the session `span.limit`.

        Returns
        -------
        PriceTable
            Of shape (n_days, 6), equal to `fetch.checked` of the bars up to that day.

        Raises
        ------
        FetchError
            Where the prices could not be used on that day.
        """
        rows = self.rows(span)
        return checked(self.symbol, self._raw, self._kind, span) if rows is None else self.cut(rows)

    def training_table(self, span: DateRange, most: int) -> PriceTable:
        """The table of the session `span.limit`, with at most so many bars as its `history`; raises as `table` does."""
        return with_history(self.table, span, most)

    def cut(self, rows: slice) -> PriceTable:
        """The table of these rows of `bars`, unchecked; see `rows`.

        Returns
        -------
        PriceTable
            Of shape (n_days, 6).
        """
        table = PriceTable(self.symbol, self.bars.iloc[rows], self._raw.currency, self._kind)
        dates = known_by(self._raw.announcements, table.data_through) if len(table.frame) else ()
        return replace(table, announcements=dates)

    def whole(self) -> PriceTable:
        """All of `bars` as one table, for figures of which no day's sees a later one; shape (n_bars, 6)."""
        return self.cut(slice(None))

    def rows(self, span: DateRange) -> slice | None:
        """The rows of `bars` that are the table of the session `span.limit`; None where only a check can tell."""
        first, end = self._row(span.start, "left"), self._row(span.limit, "right")
        if self._is_partly_unread or self._may_be_sparse(first, end):
            return None  # how many rows cannot be read, and how new they are, depends on the day
        if end <= self._newest_split:
            return None  # the prices of that day were in other units
        if end == first or self._odd_before[end] > self._odd_before[first] or self._starts_badly[first]:
            return None
        has_copies = self._copied_before[end] > self._copied_before[first]
        if has_copies and self._traded_before[end] == self._traded_before[first]:
            return None  # where no bar has volume, none is dropped for having none
        begin, stop = int(self._kept_before[first]), int(self._kept_before[end])
        if stop - begin < MIN_SESSIONS or self._may_start_with_a_split(begin, stop):
            return None
        return slice(begin, stop)

    def _may_be_sparse(self, first: int, end: int) -> bool:
        """True where over half of the bars, or of the newest, stand far from the one before."""
        longs, begins = self._long_steps_before, (first + 1, max(first + 1, end - RECENT_STEPS))
        return any(is_sparse(int(longs[end] - longs[begin]), end - begin) for begin in begins if begin < end)

    def _row(self, day: date, side: Literal["left", "right"]) -> int:
        return int(np.searchsorted(self._days, np.datetime64(day), side=side))

    def _may_start_with_a_split(self, begin: int, stop: int) -> bool:
        """True where a step among the first bars would be judged otherwise with fewer bars before it."""
        near = (self._steps > begin) & (self._steps < min(begin + LOOKED_BACK, stop))
        return bool(near.any()) and bool(find_faults(self.bars.iloc[begin : min(begin + LOOKED_BACK, stop)]))


def _counted(mask: Mask) -> NDArray[np.int64]:
    """The number of marked rows before each row and before the end; shape (n_rows + 1,)."""
    return np.concatenate([[0], np.cumsum(mask)])


def _is_bad_alone(rows: pd.DataFrame) -> Mask:
    """Bars that some check objects to whatever stands around them, or a second bar of a day; shape (n_rows,)."""
    bad = is_wrong_alone(rows) | rows["volume"].isna().to_numpy() | rows.index.duplicated(keep=False)
    return np.asarray(bad | (is_still(rows) & ~_copies(rows)))


def _copies(rows: pd.DataFrame) -> Mask:
    """Bars without trades that repeat the close before: dropped, whatever follows, where other bars have volume."""
    return np.asarray(is_still(rows) & repeats_close(rows))


def _is_odd_beside_others(bars: pd.DataFrame) -> Mask:
    """Bars that some check might object to for their neighbours; shape (n_bars,)."""
    if bars.empty:
        return np.zeros(0, dtype=bool)
    far = np.log(LEVEL)
    odd = (np.abs(log_changes(columns(bars).close)) > far) | (np.abs(log_changes(columns(bars).adj_close)) > far)
    ratio = adjustment_ratio(bars).rolling(MISADJUSTED_ROWS, center=True, min_periods=1)
    odd |= (ratio.max() - ratio.min()).to_numpy() > far
    odd[[fault.row for fault in find_faults(bars)]] = True
    return np.asarray(odd)
