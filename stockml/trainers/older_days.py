"""Days of a stock before those that its models are trained on: what the scale model is fitted to beside them.

How volatility and news foretell the size of a change alters little over decades, so all days at hand tell of it.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stockml.data.price_table import PriceTable
from stockml.indicators.confidence_inputs import SPAN, confidence_table
from stockml.indicators.features import change_pct, usable_rows
from stockml.indicators.volatility import DECIMALS, MARKET_WINDOWS, WINDOWS, market_input, stock_input

Array = NDArray[np.float64]
Days = NDArray[np.datetime64]

MOST_ROWS = 100_000  # of all stocks; each has its share, and of more days takes every so many


@dataclass(frozen=True, slots=True)
class OlderDays:
    """The older days of one stock that are learned from, oldest first; `every` is how many each of them stands for.

    Beside them its volatilities on all days, for the market's average.
    """

    rows: NDArray[np.int64]  # (n_rows,) of `dates`
    inputs: pd.DataFrame  # (n_rows, 15); (n_rows, 20) after `with_market`
    changes_pct: Array  # (n_rows,) at the horizon
    known_on: Days  # (n_rows,) when each change was
    every: int
    dates: Days  # (n_days,)
    volatilities: NDArray[np.float32]  # (n_days, 5) by MARKET_WINDOWS

    def known_before(self, day: np.datetime64) -> OlderDays:
        """Those whose change was known before a day."""
        kept = self.known_on < day
        return replace(
            self,
            rows=self.rows[kept],
            inputs=self.inputs[kept],
            changes_pct=self.changes_pct[kept],
            known_on=self.known_on[kept],
        )


class SharedInputs:
    """The confidence inputs of one stock's histories, computed once where the longest holds all days of the others."""

    def __init__(self, longest: PriceTable | None) -> None:
        self._longest = longest
        self._inputs = None if longest is None else confidence_table(longest)

    def of(self, history: PriceTable) -> pd.DataFrame:
        """The `confidence_table` of a history; no row sees a later one, so it is the beginning of the longest's.

        Parameters
        ----------
        history : PriceTable

        Returns
        -------
        DataFrame, shape (n_days, 14)
        """
        longest, n = self._longest, len(history.frame)
        if longest is None or self._inputs is None or not _begins_with(longest, history):
            return confidence_table(history)
        return self._inputs.iloc[:n]


def _begins_with(longest: PriceTable, history: PriceTable) -> bool:
    """True where the first rows of a table are another one, bar by bar, and all else that counts is the same."""
    first = longest.frame.iloc[: len(history.frame)]
    return (
        first.index.equals(history.frame.index)
        and np.array_equal(first.to_numpy(), history.frame.to_numpy())
        and longest.announcements == history.announcements
        and tuple(day for day in longest.breaks if day <= history.data_through) == tuple(history.breaks)
    )


Inputs = Callable[[PriceTable], pd.DataFrame]


@dataclass(frozen=True, slots=True)
class OlderRule:
    """The number of a stock's older days that are learned from at most, and what computes their confidence inputs."""

    most: int = MOST_ROWS
    inputs: Inputs = confidence_table


def older_days(history: PriceTable | None, first: np.datetime64, horizon: int, rule: OlderRule) -> OlderDays:
    """The days of a stock before `first`, the first that its models are trained on.

    Parameters
    ----------
    history : PriceTable, optional
        All bars at hand; None where there are no more than the models are trained on.
    first : datetime64
    horizon : int
        In sessions.
    rule : OlderRule

    Returns
    -------
    OlderDays
        None of them reaches into the days from `first` on.
    """
    if history is None:
        return NO_OLDER_DAYS
    table = rule.inputs(history)
    dates = history.frame.index.to_numpy().astype("datetime64[D]")
    known_on = np.full(len(dates), np.datetime64("NaT", "D"))
    known_on[:-horizon] = dates[horizon:]
    is_old = usable_rows(history, horizon) & np.isfinite(table[stock_input(WINDOWS[-1])].to_numpy())
    rows = np.flatnonzero(is_old & (known_on < first))
    every = max(1, math.ceil(len(rows) / max(rule.most, 1)))
    rows = rows[zlib.crc32(history.symbol.encode()) % every :: every]  # stocks tell of different days
    spans = (known_on[rows] - dates[rows]).astype(float)
    volatilities = table[[stock_input(window) for window in MARKET_WINDOWS]].to_numpy(np.float32)
    return OlderDays(
        rows=rows,
        inputs=table.iloc[rows].assign(**{SPAN: spans}),
        changes_pct=change_pct(history, horizon).to_numpy()[rows],
        known_on=known_on[rows],
        every=every,
        dates=dates,
        volatilities=volatilities,
    )


def with_market(members: Sequence[OlderDays]) -> list[OlderDays]:
    """Join each older day's average volatility over the stocks of the market to each of its stocks' own.

    Parameters
    ----------
    members : sequence of OlderDays
        Of one market, in a reproducible order. What only the average needs is dropped from them.

    Returns
    -------
    list of OlderDays
    """
    if not any(len(member.rows) for member in members):
        return list(members)
    ordinals = [member.dates.astype(np.int64) for member in members]
    start = min(int(days[0]) for days in ordinals if len(days))
    n_days = max(int(days[-1]) for days in ordinals if len(days)) - start + 1
    sums, counts = (np.zeros((n_days, len(MARKET_WINDOWS))) for _ in range(2))
    for member, days in zip(members, ordinals, strict=True):
        known = np.isfinite(member.volatilities)
        sums[days - start] += np.where(known, member.volatilities, 0.0)
        counts[days - start] += known
    averages = np.round(sums / np.where(counts, counts, np.nan), DECIMALS)
    joined = []
    for member, days in zip(members, ordinals, strict=True):
        columns = averages[days[member.rows] - start].T
        names = map(market_input, MARKET_WINDOWS)
        inputs = member.inputs.assign(**dict(zip(names, columns, strict=True)))
        joined.append(replace(member, inputs=inputs, dates=NO_DAYS, volatilities=NO_VOLATILITIES))
    return joined


NO_DAYS: Days = np.zeros(0, dtype="datetime64[D]")
NO_VOLATILITIES = np.zeros((0, len(MARKET_WINDOWS)), dtype=np.float32)
NO_OLDER_DAYS = OlderDays(
    np.zeros(0, dtype=np.int64), pd.DataFrame(), np.zeros(0), NO_DAYS, 1, NO_DAYS, NO_VOLATILITIES
)
