"""Checked price tables -> trained stocks, over processes: prepare each, learn from all together, finish each.

A stock's result is a function of the tables, the settings and the seed, whatever the number of processes. Only whoever
asked writes files: results come back as finished bytes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import count
from typing import Any

from stockml.core.paths import Home
from stockml.core.progress import Progress, no_progress
from stockml.data.price_table import PriceTable
from stockml.models.bundle_store import save_bundle
from stockml.trainers.dataset import TooShortError, TrainingSet, prepare, with_market
from stockml.trainers.fine_tuning import FineTuningSettings, TrainedStock, fine_tune, summary
from stockml.trainers.global_model import GlobalModelSettings, Map, SplitDates, divide, stock_seed, train_global_model
from stockml.trainers.process_pool import ProcessRunner, TaskRunner, WorkersLostError

__all__ = ["TrainedStock", "TrainingFailure", "TrainingSettings", "save", "summary", "train"]

TOO_SHORT, FAILED = "too_short", "failed"
PRELOAD = ("stockml.trainers.fine_tuning", "xgboost.sklearn", "sklearn.cluster", "joblib", "h5py")


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """All that the result depends on, beside the prices; and the number of processes, on which it does not."""

    horizon: int = 5  # sessions ahead
    years: int = 2  # of days to learn from
    seed: int = 1
    jobs: int = field(default_factory=lambda: os.cpu_count() or 1)
    pool: GlobalModelSettings = field(default_factory=GlobalModelSettings)
    own: FineTuningSettings = field(default_factory=FineTuningSettings)

    def __post_init__(self) -> None:
        for name in ("horizon", "years", "jobs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, it must be at least 1")

    def to_dict(self) -> dict[str, Any]:
        """As plain values, without the number of processes."""
        values = asdict(self)
        del values["jobs"]
        return values


@dataclass(frozen=True, slots=True)
class TrainingFailure:
    """Why a stock has no new models, in one plain sentence; `kind` is too_short or failed."""

    symbol: str
    kind: str
    message: str


def train(
    tables: Mapping[str, PriceTable],
    settings: TrainingSettings,
    on_progress: Progress = no_progress,
    hands: TaskRunner | None = None,
) -> Iterator[TrainedStock | TrainingFailure]:
    """Train every stock; each comes back as it is done, a failing one as a failure.

    Parameters
    ----------
    tables : mapping of symbol to PriceTable
    on_progress : callable
        Told the stage (prepare, learn together, finish), how many of its steps are done, and of how many.
    hands : Hands, optional
        Who does the work; None: `settings.jobs` processes of this machine.

    Raises
    ------
    CrewLostError
        Where they are gone; what has come back until then is whole.
    """
    with nullcontext(hands) if hands else ProcessRunner(settings.jobs, preload=PRELOAD) as runner:
        training_sets, seconds, failures = _prepare_all(tables, settings, runner, on_progress)
        yield from failures
        for days, symbols in divide(training_sets):
            members = [training_sets.pop(symbol) for symbol in symbols]
            yield from _train_stocks(days, members, settings, runner, seconds, on_progress)


def save(home: Home, trained: TrainedStock, *, trained_at: str) -> None:
    """Put a stock's models, metrics and validation forecasts in their places, each whole or not at all.

    Parameters
    ----------
    trained_at : str
        Exchange-local time, YYYY-MM-DDTHH:MM:SS.
    """
    metrics = {"symbol": trained.symbol, "trained_at": trained_at, **trained.metrics}
    save_bundle(home, metrics, trained.files, trained.validation)


def _prepare_all(
    tables: Mapping[str, PriceTable], settings: TrainingSettings, runner: TaskRunner, on_progress: Progress
) -> tuple[dict[str, TrainingSet], dict[str, float], list[TrainingFailure]]:
    symbols = sorted(tables)  # what is learned together depends on the order
    found: dict[str, TrainingSet] = {}
    seconds, failures = {}, []
    for done, (number, result) in enumerate(runner.map(_prepare, [(tables[s], settings) for s in symbols]), start=1):
        symbol = symbols[number]
        if isinstance(result, Exception):
            failures.append(_failure(symbol, result))
        else:
            found[symbol], seconds[symbol] = result
        on_progress("prepare", done, len(symbols))
    return with_market({symbol: found[symbol] for symbol in symbols if symbol in found}), seconds, failures


def _prepare(task: tuple[PriceTable, TrainingSettings]) -> tuple[TrainingSet, float]:
    prices, settings = task
    begin = time.perf_counter()
    seed = stock_seed(settings.seed, prices.symbol)
    training_set = prepare(prices, horizon=settings.horizon, years=settings.years, seed=seed)
    return training_set, time.perf_counter() - begin


def _train_stocks(  # noqa: PLR0913, PLR0917
    days: SplitDates,
    members: list[TrainingSet],
    settings: TrainingSettings,
    runner: TaskRunner,
    seconds: Mapping[str, float],
    on_progress: Progress,
) -> Iterator[TrainedStock | TrainingFailure]:
    begin = time.perf_counter()
    run = _telling(runner.map, on_progress, settings.pool.task_count)
    try:
        pool = train_global_model(days, members, settings.pool, seed=settings.seed, run=run)
    except WorkersLostError:
        raise
    except Exception as error:  # one task failed for all: tell each, and go on with the stocks that learn alone
        yield from (_failure(member.symbol, error) for member in members)
        return
    shared = (time.perf_counter() - begin) / len(members)
    work = partial(fine_tune, pool, settings.own, settings.seed)
    for done, (number, result) in enumerate(runner.map(work, members), start=1):
        symbol = members[number].symbol
        on_progress("finish", done, len(members))
        if isinstance(result, Exception):
            yield _failure(symbol, result)
        else:
            metrics = result.metrics | {"seed": settings.seed, "settings": settings.to_dict()}
            stages = {"prepare": seconds[symbol], "learn_together": shared, **result.seconds}
            yield replace(result, metrics=metrics, seconds=stages)


def _telling(run: Map, tell: Progress, task_count: int) -> Map:
    """The same `run`, that tells how many lessons are done."""
    numbers = count(1)
    tell("learn together", 0, task_count)

    def told(function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        for result in run(function, tasks):
            tell("learn together", next(numbers), task_count)
            yield result

    return told


def _failure(symbol: str, error: Exception) -> TrainingFailure:
    if isinstance(error, TooShortError):
        return TrainingFailure(symbol, TOO_SHORT, str(error))
    text = f"{symbol}: training failed ({type(error).__name__}: {error}); the last models, if any, stay"
    return TrainingFailure(symbol, FAILED, text)
