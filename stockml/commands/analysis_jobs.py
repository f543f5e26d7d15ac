"""ANALYZE shared out over processes or workers: the stocks of each task, how many of these, the results put in order.

Each process reads, checks and analyses stocks of its own; the workers of a cluster are sent what there is to read.
Messages are told and files written by the run alone, so all that comes out is the same for any number of them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stockml.commands.exits import NotDoneError
from stockml.commands.model_forecasts import horizons_asked
from stockml.commands.run import Run
from stockml.core.clock import Clock
from stockml.core.failures import Failure
from stockml.core.paths import Home
from stockml.data.fetch import fetch_bars, is_downloaded, valid
from stockml.data.fetched import Fetched, completed_of, listings_of, merged
from stockml.data.request import DateRange, Feed, FetchSettings
from stockml.data.sources import Source
from stockml.data.unread_bars import UnreadBars, open_feeds

if TYPE_CHECKING:
    from stockml.commands.stock_analysis import AnalysisSettings, StockResult, StocksTask, TaskResult
    from stockml.models.bundle import ModelError
    from stockml.models.bundle_store import StoredBundle
    from stockml.signals.plugins import OpinionPlugins

WORTH_A_PROCESS = 16  # stocks; for fewer the start of a process costs more than it saves
STOCKS_PER_TASK = 8  # at most: handing a task over takes a hundredth of what it takes to do it
TASKS_PER_PROCESS = 4  # at least, where there are so many stocks
JEMALLOC = "jemalloc_bg_thd"  # a thread's name
FAILED = "failed"
LIBRARIES = ("numpy", "pandas", "pyarrow", "exchange_calendars")  # that read prices and forecast
NEXT_STEPS = ("stockml.signals.learner", "stockml.reporting.page")  # loaded here while the others work
PRELOAD = ("stockml.commands.stock_analysis", "stockml.data.price_table", "stockml.data.csv_files")

Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[tuple[int, Any]]]


@contextmanager
def analysis_jobs(run: Run, symbols: Sequence[str], wanted: Iterable[str], plugins: OpinionPlugins) -> Iterator[Jobs]:
    """The workers or processes of a run that analyses `wanted` of these symbols; none for few, unless --jobs says so.

    NotDoneError where all workers of a cluster are lost: nothing is written before the analysis is whole.
    """
    if run.args.cluster is not None:
        with _cluster_jobs(run, wanted, plugins) as found:
            yield found
        return
    jobs = min(run.args.jobs or _usual_jobs(len(symbols)), len(symbols))
    if jobs <= 1:
        yield Jobs(run, wanted, plugins)
        return
    from stockml.trainers.process_pool import ProcessRunner

    _load(PRELOAD)
    for calendar in {calendar.name: calendar for calendar in map(run.clock.calendar, symbols)}.values():
        calendar.last_completed(run.clock.now)  # its sessions are worked out once
    with ProcessRunner(jobs, PRELOAD, forks=_can_fork()) as runner:
        runner.start()  # before the threads of a progress bar and of downloads
        yield Jobs(run, wanted, plugins, Helpers(runner.map, jobs))


@contextmanager
def _cluster_jobs(run: Run, wanted: Iterable[str], plugins: OpinionPlugins) -> Iterator[Jobs]:
    from stockml.commands.cluster import cluster_runner
    from stockml.signals.plugins import opinion_packages
    from stockml.trainers.process_pool import WorkersLostError

    libraries = (*LIBRARIES, *(opinion_packages() if plugins.names else ()))
    with cluster_runner(run, libraries) as runner:
        try:
            yield Jobs(run, wanted, plugins, Helpers(runner.map, runner.jobs, are_far=True))
        except WorkersLostError as error:
            remedy = "run the same again, or leave --cluster out"
            raise NotDoneError(f"{error} Nothing was verified or predicted; {remedy}.") from None


def _usual_jobs(stocks: int) -> int:
    """A process for so many stocks, one for each core at most, where that takes no more than copies of this one."""
    jobs = min(stocks // WORTH_A_PROCESS, len(os.sched_getaffinity(0)))
    return jobs if jobs > 1 and _can_fork() else 1


def _can_fork() -> bool:
    """False where threads run that a copy of this process would lack; jemalloc(pyarrow) sees to its own."""
    try:
        others = [task for task in Path("/proc/self/task").iterdir() if task.name != str(os.getpid())]
        return {(task / "comm").read_text().strip() for task in others} <= {JEMALLOC}
    except OSError:  # one that ended meanwhile, or no such folder
        return False


def _load(modules: Iterable[str]) -> None:
    from importlib import import_module

    for name in modules:
        import_module(name)


def _in_turn(function: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[tuple[int, Any]]:
    """The tasks done here, one after the other."""
    return enumerate(map(function, tasks))


@dataclass(frozen=True, slots=True)
class Helpers:
    """The processes that do the tasks.

    Attributes
    ----------
    map : callable
        As `TaskRunner.map`.
    number : int
    are_far : bool
        They are on other machines, which have no file of this one: all that they need is read here and sent.
    """

    map: Map = _in_turn
    number: int = 1
    are_far: bool = False


ALONE = Helpers()


class Jobs:
    """Fetches stocks and analyses them, by this process or several.

    Parameters
    ----------
    run : Run
    wanted : iterable of str
        The symbols to analyse; of others the prices are read and checked.
    plugins : OpinionPlugins
    helpers : Helpers
    """

    def __init__(self, run: Run, wanted: Iterable[str], plugins: OpinionPlugins, helpers: Helpers = ALONE) -> None:
        self._run, self._wanted, self._plugins, self._helpers = run, frozenset(wanted), plugins, helpers
        self._analyzing_s = 0.0

    def fetch(self, symbols: Iterable[str], sessions_back: int) -> Fetched[StockResult]:
        """As `Run.fetch`, with the analysis of each stock in place of its table."""
        self._analyzing_s = 0.0
        fetched = self._run.fetch_by(self._fetch, symbols, sessions_back)
        seconds = self._run.seconds  # each stage its part of the time by the clock
        seconds["fetch"] -= self._analyzing_s
        seconds["analyze"] = seconds.get("analyze", 0.0) + self._analyzing_s
        return fetched

    def _fetch(
        self, spans: Mapping[str, DateRange], source: Source, *, clock: Clock, home: Home, settings: FetchSettings
    ) -> Fetched[StockResult]:
        from stockml.commands.stock_analysis import AnalysisSettings

        run = self._run
        tells_missing = bool(run.symbols or any(home.models.glob("[!.]*")))
        how = AnalysisSettings(source, clock, home, settings.offline, horizons_asked(run), self._plugins, tells_missing)
        spans, invalid = valid(spans)
        if not is_downloaded(source, settings):
            return merged([Fetched({}, invalid), *self._done(how, spans, self._tasks(spans, how), settings)])
        feed = fetch_bars(spans, source, clock=clock, home=home, settings=settings)  # many requests at a time
        said: Fetched[StockResult] = Fetched(
            {}, feed.failures, {}, feed.requests, listings_of(feed), completed_of(feed), feed.skew
        )
        spans = {symbol: span for symbol, span in spans.items() if symbol in feed.bars}
        tasks = self._tasks(spans, how, feed)
        return merged([Fetched({}, invalid), said, *self._done(how, spans, tasks, settings)])

    def _tasks(
        self, spans: Mapping[str, DateRange], how: AnalysisSettings, feed: Feed | None = None
    ) -> Iterator[StocksTask]:
        """The stocks in portions; what their process cannot read is read here, when it is their turn."""
        from stockml.commands.stock_analysis import StocksTask

        for symbols in _portions(list(spans), self._helpers.number):
            of_task = {symbol: spans[symbol] for symbol in symbols}
            feeds = self._feeds(of_task, how) if feed is None else {one: _part(feed, one) for one in of_task}
            wanted = self._wanted & of_task.keys()
            yield StocksTask(of_task, wanted, feeds, _stored(how.home, wanted) if self._helpers.are_far else None)

    def _feeds(self, spans: Mapping[str, DateRange], how: AnalysisSettings) -> Mapping[str, Feed | UnreadBars] | None:
        """The bars that the processes cannot read for themselves; None where they can."""
        if how.source.is_simulated:
            return None
        if how.source.folder is not None:
            return open_feeds(spans, how.source.folder, how.clock) if self._helpers.are_far else None
        settings = FetchSettings(offline=how.offline)
        return {
            symbol: fetch_bars({symbol: span}, how.source, clock=how.clock, home=how.home, settings=settings)
            for symbol, span in spans.items()
        }

    def _done(
        self,
        how: AnalysisSettings,
        spans: Mapping[str, DateRange],
        tasks: Iterable[StocksTask],
        settings: FetchSettings,
    ) -> list[Fetched[StockResult]]:
        """The results of all tasks, in their order."""
        from stockml.commands.stock_analysis import analyse_stocks

        began, done = time.perf_counter(), 0
        results: dict[int, TaskResult] = {}
        given: dict[int, StocksTask] = {}
        stage = "check" if is_downloaded(how.source, settings) else "fetch"
        for number, outcome in self._helpers.map(partial(analyse_stocks, how), _noting(tasks, given)):
            task = given.pop(number)
            if self._helpers != ALONE and done == 0:
                _load(NEXT_STEPS)
            if not isinstance(outcome, Exception):
                results[number] = outcome
            elif _is_death(outcome):
                given[number] = task
            else:
                raise outcome
            done += len(task.spans)
            settings.tell(stage, done, len(spans))
        for number, task in given.items():
            results[number] = self._one_by_one(how, task)
        in_order = [results[number] for number in sorted(results)]
        analyzing = sum(result.analyze_seconds for result in in_order)
        working = analyzing + sum(result.fetch_seconds for result in in_order)
        if working > 0:
            self._analyzing_s += (time.perf_counter() - began) * analyzing / working
        return [result.fetched for result in in_order]

    def _one_by_one(self, how: AnalysisSettings, task: StocksTask) -> TaskResult:
        """A task whose process was killed each time, in tasks of one stock: only those that kill theirs again fail."""
        from stockml.commands.stock_analysis import TaskResult, analyse_stocks

        singles = list(task.singles())
        found: dict[int, TaskResult] = {}
        for number, outcome in self._helpers.map(partial(analyse_stocks, how), singles):
            if isinstance(outcome, Exception):
                if not _is_death(outcome):
                    raise outcome
                (symbol,) = singles[number].spans
                failure = Failure(symbol, FAILED, f"{symbol}: not predicted; {outcome}")
                outcome = TaskResult(Fetched({}, {symbol: failure}), 0.0, 0.0)
            found[number] = outcome
        in_order = [found[number] for number in range(len(singles))]
        return TaskResult(
            merged([one.fetched for one in in_order]),
            sum(one.fetch_seconds for one in in_order),
            sum(one.analyze_seconds for one in in_order),
        )


def _part(feed: Feed, symbol: str) -> Feed:
    """The bars of one symbol alone."""
    return Feed({symbol: feed.bars[symbol]}, {})


def _stored(home: Home, symbols: Iterable[str]) -> dict[str, StoredBundle | ModelError]:
    """The models of each symbol as they lie in the home, or the error that reading them met."""
    from stockml.models.bundle import ModelError
    from stockml.models.bundle_store import read_bundle

    found: dict[str, StoredBundle | ModelError] = {}
    for symbol in symbols:
        try:
            found[symbol] = read_bundle(home, symbol, whole=False)
        except ModelError as error:
            found[symbol] = error
    return found


def _portions(symbols: Sequence[str], jobs: int) -> Iterator[Sequence[str]]:
    """The symbols of each task: so few that no process ends long after the others."""
    size = 1 if jobs == 1 else max(1, min(STOCKS_PER_TASK, len(symbols) // (TASKS_PER_PROCESS * jobs)))
    for first in range(0, len(symbols), size):
        yield symbols[first : first + size]


def _noting(tasks: Iterable[StocksTask], given: dict[int, StocksTask]) -> Iterator[StocksTask]:
    """The tasks, each noted under its number when it is handed out."""
    for number, task in enumerate(tasks):
        given[number] = task
        yield task


def _is_death(error: Exception) -> bool:
    from stockml.trainers.process_pool import WorkerDiedError

    return isinstance(error, WorkerDiedError)
