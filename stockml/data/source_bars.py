"""The source's own bars of one symbol, as settlement needs them: which closes count, and what is not decided yet.

The checks for a forecast may look at later bars and change their mind; a settled line is for ever. Here each bar is
judged by itself and by those before it, and a leap once five later bars are there: so a line ends the same way on
whatever day one looks, in a replay as in a live run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stockml.data.adjustment_steps import Split, find_splits, in_newest_units, shares_since
from stockml.data.bar_checks import Array, is_wrong_alone
from stockml.data.findings import Mask
from stockml.data.neighbour_checks import PHANTOM_RUN, phantom_runs
from stockml.data.price_jumps import find_faults
from stockml.data.request import SPLITS, RawBars
from stockml.data.volume_checks import is_mostly, is_still, repeats_close

LOOKED_BACK = 20  # bars: a bar without volume counts where most of those before it had none either
CONFIRMED_AFTER = PHANTOM_RUN  # bars after a leap: by then a phantom price has come back
WRONG_UNITS = ("unit_jump", "unadjusted_split")


class Leap(NamedTuple):
    """A jump of the price: the row it begins at, and the row at which it is known whether it stays."""

    row: int
    decided: int  # the number of bars where it is not known yet


@dataclass(frozen=True, slots=True, eq=False)
class SourceBars:
    """One symbol's bars as the source has them, oldest first; all arrays of shape (n_bars,).

    Attributes
    ----------
    days : array of datetime64[D]
        Each day once.
    close : array of float
        In the units of the last bar; NaN, zero or less where that is no price.
    counts : array of bool
        True for a close that a line may be settled by.
    leaps : tuple of Leap
    rescaled : tuple of int
        Rows at which the prices step by a split or another unit that the source has not adjusted for.
    given : array of float
        The closes as the source gave them.
    undone : tuple of Split
        The splits that they are not adjusted for, as its adjusted closes tell.
    currency : str or None
    asked_through : date or None
        The last day that the source was asked for; None for files, which speak of no day after their last one.
    fetched_at : datetime or None
        When the source gave them, with its time zone; None for files.
    splits : tuple of (date, float)
        The splits that the source tells, and new shares per old; their prices are adjusted for, whatever the day.
    """

    days: NDArray[np.datetime64]
    close: Array
    counts: Mask
    leaps: tuple[Leap, ...]
    rescaled: tuple[int, ...]
    given: Array
    undone: tuple[Split, ...]
    currency: str | None
    asked_through: date | None
    fetched_at: datetime | None = None
    splits: tuple[tuple[date, float], ...] = ()

    @classmethod
    def of(cls, rows: pd.DataFrame, raw: RawBars) -> SourceBars:
        """The bars of a tidied table.

        Parameters
        ----------
        rows : DataFrame, shape (n_rows, 6)
            As `raw_table.tidy` gives them, sorted; of a day that is given twice the last row holds.
        raw : RawBars
            The source's answer they are from.

        Returns
        -------
        SourceBars
            With n_bars days.
        """
        rows = rows[~rows.index.duplicated(keep="last")]
        given, undone = rows["close"].to_numpy(copy=True), tuple(find_splits(rows))  # a view would keep the whole table
        rows = in_newest_units(rows, undone)
        adjusted = rows["adj_close"].where(rows["adj_close"] > 0)  # NaN covers no fall
        # the close settles a line, whatever its adjusted one; and no volume given says as much as a volume of zero
        rows = rows.assign(adj_close=rows["close"], volume=rows["volume"].fillna(0.0))
        counts = ~(is_wrong_alone(rows) | _is_untraded(rows))
        places = np.flatnonzero(counts)
        runs = phantom_runs(rows[counts])
        for start, stop in runs:
            counts[places[start : start if stop is None else stop]] = False
        kept = np.flatnonzero(counts)
        faults = find_faults(rows.assign(adj_close=adjusted).iloc[kept])
        days = rows.index.to_numpy().astype("datetime64[D]")
        return cls(
            days=days,
            close=rows["close"].to_numpy(),
            counts=counts,
            leaps=_leaps(runs, places, kept, len(days)),
            rescaled=tuple(int(kept[fault.row]) for fault in faults if fault.kind in WRONG_UNITS),
            given=given,
            undone=undone,
            currency=raw.currency,
            asked_through=raw.asked_through,
            fetched_at=raw.fetched_at,
            splits=_splits(raw.frame),
        )._known(len(days))

    def through(self, day: date) -> SourceBars:
        """The bars up to `day`, as the source had them then; shape (n_kept,)."""
        end = int(np.searchsorted(self.days, np.datetime64(day), side="right"))
        asked = None if self.asked_through is None else min(self.asked_through, day)
        return replace(self, asked_through=asked)._known(end)

    def _known(self, end: int) -> SourceBars:
        """The first `end` bars; none counts from a leap on of which it is not known yet whether it stays."""
        leaps = tuple(leap for leap in self.leaps if leap.row < end)
        counts = self.counts[:end].copy()
        counts[min((leap.row for leap in leaps if leap.decided >= end), default=end) :] = False
        undone = tuple(split for split in self.undone if split.row < end)
        return replace(
            self,
            days=self.days[:end],
            close=self.given[:end] / shares_since(end, undone) if undone else self.given[:end],
            counts=counts,
            leaps=leaps,
            rescaled=tuple(row for row in self.rescaled if row < end),
            given=self.given[:end],
            undone=undone,
        )

    @property
    def reach(self) -> date | None:
        """The last day that the source's answer speaks of, whether there was a bar or not; None without any bar."""
        if not len(self.days):
            return None
        last: date = self.days[-1].item()
        return last if self.asked_through is None else max(last, self.asked_through)

    def split_since(self, day: date) -> float:
        """New shares per old by all splits after `day` that the source tells; 1 without any."""
        return math.prod(ratio for at, ratio in self.splits if at > day)

    def row(self, day: date) -> int:
        """The row of the first bar on or after `day`; the number of bars where there is none."""
        return int(np.searchsorted(self.days, np.datetime64(day)))

    def close_of(self, day: date) -> float | None:
        """The close of a day, whether it counts or not; None without one."""
        row = self.row(day)
        if row == len(self.days) or self.days[row] != np.datetime64(day) or not self.close[row] > 0:
            return None
        return float(self.close[row])

    def first_counting(self, first: date, last: date) -> int | None:
        """The row of the first bar from `first` to `last` that counts; None without one."""
        rows = np.flatnonzero(self.counts[self.row(first) :]) + self.row(first)
        return int(rows[0]) if len(rows) and self.days[rows[0]] <= np.datetime64(last) else None

    def counting_after(self, day: date) -> int:
        """The number of bars after `day` that count."""
        return int(self.counts[int(np.searchsorted(self.days, np.datetime64(day), side="right")) :].sum())

    def undecided_leap(self, last: date) -> date | None:
        """The first day up to `last` with a leap of which it is not known yet whether it stays; None without one."""
        open_leaps = [self.days[leap.row] for leap in self.leaps if leap.decided >= len(self.days)]
        return open_leaps[0].item() if open_leaps and open_leaps[0] <= np.datetime64(last) else None

    def rescaled_between(self, first: int, last: int) -> date | None:
        """The first day after row `first` up to row `last` on which the prices change units; None without one."""
        rows = [row for row in self.rescaled if first < row <= last]
        return self.days[rows[0]].item() if rows else None


