"""Checks of the days that a table's bars stand under: daily ones are needed, and a copy is no session."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stockml.core.calendars import Calendar
from stockml.core.markets import EVERY_DAY, WEEKDAYS
from stockml.data.bar_checks import columns
from stockml.data.findings import Mask, PriceError
from stockml.data.volume_checks import is_still

LONGEST_STEP = 3  # days, from Friday to Monday; most steps of weekly and monthly bars are longer
RECENT_STEPS = 30  # the newest bars must be daily ones too
FEWEST_STEPS = 4
CROWDED, CROWDED_SHARE = 3, 0.1  # a bar given twice was corrected; three bars of a day, many times over, are hours
WEEK = 7


def refuse_sparse(frame: pd.DataFrame) -> None:
    """Refuse a table whose bars, all or the newest, stand over three days apart on the median: weekly or monthly ones.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars with the columns COLUMNS, sorted.

    Raises
    ------
    PriceError
        sparse.
    """
    steps = day_steps(frame)[1:]
    for part in (steps, steps[-RECENT_STEPS:]):
        if len(part) >= FEWEST_STEPS and is_sparse(int((part > LONGEST_STEP).sum()), len(part)):
            days = int(np.median(part))
            kind = "weekly" if days <= WEEK else "monthly or rarer"
            reason = f"its bars stand {days} days apart, up to {frame.index[-1].date()}"
            raise PriceError("sparse", f"{reason}: they are {kind}; daily ones are needed")


def refuse_crowded(frame: pd.DataFrame) -> None:
    """Refuse a table with many days of three or more different bars: bars within the day whose times are lost.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars with the columns COLUMNS, sorted.

    Raises
    ------
    PriceError
        intraday.
    """
    if frame.index.is_unique:
        return
    different = frame[~frame.reset_index().duplicated().to_numpy()]
    n_bars = different.groupby(level=0).size()
    crowded = n_bars[n_bars >= CROWDED]
    if len(crowded) > CROWDED_SHARE * len(n_bars):
        reason = f"it holds bars within the day, {crowded.iloc[0]} of {crowded.index[0].date()}"
        raise PriceError("intraday", f"{reason}; daily ones are needed: one bar a day")


def is_sparse(n_long: int, n_steps: int) -> bool:
    """True where over half of the steps between bars are long ones."""
    return 2 * n_long > n_steps


def day_steps(frame: pd.DataFrame) -> NDArray[np.int64]:
    """The days from each bar to the one before; 0 for the first.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars with the columns COLUMNS, sorted.

    Returns
    -------
    array of int, shape (n_days,)
    """
    days = frame.index.to_numpy().astype("datetime64[D]").astype(np.int64)
    return np.asarray(np.diff(days, prepend=days[:1]))


def is_filled_forward(frame: pd.DataFrame, calendar: Calendar) -> Mask:
    """Bars that only repeat the bar before, on a day without a session: a table filled forward day by day.

    The prices are equal, and so is the volume, or it is zero. A bar is judged by those before it alone. Bars without
    trades are left to `volume_checks.drop_untraded`, where the table has volumes.

    Parameters
    ----------
    frame : DataFrame, shape (n_days, 6)
        Daily bars with the columns COLUMNS, sorted.
    calendar : Calendar
        The exchange's.

    Returns
    -------
    array of bool, shape (n_days,)
    """
    values = frame.to_numpy()
    copies = np.zeros(len(frame), dtype=np.bool_)
    copies[1:] = (values[1:, :-1] == values[:-1, :-1]).all(axis=1)
    if not copies.any():
        return copies
    volume = np.nan_to_num(columns(frame).volume)
    copies[1:] &= (volume[1:] == volume[:-1]) | (volume[1:] == 0)
    steps = day_steps(frame)
    copies &= steps > 0
    has_volume = np.cumsum(volume > 0) > 0
    copies &= ~(is_still(frame.fillna({"volume": 0.0})) & has_volume)
    untraded = copies & has_volume & (volume == 0)  # a range of prices without a trade
    rests = [
        not _is_session(calendar, day.date(), row >= WEEK and steps[row - WEEK + 1 : row + 1].sum() == WEEK)
        for row, day in zip(np.flatnonzero(copies).tolist(), frame.index[copies], strict=True)
    ]
    filled = untraded
    filled[np.flatnonzero(copies)] |= np.asarray(rests, dtype=np.bool_)
    # the first bar repeats one that is not there where it stands on a day without a session and is repeated there
    if len(filled) > 1 and filled[1] and not _is_session(calendar, frame.index[0].date(), False):
        filled[0] = True
    return np.asarray(filled)


def _is_session(calendar: Calendar, day: date, is_daily: bool) -> bool:
    """False for a day without a session; `is_daily` says that each of the seven days up to it has a bar."""
    if calendar.name == WEEKDAYS and is_daily:
        return False  # an exchange whose holidays are not known, in a table that has bars at weekends too
    return calendar.name == EVERY_DAY or calendar.is_session(day)
