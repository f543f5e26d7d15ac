"""Global models: one LSTM and one forest fitted on many stocks' common days, with shrinkage estimated on held-out days.

The number of training stocks is capped, so that time and message sizes stay bounded however many stocks are trained.
No day that any stock is validated on is seen here, whatever the stock's own calendar.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stockml.models.forest import Forest
from stockml.models.lstm import Float32, Network, windows
from stockml.signals.scale_model import ScaleModel
from stockml.trainers import shrinkage
from stockml.trainers.common_start import CommonStart
from stockml.trainers.dataset import TrainingSet, stock_seed
from stockml.trainers.engine import NetworkTask
from stockml.trainers.engine_choice import EngineChoice
from stockml.trainers.engines import train_networks
from stockml.trainers.lstm_trainer import OptimizerSettings, Samples, batch_forecasts, fresh_network
from stockml.trainers.scale_fit import fit_scale_model
from stockml.trainers.shrinkage import Array, Posterior
from stockml.trainers.steps import Step, Steps, Task
from stockml.trainers.xgboost_trainer import XGBSettings, fit_trees

HOLD_OUT_TASKS = 16  # whatever the number of stocks; small ones fill the time that the forest's long tasks leave idle


@dataclass(frozen=True, slots=True)
class GlobalModelSettings:
    """Settings of the global models; in each round the LSTM is trained on every shard apart, then averaged."""

    rounds: tuple[float, ...] = (2e-3, 1e-3)  # learning rate of each
    # Where it goes on from the network of an earlier training; chosen on half of the NSE stocks, in 2023.
    warm_rounds: tuple[float, ...] = (1e-3,)
    warm_share: float = 0.125  # of the samples, drawn anew each time, that such a round passes over
    most_windows: int = 1 << 16  # in a round, drawn anew each time; what some 225 stocks have in two years
    shards: int = 4  # whatever the number of processes
    most_teachers: int = 2000  # training stocks at most, an exchange's worth: 75 MB per forest task
    learning: OptimizerSettings = field(default_factory=OptimizerSettings)
    trees: XGBSettings = field(default_factory=XGBSettings)

    def rates(self, start: CommonStart | None) -> tuple[float, ...]:
        """The learning rate of each round, from nothing or from a start."""
        return self.rounds if start is None else self.warm_rounds

    def task_count(self, start: CommonStart | None = None, group: int = 1) -> int:
        """Number of tasks: the rounds' shards in groups, the forest's two fits, the LSTM's hold-out forecasts."""
        return len(self.rates(start)) * math.ceil(self.shards / group) + 2 + HOLD_OUT_TASKS


@dataclass(frozen=True, slots=True)
class SplitDates:
    """The first days of two parts: fit on targets known before `select`, hold out those known before `validation`."""

    select: np.datetime64
    validation: np.datetime64


@dataclass(frozen=True, slots=True)
class GlobalModel:
    """Models fitted on many stocks; `members` are the training stocks and those with too short a history to be one."""

    days: SplitDates
    members: tuple[str, ...]
    centre: Array  # (horizon,) median changes in standard deviations, subtracted before fitting
    network: Network
    forest: bytes  # the pickled XGBoost model
    drift: Posterior  # in % at the horizon
    lstm_slope: Posterior
    xgb_slope: Posterior
    pattern_slope: Posterior
    scale_model: ScaleModel
    started_from: Mapping[str, Any] | None = None  # the record of the network that it went on from


@dataclass(frozen=True, slots=True)
class TreeRows:
    """Training rows of the trees."""

    features: Float32  # (n_rows, n_features)
    targets: Array  # (n_rows,) at the horizon, about the centre, in standard deviations


@dataclass(frozen=True, slots=True)
class _TrainingRows:
    """Rows of the training stocks, in the same order for every forecaster; changes in standard deviations."""

    centre: Array  # (horizon,) median change; what they forecast of it is `drift`, estimated apart
    samples: Samples  # the LSTM's, of the fit days
    trees: TreeRows  # the forest's, of the fit days
    hold_out: list[tuple[Float32, NDArray[np.int64]]]  # inputs and rows of each stock's later days
    hold_out_features: Float32
    hold_out_targets: Array  # not centred
    hold_out_pattern: Array  # mean outcome of each day's pattern, without hold-out targets
    hold_out_days: NDArray[np.int64]
    known_changes_pct: Array  # of all the days before any validation
    known_grown: Array  # the price after each of them over the price before
    known_days: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Learning:
    """The way a group's models are fitted: settings, seed and engine, and the network to go on from, if any."""

    settings: GlobalModelSettings
    seed: int
    engine: EngineChoice = EngineChoice()  # noqa: RUF009 - frozen
    start: CommonStart | None = None


