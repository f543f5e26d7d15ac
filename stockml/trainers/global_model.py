"""What all stocks are learned from together: common days, one LSTM, one forest, and how far each is to be believed.

Of very many stocks some teach for all: what is learned from, what one message holds and how long it takes are bounded,
however many are trained. No day that any stock is validated on is seen here, whatever the stock's own calendar.
"""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stockml.models.forest import Forest
from stockml.models.lstm import Float32, Network, windows
from stockml.trainers import shrinkage
from stockml.trainers.dataset import TrainingSet
from stockml.trainers.lstm_trainer import LSTMTrainer, OptimizerSettings, Samples, fresh_network
from stockml.trainers.shrinkage import Array, Posterior
from stockml.trainers.xgboost_trainer import XGBSettings, fit_trees

HOLD_OUT_TASKS = (
    16  # tasks, whatever the number of stocks and processes: small ones, that fill up what the forest leaves idle
)
NEAR_DAYS = 30  # calendars differ by a holiday here and there; a table that ends a month earlier learns alone
Map = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[tuple[int, Any]]]
Task = tuple[Callable[..., Any], tuple[Any, ...]]  # what is called in another process, and with what


@dataclass(frozen=True, slots=True)
class GlobalModelSettings:
    """How the common LSTM learns: each round every shard goes its own way, and their mean goes on."""

    rounds: tuple[float, ...] = (2e-3, 1e-3)  # the learning rate of each
    shards: int = 4  # whatever the number of processes
    most_teachers: int = 2000  # stocks learned from, an exchange's worth; a task for the forest has 75 MB then
    learning: OptimizerSettings = field(default_factory=OptimizerSettings)
    trees: XGBSettings = field(default_factory=XGBSettings)

    @property
    def task_count(self) -> int:
        """The tasks of learning together: the rounds' shards, the forest's two fits, what the LSTM is judged by."""
        return len(self.rounds) * self.shards + 2 + HOLD_OUT_TASKS


@dataclass(frozen=True, slots=True)
class SplitDates:
    """Fitted on answers known before `select`; believed by answers known before `validation`."""

    select: np.datetime64
    validation: np.datetime64


@dataclass(frozen=True, slots=True)
class GlobalModel:
    """What was learned together; `members` are the stocks it was learned from, and those too young to teach."""

    days: SplitDates
    members: tuple[str, ...]
    centre: Array  # (horizon,) the median changes, in standard deviations, that the models were fitted about
    network: Network
    forest: bytes  # the pickled XGBoost model
    drift: Posterior
    lstm_slope: Posterior
    xgb_slope: Posterior
    pattern_slope: Posterior


