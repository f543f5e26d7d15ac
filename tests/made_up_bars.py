"""Ordinary daily bars, made up, in the form in which sources give them."""

from __future__ import annotations

import numpy as np
import pandas as pd

N_DAYS = 400


def market(n_days: int = N_DAYS, seed: int = 1, level: float = 100.0) -> pd.DataFrame:
    """Ordinary weekday bars as a source gives them."""
    rng = np.random.default_rng(seed)
    close = level * np.exp(np.cumsum(rng.normal(0, 0.012, n_days)))
    opening = close * np.exp(rng.normal(0, 0.004, n_days))
    spread = np.exp(np.abs(rng.normal(0, 0.006, n_days)))
    return pd.DataFrame(
        {
            "Open": opening,
            "High": np.maximum(opening, close) * spread,
            "Low": np.minimum(opening, close) / spread,
            "Close": close,
            "Adj Close": close * 0.97,
            "Volume": rng.integers(100_000, 300_000, n_days).astype(float),
        },
        index=pd.bdate_range("2024-01-01", periods=n_days, name="Date"),
    )


def unadjusted(bars: pd.DataFrame, row: int, ratio: float) -> pd.DataFrame:
    """The bars as a source has them that adjusts for a split of `ratio` new shares per old in Adj Close alone."""
    bars, prices = bars.astype(float), ["Open", "High", "Low", "Close"]
    before = bars.index[:row]
    bars.loc[before, prices] *= ratio
    bars.loc[before, "Volume"] /= ratio
    return bars


def paid_out(bars: pd.DataFrame, row: int, kept: float) -> pd.DataFrame:
    """The bars with a dividend or a spin-off on a day that leaves a share with `kept` of its price."""
    bars, prices = bars.copy(), ["Open", "High", "Low", "Close", "Adj Close"]
    bars.loc[bars.index[row:], prices] *= kept
    bars.loc[bars.index[:row], "Adj Close"] *= kept
    return bars
