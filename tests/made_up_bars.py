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
