"""Real days of results of the shared stocks, and what is taken to have been known of them in advance.

The files are hindsight: when a day was first announced is not in them. So lives are led with none of them, with days
foretold from past ones, and with a lead that is assumed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from stockml.data.announcements import Announcement

LEAD = timedelta(days=14)  # assumed: real ones are known one to four weeks ahead
NONE, FORETOLD, ASSUMED = "prices alone", "days foretold", "days assumed known 14 days ahead"
COLUMNS = {"NSE": "published_at", "US": "date"}

Days = Mapping[str, Sequence[date]]


def days_of(folder: Path, market: str) -> dict[str, list[date]]:
    """The days of results by symbol, oldest first; empty where the folder has no file of the market."""
    path = folder / "announcements" / f"{market.lower()}.csv"
    if not path.exists():
        return {}
    table = pd.read_csv(path)
    table["day"] = table[COLUMNS[market]].str[:10].map(date.fromisoformat)
    return {str(symbol): sorted(set(rows)) for symbol, rows in table.groupby("symbol")["day"]}


def announcements(days: Sequence[date], known: str) -> tuple[Announcement, ...]:
    """A stock's announcements, known in advance as `known` says."""
    if known == NONE:
        return ()
    return tuple(Announcement(day, None, day - LEAD if known == ASSUMED else None) for day in days)


def with_results(table: pd.DataFrame, days: Days) -> pd.DataFrame:
    """The table with a column `results`: 1.0 where results came after the day it was made on and up to the target.

    0.0 where none came, NaN where the stock's days are not known: it has none, or the day lies outside of them.
    """
    found = np.full(len(table), np.nan)
    made, target = (table[name].to_numpy().astype("datetime64[D]") for name in ("made_on", "target"))
    for symbol, rows in table.groupby("symbol").indices.items():
        known = np.array(days.get(str(symbol), ()), dtype="datetime64[D]")
        if not len(known):
            continue
        count = np.searchsorted(known, target[rows], side="right") - np.searchsorted(known, made[rows], side="right")
        inside = (made[rows] >= known[0]) & (target[rows] <= known[-1])
        found[rows] = np.where(inside, np.minimum(count, 1), np.nan)
    return table.assign(results=found)
