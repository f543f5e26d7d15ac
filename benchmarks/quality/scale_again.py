"""The scale model and stock priors, fitted again where stocks differ in their announcements alone.

Networks, trees and patterns know nothing of announcements: what training found of them serves for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from processes import spread

from stockml.core.clock import Clock
from stockml.core.failures import FetchError
from stockml.data.fetch import span_of
from stockml.data.price_table import PriceTable
from stockml.replay.batch_analysis import Opinions, PastStock
from stockml.signals.calibration import StockPrior
from stockml.signals.engine import ModelView
from stockml.signals.scale_model import ScaleModel
from stockml.trainers.dataset import TooShortError, TrainingSet, history_bars, join_market, sessions_needed
from stockml.trainers.global_model import training_stocks
from stockml.trainers.groups import divide
from stockml.trainers.pipeline import TrainingSettings, prepare_with
from stockml.trainers.scale_fit import fit_scale_model, stock_prior

Fit = tuple[ScaleModel, StockPrior]


def fits(stocks: Sequence[PastStock], clock: Clock, settings: TrainingSettings) -> dict[str, Fit]:
    """The scale model and stock prior of each stock as of the clock's day, as a training of these stocks finds them."""
    tables: list[PriceTable] = []
    for stock in stocks:
        try:
            span = span_of(stock.symbol, sessions_needed(settings.years), clock)
            tables.append(stock.history.training_table(span, history_bars(len(stocks))))
        except FetchError:
            continue  # it was not trained either
    tables.sort(key=lambda table: table.symbol)
    tasks = [lambda tables, at=at: _prepared(tables, at, settings) for at in range(len(tables))]
    found = [made for made in spread(settings.jobs, tables, tasks) if made is not None]
    training_sets = join_market({made.symbol: made for made in found})
    fitted: dict[str, Fit] = {}
    for days, symbols in divide(training_sets):
        members = [training_sets[symbol] for symbol in symbols]
        model = fit_scale_model(training_stocks(members, settings.pool.most_teachers, settings.seed), days.validation)
        fitted |= {member.symbol: (model, stock_prior(model, member)) for member in members}
    return fitted


def with_fit(opinions: Opinions | None, fit: Fit | None) -> Opinions | None:
    """The opinions of a stock's models with this scale model and stock prior instead of their own."""
    if opinions is None or fit is None:
        return opinions
    model, prior = fit
    views: Mapping[int, ModelView | None] = {
        row: None if view is None else replace(view, priors=replace(view.priors, scale_model=model, stock_prior=prior))
        for row, view in opinions.views.items()
    }
    return replace(opinions, views=views)


def _prepared(tables: Sequence[PriceTable], at: int, settings: TrainingSettings) -> TrainingSet | None:
    try:
        return prepare_with(settings, tables[at], len(tables))
    except TooShortError:
        return None
