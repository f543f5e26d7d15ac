"""A year of an invented Indian market, and a source with the faults that real ones have, as it was on each evening."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from made_up_bars import paid_out, unadjusted

from stockml.core.calendars import calendar_for

PRICES = ["Open", "High", "Low", "Close", "Adj Close"]
HISTORY = 70  # sessions before the first evening
SESSIONS = calendar_for("A.NS").sessions_between(date(2025, 2, 3), date(2026, 5, 29))
EVENINGS = SESSIONS[HISTORY:]

View = Callable[[pd.DataFrame, date], pd.DataFrame]


@dataclass
class Stock:
    """One stock's bars as the source has them in the end, and what it showed on the evenings before."""

    bars: pd.DataFrame  # (n_days, 6)
    views: list[View] = field(default_factory=list)

    def seen(self, evening: date) -> pd.DataFrame:
        """The bars as they were on an evening."""
        frame = self.bars
        for view in self.views:
            frame = view(frame, evening)
        return frame.loc[: pd.Timestamp(evening)]


def day(number: int) -> pd.Timestamp:
    """A session by its number, counted from the first evening."""
    return pd.Timestamp(EVENINGS[number])


def ordinary(seed: int, level: float = 250.0) -> pd.DataFrame:
    """A random walk with volumes on each session."""
    rng = np.random.default_rng(seed)
    n_days = len(SESSIONS)
    close = level * np.exp(np.cumsum(rng.normal(0.0003, 0.012, n_days)))
    opening = np.concatenate([[level], close[:-1]]) * np.exp(rng.normal(0, 0.003, n_days))
    spread = np.exp(np.abs(rng.normal(0, 0.005, n_days)))
    columns = {
        "Open": opening,
        "High": np.maximum(opening, close) * spread,
        "Low": np.minimum(opening, close) / spread,
        "Close": close,
        "Adj Close": close,
        "Volume": rng.integers(100_000, 300_000, n_days).astype(float),
    }
    return pd.DataFrame(columns, index=pd.DatetimeIndex(SESSIONS, name="Date")).round(2)


def scaled(frame: pd.DataFrame, rows: object, factor: float, *, shares: float = 1.0) -> pd.DataFrame:
    """The prices of some rows times a factor, and their volumes times another."""
    frame = frame.copy()
    frame.loc[rows, PRICES] = (frame.loc[rows, PRICES] * factor).round(2)
    frame.loc[rows, "Volume"] *= shares
    return frame


def write_folder(folder: Path, stocks: Mapping[str, Stock], evening: date) -> None:
    """A folder of CSV files as it was on an evening."""
    folder.mkdir(exist_ok=True)
    for symbol, stock in stocks.items():
        frame = stock.seen(evening)
        if len(frame):
            frame.to_csv(folder / f"{symbol}.csv")


# ---- what a source shows only for a time ---------------------------------------------------------------------------


def split_adjusted_on(split: int, adjusted: int, factor: float) -> View:
    """Up to the evening `adjusted` the bars before a split of 1:`factor` stand in the old units."""

    def view(frame: pd.DataFrame, evening: date) -> pd.DataFrame:
        is_old = frame.index < day(split)
        return frame if pd.Timestamp(evening) >= day(adjusted) else scaled(frame, is_old, factor, shares=1 / factor)

    return view


def corrected_overnight(*numbers: int, error: float) -> View:
    """On their own evening the closes of some days were off by a factor."""

    def view(frame: pd.DataFrame, evening: date) -> pd.DataFrame:
        is_off = frame.index.isin([day(number) for number in numbers]) & (frame.index == pd.Timestamp(evening))
        frame = frame.copy()
        frame.loc[is_off, "Close"] = (frame.loc[is_off, "Close"] * error).round(2)
        frame["High"], frame["Low"] = frame[["High", "Close"]].max(axis=1), frame[["Low", "Close"]].min(axis=1)
        return frame

    return view


def late(evenings_late: dict[int, int]) -> View:
    """Bars that come some evenings after their own, by the number of their day."""

    def view(frame: pd.DataFrame, evening: date) -> pd.DataFrame:
        hidden = [day(at) for at, by in evenings_late.items() if pd.Timestamp(evening) < day(at + by)]
        return frame[~frame.index.isin(hidden)]

    return view


def not_renewed(first: int, last: int) -> View:
    """Files that stay as they were on the evening `first` up to the evening `last`."""

    def view(frame: pd.DataFrame, evening: date) -> pd.DataFrame:
        return frame.loc[: day(first)] if day(first) <= pd.Timestamp(evening) <= day(last) else frame

    return view


