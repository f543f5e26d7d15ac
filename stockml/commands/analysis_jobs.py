"""ANALYZE shared out over processes: which stocks go into a task, how many processes, and the results put in order.

Each process reads, checks and analyses stocks of its own. Messages are told and files written by the run alone, so all
that comes out is the same for any number of processes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stockml.commands.model_forecasts import horizons_asked
from stockml.commands.run import Run
from stockml.core.clock import Clock
from stockml.core.failures import Failure
from stockml.core.paths import Home
from stockml.data.fetch import fetch_bars, is_downloaded, valid
from stockml.data.fetched import Fetched, completed_of, listings_of, merged
from stockml.data.request import DateRange, Feed, FetchSettings
from stockml.data.sources import Source

if TYPE_CHECKING:
    from stockml.commands.stock_analysis import AnalysisSettings, StockResult, StocksTask, TaskResult
    from stockml.signals.plugins import OpinionPlugins

WORTH_PROCESSES = 100  # stocks; for fewer the start of processes costs more than they save
STOCKS_PER_TASK = 8  # at most: handing a task over takes a hundredth of what it takes to do it
TASKS_PER_PROCESS = 4  # at least, where there are so many stocks
JEMALLOC = "jemalloc_bg_thd"  # a thread's name
FAILED = "failed"
NEXT_STEPS = ("stockml.signals.learner", "stockml.reporting.page")  # loaded here while the others work
PRELOAD = ("stockml.commands.stock_analysis", "stockml.data.price_table", "stockml.data.csv_files")

Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[tuple[int, Any]]]


@contextmanager
def analysis_jobs(run: Run, symbols: Sequence[str], wanted: Iterable[str], plugins: OpinionPlugins) -> Iterator[Jobs]:
    """The processes of a run that analyses `wanted` of these symbols; none for few, unless --jobs says so."""
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
        yield Jobs(run, wanted, plugins, runner.map, jobs)


def _usual_jobs(stocks: int) -> int:
    """One process for each core where there are many stocks, and where that takes no more than copies of this one."""
    return len(os.sched_getaffinity(0)) if stocks >= WORTH_PROCESSES and _can_fork() else 1


def _can_fork() -> bool:
    """False where threads run that a copy of this process would lack; jemalloc(pyarrow) sees to its own."""
    others = [task for task in Path("/proc/self/task").iterdir() if task.name != str(os.getpid())]
    return {(task / "comm").read_text().strip() for task in others} <= {JEMALLOC}


def _load(modules: Iterable[str]) -> None:
    from importlib import import_module

    for name in modules:
        import_module(name)


def _in_turn(function: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[tuple[int, Any]]:
    """The tasks done here, one after the other."""
    return enumerate(map(function, tasks))


class Jobs:
    """Fetches stocks and analyses them, by this process or several.

    Parameters
    ----------
    run : Run
    wanted : iterable of str
        The symbols to analyse; of others the prices are read and checked.
    plugins : OpinionPlugins
    map_tasks : callable
        As `TaskRunner.map`.
    jobs : int, default 1
        Processes.
    """

    def __init__(
        self, run: Run, wanted: Iterable[str], plugins: OpinionPlugins, map_tasks: Map = _in_turn, jobs: int = 1
    ) -> None:
        self._run, self._wanted, self._plugins = run, frozenset(wanted), plugins
        self._map, self._jobs = map_tasks, jobs
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
        """The stocks in portions; bars that not any process can read are read here, when it is their turn."""
        from stockml.commands.stock_analysis import StocksTask

        settings = FetchSettings(offline=how.offline)
        for symbols in _portions(list(spans), self._jobs):
            of_task = {symbol: spans[symbol] for symbol in symbols}
            feeds = None
            if feed is not None:
                feeds = {symbol: Feed({symbol: feed.bars[symbol]}, {}) for symbol in symbols}
            elif how.source.folder is None and not how.source.is_simulated:
                feeds = {
                    symbol: fetch_bars({symbol: span}, how.source, clock=how.clock, home=how.home, settings=settings)
                    for symbol, span in of_task.items()
                }
            yield StocksTask(of_task, feeds, self._wanted & of_task.keys())

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
        for number, outcome in self._map(partial(analyse_stocks, how), _noting(tasks, given)):
            task = given.pop(number)
            if self._jobs > 1 and done == 0:
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
        for number, outcome in self._map(partial(analyse_stocks, how), singles):
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
