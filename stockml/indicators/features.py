"""Features: checked prices in; indicators, scale-free features, the target and its split by time out.

Every value of a day is a function of that day and the 249 before it, so neither a longer table nor a later dividend
changes it. Nothing is fitted here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stockml.data.price_table import PriceTable
from stockml.indicators import technical
from stockml.indicators.smoothing import Array

HISTORY_SESSIONS = 250  # SMA 200 and time for the recursive filters to forget: Wilder's keeps 3e-8 of its seed
REGIME_SESSIONS = 20
BREAK_SESSIONS = 60  # for so long after a demerger's jump a window shows it as if it were a crash

VALIDATION_SHARE = 0.2  # the newest fifth, as 80 of 400 samples
SELECT_SHARE = 0.2  # of the rest, again the newest: for tuning, shrinkage and priors


def indicator_table(prices: PriceTable) -> pd.DataFrame:
    """The indicators of each day, on closes adjusted for splits and dividends.

    Parameters
    ----------
    prices : PriceTable

    Returns
    -------
    DataFrame, shape (n_days, 9)
        close, rsi, macd, macd_signal, sma20, sma50, sma200 (prices in the last day's units); change_20 and
        volatility_20 (fractions, the latter annualised); NaN where the history is too short.
    """
    return pd.DataFrame(indicator_columns(prices), index=prices.frame.index)


def indicator_columns(prices: PriceTable) -> dict[str, Array]:
    """The columns of `indicator_table` as arrays, which are quicker to make than a table.

    Parameters
    ----------
    prices : PriceTable

    Returns
    -------
    dict
        Name -> array, shape (n_days,).
    """
    close = _adjusted(prices, "close")
    macd, macd_signal = technical.macd(close, memory=HISTORY_SESSIONS)
    return {
        "close": close,
        "rsi": technical.rsi(close, memory=HISTORY_SESSIONS),
        "macd": macd,
        "macd_signal": macd_signal,
        "sma20": technical.sma(close, 20),
        "sma50": technical.sma(close, 50),
        "sma200": technical.sma(close, 200),
        "change_20": technical.change(close, REGIME_SESSIONS),
        "volatility_20": technical.annualised_volatility(close, REGIME_SESSIONS),
    }


def feature_table(prices: PriceTable) -> pd.DataFrame:
    """The models' inputs of each day, free of scale.

    Parameters
    ----------
    prices : PriceTable

    Returns
    -------
    DataFrame, shape (n_days, n_features)
        Distances and changes in %, RSI and range positions about 0; NaN where the history is too short.
    """
    known = indicator_columns(prices)
    close = known["close"]
    high, low = _adjusted(prices, "high"), _adjusted(prices, "low")
    returns = np.concatenate([[np.nan], np.diff(np.log(close))]) * 100
    span = np.log(high / low) * 100
    columns = {
        "rsi": (known["rsi"] - 50) / 50,
        "macd_pct": known["macd"] / close * 100,
        "macd_histogram_pct": (known["macd"] - known["macd_signal"]) / close * 100,
        **{f"over_sma{days}_pct": (close / known[f"sma{days}"] - 1) * 100 for days in (20, 50, 200)},
        **{f"change_{days}_pct": technical.change(close, days) * 100 for days in (1, 5, 20, 60)},
        **{f"volatility_{days}_pct": _volatility(returns, days) for days in (5, 20, 60)},
        "range_pct": span,
        "range_5_pct": technical.sma(span, 5),
        "range_20_pct": technical.sma(span, 20),
        "position_60": _position(close, 60),
        "position_250": _position(close, HISTORY_SESSIONS),
        "relative_volume": relative_volume(prices),
    }
    return pd.DataFrame(columns, index=prices.frame.index)


def relative_volume(prices: PriceTable) -> Array:
    """Log of the day's volume over its 20-session mean.

    Parameters
    ----------
    prices : PriceTable

    Returns
    -------
    array, shape (n_days,)
        Clipped to -3..3; 0 where there is no volume, as for an index; NaN for the first 19 rows.
    """
    volume = prices.frame["volume"].to_numpy()
    usual = technical.sma(volume, 20)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(volume / usual)
    return np.where(np.isnan(usual), np.nan, np.where(np.isfinite(ratio), np.clip(ratio, -3, 3), 0.0))


def change_pct(prices: PriceTable, horizon: int) -> pd.Series:
    """The target: the change of the adjusted close over the next `horizon` sessions.

    Parameters
    ----------
    prices : PriceTable
    horizon : int
        In sessions.

    Returns
    -------
    Series, shape (n_days,)
        In %; NaN for the newest `horizon` rows, which have no target yet.
    """
    close = _adjusted(prices, "close")
    out = np.full(len(close), np.nan)
    out[:-horizon] = (close[horizon:] / close[:-horizon] - 1) * 100  # only the target may look ahead
    return pd.Series(out, index=prices.frame.index, name="change_pct")


def usable_rows(prices: PriceTable, horizon: int) -> NDArray[np.bool_]:
    """Rows that have a target, and whose window and target cross no unadjusted jump.

    Parameters
    ----------
    prices : PriceTable
    horizon : int
        Sessions to the target.

    Returns
    -------
    bool array, shape (n_days,)
    """
    usable = change_pct(prices, horizon).notna().to_numpy(copy=True)
    for day in prices.breaks:
        row = int(prices.frame.index.searchsorted(pd.Timestamp(day)))
        usable[max(0, row - horizon) : row + BREAK_SESSIONS] = False
    return usable


@dataclass(frozen=True, slots=True)
class Split:
    """Row numbers in time order; a gap of the horizon between two parts keeps their targets apart."""

    fit: NDArray[np.int64]
    select: NDArray[np.int64]
    validation: NDArray[np.int64]


def split_rows(usable: NDArray[np.bool_], horizon: int) -> Split:
    """Split the usable rows by time: fit, then select, then the newest fifth for validation.

    Parameters
    ----------
    usable : bool array, shape (n_days,)
    horizon : int
        Sessions to the target; a row belongs to a part only if its target lies before the next part.

    Returns
    -------
    Split
    """
    rows = np.flatnonzero(usable)
    validation = rows[len(rows) - int(len(rows) * VALIDATION_SHARE) :]
    earlier = _with_target_before(rows, validation, horizon)
    select = earlier[len(earlier) - int(len(earlier) * SELECT_SHARE) :]
    return Split(fit=_with_target_before(rows, select, horizon), select=select, validation=validation)


def _with_target_before(rows: NDArray[np.int64], part: NDArray[np.int64], horizon: int) -> NDArray[np.int64]:
    return rows[rows + horizon < part[0]] if len(part) else rows


def _adjusted(prices: PriceTable, column: str) -> Array:
    """A price column adjusted for splits and dividends, shape (n_days,)."""
    frame = prices.frame
    adjusted: Array = frame["adj_close"].to_numpy()
    if column == "close":
        return adjusted
    return np.asarray(frame[column].to_numpy() * (adjusted / frame["close"].to_numpy()))


def _volatility(returns: Array, days: int) -> Array:
    """The standard deviation of the last `days` returns."""
    out = np.full(len(returns), np.nan)
    out[1:] = technical.rolling_std(returns[1:], days)  # the first row has no day before it
    return out


def _position(close: Array, days: int) -> Array:
    """The position of the close between the least (-1) and greatest (+1) of the last `days`; 0 where they are equal."""
    least, greatest = technical.rolling_min(close, days), technical.rolling_max(close, days)
    span = greatest - least
    return np.where(span == 0, 0.0, 2 * (close - least) / np.where(span == 0, 1.0, span) - 1)
