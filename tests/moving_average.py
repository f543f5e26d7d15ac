"""The exponential moving average by itself; the package needs it only inside MACD."""

from __future__ import annotations

from stockml.indicators import technical


def ema(values: technical.Array, window: int, *, memory: int | None = None) -> technical.Array:
    """As TA-Lib's EMA, shape (n_days,); with a memory, each value as if the table began so many rows before."""
    return technical._with_memory(
        ("ema", window), lambda part: technical._ema(part, window, window - 1), values, memory
    )
