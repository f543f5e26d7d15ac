"""Training pipeline: prepare each stock, fit the global models, fine-tune each stock, over processes or a cluster.

A stock's result depends on the tables, the settings and the seed, never on the number of processes. Workers return
finished bytes; only the caller writes files.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import Any

from stockml.core.paths import Home
from stockml.core.progress import Progress
from stockml.core.wording import cause
from stockml.data.price_table import PriceTable
from stockml.indicators.confidence_inputs import confidence_table
from stockml.models.bundle_store import save_bundle, write_bundle
from stockml.storage.file_lock import LockTimeout
from stockml.trainers.dataset import TooShortError, TrainingSet, join_market, prepare, stock_seed
from stockml.trainers.engines import Map, Workers
from stockml.trainers.fine_tuning import (
    LIBRARIES,
    TrainedStock,
    TunedNetwork,
    fine_tune,
    finish,
    summary,
    tune,
)
from stockml.trainers.global_model import GlobalModel
from stockml.trainers.groups import Group, groups_of
from stockml.trainers.older_days import MOST_ROWS, Inputs, OlderRule
from stockml.trainers.preloading import PRELOAD
from stockml.trainers.process_pool import ProcessRunner, TaskRunner, WorkerDiedError, WorkersLostError
from stockml.trainers.steps import run_alone
from stockml.trainers.training_settings import TrainingContext, TrainingSettings

__all__ = [
    "LIBRARIES",
    "TrainedStock",
    "TrainingContext",
    "TrainingFailure",
    "TrainingSettings",
    "save",
    "summary",
    "train",
]

log = logging.getLogger("stockml")

TOO_SHORT, FAILED = "too_short", "failed"


@dataclass(frozen=True, slots=True)
class TrainingFailure:
    """A stock without new models: the reason in one plain sentence; `kind` is too_short or failed."""

    symbol: str
    kind: str
    message: str


def train(
    tables: Mapping[str, PriceTable], settings: TrainingSettings, context: TrainingContext | None = None
) -> Iterator[TrainedStock | TrainingFailure]:
    """Train every stock and yield each as it is done.

    Parameters
    ----------
    tables : mapping of symbol to PriceTable
        With their `history`, if the scale model shall be fitted to all days at hand.
    settings : TrainingSettings
    context : TrainingContext, optional

    Yields
    ------
    TrainedStock or TrainingFailure

    Raises
    ------
    WorkersLostError
        Where all workers are gone; the stocks yielded until then are complete.
    """
    context = context or TrainingContext()
    with ExitStack() as stack:
        runner = context.runner or stack.enter_context(ProcessRunner(settings.jobs, preload=PRELOAD))
        apart = stack.enter_context(ProcessRunner(1)) if settings.engine.is_apart else None
        run = _Run(settings, runner, apart, context)
        training_sets, seconds, failures = _prepare_all(tables, run)
        yield from failures
        for group in groups_of(training_sets, settings, context):
            yield from _train_stocks(group, seconds, run)


def save(home: Home, trained: TrainedStock, *, trained_at: str, lock_timeout: float = math.inf) -> None:
    """Write a stock's models, metrics and validation forecasts, each completely or not at all.

    Parameters
    ----------
    home : Home
    trained : TrainedStock
    trained_at : str
        Exchange-local time, YYYY-MM-DDTHH:MM:SS.
    lock_timeout : float
        How many seconds to wait for another training that is writing.

    Raises
    ------
    StorageError
        LockTimeout where the other one is still writing then.
    """
    save_bundle(home, _metrics(trained, trained_at), trained.files, trained.validation, lock_timeout)


def save_unseen(home: Home, trained: TrainedStock, *, trained_at: str) -> None:
    """Write the same files into a home that nobody else knows yet; whoever puts it in its place makes them last."""
    write_bundle(home, _metrics(trained, trained_at), trained.files, trained.validation)


def _metrics(trained: TrainedStock, trained_at: str) -> dict[str, Any]:
    return {"symbol": trained.symbol, "trained_at": trained_at, **trained.metrics}


def prepare_with(
    settings: TrainingSettings, prices: PriceTable, stocks: int, inputs: Inputs = confidence_table
) -> TrainingSet:
    """The training set of one of so many stocks; TooShortError where its history is too short."""
    seed = stock_seed(settings.seed, prices.symbol)
    older = OlderRule(MOST_ROWS // stocks, inputs)
    return prepare(prices, horizon=settings.horizon, years=settings.years, seed=seed, older=older)


@dataclass(frozen=True, slots=True)
class _Run:
    """One training run: its settings, the workers that do its tasks, the one that has the GPU, its surroundings."""

    settings: TrainingSettings
    runner: TaskRunner
    apart: TaskRunner | None
    context: TrainingContext


def _prepare_all(
    tables: Mapping[str, PriceTable], run: _Run
) -> tuple[dict[str, TrainingSet], dict[str, float], list[TrainingFailure]]:
    symbols = sorted(tables)  # the global models depend on the order
    found: dict[str, TrainingSet] = {}
    seconds, failures = {}, []
    work = partial(_prepare, run.settings, len(symbols))
    for done, (number, result) in enumerate(run.runner.map(work, [tables[symbol] for symbol in symbols]), start=1):
        symbol = symbols[number]
        if isinstance(result, Exception):
            failures.append(failure_of(symbol, result))
        else:
            found[symbol], seconds[symbol] = result
        run.context.on_progress("prepare", done, len(symbols))
    in_order = {symbol: found[symbol] for symbol in symbols if symbol in found}
    return join_market(in_order, run.context.exchanges), seconds, failures


def _prepare(settings: TrainingSettings, stocks: int, prices: PriceTable) -> tuple[TrainingSet, float]:
    begin = time.perf_counter()
    return prepare_with(settings, prices, stocks), time.perf_counter() - begin


def _train_stocks(group: Group, seconds: Mapping[str, float], run: _Run) -> Iterator[TrainedStock | TrainingFailure]:
    settings, members = run.settings, group.members
    begin = time.perf_counter()
    count_tasks = _counting(run.context.on_progress, settings.pool.task_count(group.how.start, settings.engine.group))
    apart = count_tasks(run.apart.map) if run.apart else None
    workers = Workers(count_tasks(run.runner.map), settings.engine, apart)
    try:
        model = run_alone(group.steps(), workers)
    except (WorkersLostError, LockTimeout):
        raise
    except Exception as error:  # a shared task failed: these stocks fail, those trained apart go on
        yield from (failure_of(member.symbol, error) for member in members)
        return
    shared = (time.perf_counter() - begin) / len(members)
    for done, (symbol, result) in enumerate(_finished(model, members, run), start=1):
        run.context.on_progress("finish", done, len(members))
        if isinstance(result, Exception):
            yield failure_of(symbol, result)
        else:
            stages = {"prepare": seconds[symbol], "learn_together": shared, **result.seconds}
            yield replace(with_settings(result, settings), seconds=stages)


def with_settings(trained: TrainedStock, settings: TrainingSettings) -> TrainedStock:
    """The same, with the settings in its metrics."""
    return replace(trained, metrics=trained.metrics | {"seed": settings.seed, "settings": settings.to_dict()})


def _finished(
    model: GlobalModel, members: Sequence[TrainingSet], run: _Run
) -> Iterator[tuple[str, TrainedStock | Exception]]:
    """Fine-tune and finish each stock, in tasks of their own; where a GPU tunes many at a time, only finish them so."""
    settings = run.settings
    ways = (settings.own, settings.seed, settings.engine)
    if run.apart is None:
        for number, result in run.runner.map(partial(fine_tune, model, *ways), members):
            yield members[number].symbol, result
        return
    begun: list[str] = []  # symbols in the order in which their networks come
    stocks = _tuned(partial(tune, model, *ways), settings.engine.groups(members), run.apart, begun)
    for number, result in run.runner.map(partial(finish, model, settings.engine), stocks):
        yield begun[number], result


def _tuned(
    function: Callable[[Any], Any], groups: list[Sequence[TrainingSet]], apart: TaskRunner, begun: list[str]
) -> Iterator[tuple[TrainingSet, TunedNetwork | Exception]]:
    """Each stock with its network, or with the exception that its whole group raised, a group at a time."""
    for number, result in apart.map(function, groups):
        for place, member in enumerate(groups[number]):
            begun.append(member.symbol)
            yield member, result if isinstance(result, Exception) else result[place]


def _counting(on_progress: Progress, task_count: int) -> Callable[[Map], Map]:
    """Wraps what runs tasks so that it reports the number of finished ones."""
    numbers = count(1)
    on_progress("learn together", 0, task_count)

    def counting(run: Map) -> Map:
        def counted(function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
            for result in run(function, tasks):
                on_progress("learn together", next(numbers), task_count)
                yield result

        return counted

    return counting


def failure_of(symbol: str, error: Exception) -> TrainingFailure:
    """The failure of a stock by what a task of its training raised."""
    if isinstance(error, TooShortError):
        return TrainingFailure(symbol, TOO_SHORT, str(error))
    log.debug("%s: %s: %s", symbol, type(error).__name__, error)
    return TrainingFailure(symbol, FAILED, f"{symbol}: training failed ({_why(error)}); the last models, if any, stay")


def _why(error: Exception) -> str:
    """The cause of a failure that is no stock's fault; the details of others are in the debug log."""
    if isinstance(error, WorkerDiedError):
        return str(error)
    return "memory ran out" if isinstance(error, MemoryError) else cause(error)
