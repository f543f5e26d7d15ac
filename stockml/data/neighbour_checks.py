"""Checks of bars against their neighbours: two companies in one table, phantom prices, wrong adjustments."""

from __future__ import annotations

import numpy as np
import pandas as pd

from stockml.data.adjustment_steps import covered_falls
from stockml.data.bar_checks import LEVEL, MIXED_BARS, columns, log_changes
from stockml.data.findings import Checked, Mask, PriceError, drop

SAME_LEVEL = 1.2  # closes this near to one another are at one level
CLEAR_OF = 1.15  # so far the bars of a wrong level lie outside their neighbours' whole ranges
PHANTOM_RUN = 5  # sessions a price may stand at a wrong level and come back
MISADJUSTED_ROWS = 2 * PHANTOM_RUN + 1  # the window whose median is the usual ratio of adjusted close to close
MIXED_SHARE = 0.01  # bars that leap from level to level, where a file mixes two companies


def refuse_mixed(frame: pd.DataFrame) -> None:
    """Refuse a table that leaps to and fro between two price levels: two companies in one table.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars with the columns COLUMNS.

    Raises
    ------
    PriceError
        mixed_tickers.
    """
    leaps = _leaps(frame)
    if leaps.sum() > max(MIXED_BARS, MIXED_SHARE * len(frame)):
        raise PriceError(
            "mixed_tickers",
            f"{int(leaps.sum())} of {len(frame)} closes leap by over {LEVEL - 1:.0%}: the table mixes two companies",
        )


def drop_phantoms(frame: pd.DataFrame) -> Checked:
    """Drop the few bars that stand clear of their neighbours' ranges at another level, and come back.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars with the columns COLUMNS.

    Returns
    -------
    frame : DataFrame, shape (n_kept, 6)
    findings : list of Finding
    """
    bad = np.zeros(len(frame), dtype=bool)
    for start, stop in phantom_runs(frame):
        if stop is not None:
            bad[start:stop] = True
    return drop(frame, bad, "phantom_price", "at a price far from their neighbours' dropped")


def phantom_runs(frame: pd.DataFrame) -> list[tuple[int, int | None]]:
    """Every leap to another level, and where the price comes back from it: the rows between are phantoms.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars with the columns COLUMNS.

    Returns
    -------
    list of (int, int or None)
        The row of the leap and the first row back at the old level; None where the price stays.
    """
    runs: list[tuple[int, int | None]] = []
    back = 0
    for start in np.flatnonzero(_leaps(frame)).tolist():
        if start <= back:  # the way back
            continue
        ends = range(start + 1, min(start + PHANTOM_RUN + 1, len(frame)))
        stop = next((stop for stop in ends if _stands_apart(frame, start, stop)), None)
        back = stop or back
        runs.append((start, stop))
    return runs


def _stands_apart(frame: pd.DataFrame, start: int, stop: int) -> bool:
    """True where bars start..stop-1 lie at one level, clear of the bars around them, which agree."""
    _, high, low, close, *_ = columns(frame)
    run = slice(start, stop)
    if max(close[stop], close[start - 1]) > SAME_LEVEL * min(close[stop], close[start - 1]):
        return False
    if close[run].max() > SAME_LEVEL * close[run].min():
        return False
    above = low[run].min() > CLEAR_OF * max(high[start - 1], high[stop])
    below = high[run].max() * CLEAR_OF < min(low[start - 1], low[stop])
    return bool(above or below)


def drop_misadjusted(frame: pd.DataFrame) -> Checked:
    """Drop the few bars whose adjusted close is at another ratio to the close than in the days around them.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars with the columns COLUMNS.

    Returns
    -------
    frame : DataFrame, shape (n_kept, 6)
    findings : list of Finding
    """
    ratio = adjustment_ratio(frame)
    if ratio.max() - ratio.min() <= np.log(LEVEL):  # then nowhere farther from any median
        return frame, []
    # a step to stay is usual on its own side
    usual = ratio.rolling(MISADJUSTED_ROWS, center=True, min_periods=1).median()
    bad = ((ratio - usual).abs() > np.log(LEVEL)).to_numpy()
    return drop(frame, bad, "misadjusted", "with an adjusted close far from their neighbours' dropped")


def adjustment_ratio(frame: pd.DataFrame) -> pd.Series:
    """The log of adjusted close over close, relative to the first day, without what spin-offs and dividends take.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars with the columns COLUMNS.

    Returns
    -------
    Series, shape (n_days,)
        Natural logarithm, indexed by row number.
    """
    *_, close, adjusted, _ = columns(frame)
    step = log_changes(adjusted) - log_changes(close)
    return pd.Series(np.where(covered_falls(close, adjusted), 0.0, step).cumsum())


def stands_clear(frame: pd.DataFrame) -> Mask:
    """Bars whose whole range lies apart from that of the bar before: no day's trade led from one to the other.

    A currency's wild day begins where the last one ended; another unit, a split or a demerger begins elsewhere.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars with the columns COLUMNS.

    Returns
    -------
    array of bool, shape (n_days,)
        False for the first bar.
    """
    _, high, low, *_ = columns(frame)
    clear = np.zeros(len(frame), dtype=np.bool_)
    clear[1:] = (low[1:] > CLEAR_OF * high[:-1]) | (high[1:] * CLEAR_OF < low[:-1])
    return clear


def _leaps(frame: pd.DataFrame) -> Mask:
    far = np.abs(log_changes(columns(frame).close)) > np.log(LEVEL)
    return np.asarray(far & stands_clear(frame))
