"""Prices into what a confidence is computed from: range-based volatilities of the stock, and the market's average.

Each day's figures are a function of its last 250 sessions alone, so a longer table or a later dividend changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from stockml.data.price_table import PriceTable

WINDOWS = (1, 5, 20, 60, 250)  # sessions: a day, a week, a month, a quarter, a year (HAR's idea, Corsi 2009)
MARKET_WINDOWS = (5, 20)
DECIMALS = 4  # of a percentage: the log stays readable, and a line's confidence follows from what it shows
RANGE_IN_VOLATILITIES = 1.596  # sqrt(8 / pi): the mean range of a random walk (Feller 1951; Parkinson 1980)
LEAST_PCT = 0.05  # a flat or untraded bar says nothing; a daily volatility below this is not believed


def stock_input(window: int) -> str:
    """The name of the stock's own volatility over so many sessions."""
    return f"volatility_{window}"


def market_input(window: int) -> str:
    """The name of the market's average volatility over so many sessions."""
    return f"market_volatility_{window}"


def true_ranges(frame: pd.DataFrame, breaks: Collection[date] = ()) -> np.ndarray:
    """How far each session ranged, the gap before it included, as a log range in %, shape (n_days,).

    Notes
    -----
    Wilder's (1978) true range, in logarithms: from the lowest to the highest of the session and of the close before.
    That close is freed of dividends; it is left out where a demerger made the gap, and on the first day.
    """
    low, high, close = (np.log(frame[name].to_numpy(float)) for name in ("low", "high", "close"))
    given = frame["adj_close"].to_numpy(float)
    adjusted = np.log(np.where(given > 0, given, frame["close"].to_numpy(float)))
    before = np.full(len(frame), np.nan)
    before[1:] = adjusted[:-1] + (close - adjusted)[1:]  # in the session's own units
    if breaks:
        before[frame.index.isin(pd.DatetimeIndex(list(breaks)))] = np.nan
    return (np.fmax(high, before) - np.fmin(low, before)) * 100


def confidence_table(prices: PriceTable) -> pd.DataFrame:
    """What each day's confidence is computed from, in % a session, shape (n_days, 5); NaN before a window fits."""
    ranges = true_ranges(prices.frame, prices.breaks)
    return pd.DataFrame({stock_input(w): _mean_volatility(ranges, w) for w in WINDOWS}, index=prices.frame.index)


def confidence_inputs(prices: PriceTable, day: date) -> dict[str, float]:
    """The row of `confidence_table` of the last session up to that day, without what is not known yet."""
    recent = prices.frame.loc[: pd.Timestamp(day)].iloc[-max(WINDOWS) - 1 :]  # one more: the oldest gap needs it
    ranges = true_ranges(recent, prices.breaks)
    newest = {stock_input(w): float(_mean_volatility(ranges[-w:], w)[-1]) for w in WINDOWS}
    return {name: value for name, value in newest.items() if math.isfinite(value)}


def market_inputs(inputs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The market's part of the inputs: the average volatility of the stocks at hand, over 5 and 20 sessions."""
    averages = {}
    for window in MARKET_WINDOWS:
        known = [values[stock_input(window)] for values in inputs if stock_input(window) in values]
        if known:
            averages[market_input(window)] = round(math.fsum(known) / len(known), DECIMALS)
    return averages


def market_table(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The same of many days at once: the average of `confidence_table`s by day, shape (n_days, 2)."""
    names = {stock_input(window): market_input(window) for window in MARKET_WINDOWS}
    together = pd.concat([table[list(names)] for table in tables])
    return together.groupby(level=0).mean().round(DECIMALS).rename(columns=names)


def _mean_volatility(ranges: np.ndarray, window: int) -> np.ndarray:
    """The volatility that each day's last ranges tell of; NaN before there are enough."""
    volatility = np.full(len(ranges), np.nan)
    if len(ranges) >= window:
        # A copy, row by row: each mean adds the same numbers in the same order however long the table is.
        blocks = np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(ranges, window))  # (days, window)
        volatility[window - 1 :] = np.round(
            np.maximum(blocks.mean(axis=1) / RANGE_IN_VOLATILITIES, LEAST_PCT), DECIMALS
        )
    return volatility
