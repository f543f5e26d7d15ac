"""Checks of volumes: bars without trades, which only repeat the last price, and bars without a volume."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stockml.data.bar_checks import LEVEL, columns
from stockml.data.findings import NOTED, Checked, Finding, Mask, bars, days, dropped

STALE_RUN = 10  # sessions: longer than any row of holidays


def drop_untraded(frame: pd.DataFrame) -> Checked:
    """Drop the bars without trades: no volume, one price all day, in a table that has volumes.

    Where no bar has volume (currencies, funds) all stay, and so do those of an index's early years, which have one
    price a day and no volume but move from day to day among others alike.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars with the columns COLUMNS.

    Returns
    -------
    frame : DataFrame, shape (n_kept, 6)
    findings : list of Finding
    """
    has_volume, still = frame["volume"] > 0, is_still(frame)
    if not has_volume.any() or not still.any():
        return frame, []
    among_traded = is_mostly(has_volume.to_numpy(), 10, 10)
    traded_close = frame["close"].where(~still).ffill()
    moved = np.abs(np.log((frame["close"] / traded_close).to_numpy())) > np.log(LEVEL)
    copies, phantoms = still & ~moved & (repeats_close(frame) | among_traded), still & moved & among_traded
    stale = copies & (_run_lengths(copies) >= STALE_RUN)
    findings: list[Finding] = []
    for bad, kind, text in (
        (phantoms, "phantom_price", "without volume at a price far from their neighbours' dropped"),
        (stale, "stale_price", f"without volume, one price repeated {STALE_RUN} times or more, dropped"),
        (copies & ~stale, "untraded", "without volume, the last price repeated, dropped"),
    ):
        findings += dropped(frame, bad, kind, text)
    return frame[~(phantoms | copies)], findings


def is_still(frame: pd.DataFrame) -> Mask:
    """Bars without trades: no volume, and one price all day.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars with the columns COLUMNS.

    Returns
    -------
    array of bool, shape (n_days,)
    """
    bar = columns(frame)
    still = bar.volume <= 0
    if still.any():
        still &= np.isclose(bar.high, bar.low, rtol=1e-6) & np.isclose(bar.open, bar.close, rtol=1e-6)
    return still


def repeats_close(frame: pd.DataFrame) -> Mask:
    """Bars with the close of the bar before.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars with the columns COLUMNS.

    Returns
    -------
    array of bool, shape (n_days,)
    """
    close = frame["close"].to_numpy()
    return np.asarray(np.isclose(close, np.concatenate([[np.nan], close[:-1]])[: len(close)], rtol=1e-6))


def is_mostly(mask: Mask, before: int, after: int) -> Mask:
    """The rows around which half of the rows or more are marked, up to so many before and after it among them.

    Parameters
    ----------
    mask : array of bool, shape (n_rows,)
    before, after : int

    Returns
    -------
    array of bool, shape (n_rows,)
    """
    marked, at = np.concatenate([[0], np.cumsum(mask)]), np.arange(len(mask))
    first, end = np.maximum(at - before, 0), np.minimum(at + after + 1, len(mask))
    return np.asarray(2 * (marked[end] - marked[first]) >= end - first)


def _run_lengths(mask: Mask) -> NDArray[np.int64]:
    """For each row the length of the run of equal values it is in."""
    run = np.asarray(np.diff(mask, prepend=mask[:1])).cumsum()
    return np.asarray(np.bincount(run)[run])


def note_no_volume(frame: pd.DataFrame) -> list[Finding]:
    """Note the bars that moved without any volume, in a table where others have it.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars with the columns COLUMNS.

    Returns
    -------
    list of Finding
        One, or none.
    """
    without = columns(frame).volume == 0
    if without.all() or not without.any():
        return []
    dates = days(frame.index[without])
    return [Finding("no_volume", NOTED, dates, f"{bars(dates)} with prices but no volume")]