def divide(training_sets: Mapping[str, TrainingSet]) -> list[tuple[SplitDates, list[str]]]:
    """The stocks that learn together and the days they do it on; those whose days end too early learn alone."""
    if not training_sets:
        return []
    starts = {symbol: (_first(m, "select"), _first(m, "validation")) for symbol, m in training_sets.items()}
    usual = np.sort([select for select, _ in starts.values()])[len(starts) // 2]
    near = [s for s, (select, _) in starts.items() if abs(select - usual) <= np.timedelta64(NEAR_DAYS, "D")]
    common = SplitDates(min(starts[s][0] for s in near), min(starts[s][1] for s in near))
    together = [
        s for s, (select, validation) in starts.items() if _shares_dates_with(common, SplitDates(select, validation))
    ]
    alone = [(SplitDates(*starts[s]), [s]) for s in starts if s not in together]
    return [(common, together), *alone]


def _shares_dates_with(common: SplitDates, own: SplitDates) -> bool:
    """Whether what ends on the common days ends before the stock's own as well, so that it sees none of its future."""
    return bool(own.select >= common.select and own.validation >= common.validation)


def _first(training_set: TrainingSet, part: str) -> np.datetime64:
    return np.datetime64(training_set.dates[getattr(training_set.split, part)[0]])


@dataclass(frozen=True, slots=True)
class TreeRows:
    """Days that trees learn from: features as XGBoost compares them, answers at the horizon about the centre."""

    features: Float32
    targets: Array


@dataclass(frozen=True, slots=True)
class _TrainingRows:
    """The teaching stocks' days, in the same order for every forecaster; changes in standard deviations."""

    centre: Array  # (horizon,) the median change, which is left to `drift`
    samples: Samples  # the LSTM's, of the fit days
    trees: TreeRows  # the forest's, of the fit days
    hold_out: list[tuple[Float32, NDArray[np.int64]]]  # inputs and rows of each stock's later days
    hold_out_features: Float32
    hold_out_targets: Array  # as they are
    hold_out_pattern: Array  # what followed each day's pattern, none of the judged answers in it
    hold_out_days: NDArray[np.int64]
    known_targets: Array  # of all the days before any validation
    known_grown: Array  # the price after each of them over the price before
    known_days: NDArray[np.int64]


def train_global_model(
    days: SplitDates, members: Sequence[TrainingSet], settings: GlobalModelSettings, *, seed: int, run: Map
) -> GlobalModel:
    """One LSTM and one forest for these stocks, and how far they are to be believed.

    Parameters
    ----------
    members : sequence of Material
        In an order that does not depend on chance, for the results do depend on it. At most
        `settings.most_teachers` of them are learned from.
    run : callable
        Maps a function over tasks, perhaps in other processes; yields each task's number and result.
    """
    horizon = members[0].horizon
    members = training_stocks(members, settings.most_teachers, seed)
    rows = _gather(days, [m for m in members if m.dates[m.split.fit[-1] + horizon] < days.validation])
    network = fresh_network(rows.samples.inputs.shape[1], horizon, seed)
    for number, rate in enumerate(settings.rounds):
        network = _mean(_in_order(run, _shards(network, rows.samples, settings, rate, (seed, number))))
    forest = _forest_tasks(rows, settings.trees, seed)
    model, forest_says, *parts = _in_order(run, forest + _hold_out_tasks(network, rows.hold_out))  # the longest first
    lstm_says = np.concatenate(parts)
    drift = shrinkage.drift_posterior(rows.known_targets, rows.known_grown, rows.known_days, horizon)
    targets = rows.hold_out_targets - drift.value

    def slope(forecasts: Array) -> Posterior:
        return shrinkage.slope_posterior(forecasts, targets, rows.hold_out_days, horizon)

    symbols = tuple(member.symbol for member in members)
    pattern = rows.hold_out_pattern - rows.hold_out_pattern.mean()
    return GlobalModel(
        days, symbols, rows.centre, network, model, drift, slope(lstm_says), slope(forest_says), slope(pattern)
    )


def stock_seed(seed: int, symbol: str) -> int:
    """A seed of the stock's own, the same whichever others are trained beside it."""
    return zlib.crc32(f"{seed}:{symbol}".encode())


def training_stocks(members: Sequence[TrainingSet], most: int, seed: int) -> list[TrainingSet]:
    """The members that are learned from, in their order: all, or so many drawn by name and seed, whatever came of them.

    Another stock beside them takes the place of one of them at most.
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
        known_targets=_joined(lambda stock, rows: stock.targets(rows)[:, -1], stocks, known),
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


# ---- what is done in other processes ----


def _in_order(run: Map, tasks: Sequence[Task]) -> list[Any]:
    """Every task's result; the first exception among them is raised."""
    results = dict(run(_call, tasks))
    for number in sorted(results):
        if isinstance(results[number], Exception):
            raise results[number]
    return [results[number] for number in sorted(results)]


def _call(task: Task) -> Any:
    function, arguments = task
    return function(*arguments)


def _shards(
    network: Network, samples: Samples, settings: GlobalModelSettings, rate: float, seed: tuple[int, int]
) -> list[Task]:
    order = np.random.default_rng([*seed, 0]).permutation(len(samples))
    return [
        (_train_shard, (network, samples.part(np.sort(chosen)), settings.learning, rate, (*seed, 1 + number)))
        for number, chosen in enumerate(np.array_split(order, settings.shards))
    ]


def _train_shard(
    network: Network, samples: Samples, settings: OptimizerSettings, rate: float, seed: tuple[int, ...]
) -> Network:
    trainer = trainer_for(network, settings)
    trainer.start(network)
    trainer.epoch(samples, np.random.default_rng(seed), rate)
    return trainer.network()


@lru_cache(maxsize=2)
def _trainer(inputs: int, horizon: int, settings: OptimizerSettings) -> LSTMTrainer:
    return LSTMTrainer(inputs, horizon, settings)


def trainer_for(network: Network, settings: OptimizerSettings) -> LSTMTrainer:
    """This process's learner for such networks: its buffers serve one stock after another."""
    return _trainer(network.inputs, network.horizon, settings)


def _mean(networks: Sequence[Network]) -> Network:
    """The network with the mean of the weights; McMahan et al. (2017)."""
    together = zip(*(network.weights for network in networks), strict=True)
    return Network(tuple(np.stack(weights).mean(axis=0, dtype=np.float32) for weights in together))


def _forest_tasks(rows: _TrainingRows, settings: XGBSettings, seed: int) -> list[Task]:
    """The model fitted on all days before any validation, and what one fitted without the judged days says of those."""
    hold_out = TreeRows(rows.hold_out_features, rows.hold_out_targets - rows.centre[-1])
    return [
        (_fit_forest, ([rows.trees, hold_out], settings, seed)),
        (_forest_says, (rows.trees, hold_out.features, settings, seed)),
    ]


def _fit_forest(parts: Sequence[TreeRows], settings: XGBSettings, seed: int) -> bytes:
    """The pickled model."""
    features, targets = (np.concatenate([getattr(p, name) for p in parts]) for name in ("features", "targets"))
    return pickle.dumps(fit_trees(features, targets, settings, seed))


def _forest_says(fit: TreeRows, features: Float32, settings: XGBSettings, seed: int) -> Array:
    return Forest.of(fit_trees(fit.features, fit.targets, settings, seed)).predict(features)


def _hold_out_tasks(network: Network, hold_out: Sequence[tuple[Float32, NDArray[np.int64]]]) -> list[Task]:
    ends = np.linspace(0, len(hold_out), HOLD_OUT_TASKS + 1).round().astype(int)
    return [(_forecasts, (network, hold_out[start:end])) for start, end in pairwise(ends)]


def _forecasts(network: Network, hold_out: Sequence[tuple[Float32, NDArray[np.int64]]]) -> Array:
    """What is forecast at the horizon on each of some stocks' judged rows, (n_rows,)."""
    return np.concatenate([np.zeros(0), *(network.predict(windows(*stock))[:, -1] for stock in hold_out)])
