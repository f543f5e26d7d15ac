"""The steps between close and adjusted close: splits in raw closes, spin-offs, special dividends.

An adjusted close goes on where the close steps; by how much tells what happened. A step is judged by the two bars
beside it alone, never by later ones, so that it is the same on whatever day one looks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pandas as pd

from stockml.data.bar_checks import LEVEL, Array, columns, log_changes
from stockml.data.findings import NOTED, Checked, Finding, Mask, days

SPLITS = (5 / 4, 4 / 3, 3 / 2, 2.0, 5 / 2, 3.0)  # new shares per old, the usual ones
BONUS_ISSUES = (6 / 5, 7 / 5, 5 / 3)  # of 1:5, 2:5 and 2:3: these only ever make a share cheaper
RARE_SPLITS = (8 / 5, 7 / 4, 7 / 2, 9 / 2, *map(float, (*range(2, 101), 1000, 10_000)))
RATIOS = tuple(sorted({*SPLITS, *BONUS_ISSUES, *RARE_SPLITS} | {1 / ratio for ratio in (*SPLITS, *RARE_SPLITS)}))

LEAST_STEP = 0.9  # the share of the price that a larger dividend than any ordinary one leaves
RATIO_WITHIN = 1e-3
CENT, ROUGHLY = 0.01, 0.02  # prices are rounded to cents; beyond ROUGHLY they tell of a split in two and no smaller one
# A dividend on the day of a split makes the step larger. A spin-off has left a holder with 61 % at the least, so that
# a step of two and more is a split with any dividend; below, only 3:2 is frequent enough for a quarter's usual one.
NO_SPIN_OFF, DIVIDEND = 1.9, 0.05
FREQUENT, USUAL_DIVIDEND = 3 / 2, 0.009


class Split(NamedTuple):
    """A split in raw closes: its first row in the new units, and the new shares per old."""

    row: int
    ratio: float


def covered_falls(close: Array, adjusted: Array) -> Mask:
    """Bars whose close falls by a tenth and more where the adjusted close does not: the holder was given the rest.

    Parameters
    ----------
    close, adjusted : array, shape (n_days,)
        NaN for what is no price.

    Returns
    -------
    array of bool, shape (n_days,)
        False for the first bar.
    """
    own = log_changes(adjusted)
    step = own - log_changes(close)
    return np.asarray((step > -np.log(LEAST_STEP)) & (np.abs(own) < np.minimum(step, np.log(LEVEL))))


def find_splits(frame: pd.DataFrame) -> list[Split]:
    """The splits that the closes are not adjusted for and the adjusted closes are.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        The columns COLUMNS, one bar a day; a bar without a close or an adjusted close is passed over.

    Returns
    -------
    list of Split
        Oldest first.
    """
    bar = columns(frame)
    if np.array_equal(bar.close, bar.adj_close, equal_nan=True):
        return []
    known = np.flatnonzero((bar.close > 0) & (bar.adj_close > 0))
    close, adjusted = bar.close[known], bar.adj_close[known]
    own = log_changes(adjusted)
    step = own - log_changes(close)
    is_large = np.abs(step) > -np.log(LEAST_STEP)
    splits = []
    for at in np.flatnonzero(is_large & (np.abs(own) < np.minimum(np.abs(step), np.log(LEVEL)))).tolist():
        smallest = min(close[at - 1], close[at], adjusted[at - 1], adjusted[at])
        ratio = _split_ratio(float(np.exp(step[at])), max(RATIO_WITHIN, CENT / smallest))
        if ratio is not None:
            splits.append(Split(int(known[at]), ratio))
    return splits


def _split_ratio(step: float, within: float) -> float | None:
    """The split whose ratio a step has, alone or with a dividend beside it; None for any other step."""
    nearest = min(RATIOS, key=lambda ratio: abs(step / ratio - 1))
    if within > ROUGHLY and max(nearest, 1 / nearest) < NO_SPIN_OFF:
        return None
    if abs(step / nearest - 1) <= min(within, ROUGHLY):
        return nearest
    dividends = {ratio: 1 - ratio / step for ratio in RATIOS if 0 < 1 - ratio / step <= _largest_dividend(ratio)}
    return min(dividends, key=dividends.__getitem__, default=None)


def _largest_dividend(ratio: float) -> float:
    """The largest part of the price that may have been paid on the day of a split of this ratio."""
    if ratio < 1 or ratio > NO_SPIN_OFF:
        return DIVIDEND
    return USUAL_DIVIDEND if ratio == FREQUENT else 0.0


def undo_splits(frame: pd.DataFrame) -> Checked:
    """Bring the bars before each split that Adj Close tells of into the units after it.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars with the columns COLUMNS, one a day.

    Returns
    -------
    frame : DataFrame, shape (n_days, 6)
    findings : list of Finding
        One for each split.
    """
    splits = find_splits(frame)
    findings = [
        Finding("raw_split", NOTED, (day,), _told(split, day))
        for split, day in zip(splits, days(frame.index[[split.row for split in splits]]), strict=True)
    ]
    return in_newest_units(frame, splits), findings


def in_newest_units(frame: pd.DataFrame, splits: Sequence[Split]) -> pd.DataFrame:
    """The bars in the units of the last one: prices by the splits after them, adjusted ones left alone, volumes too.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars with the columns COLUMNS.
    splits : sequence of Split
        Oldest first.

    Returns
    -------
    DataFrame, shape (n_days, 6)
        The frame itself where there is no split.
    """
    if not splits:
        return frame
    values, shares = frame.to_numpy(copy=True), shares_since(len(frame), splits)
    values[:, :4] /= shares[:, np.newaxis]
    values[:, 5] *= shares
    return pd.DataFrame(values, frame.index, frame.columns)


def shares_since(n_days: int, splits: Iterable[Split]) -> Array:
    """The shares that one share of each day has become by the last one.

    Parameters
    ----------
    n_days : int
    splits : iterable of Split

    Returns
    -------
    array, shape (n_days,)
    """
    shares = np.ones(n_days)
    for split in sorted(splits, reverse=True):  # newest first: the same product however far back the table begins
        shares[: split.row] *= split.ratio
    return shares


def _told(split: Split, day: date) -> str:
    """The finding on a split, its ratio as new shares and old ones."""
    ratio = Fraction(split.ratio).limit_denominator(10_000)
    words = f"{ratio.numerator}:{ratio.denominator}"
    return f"the closes are not adjusted for a split of {words} on {day}, as Adj Close shows: bars before it rescaled"
