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
    from stockml.prices import PriceTable

WINDOWS = (1, 5, 20, 60, 250)  # sessions: a day, a week, a month, a quarter, a year (HAR's idea, Corsi 2009)
MARKET_WINDOWS = (5, 20)
DECIMALS = 4  # of a percentage: the log stays readable, and a line's confidence follows from what it shows
LEAST_PCT = 0.05  # a flat or untraded bar says nothing; a daily volatility below this is not believed


def stock_input(window: int) -> str:
    """The name of the stock's own volatility over so many sessions."""
    return f"volatility_{window}"


def market_input(window: int) -> str:
    """The name of the market's average volatility over so many sessions."""
    return f"market_volatility_{window}"


def session_variances(frame: pd.DataFrame, breaks: Collection[date] = ()) -> np.ndarray:
    """The variance of each session from its own range and the gap before it, in %², shape (n_days,).

    Notes
    -----
    Garman and Klass (1980): the overnight gap squared + 0.5 ln(high/low)² - (2 ln 2 - 1) ln(close/open)². Real prices
    serve for the range; the gap is freed of dividends, and left out where a demerger made it and on the first day.
    """
    opened, high, low, close = (np.log(frame[name].to_numpy(float)) for name in ("open", "high", "low", "close"))
    adjusted = np.log(np.where(frame["adj_close"] > 0, frame["adj_close"], frame["close"]).astype(float))
    gap = np.zeros(len(frame))
    gap[1:] = (opened + adjusted - close)[1:] - adjusted[:-1]
    gap[frame.index.isin(pd.DatetimeIndex(list(breaks)))] = 0.0
    inside = 0.5 * (high - low) ** 2 - (2 * math.log(2) - 1) * (close - opened) ** 2
    return (gap**2 + np.maximum(inside, 0.0)) * 1e4


def confidence_table(prices: PriceTable) -> pd.DataFrame:
    """What each day's confidence is computed from, in % a session, shape (n_days, 5); NaN before a window fits."""
    return _volatilities(prices.frame, prices.breaks)


def confidence_inputs(prices: PriceTable, day: date) -> dict[str, float]:
    """The row of `confidence_table` of the last session up to that day, without what is not known yet."""
    recent = prices.frame.loc[: pd.Timestamp(day)].iloc[-max(WINDOWS) - 1 :]  # one more: the oldest gap needs it
    row = _volatilities(recent, prices.breaks).iloc[-1]
    return {str(name): float(value) for name, value in row.items() if math.isfinite(value)}


def market_inputs(inputs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The market's part of the inputs: the average volatility of the stocks at hand, over 5 and 20 sessions."""
    averages = {}
    for window in MARKET_WINDOWS:
        known = [values[stock_input(window)] for values in inputs if stock_input(window) in values]
        if known:
            averages[market_input(window)] = round(math.fsum(known) / len(known), DECIMALS)
    return averages


def _volatilities(frame: pd.DataFrame, breaks: Collection[date]) -> pd.DataFrame:
    variances = session_variances(frame, breaks)
    return pd.DataFrame({stock_input(w): _mean_volatility(variances, w) for w in WINDOWS}, index=frame.index)


def _mean_volatility(variances: np.ndarray, window: int) -> np.ndarray:
    """The root of the mean variance of each day's last sessions; NaN before there are enough."""
    volatility = np.full(len(variances), np.nan)
    if len(variances) >= window:
        # A copy, row by row: each mean adds the same numbers in the same order however long the table is.
        blocks = np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(variances, window))  # (days, window)
        volatility[window - 1 :] = np.round(np.maximum(np.sqrt(blocks.mean(axis=1)), LEAST_PCT), DECIMALS)
    return volatility
