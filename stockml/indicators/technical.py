"""Technical indicators as plain functions: arrays of daily values in, arrays of the same length out.

Each value depends on its own day and earlier ones only. Their use in a forecast is left to signals and features.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from stockml.indicators import smoothing
from stockml.indicators.smoothing import Array

SESSIONS_A_YEAR = 252
FAST, SLOW, SIGNAL = 12, 26, 9  # the MACD's windows, in sessions


def sma(values: Array, window: int) -> Array:
    """Simple moving average of the last `window` values.

    Parameters
    ----------
    values : array, shape (n_days,)
    window : int
        In sessions, at least 1.

    Returns
    -------
    array, shape (n_days,)
        NaN for the first `window - 1` rows, as in TA-Lib.
    """
    _check_window(window)
    out = np.full(len(values), np.nan)
    if len(values) >= window:
        out[window - 1 :] = smoothing.decayed_sums(values, 1.0, window)[window - 1 :] / window
    return out


def rolling_std(values: Array, window: int) -> Array:
    """Sample standard deviation (ddof 1) of the last `window` values.

    Parameters
    ----------
    values : array, shape (n_days,)
    window : int
        In sessions, at least 1.

    Returns
    -------
    array, shape (n_days,)
        NaN for the first `window - 1` rows.
    """
    return _rolling(values, window, lambda windows: windows.std(axis=-1, ddof=1))


def rolling_max(values: Array, window: int) -> Array:
    """Greatest of the last `window` values.

    Parameters
    ----------
    values : array, shape (n_days,)
    window : int
        In sessions, at least 1.

    Returns
    -------
    array, shape (n_days,)
        NaN for the first `window - 1` rows.
    """
    return _rolling(values, window, lambda windows: windows.max(axis=-1))


def rolling_min(values: Array, window: int) -> Array:
    """Least of the last `window` values.

    Parameters
    ----------
    values : array, shape (n_days,)
    window : int
        In sessions, at least 1.

    Returns
    -------
    array, shape (n_days,)
        NaN for the first `window - 1` rows.
    """
    return _rolling(values, window, lambda windows: windows.min(axis=-1))


def change(values: Array, sessions: int) -> Array:
    """Relative change over the last `sessions` rows.

    Parameters
    ----------
    values : array, shape (n_days,)
    sessions : int

    Returns
    -------
    array, shape (n_days,)
        A fraction; NaN for the first `sessions` rows.
    """
    out = np.full(len(values), np.nan)
    if len(values) > sessions:
        out[sessions:] = values[sessions:] / values[:-sessions] - 1
    return out


def rsi(close: Array, window: int = 14, *, memory: int) -> Array:
    """Relative strength index: the share of gains in recent moves, from 0 to 100.

    Parameters
    ----------
    close : array, shape (n_days,)
        Adjusted closing prices, oldest first.
    window : int, default 14
        Smoothing length in sessions.
    memory : int
        Each value is a function of the last `memory` closes alone, as if the table began there; more than `window`.

    Returns
    -------
    array, shape (n_days,)
        NaN for the first `window` rows; 50 where the price never moved (TA-Lib gives 0, which reads as oversold).

    Notes
    -----
    Wilder (1978): the first value is the simple average of the first `window` changes, as in TA-Lib.
    """
    out = np.full(len(close), np.nan)
    if len(close) <= window:
        return out
    moves = np.diff(close)
    gains, losses = (  # a window of `memory` closes has one move fewer
        smoothing.ema(one_way, 1 / window, window, memory - 1)
        for one_way in (np.maximum(moves, 0.0), np.maximum(-moves, 0.0))
    )
    total = gains + losses
    flat = total <= close[window:] * 1e-13  # rounding is no move
    out[window:] = 100 * gains / np.where(flat, 1.0, total)
    out[window:][flat] = 50.0
    return out


def macd(close: Array, *, memory: int) -> tuple[Array, Array]:
    """Moving average convergence divergence: the EMA of 12 sessions less that of 26, and the EMA of 9 of that line.

    Parameters
    ----------
    close : array, shape (n_days,)
        Adjusted closing prices, oldest first.
    memory : int
        See `rsi`; at least 34.

    Returns
    -------
    line, signal : arrays, shape (n_days,)
        In price units; NaN for the first 33 rows.

    Notes
    -----
    Appel (1979). As in TA-Lib an EMA is seeded with the simple average of its first values, has the smoothing factor
    2 / (window + 1), and the fast one starts on the same row as the slow one.

    The line begins anew in each row's window, so that its EMA cannot be taken of the lines of all rows. With factors a
    and decays q = 1 - a: the signal less a_signal q / (q - q_signal) times each EMA, the slow one's being negative, is
    a value that decays by q_signal a day and gains a constant times the day's close.
    """
    line, average = (np.full(len(close), np.nan) for _ in range(2))
    rows = SLOW + SIGNAL - 1
    if len(close) < rows:
        return line, average
    fast, slow = (of_all[SIGNAL - 1 :] for of_all in _fast_and_slow(close, memory))
    seeds = np.correlate(close, _signal_seed(), mode="valid")
    rest = smoothing.seeded(close[rows:], seeds, 1 - _factor(SIGNAL), _signal_gain(), memory - rows)
    line[rows - 1 :] = np.where(np.abs(fast - slow) <= close[rows - 1 :] * 1e-13, 0.0, fast - slow)  # else rounding
    average[rows - 1 :] = rest + _signal_share(FAST) * fast - _signal_share(SLOW) * slow
    return line, average


def annualised_volatility(close: Array, window: int = 20) -> Array:
    """Annualised standard deviation of the last `window` daily returns.

    Parameters
    ----------
    close : array, shape (n_days,)
        Adjusted closing prices, oldest first.
    window : int, default 20
        In sessions.

    Returns
    -------
    array, shape (n_days,)
        A fraction, the daily figure times sqrt(252); NaN for the first `window` rows.
    """
    daily = change(close, 1)
    out = np.full(len(close), np.nan)
    out[1:] = rolling_std(daily[1:], window) * np.sqrt(SESSIONS_A_YEAR)
    return out


def _rolling(values: Array, window: int, reduce: Callable[[Array], Array]) -> Array:
    _check_window(window)
    out = np.full(len(values), np.nan)
    if len(values) >= window:
        out[window - 1 :] = reduce(sliding_window_view(values, window))
    return out


def _check_window(window: int) -> None:
    if window < 1:
        raise ValueError(f"window is {window}, it must be at least 1 session")


def _factor(window: int) -> float:
    return 2 / (window + 1)


def _fast_and_slow(close: Array, memory: int) -> tuple[Array, Array]:
    """Both EMAs of the MACD from row `SLOW - 1` on, shape (..., n_days - SLOW + 1)."""
    later = SLOW - FAST
    return (
        smoothing.ema(close[..., later:], _factor(FAST), FAST, memory - later),
        smoothing.ema(close, _factor(SLOW), SLOW, memory),
    )


def _signal_share(window: int) -> float:
    """The part of one EMA in the signal, apart from the rest that decays as the signal does."""
    decay = 1 - _factor(window)
    return _factor(SIGNAL) * decay / (decay - (1 - _factor(SIGNAL)))


def _signal_gain() -> float:
    """The factor of a day's close in that rest."""
    fast, slow = ((_factor(SIGNAL) - _signal_share(window)) * _factor(window) for window in (FAST, SLOW))
    return fast - slow


@lru_cache
def _signal_seed() -> Array:
    """The factors of a window's first closes in the first such rest, where the signal is the mean of the line."""
    rows = SLOW + SIGNAL - 1
    fast, slow = _fast_and_slow(np.eye(rows), rows)
    shares = _signal_share(FAST) * fast[:, -1] - _signal_share(SLOW) * slow[:, -1]
    return np.array((fast - slow).mean(axis=-1) - shares)
