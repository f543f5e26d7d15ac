"""Volatility: range-based volatilities of a stock, and the average of its market.

Each day's figures are a function of its last 250 sessions alone.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from functools import cache

import numpy as np
import pandas as pd

from stockml.indicators.events import windows

WINDOWS = (1, 5, 20, 60, 250)  # sessions: a day, a week, a month, a quarter, a year (as in HAR, Corsi 2009)
MARKET_WINDOWS = WINDOWS
DECIMALS = 4  # of a percentage: the log stays readable, and holds the very values that its confidence was computed from
RANGE_IN_VOLATILITIES = 1.596  # sqrt(8 / pi): the mean range of a random walk (Feller 1951; Parkinson 1980)
LEAST_PCT = 0.05  # per session; a flat or untraded bar is not evidence of a lower volatility


@cache
def stock_input(window: int) -> str:
    """The name of the stock's own volatility over so many sessions."""
    return f"volatility_{window}"


@cache
def market_input(window: int) -> str:
    """The name of the market's average volatility over so many sessions."""
    return f"market_volatility_{window}"


def true_ranges(frame: pd.DataFrame, breaks: Collection[date] = ()) -> np.ndarray:
    """The logarithmic true range of each session: its range, including the gap from the close before.

    Parameters
    ----------
    frame : DataFrame
        Columns low, high, close and adj_close, one row per session.
    breaks : collection of date
        Sessions that open after an unadjusted jump, such as a demerger; their gap is left out.

    Returns
    -------
    array, shape (n_days,)
        In %.

    Notes
    -----
    Wilder (1978), in logarithms. The close before is adjusted for dividends; the first day has none. A session locked
    at its price limit has one price: its change counts as a volatility, which is as much as 1.6 of it in a range.
    """
    lowest, highest, closes, given = (frame[name].to_numpy(float) for name in ("low", "high", "close", "adj_close"))
    low, high, close = np.log(lowest), np.log(highest), np.log(closes)
    adjusted = np.log(np.where(given > 0, given, closes))
    before = np.full(len(frame), np.nan)
    before[1:] = adjusted[:-1] + (close - adjusted)[1:]  # in the session's own units
    if breaks:
        before[frame.index.isin(pd.DatetimeIndex(list(breaks)))] = np.nan
    ranges = (np.fmax(high, before) - np.fmin(low, before)) * 100
    return np.asarray(np.where(high > low, ranges, ranges * RANGE_IN_VOLATILITIES))


def market_inputs(inputs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The market's average volatility over each of MARKET_WINDOWS, from the confidence inputs of its stocks."""
    averages = {}
    for window in MARKET_WINDOWS:
        known = [values[stock_input(window)] for values in inputs if stock_input(window) in values]
        if known:
            averages[market_input(window)] = round(math.fsum(known) / len(known), DECIMALS)
    return averages


def market_table(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The market's average volatility by day.

    Parameters
    ----------
    tables : sequence of DataFrame
        The `confidence_table` of each stock.

    Returns
    -------
    DataFrame, shape (n_days, 5)
        In % per session, over each of MARKET_WINDOWS.
    """
    names = {stock_input(window): market_input(window) for window in MARKET_WINDOWS}
    all_days = pd.concat([table[list(names)] for table in tables])
    return all_days.groupby(level=0).mean().round(DECIMALS).rename(columns=names)


def mean_volatility(ranges: np.ndarray, window: int) -> np.ndarray:
    """The volatility estimated from each day's last `window` ranges; NaN until there are enough (Parkinson 1980).

    Parameters
    ----------
    ranges : array, shape (n_days,)
        Of `true_ranges`.
    window : int

    Returns
    -------
    array, shape (n_days,)
        In % per session.
    """
    volatility = np.full(len(ranges), np.nan)
    if len(ranges) >= window:
        means = windows(ranges, window).mean(axis=1)
        volatility[window - 1 :] = np.round(np.maximum(means / RANGE_IN_VOLATILITIES, LEAST_PCT), DECIMALS)
    return volatility
