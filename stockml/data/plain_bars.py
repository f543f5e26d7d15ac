"""The source's own bars of a symbol as plain numbers, read but not judged: an audit judges them by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from stockml.core import failures
from stockml.core.failures import FetchError
from stockml.data.request import RawBars

Row = tuple[str, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class PlainBars:
    """One symbol's bars, oldest first.

    Attributes
    ----------
    rows : tuple of (str, float, float, float, float, float)
        Day (YYYY-MM-DD), open, high, low, close and volume of n_bars days, NaN for what is not given.
    reach : str
        The last day that the source speaks of: it was asked for it, or has a bar of it.
    currency : str or None
    """

    rows: tuple[Row, ...]
    reach: str
    currency: str | None


def plain_bars(symbol: str, raw: RawBars, first: date, last: date) -> PlainBars:
    """The bars from `first` to `last`; FetchError where the table cannot be read or holds none of these days."""
    import pandas as pd

    from stockml.data.findings import PriceError
    from stockml.data.raw_table import tidy

    try:
        frame = tidy(raw.frame, last)[0].sort_index(kind="stable").loc[pd.Timestamp(first) : pd.Timestamp(last)]
    except PriceError as error:
        raise FetchError(failures.UNREADABLE, f"{symbol}: {error}") from None
    if frame.empty:
        raise FetchError(failures.TOO_SHORT, f"{symbol}: the source has no prices from {first} to {last}")
    days = pd.DatetimeIndex(frame.index).strftime("%Y-%m-%d").tolist()
    numbers = frame[["open", "high", "low", "close", "volume"]].astype(float).to_numpy().tolist()
    rows = tuple((day, *values) for day, values in zip(days, numbers, strict=True))
    asked = None if raw.asked_through is None else min(raw.asked_through, last).isoformat()
    return PlainBars(rows, max(days[-1], asked or ""), raw.currency)
