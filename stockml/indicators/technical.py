"""Technical indicators as plain functions: arrays of daily values in, arrays of the same length out.

Each value depends on its own day and earlier ones only. Their use in a forecast is left to signals and features.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float64]

SESSIONS_A_YEAR = 252


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
        out[window - 1 :] = _sums(values, window) / window
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


def rsi(close: Array, window: int = 14, *, memory: int | None = None) -> Array:
    """Relative strength index: the share of gains in recent moves, from 0 to 100.

    Parameters
    ----------
    close : array, shape (n_days,)
        Adjusted closing prices, oldest first.
    window : int, default 14
        Smoothing length in sessions.
    memory : int, optional
        Make each value a function of the last `memory` closes alone, as if the table began there. Without it the
        average runs from the table's first row.

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
    gains, losses = (
        _with_memory(
            ("wilder", window),
            lambda part: _smooth(part, 1 / window, window, window - 1),
            one_way,
            None if memory is None else memory - 1,  # a window of `memory` closes has one change fewer
        )
        for one_way in (np.maximum(moves, 0.0), np.maximum(-moves, 0.0))
    )
    total = gains + losses
    flat = total <= close[1:] * 1e-13  # the smoothed rest of a move long ago is no move
    out[1:] = 100 * gains / np.where(flat, 1.0, total)
    out[1:][flat] = 50.0
    return out


def macd(
    close: Array, fast: int = 12, slow: int = 26, signal: int = 9, *, memory: int | None = None
) -> tuple[Array, Array]:
    """Moving average convergence divergence: the fast EMA less the slow one, and the EMA of that.

    Parameters
    ----------
    close : array, shape (n_days,)
        Adjusted closing prices, oldest first.
    fast, slow, signal : int
        EMA lengths in sessions.
    memory : int, optional
        See `rsi`.

    Returns
    -------
    line, signal : arrays, shape (n_days,)
        In price units; NaN for the first `slow + signal - 2` rows.

    Notes
    -----
    Appel (1979). As in TA-Lib an EMA is seeded with the simple average of its first values, has the smoothing factor
    2 / (window + 1), and the fast one starts on the same row as the slow one.
    """

    def line_of(part: Array) -> Array:  # from row `slow - 1` on
        return _ema(part, fast, slow - 1) - _ema(part, slow, slow - 1)

    def average_of(line: Array) -> Array:  # from row `slow + signal - 2` on
        return _ema(line, signal, signal - 1)

    if memory is None:
        line = line_of(close)
        average = _padded(average_of(line), close)
        line = _padded(line, close)
    else:
        line = _with_memory(("macd", fast, slow), line_of, close, memory)
        average = _with_memory(("macd", fast, slow, signal), lambda part: average_of(line_of(part)), close, memory)
    line[: slow + signal - 2] = np.nan
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


def _sums(values: Array, window: int) -> Array:
    """The sum of each row and the `window - 1` before it, shape (n_days - window + 1,).

    Composed of sums of 1, 2, 4, ... rows: a running sum would carry rounding errors from row to row, and a longer
    table would then change the last digits of old values.
    """
    total, start = np.zeros(len(values) - window + 1), 0  # of the rows from `start` of each window on
    sums, length = values, 1
    while True:
        if window & length:
            total += sums[start : start + len(total)]
            start += length
        if start == window:
            return total
        sums, length = sums[:-length] + sums[length:], 2 * length


def _ema(values: Array, window: int, first: int) -> Array:
    """The exponential moving average from row `first` on."""
    return _smooth(values, 2 / (window + 1), window, first)


def _smooth(values: Array, alpha: float, seed_rows: int, first: int) -> Array:
    """y[t] = y[t-1] + alpha (x[t] - y[t-1]) along the last axis from row `first`, seeded with a mean of `seed_rows`.

    Computed day by day: a matrix product would be faster, but its last bits depend on the number of days.
    """
    if values.shape[-1] <= first:
        return values[..., :0]
    now = np.add.reduce(values[..., first - seed_rows + 1 : first + 1], axis=-1) / seed_rows
    later = values[..., first + 1 :].T  # one number per day, or many side by side
    days = [now] if later.ndim > 1 else [float(now)]
    for value in later if later.ndim > 1 else later.tolist():
        days.append(days[-1] + alpha * (value - days[-1]))
    return np.array(days).T


def _padded(newest: Array, values: Array) -> Array:
    """Pad the newest rows with NaN in front, to the length of `values`."""
    out = np.full(len(values), np.nan)
    if len(newest):
        out[-len(newest) :] = newest
    return out


_RESPONSES: dict[tuple[object, ...], Array] = {}


def _with_memory(
    key: tuple[object, ...], recursive: Callable[[Array], Array], values: Array, memory: int | None
) -> Array:
    """Apply `recursive`, which returns the newest rows, to all values, or anew to each window of `memory` rows.

    The filters are linear, so a restart in every window is a convolution with the filter's impulse response.
    """
    if memory is None or len(values) < memory:
        return _padded(recursive(values), values)
    if (*key, memory) not in _RESPONSES:
        _RESPONSES[(*key, memory)] = np.ascontiguousarray(recursive(np.eye(memory))[:, -1])
    out = np.empty(len(values))
    out[: memory - 1] = _padded(recursive(values[: memory - 1]), values[: memory - 1])
    out[memory - 1 :] = np.correlate(values, _RESPONSES[(*key, memory)], mode="valid")
    return out
