"""Stocks' bars and models -> the analysis of each past session, computed for all sessions at once.

No value of a day depends on later days, so one pass over the whole table gives the values that a run of each day
would have found. Where a table is too short or too odd for that, the day is analysed on its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stockml.core.exchanges import BY_SYMBOL, Exchanges
from stockml.core.failures import StockError
from stockml.data.point_in_time import PointInTimePrices
from stockml.data.price_table import PriceTable
from stockml.data.request import DateRange
from stockml.data.source_bars import SourceBars
from stockml.indicators.confidence_inputs import SESSIONS, confidence_table
from stockml.indicators.features import HISTORY_SESSIONS, indicator_table
from stockml.models.bundle import SESSIONS_NEEDED, Forecasts, ModelBundle
from stockml.signals import engine
from stockml.signals.engine import Analysis, ModelView

Floats = NDArray[np.floating]

ROWS_NEEDED = max(HISTORY_SESSIONS + 1, SESSIONS)  # rows that an analysis of one day uses


@dataclass(frozen=True, slots=True)
class Opinions:
    """One bundle's forecasts of a stock for each session from its training on; `views` by row of the bars."""

    bundle: ModelBundle
    views: Mapping[int, ModelView | None]

    @classmethod
    def of(cls, bundle: ModelBundle, forecasts: Forecasts, rows: Sequence[int]) -> Opinions:
        """The forecasts of `rows`, one after the other, by row."""
        return cls(bundle, {row: engine.view_of(bundle, forecasts, at) for at, row in enumerate(rows)})


@dataclass(slots=True)
class PastStock:
    """One stock over all past sessions; `opinions` are those of the models in use, None where it has none.

    Sessions before `first` are analysed one by one, all from then on at once.
    """

    history: PointInTimePrices
    currency: str | None
    kind: str
    first: date | None = None
    opinions: Opinions | None = None
    _begin: int = field(init=False)  # the first row of the bars that is analysed at once
    _indicators: Floats = field(init=False)  # (n_days, n_indicators)
    _inputs: Floats = field(init=False)  # (n_days, n_inputs)
    _names: tuple[list[str], list[str]] = field(init=False)

    def __post_init__(self) -> None:
        days = self.history.bars.index
        first = 0 if self.first is None else int(days.searchsorted(pd.Timestamp(self.first)))
        self._begin = max(0, first - ROWS_NEEDED)
        wanted = self.history.cut(slice(self._begin, None))
        indicators, inputs = indicator_table(wanted), confidence_table(wanted)
        self._indicators, self._inputs = indicators.to_numpy(), inputs.to_numpy()
        self._names = ([str(name) for name in indicators], [str(name) for name in inputs])

    @property
    def symbol(self) -> str:
        """The stock's symbol."""
        return self.history.symbol

    def analyze(self, span: DateRange) -> tuple[PriceTable, Analysis]:
        """The table of the session `span.limit` and its analysis.

        Returns
        -------
        table : PriceTable
            Of shape (n_days, 6), ending on that session.
        analysis : Analysis

        Raises
        ------
        FetchError
            Where there was no table on that day.
        """
        rows = self.history.rows(span)
        table = self.history.table(span) if rows is None else self.history.cut(rows)
        if rows is None or rows.stop - max(rows.start, self._begin) < ROWS_NEEDED:
            return table, engine.analyze(table, self._ask(table))
        newest = rows.stop - 1
        if rows.stop - rows.start < SESSIONS_NEEDED or self.opinions is None or newest not in self.opinions.views:
            model = self._ask(table)
        else:
            model = self.opinions.views[newest]
        return table, self._analysis(newest, table, model)

    def _ask(self, table: PriceTable) -> ModelView | None:
        if self.opinions is None or table.data_through < self.opinions.bundle.data_through:
            return None
        return engine.view_of(self.opinions.bundle, self.opinions.bundle.forecast(table))

    def _analysis(self, row: int, table: PriceTable, model: ModelView | None) -> Analysis:
        names, input_names = self._names
        day = dict(zip(names, self._indicators[row - self._begin].tolist(), strict=True))
        inputs = zip(input_names, self._inputs[row - self._begin].tolist(), strict=True)
        known = {name: value for name, value in inputs if math.isfinite(value)}
        return engine.analysis_of(table, day, known, model)

    def forecast(self, bundle: ModelBundle, first: date, last: date) -> Opinions:
        """A bundle's forecasts for all sessions from `first` to `last` that it may be used for."""
        days = self.history.bars.index
        since = max(first, bundle.data_through)
        rows = np.flatnonzero((days >= pd.Timestamp(since)) & (days <= pd.Timestamp(last)))
        rows = rows[rows >= SESSIONS_NEEDED - 1]
        if not len(rows):
            return Opinions(bundle, {})
        whole = self.history.whole()
        forecasts = bundle.forecast(whole, [day.date() for day in days[rows]])
        return Opinions.of(bundle, forecasts, [int(row) for row in rows])


@dataclass(frozen=True, slots=True)
class SessionView:
    """All stocks after one session: the source's bars by symbol, analyses, and the failures of the others."""

    bars: Mapping[str, SourceBars]
    analyses: Sequence[Analysis]
    failures: Mapping[str, StockError]


Opine = Callable[[PriceTable], Mapping[int, Mapping[str, float]]]


def _opine_nothing(_prices: PriceTable) -> Mapping[int, Mapping[str, float]]:
    return {}


def session_view(
    stocks: Iterable[PastStock],
    span_of: Callable[[str], DateRange],
    exchanges: Exchanges = BY_SYMBOL,
    opine: Opine = _opine_nothing,
) -> SessionView:
    """Analyse all stocks after one session, in their order, with their market's volatility.

    Parameters
    ----------
    stocks : iterable of PastStock
    span_of : callable
        The days a symbol's table may hold.
    exchanges : Exchanges
        Which stocks share a market.
    opine : callable
        A day's table -> opinions of plug-ins, by horizon; raises OpinionError where one fails at the stock.
    """
    bars: dict[str, SourceBars] = {}
    analyses: list[Analysis] = []
    failures: dict[str, StockError] = {}
    for stock in stocks:
        span = span_of(stock.symbol)
        bars[stock.symbol] = stock.history.source_bars.through(span.limit)
        try:
            table, analysis = stock.analyze(span)
            analyses.append(replace(analysis, plugin_opinions=opine(table)))
        except StockError as error:
            failures[stock.symbol] = error
    return SessionView(bars, engine.add_market(analyses, exchanges), failures)
