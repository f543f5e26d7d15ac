"""The exponential moving average by itself; the package needs it only inside MACD."""

from __future__ import annotations

import numpy as np

from stockml.indicators import smoothing


def ema(values: smoothing.Array, window: int, *, memory: int | None = None) -> smoothing.Array:
    """As TA-Lib's EMA, shape (n_days,); with a memory, each value as if the table began so many rows before."""
    out = np.full(len(values), np.nan)
    if len(values) >= window:
        rows = max(window, len(values)) if memory is None else memory
        out[window - 1 :] = smoothing.ema(values, 2 / (window + 1), window, rows)
    return out
