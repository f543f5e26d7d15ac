"""Confidence inputs: all that a stock's prices and announcements tell of the size of its coming change.

Each day's figures are a function of its last SESSIONS sessions and of what was announced by then, so a longer table
or a later dividend changes nothing.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
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
    return pd.DataFrame(_columns(prices, 0), index=prices.frame.index)


def confidence_inputs(prices: PriceTable, day: date) -> dict[str, float]:
    """The row of `confidence_table` of the last session up to `day`, without what is not known."""
    recent = replace(prices, frame=prices.frame.loc[: pd.Timestamp(day)].iloc[-SESSIONS:])
    newest = {name: float(values[-1]) for name, values in _columns(recent, len(recent.frame) - 1).items()}
    return {name: value for name, value in newest.items() if math.isfinite(value)}


def _columns(prices: PriceTable, first: int) -> dict[str, Array]:
    """The columns of `confidence_table`; those of results are left out before row `first`."""
    frame = prices.frame
    ranges, volume = true_ranges(frame, prices.breaks), frame["volume"].to_numpy(float)
    results, is_followed = results_columns(prices, ranges, first)
    sizes = events.event_sizes(ranges, volume)
    runs = events.limit_runs(frame)
    disruption = events.faded(frame.index.isin(pd.DatetimeIndex(list(prices.breaks))).astype(float))
    columns = {stock_input(window): mean_volatility(ranges, window) for window in WINDOWS}
    columns |= {volume_input(window): events.relative_volumes(volume, window) for window in VOLUME_WINDOWS}
    columns[EVENT] = np.exp(events.greatest_recent(sizes))
    columns[RECURRENCE] = np.where(is_followed, np.nan, np.exp(events.recurring(sizes)))  # dates say more
    columns[LIMIT_RUN] = np.where(runs > LEAST_RUN, runs, np.nan)
    columns[DISRUPTION] = np.where(disruption > 0, disruption, np.nan)
    return {name: np.round(values, DECIMALS) for name, values in (columns | results).items()}