def _leaps(
    runs: list[tuple[int, int | None]], places: NDArray[np.intp], kept: NDArray[np.intp], n_bars: int
) -> tuple[Leap, ...]:
    """The leaps that begin phantom runs, or prices that stay, oldest first.

    One that stays is known to once CONFIRMED_AFTER later bars count. Where another leap begins among these, it must be
    decided as well: if that one comes back its bars do not count, and the trade after the first is judged by others.

    Parameters
    ----------
    runs : list of (int, int or None)
        As `phantom_runs` gives them, by number of the bars that are sound by themselves.
    places, kept : arrays of int, shapes (n_sound,) and (n_counting,)
        The rows of these bars, and of those that are no phantoms either, among all `n_bars`.
    """
    leaps: list[Leap] = []
    for start, stop in reversed(runs):
        row = int(places[start])
        if stop is None:
            later = kept[kept > row]
            known = int(later[CONFIRMED_AFTER - 1]) if len(later) >= CONFIRMED_AFTER else n_bars
            known = max([known, *(leap.decided for leap in leaps if leap.row <= known)])
        else:
            known = int(places[stop])
        leaps.insert(0, Leap(row, known))
    return tuple(leaps)


def _splits(frame: pd.DataFrame) -> tuple[tuple[date, float], ...]:
    """The splits in a source's own table, where it has a column of them."""
    if SPLITS not in frame:
        return ()
    told = frame[SPLITS]
    told = told[told > 0]
    return tuple((at.date(), float(ratio)) for at, ratio in zip(pd.DatetimeIndex(told.index), told, strict=True))


def _is_untraded(rows: pd.DataFrame) -> Mask:
    """Bars without trades, in a table whose bars before them had volume; shape (n_rows,)."""
    still = is_still(rows)
    if not still.any():
        return still
    had_volume = np.concatenate([[False], rows["volume"].to_numpy()[:-1] > 0])
    among_traded = is_mostly(had_volume, LOOKED_BACK - 1, 0)
    return np.asarray(still & (among_traded | (repeats_close(rows) & (np.cumsum(had_volume) > 0))))