# ---- the stocks ----------------------------------------------------------------------------------------------------


def market() -> dict[str, Stock]:
    """Stocks with all faults, those that stay and those that pass, by symbol."""
    stocks = {
        "SPLIT.NS": Stock(ordinary(1), [split_adjusted_on(40, 40, 2.0), split_adjusted_on(90, 94, 5.0)]),
        "NEVER.NS": Stock(scaled(ordinary(2), slice(day(60), None), 0.1, shares=10.0)),
        "FIXED.NS": Stock(
            ordinary(3), [corrected_overnight(20, 21, 77, error=1.01), corrected_overnight(50, error=0.9)]
        ),
        "LATE.NS": Stock(ordinary(4), [late({10: 1, 30: 2, 55: 3, 56: 2, 80: 1, 81: 1})]),
        "HOLES.NS": Stock(_holes(ordinary(5))),
        "GHOST.NS": Stock(_ghosts(ordinary(6))),
        "NEWS.NS": Stock(_news(ordinary(7, 63.8))),
        "FROZEN.NS": Stock(_frozen(ordinary(8))),
        "RESTS.NS": Stock(ordinary(9).drop(pd.DatetimeIndex(EVENINGS[100:128]))),
        "GONE.NS": Stock(ordinary(10).loc[: day(150)]),
        "YOUNG.NS": Stock(ordinary(11).loc[day(40) :]),
        "PAYS.NS": Stock(_pays(ordinary(12))),
        "RAW.NS": Stock(_raw(ordinary(13))),
        "SPUN.NS": Stock(_spun(ordinary(14))),
    }
    for stock in stocks.values():
        stock.views.append(not_renewed(180, 206))  # 27 sessions, some 38 days
    return stocks


def _holes(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.drop([day(15), day(33), day(34), *(day(at) for at in range(60, 68))])
    for at, close in {25: 0.0, 45: -100.0, 46: float("nan"), 75: float("nan"), 110: 1e14, 120: 0.0, 121: 0.0}.items():
        frame.loc[day(at), "Close"] = close
    frame.loc[day(130), ["High", "Low"]] = frame.loc[day(130), ["Low", "High"]].to_numpy() * [0.8, 1.2]
    return frame


def _ghosts(frame: pd.DataFrame) -> pd.DataFrame:
    for first, n_days, level in ((20, 1, 1.6), (40, 2, 0.5), (60, 3, 9.0), (80, 4, 0.4), (110, 5, 1.8), (140, 6, 1.5)):
        frame = scaled(frame, slice(day(first), day(first + n_days - 1)), level)
    return frame


def _news(frame: pd.DataFrame) -> pd.DataFrame:
    for at, jump, loud in ((30, 3.68, 19.0), (70, 0.21, 30.0), (120, 1.45, 9.0), (160, 0.62, 12.0)):
        frame = scaled(frame, slice(day(at), None), jump)
        frame.loc[day(at), "Volume"] *= loud
    return frame


def _frozen(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.copy()
    for first, last in ((50, 82), (140, 145)):
        frame.loc[day(first) : day(last), PRICES] = frame.loc[day(first - 1), "Close"]
        frame.loc[day(first) : day(last), "Volume"] = 0.0
    return frame


def _raw(frame: pd.DataFrame) -> pd.DataFrame:
    """Splits of 2:1, 3:2, 1:10 and 5:1 that only the adjusted closes know of; the last beside a dividend."""
    for at, ratio in ((45, 2.0), (90, 1.5), (150, 0.1), (225, 5.0)):
        frame = unadjusted(frame, int(frame.index.get_loc(day(at))), ratio).round(2)
    return paid_out(frame, int(frame.index.get_loc(day(225))), 0.98).round(2)


def _spun(frame: pd.DataFrame) -> pd.DataFrame:
    for at, kept in ((50, 0.83), (100, 0.7), (150, 0.85)):
        frame = paid_out(frame, int(frame.index.get_loc(day(at))), kept).round(2)
    return frame


def _pays(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.copy()
    for at in (35, 95, 155):
        before = frame.index < day(at)
        frame.loc[~before, PRICES] = (frame.loc[~before, PRICES] * 0.96).round(2)
        frame.loc[before, "Adj Close"] = (frame.loc[before, "Adj Close"] * 0.96).round(2)
    return frame