def global_model_steps(
    days: SplitDates, members: Sequence[TrainingSet], how: Learning, on_network: Callable[[Network], None]
) -> Steps[GlobalModel]:
    """Fit one LSTM and one forest for these stocks, and estimate their shrinkage.

    Parameters
    ----------
    days : SplitDates
    members : sequence of TrainingSet
        In a reproducible order, because the results depend on it. At most `settings.most_teachers` of them are used.
    how : Learning
    on_network : callable
        Called with the LSTM as soon as it is trained, and before anything else is fitted.

    Returns
    -------
    GlobalModel

    Notes
    -----
    The LSTM is trained by federated averaging (McMahan et al. 2017).
    """
    horizon, settings = members[0].horizon, how.settings
    members = training_stocks(members, settings.most_teachers, how.seed)
    rows = _gather(days, [m for m in members if m.dates[m.split.fit[-1] + horizon] < days.validation])
    network = yield from _network_steps(rows.samples, how, horizon, days)
    on_network(network)
    others = _forest_tasks(rows, settings.trees, how.seed) + _hold_out_tasks(network, rows.hold_out)
    model, by_forest, *parts = yield Step(others)  # the longest first
    by_lstm = np.concatenate(parts)
    drift = shrinkage.drift_posterior(rows.known_changes_pct, rows.known_grown, rows.known_days, horizon)
    targets = rows.hold_out_targets - rows.hold_out_targets.mean()

    def slope(forecasts: Array) -> Posterior:
        about_mean = forecasts - forecasts.mean()  # what all of them have in common is drift, not skill
        return shrinkage.slope_posterior(about_mean, targets, rows.hold_out_days, horizon)

    symbols = tuple(member.symbol for member in members)
    of_lstm, of_forest, of_pattern = (slope(forecasts) for forecasts in (by_lstm, by_forest, rows.hold_out_pattern))
    scale_model = fit_scale_model(members, days.validation)
    fitted = (rows.centre, network, model, drift, of_lstm, of_forest, of_pattern, scale_model)
    return GlobalModel(days, symbols, *fitted, how.start.to_record() if how.start else None)


def _network_steps(samples: Samples, how: Learning, horizon: int, days: SplitDates) -> Steps[Network]:
    """The LSTM: from nothing by passing in each round over all samples, up to a limit, or from a start over a part."""
    settings, start = how.settings, how.start
    network = start.network if start else fresh_network(samples.inputs.shape[1], horizon, how.seed)
    for number, rate in enumerate(settings.rates(start)):
        seeds = (how.seed, number) if start is None else (how.seed, number, int(days.select.astype(np.int64)))
        share = 1.0 if start is None else settings.warm_share
        drawn = min(math.ceil(share * len(samples)), settings.most_windows)
        whole = NetworkTask(network, samples, (rate,), seeds)
        shards = how.engine.groups(_shards(whole, drawn, settings.shards))
        tasks = [(train_networks, (how.engine, group, settings.learning)) for group in shards]
        groups = yield Step(tasks, is_engines=True)
        network = _mean([trained for group in groups for trained in group])
    return network


def training_stocks(members: Sequence[TrainingSet], most: int, seed: int) -> list[TrainingSet]:
    """The members used for training, in their order: all, or `most` of them drawn by symbol and seed.

    One more member replaces at most one training stock.
    """
    drawn = sorted(members, key=lambda stock: (stock_seed(seed, stock.symbol), stock.symbol))[:most]
    chosen = {stock.symbol for stock in drawn}
    return [stock for stock in members if stock.symbol in chosen]


