"""Confidence inputs: all that a stock's prices and announcements tell of the size of its coming change.

Each day's figures are a function of its last SESSIONS sessions and of what was announced by then, so a longer table
or a later dividend changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stockml.indicators import events
from stockml.indicators.announcements import results_columns
from stockml.indicators.volatility import DECIMALS, WINDOWS, mean_volatility, stock_input, true_ranges

if TYPE_CHECKING:
    from stockml.data.price_table import PriceTable

Array = NDArray[np.float64]

SESSIONS = events.SESSIONS  # a year, the weeks about the events of a year ago, and the month before those
VOLUME_WINDOWS = (1, 5)
EVENT, RECURRENCE, LIMIT_RUN, DISRUPTION = "event_20", "recurrence", "limit_run", "disruption"
LEAST_RUN = 1.5  # a single session at a limit is chance
SPAN = "span_days"  # calendar days to the target, known where the horizon is


def volume_input(window: int) -> str:
    """The name of the volume over so many sessions, over the usual."""
    return f"volume_{window}"


def confidence_table(prices: PriceTable) -> pd.DataFrame:
    """Each day's confidence inputs.

    Parameters
    ----------
    prices : PriceTable

    Returns
    -------
    DataFrame, shape (n_days, 14)
        Volatilities in % per session over each of WINDOWS; `volume_1` and `volume_5`, `event_20` and `recurrence` as
        multiples of the usual; `limit_run` in sessions and `disruption` in 0..1, each fading; the results expected.
        NaN until a window is complete, and where there is nothing of the kind.
    """
    return pd.DataFrame(_columns(prices, len(prices.frame)), index=prices.frame.index)


def confidence_inputs(prices: PriceTable, day: date) -> dict[str, float]:
    """The row of `confidence_table` of the last session up to `day`, without what is not known."""
    recent = replace(prices, frame=prices.frame.loc[: pd.Timestamp(day)].iloc[-SESSIONS:])
    newest = {name: float(values[0]) for name, values in _columns(recent, 1).items()}
    return {name: value for name, value in newest.items() if math.isfinite(value)}


def _columns(prices: PriceTable, days: int) -> dict[str, Array]:
    """The columns of `confidence_table` for so many newest days, each of shape (days,)."""
    frame = prices.frame
    n = len(frame)
    low, high, close, volume = (frame[name].to_numpy(float) for name in ("low", "high", "close", "volume"))
    ranges = true_ranges(frame, prices.breaks)
    results, is_followed = results_columns(prices, ranges, n - days)
    sizes = events.event_sizes(ranges, volume, None if days > 1 else events.rows_for_newest(n))

    def newest(figure: Callable[..., Array], window: int, *values: Array) -> Array:
        """A figure of each day's last `window` values."""
        return figure(*(column[-(days + window - 1) :] for column in values))[-days:]

    columns = {stock_input(w): newest(partial(mean_volatility, window=w), w, ranges) for w in WINDOWS}
    for w in VOLUME_WINDOWS:
        columns[volume_input(w)] = newest(partial(events.relative_volumes, window=w), events.VOLUME_SESSIONS, volume)
    columns[EVENT] = np.exp(newest(events.greatest_recent, events.RECENT_SESSIONS, sizes))
    columns[RECURRENCE] = np.where(is_followed[-days:], np.nan, np.exp(events.recurring(sizes, days)))  # dates say more
    runs = newest(events.limit_runs, events.LIMIT_SESSIONS, low, high, close)
    columns[LIMIT_RUN] = np.where(runs > LEAST_RUN, runs, np.nan)
    columns[DISRUPTION] = _disruption(prices)[-days:]
    columns |= {name: values[-days:] for name, values in results.items()}
    return {name: np.round(values, DECIMALS) for name, values in columns.items()}


def _disruption(prices: PriceTable) -> Array:
    """1 on the session after a break, less on each of the next four; NaN without."""
    if not prices.breaks:
        return np.full(len(prices.frame), np.nan)
    found = events.faded(prices.frame.index.isin(pd.DatetimeIndex(list(prices.breaks))).astype(float))
    return np.where(found > 0, found, np.nan)
