"""Walk-forward replay: after each past session it verifies, learns, predicts and logs as a live run would have.

Analyses come from `batch_analysis`; predictions are written through the log, as in a live run. A replay has a home of
its own, marked as such, and goes on where an interrupted one ended.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from stockml.accuracy.settlement import Waiting, is_due, settle
from stockml.accuracy.tracker import Feedback
from stockml.core.clock import Clock
from stockml.core.failures import UNKNOWN_SYMBOL, FetchError, StockError
from stockml.core.paths import Home
from stockml.core.progress import Progress
from stockml.core.records import Prediction
from stockml.data.fetch import span_of
from stockml.data.price_table import PriceTable
from stockml.data.sources import YAHOO
from stockml.prediction_log.log import PredictionLog
from stockml.replay.batch_analysis import PastStock, SessionView, session_view
from stockml.replay.model_schedule import ModelSchedule, Period, When, month_starts, periods
from stockml.replay.replay_home import ReplayError, ReplaySettings, claim, folder
from stockml.replay.replay_log import DiskReplayLog, ReplayLog
from stockml.signals import engine
from stockml.signals.learner import Learner
from stockml.trainers.pipeline import TrainingSettings
from stockml.trainers.process_pool import TaskRunner

__all__ = [  # the room's face
    "DailyFailures",
    "ReplayContext",
    "ReplayError",
    "ReplayLog",
    "ReplayResult",
    "ReplaySettings",
    "analyze_session",
    "days_left",
    "replay",
    "step",
]

LOG = logging.getLogger(__name__)

MONTHLY = "monthly"


@dataclass(slots=True)
class DailyFailures:
    """Failures that a live run would have reported, counted over the days."""

    days: dict[tuple[str, str], int] = field(default_factory=dict)  # by symbol and kind
    texts: dict[tuple[str, str], str] = field(default_factory=dict)  # the last of each

    def note(self, symbol: str, error: StockError) -> None:
        """Count a failure of one day."""
        key = (symbol, error.kind)
        self.days[key] = self.days.get(key, 0) + 1
        self.texts[key] = str(error)


@dataclass(frozen=True, slots=True)
class ReplayContext:
    """The surroundings of a replay: files, the time of the run, processes, and the progress callback."""

    home: Home
    log: PredictionLog
    now: datetime
    lock_timeout: float  # seconds
    jobs: int  # processes
    tell: Progress
    main_horizon: int | None = None  # as the home's settings name it
    runner: TaskRunner | None = None  # trains, such as the workers of a cluster; None: `jobs` processes


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """The result of a replay: sessions run, predictions logged, failures, and what still waits after the last one."""

    days: int
    logged: int
    failures: DailyFailures
    schedule: ModelSchedule
    waiting: Sequence[Waiting]


def replay(settings: ReplaySettings, stocks: Sequence[PastStock], context: ReplayContext) -> ReplayResult:
    """Run every session that the home's log has not seen yet.

    Parameters
    ----------
    settings : ReplaySettings
    stocks : sequence of PastStock
        Their `opinions` are set here, period by period.
    context : ReplayContext

    Raises
    ------
    ReplayError
        For a home that is not this replay's.
    LockTimeout
        If another run holds the log for too long.
    """
    log, schedule = context.log, ModelSchedule([context.home], context.jobs, context.runner)
    with log.locked(context.lock_timeout):
        view, latest = log.read(), log.latest
        claim(context.home, settings, has_predictions=bool(latest))
        for problem in view.problems:
            LOG.warning("%s", problem)
        days = days_left(settings, max(latest.values(), default=""))
        replay_log = DiskReplayLog(log, Feedback(context.home.feedback, Learner, context.main_horizon))
        wanted = _periods_of(days, settings, context)
        walk = _Walk(settings, stocks, context, replay_log, schedule, wanted, len(days))
        training = TrainingSettings(horizon=max(settings.horizons), jobs=context.jobs)
        when = When(lambda day: Clock(context.now, day, settings.exchanges), context.tell, walk.advance)
        schedule.train(wanted, stocks, training, when)
        walk.finish()
        waiting = _still_waiting(Clock(context.now, settings.end, settings.exchanges), stocks, replay_log, settings)
        replay_log.close()
    return ReplayResult(len(days), walk.logged, walk.failures, schedule, waiting)


@dataclass(slots=True)
class _Walk:
    """The sessions of a replay, one after the other, each with the models of its period."""

    settings: ReplaySettings
    stocks: Sequence[PastStock]
    context: ReplayContext
    log: ReplayLog
    schedule: ModelSchedule
    periods: Sequence[Period]
    n_days: int
    waits: bool = True  # for the models of the next period
    done: int = 0
    logged: int = 0
    failures: DailyFailures = field(default_factory=DailyFailures)
    _moments: Iterator[None] = field(init=False)

    def __post_init__(self) -> None:
        self._moments = self._all_moments()

    def advance(self) -> None:
        """Run the next session or ask a stock's models for those ahead, if the models of that period are there."""
        next(self._moments, None)

    def finish(self) -> None:
        """Run all sessions that are left."""
        self.waits = False
        for _ in self._moments:
            pass

    def _all_moments(self) -> Iterator[None]:
        """All that is to be done, so little at a time that the processes that train meanwhile have tasks enough."""
        for period in self.periods:
            while self.waits and not period.is_trained:
                yield
            self.schedule.use(period)
            if period.days:
                yield from self.schedule.give_opinions(self.stocks, period.days, self.context.tell)
            for day in period.days:
                self._run(day)
                yield

    def _run(self, day: date) -> None:
        clock = Clock(self.context.now, day, self.settings.exchanges)
        seen, gone = analyze_session(clock, self.stocks, self.log, self.settings, self.failures)
        self.logged += len(step(clock, seen, self.log, self.settings, gone))
        self.done += 1
        self.context.tell("replay", self.done, self.n_days)