def _gather(days: SplitDates, stocks: Sequence[TrainingSet]) -> _TrainingRows:
    fit = [stock.known_before(stock.split.fit, days.select) for stock in stocks]
    hold_out = [_hold_out_rows(stock, days) for stock in stocks]
    known = [np.concatenate(both) for both in zip(fit, hold_out, strict=True)]
    centre = np.median(_joined(lambda stock, rows: stock.targets(rows), stocks, fit), axis=0)
    parts = [stock.samples(rows, centre) for stock, rows in zip(stocks, fit, strict=True)]
    return _TrainingRows(
        centre=centre,
        samples=Samples.joined(parts),
        trees=TreeRows(
            _joined(lambda stock, rows: stock.features[rows].astype(np.float32), stocks, fit),
            _joined(lambda stock, rows: stock.targets(rows)[:, -1], stocks, fit) - centre[-1],
        ),
        hold_out=[(stock.inputs, rows) for stock, rows in zip(stocks, hold_out, strict=True)],
        hold_out_features=_joined(lambda stock, rows: stock.features[rows].astype(np.float32), stocks, hold_out),
        hold_out_targets=_joined(lambda stock, rows: stock.targets(rows)[:, -1], stocks, hold_out),
        hold_out_pattern=_joined(lambda stock, rows: stock.pattern_pct[rows] / stock.spreads_pct[-1], stocks, hold_out),
        hold_out_days=_joined(lambda stock, rows: stock.dates[rows].astype(np.int64), stocks, hold_out),
        known_changes_pct=_joined(lambda stock, rows: stock.paths_pct[rows, -1], stocks, known),
        known_grown=_joined(lambda stock, rows: 1 + stock.paths_pct[rows, -1] / 100, stocks, known),
        known_days=_joined(lambda stock, rows: stock.dates[rows].astype(np.int64), stocks, known),
    )


def _hold_out_rows(stock: TrainingSet, days: SplitDates) -> NDArray[np.int64]:
    rows = stock.known_before(np.concatenate([stock.split.fit, stock.split.select]), days.validation)
    return rows[stock.dates[rows] >= days.select]


def _joined(
    what: Callable[[TrainingSet, NDArray[np.int64]], NDArray[Any]],
    stocks: Sequence[TrainingSet],
    rows: Sequence[NDArray[np.int64]],
) -> NDArray[Any]:
    return np.concatenate([what(stock, chosen) for stock, chosen in zip(stocks, rows, strict=True)])


# ---- tasks for other processes ----


def _shards(whole: NetworkTask, drawn: int, shards: int) -> list[NetworkTask]:
    """The tasks of one round: to train the network on every shard of so many samples of the whole."""
    seeds = whole.seed if isinstance(whole.seed, tuple) else (whole.seed,)
    order = np.random.default_rng([*seeds, 0]).permutation(len(whole.samples))[:drawn]
    return [
        replace(whole, samples=whole.samples.part(np.sort(chosen)), seed=(*seeds, 1 + shard))
        for shard, chosen in enumerate(np.array_split(order, shards))
    ]


def _mean(networks: Sequence[Network]) -> Network:
    """Average the weights of networks; McMahan et al. (2017)."""
    by_layer = zip(*(network.weights for network in networks), strict=True)
    return Network(tuple(np.stack(weights).mean(axis=0, dtype=np.float32) for weights in by_layer))


def _forest_tasks(rows: _TrainingRows, settings: XGBSettings, seed: int) -> list[Task]:
    """Fit the forest on all days before validation, and forecast the held-out days with one fitted without them."""
    hold_out = TreeRows(rows.hold_out_features, rows.hold_out_targets - rows.centre[-1])
    return [
        (_fit_forest, ([rows.trees, hold_out], settings, seed)),
        (_forest_forecasts, (rows.trees, hold_out.features, settings, seed)),
    ]


def _fit_forest(parts: Sequence[TreeRows], settings: XGBSettings, seed: int) -> bytes:
    """The pickled model."""
    features, targets = (np.concatenate([getattr(p, name) for p in parts]) for name in ("features", "targets"))
    return pickle.dumps(fit_trees(features, targets, settings, seed))


def _forest_forecasts(fit: TreeRows, features: Float32, settings: XGBSettings, seed: int) -> Array:
    return Forest.of(fit_trees(fit.features, fit.targets, settings, seed)).predict(features)


def _hold_out_tasks(network: Network, hold_out: Sequence[tuple[Float32, NDArray[np.int64]]]) -> list[Task]:
    ends = np.linspace(0, len(hold_out), HOLD_OUT_TASKS + 1).round().astype(int)
    return [(_network_forecasts, (network, hold_out[start:end])) for start, end in pairwise(ends)]


def _network_forecasts(network: Network, hold_out: Sequence[tuple[Float32, NDArray[np.int64]]]) -> Array:
    """The network's forecasts at the horizon on some stocks' hold-out rows, shape (n_rows,)."""
    if not hold_out:
        return np.zeros(0)
    return batch_forecasts(network, np.concatenate([windows(*stock) for stock in hold_out]))[:, -1]
