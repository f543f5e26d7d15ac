"""A signal, a forecaster and a price source, each a plug-in of stockml in a few lines."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from stockml.data.price_table import PriceTable

YEAR, MONTH = 252, 21  # sessions


class Momentum:
    """A signal: what went up over the past year but its last month goes on (Jegadeesh and Titman 1993)."""

    def opinion(self, prices: PriceTable, horizon: int) -> float | None:
        """A twentieth of that change, for each month ahead; none of a stock with less history."""
        close = prices.frame["adj_close"].to_numpy()
        if len(close) <= YEAR:
            return None
        past_pct = (close[-1 - MONTH] / close[-1 - YEAR] - 1) * 100
        return float(np.clip(past_pct / 20 * horizon / MONTH, -5, 5))


@dataclass(frozen=True)
class Line:
    """A fitted line: the change to come by the change so far, both in % over the horizon."""

    horizon: int
    slope: float
    level: float

    def forecast(self, prices: PriceTable) -> float:
        """The change to be expected after the newest one."""
        close = prices.frame["adj_close"].to_numpy()
        return float(self.level + self.slope * (close[-1] / close[-1 - self.horizon] - 1) * 100)


class Echo:
    """A forecaster: how much of a change is echoed, or taken back, by the next one; a regression, shrunk by half."""

    def fit(self, prices: PriceTable, horizon: int) -> Line:
        """Least squares over all past days whose next change is known by now."""
        close = prices.frame["adj_close"].to_numpy()
        changes = (close[horizon:] / close[:-horizon] - 1) * 100  # (n_days - horizon,)
        if len(changes) < 3 * horizon:
            return Line(horizon, 0.0, 0.0)
        before, after = changes[:-horizon], changes[horizon:]
        slope = np.cov(before, after)[0, 1] / max(before.var(ddof=1), 1e-12)
        return Line(horizon, slope / 2, (after.mean() - slope * before.mean()) / 2)


class SQLitePrices:
    """A price source: `--source sqlite:FILE`, a database with the table bars(symbol, date, open, ..., volume)."""

    def __init__(self, argument: str) -> None:
        self.path = Path(argument).expanduser()
        if not self.path.is_file():
            raise ValueError(f"{argument!r} is no file; write sqlite:FILE")

    def bars(self, symbol: str, start: date, end: date) -> pd.DataFrame | None:
        """The bars of a stock; None where the database has none at all of it."""
        with closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            if not database.execute("SELECT 1 FROM bars WHERE symbol = ? LIMIT 1", (symbol,)).fetchone():
                return None
            wanted = "SELECT date AS Date, open AS Open, high AS High, low AS Low, close AS Close, volume AS Volume "
            wanted += "FROM bars WHERE symbol = ? AND date BETWEEN ? AND ? ORDER BY date"
            frame = pd.read_sql_query(wanted, database, params=(symbol, str(start), str(end)))
        frame.attrs["currency"] = "USD"
        return frame
