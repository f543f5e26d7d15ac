"""ANALYZE of some stocks as one task, for this process or a helper: prices read and checked, models and plug-ins asked.

It tells nobody anything and writes nothing: what a run has to tell comes back with the results.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from stockml.core.clock import Clock
from stockml.core.failures import Failure, OpinionError
from stockml.core.installation import TRAIN
from stockml.core.paths import Home
from stockml.core.wording import Message
from stockml.data.fetch import check_feed, fetch_bars
from stockml.data.fetched import Fetched, merged
from stockml.data.request import DateRange, Feed, FetchSettings
from stockml.data.sources import Source
from stockml.data.unread_bars import UnreadBars
from stockml.models.bundle import MISSING, ModelBundle, ModelError
from stockml.models.bundle_store import StoredBundle, load_bundle
from stockml.reporting.status import MODEL_STALE_AFTER_DAYS
from stockml.signals import engine
from stockml.signals.engine import Analysis, ModelView
from stockml.signals.plugins import OpinionPlugins

if TYPE_CHECKING:
    from stockml.data.price_table import Finding, PriceTable


@dataclass(frozen=True, slots=True)
class AnalysisSettings:
    """All that an analysis depends on beside the stock; a plain value that any process understands."""

    source: Source
    clock: Clock
    home: Home
    offline: bool
    horizons: tuple[int, ...]
    plugins: OpinionPlugins
    tells_missing: bool  # a stock without a model is worth a notice
    train_command: str = TRAIN  # as messages name it where the run is; another machine may have it by another name


@dataclass(frozen=True, slots=True)
class StocksTask:
    """Some stocks: the days to read of each, whom to analyse, and what the run itself has read for them.

    `feeds` and `models` are by symbol; None: they lie where the task is done. Of a stock that is not to be analysed no
    models are asked.
    """

    spans: Mapping[str, DateRange]
    wanted: frozenset[str]
    feeds: Mapping[str, Feed | UnreadBars] | None = None
    models: Mapping[str, StoredBundle | ModelError] | None = None

    def singles(self) -> Iterator[StocksTask]:
        """The same as tasks of one stock."""
        for symbol, span in self.spans.items():
            wanted = self.wanted & {symbol}
            feeds = None if self.feeds is None else {symbol: self.feeds[symbol]}
            models = None if self.models is None else {one: self.models[one] for one in wanted}
            yield StocksTask({symbol: span}, wanted, feeds, models)


@dataclass(frozen=True, slots=True)
class StockResult:
    """A stock's table in brief, its analysis, and the messages about its models."""

    symbol: str
    data_through: date
    findings: tuple[Finding, ...]
    report: dict[str, object]
    analysis: Analysis | None  # None: not asked for
    told: tuple[Failure | Message, ...] = ()
    opinions: Mapping[int, Mapping[str, float] | Failure] | None = None  # of the plug-ins, by horizon

    def summary(self) -> dict[str, object]:
        """The table in a few plain values, for a report."""
        return dict(self.report)


@dataclass(frozen=True, slots=True)
class TaskResult:
    """The stocks of a task, and the seconds that reading and checking them took, and analysing them."""

    fetched: Fetched[StockResult]
    fetch_seconds: float
    analyze_seconds: float


def analyse_stocks(settings: AnalysisSettings, task: StocksTask) -> TaskResult:
    """Read, check and analyse the stocks of a task, one after the other.

    Parameters
    ----------
    settings : AnalysisSettings
    task : StocksTask

    Returns
    -------
    TaskResult
        With a table or a failure for every symbol, whose order is that of the task.
    """
    parts: list[Fetched[StockResult]] = []
    began, analyze_seconds = time.perf_counter(), 0.0
    how = FetchSettings(offline=settings.offline)
    for symbol, span in task.spans.items():
        spans = {symbol: span}
        if task.feeds is None:
            feed = fetch_bars(spans, settings.source, clock=settings.clock, home=settings.home, settings=how)
        else:
            given = task.feeds[symbol]
            feed = given if isinstance(given, Feed) else given.feed()
        part = check_feed(feed, spans, settings.source.kind)
        read = time.perf_counter()
        results = {name: _result(settings, table, task) for name, table in part.tables.items()}
        analyze_seconds += time.perf_counter() - read
        parts.append(part.holding(results))
    return TaskResult(merged(parts), time.perf_counter() - began - analyze_seconds, analyze_seconds)


def _result(settings: AnalysisSettings, prices: PriceTable, task: StocksTask) -> StockResult:
    found = StockResult(prices.symbol, prices.data_through, prices.findings, prices.summary(), None)
    if prices.symbol not in task.wanted:
        return found
    told: list[Failure | Message] = []
    load = (
        partial(load_bundle, settings.home, whole=False) if task.models is None else partial(_sent_bundle, task.models)
    )
    model = _models_forecast(settings, prices, load, told.append)
    told = [_renamed(one, settings.train_command) for one in told]
    opinions = {horizon: _opinions(settings.plugins, prices, horizon) for horizon in settings.horizons}
    return replace(found, analysis=engine.analyze(prices, model), told=tuple(told), opinions=opinions)


def _renamed(told: Failure | Message, train_command: str) -> Failure | Message:
    """A message with another name of the training command in place of the one it has on this machine."""
    if isinstance(told, Failure):
        return replace(told, message=told.message.replace(TRAIN, train_command))
    return told._replace(text=told.text.replace(TRAIN, train_command))


def _opinions(plugins: OpinionPlugins, prices: PriceTable, horizon: int) -> Mapping[str, float] | Failure:
    """The plug-ins' opinions at one horizon, or the failure of the first that fails."""
    try:
        return plugins.opinions(prices, [horizon]).get(horizon, {})
    except OpinionError as error:
        return Failure(prices.symbol, error.kind, str(error))


def _sent_bundle(models: Mapping[str, StoredBundle | ModelError], symbol: str) -> ModelBundle:
    """A bundle that the run has read, or the error it met."""
    sent = models[symbol]
    if isinstance(sent, ModelError):
        raise sent
    return sent.load()


def _models_forecast(
    settings: AnalysisSettings,
    prices: PriceTable,
    load: Callable[[str], ModelBundle],
    tell: Callable[[Failure | Message], None],
) -> ModelView | None:
    """The models' forecast of a stock's newest session; None, with a notice or failure, where they cannot be asked."""
    symbol = prices.symbol
    try:
        return _ask_models(load(symbol), prices, tell)
    except ModelError as error:
        if error.kind != MISSING:
            tell(Failure(symbol, f"model_{error.kind}", f"{error}; until then signals alone serve."))
        elif settings.tells_missing:
            text = f"{symbol}: no trained model, so signals alone serve; run {TRAIN} to add it."
            tell(Message(symbol, text))
        return None


def _ask_models(bundle: ModelBundle, prices: PriceTable, tell: Callable[[Failure | Message], None]) -> ModelView | None:
    """The models' forecast, or None where they have seen a later day; ModelError where they cannot be used."""
    symbol, through = prices.symbol, prices.data_through
    age_days = (through - bundle.data_through).days
    if age_days < 0:
        text = f"{symbol}: its model has seen {bundle.data_through}, after {through}, and is not used."
        tell(Message(symbol, text))
        return None
    if age_days > MODEL_STALE_AFTER_DAYS:
        text = f"{symbol}: its model is stale, {age_days} days old; run {TRAIN} to renew it."
        tell(Message(symbol, text))
    return engine.view_of(bundle, bundle.forecast(prices))