def _still_waiting(
    clock: Clock, stocks: Sequence[PastStock], replay_log: ReplayLog, settings: ReplaySettings
) -> list[Waiting]:
    """The due predictions that could not be settled by the end, and why."""
    bars = {stock.symbol: stock.history.source_bars.through(clock.cutoff(stock.symbol)) for stock in stocks}
    return settle(due_on(clock, replay_log, settings), bars, clock)[1]


def _periods_of(days: Sequence[date], settings: ReplaySettings, context: ReplayContext) -> list[Period]:
    """The periods of these days, and earlier ones whose models are there: they serve where a later training fails."""
    found = periods(days, _training_days(settings), folder(context.home))
    return [period for period in found if period.folder is None or period.days or period.folder.exists()]


def days_left(settings: ReplaySettings, latest: str) -> list[date]:
    """The sessions still to be run, given the newest day that a line of the log was made from ("": none).

    A day's lines are written all at once and last, so a day with a line is complete; a day without any is run again,
    which changes nothing.
    """
    return [day for day in settings.sessions() if day.isoformat() > latest]


def _training_days(settings: ReplaySettings) -> list[date]:
    return month_starts(settings.sessions()) if settings.retrain == MONTHLY else []


def analyze_session(
    clock: Clock,
    stocks: Iterable[PastStock],
    replay_log: ReplayLog,
    settings: ReplaySettings,
    failures: DailyFailures,
) -> tuple[SessionView, set[str]]:
    """ANALYZE: all stocks after a session, and the symbols that the source has no prices of."""
    assert clock.as_of is not None
    back = engine.sessions_back(clock.as_of, due_on(clock, replay_log, settings))

    def opine(table: PriceTable) -> dict[int, dict[str, float]]:
        if not settings.plugins.names:
            return {}
        symbol, through = table.symbol, table.data_through
        ahead = [n for n in settings.horizons if engine.past_target(symbol, through, n, clock) is None]
        return settings.plugins.opinions(table, ahead)

    seen = session_view(stocks, lambda symbol: span_of(symbol, back, clock), clock.exchanges, opine)
    ahead = []
    for one in seen.analyses:
        late = [engine.past_target(one.symbol, one.data_through, horizon, clock) for horizon in settings.horizons]
        if failure := next(filter(None, late), None):
            failures.note(failure.symbol, FetchError(failure.kind, failure.message))
        if not all(late):
            ahead.append(one)
    for symbol, error in seen.failures.items():
        failures.note(symbol, error)
    gone = {symbol for symbol, error in seen.failures.items() if error.kind == UNKNOWN_SYMBOL}
    return replace(seen, analyses=ahead), gone if settings.source == YAHOO else set()


def step(
    clock: Clock, seen: SessionView, replay_log: ReplayLog, settings: ReplaySettings, gone: Collection[str] = ()
) -> Sequence[Prediction]:
    """LEARN, PLAN, PREDICT and ACT after a session, as a live run does; returns the predictions that were new."""
    replay_log.settle(settle(due_on(clock, replay_log, settings), seen.bars, clock, gone)[0])
    plans = [
        engine.plan(analysis, replay_log.learner, horizon)
        for analysis in seen.analyses
        for horizon in settings.horizons
        if engine.past_target(analysis.symbol, analysis.data_through, horizon, clock) is None
    ]
    return replay_log.append([engine.predict(hypothesis, replay_log.learner, clock) for hypothesis in plans])


def due_on(clock: Clock, replay_log: ReplayLog, settings: ReplaySettings) -> list[Prediction]:
    """The pending predictions whose session is complete."""
    return [line for line in replay_log.pending.values() if line.source == settings.source and is_due(line, clock)]
