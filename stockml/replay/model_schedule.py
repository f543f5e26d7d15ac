"""Model schedule of a replay: which model version applies on which date, and their forecasts in advance.

A day's forecasts come only from models made on it or before. Models trained as of a day are put in place whole, and
are found again by a replay that goes on after an interruption.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import pairwise
from pathlib import Path

from stockml.core.clock import Clock
from stockml.core.paths import Home
from stockml.core.progress import Progress
from stockml.models.bundle import MISSING, ModelBundle, ModelError
from stockml.models.bundle_store import bundle_folder, load_bundle
from stockml.replay.batch_analysis import Opinions, PastStock
from stockml.trainers.monthly_training import Month, MonthlyWork, train_months
from stockml.trainers.pipeline import TrainingFailure, TrainingSettings
from stockml.trainers.preloading import PRELOAD
from stockml.trainers.process_pool import ProcessRunner, TaskRunner

WORTH_PROCESSES = 2000  # forecasts; starting processes takes as long as computing so many


@dataclass(frozen=True, slots=True)
class Unusable:
    """The reason why a stock's models cannot be used; `kind` is a ModelError's."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Period:
    """Days on which the same models apply; with a `folder`, those trained into it as of `since`."""

    days: tuple[date, ...]
    since: date
    folder: Path | None = None

    @property
    def is_trained(self) -> bool:
        """True where no models of its own are needed, or they are in their place."""
        return self.folder is None or self.folder.exists()


@dataclass(frozen=True, slots=True)
class When:
    """The clock of each day, the progress callback, and what takes a moment and is called while others train."""

    clock: Callable[[date], Clock]
    tell: Progress
    meanwhile: Callable[[], None] = lambda: None


@dataclass(slots=True)
class ModelSchedule:
    """The model version that applies on each date: homes of models, the newest first; and what could not be used."""

    homes: list[Home]
    jobs: int
    runner: TaskRunner | None = None  # does the tasks of training; None: `jobs` processes of this machine
    failures: list[TrainingFailure] = field(default_factory=list)
    unusable: dict[str, Unusable] = field(default_factory=dict)
    _is_training: bool = False

    def train(
        self, periods: Sequence[Period], stocks: Sequence[PastStock], settings: TrainingSettings, when: When
    ) -> None:
        """Train the models of these periods as train_models.py does; a folder that is there is not trained again."""
        months = [Month(period.folder, when.clock(period.since)) for period in periods if period.folder is not None]
        histories = [stock.history for stock in stocks]
        with ExitStack() as stack:
            runner = self.runner or stack.enter_context(ProcessRunner(self.jobs, preload=PRELOAD))
            self._is_training = True  # which takes all processes
            self.failures += train_months(months, MonthlyWork(histories, settings, runner, when.tell, when.meanwhile))
        self._is_training = False

    def use(self, period: Period) -> None:
        """From now on ask the models of a period first, where it has its own."""
        if period.folder is not None:
            self.homes.insert(0, Home(period.folder))

    def give_opinions(self, stocks: Sequence[PastStock], days: Sequence[date], tell: Progress) -> Iterator[None]:
        """Set the forecasts of each stock for all of these days; yields after each one."""
        asked = partial(_opinions, homes=tuple(self.homes), first=days[0], last=days[-1])
        results: Iterator[tuple[int, Opinions | Unusable]] = enumerate(map(asked, stocks))
        if (
            self.jobs > 1
            and not self._is_training
            and sum(map(self._has_models, stocks)) * len(days) >= WORTH_PROCESSES
        ):
            with ProcessRunner(self.jobs, preload=("stockml.replay.batch_analysis",)) as runner:
                yield from self._taken(stocks, runner.map(asked, stocks), tell)
        else:
            yield from self._taken(stocks, results, tell)

    def _has_models(self, stock: PastStock) -> bool:
        return any(bundle_folder(home, stock.symbol).exists() for home in self.homes)

    def _taken(
        self, stocks: Sequence[PastStock], results: Iterator[tuple[int, Opinions | Unusable]], tell: Progress
    ) -> Iterator[None]:
        for done, (number, found) in enumerate(results, start=1):
            stock = stocks[number]
            if isinstance(found, Exception):
                raise found
            stock.opinions = found if isinstance(found, Opinions) else None
            if isinstance(found, Unusable):
                self.unusable[stock.symbol] = found
            tell("forecast", done, len(stocks))
            yield


def periods(days: Sequence[date], starts: Sequence[date], folder: Path) -> list[Period]:
    """The days in periods, a new one from each of `starts` on; its models belong in a folder named by that day."""
    bounds = [date.min, *starts, date.max]
    return [
        Period(
            days=tuple(day for day in days if begin <= day < end),
            since=begin,
            folder=None if begin == date.min else folder / begin.isoformat(),
        )
        for begin, end in pairwise(bounds)
    ]


def month_starts(sessions: Sequence[date]) -> list[date]:
    """The first session, and the first of each month after it."""
    firsts: dict[tuple[int, int], date] = {}
    for day in sessions:
        firsts.setdefault((day.year, day.month), day)
    return list(firsts.values())


def _opinions(stock: PastStock, homes: tuple[Home, ...], first: date, last: date) -> Opinions | Unusable:
    try:
        return stock.forecast(_bundle(stock.symbol, homes), first, last)
    except ModelError as error:
        return Unusable(error.kind, str(error))


def _bundle(symbol: str, homes: Sequence[Home]) -> ModelBundle:
    """The newest bundle; where a later training had none for a stock, the earlier models stay."""
    for home in homes[:-1]:
        try:
            return load_bundle(home, symbol, whole=False)
        except ModelError as error:
            if error.kind != MISSING:
                raise
    return load_bundle(homes[-1], symbol, whole=False)
