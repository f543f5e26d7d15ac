"""Past sessions, one after the other: on each it verifies, learns, predicts and logs as a run of that day would have.

What is known of each evening comes from `past`; what is written goes through the log, as in a live run. A replay has a
home of its own, marked as such, and goes on where an interrupted one ended.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

from stockml.accuracy.settlement import is_due, settle
from stockml.accuracy.tracker import Feedback, Learned
from stockml.core.calendars import calendar_for
from stockml.core.clock import Clock
from stockml.core.failures import UNKNOWN_SYMBOL, FetchError
from stockml.core.paths import Home
from stockml.core.progress import Progress
from stockml.core.records import Outcome, Prediction
from stockml.data.fetch import YAHOO, span_of
from stockml.prediction_log.log import PredictionLog
from stockml.replay.batch_analysis import PastStock, SessionView, session_view
from stockml.replay.model_schedule import ModelSchedule, month_starts, periods
from stockml.signals import engine
from stockml.signals.learner import Learner
from stockml.storage.files import storage, write_whole
from stockml.trainers.pipeline import TrainingSettings

LOG = logging.getLogger(__name__)

MONTHLY = "monthly"


class ReplayError(ValueError):
    """A replay that cannot be begun, or not carried on, in one plain sentence."""


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """All that a replay's log depends on, beside the prices and the models; `end` may grow from run to run."""

    start: date
    end: date
    symbols: tuple[str, ...]
    source: str
    horizon: int = 5
    retrain: str | None = None

    def sessions(self) -> list[date]:
        """Every day from start to end on which one of the stocks' exchanges trades."""
        calendars = {calendar_for(symbol).name: calendar_for(symbol) for symbol in self.symbols}
        days = (calendar.sessions_between(self.start, self.end) for calendar in calendars.values())
        return sorted(set().union(*days))


# ---- the home --------------------------------------------------------------------------------------------------------


def folder(home: Home) -> Path:
    """Where a replay keeps its mark, and the models of each month."""
    return home.root / "replay"


def claim(home: Home, settings: ReplaySettings, *, has_predictions: bool) -> None:
    """Mark a home as this replay's.

    Raises
    ------
    ReplayError
        Where the home holds predictions of live runs, or a replay with other settings.
    """
    mark = folder(home) / "replay.json"
    wanted = {**asdict(settings), "start": str(settings.start), "end": str(settings.end)}
    wanted["symbols"] = list(settings.symbols)
    kept = _read_mark(mark)
    if kept is None and has_predictions:
        raise ReplayError(f"{home.root}: holds predictions that no replay made; give the replay another --home")
    differing = [name for name in wanted if name != "end" and kept is not None and kept.get(name) != wanted[name]]
    if kept is not None and differing:
        name = differing[0]
        raise ReplayError(
            f"{home.root}: holds a replay whose {name} is {_short(kept.get(name))}, not {_short(wanted[name])}; "
            "repeat its options to carry it on, or give another --home"
        )
    if kept is not None:
        wanted["end"] = max(str(kept["end"]), wanted["end"])
    if kept != wanted:
        write_whole(mark, json.dumps(wanted, indent=2, allow_nan=False) + "\n")


def _read_mark(mark: Path) -> dict[str, Any] | None:
    with storage(mark, "read the replay's mark"):
        if not mark.exists():
            return None
        try:
            kept = json.loads(mark.read_bytes())
        except ValueError:
            kept = None
    if not isinstance(kept, dict) or "end" not in kept:
        raise ReplayError(f"{mark}: is damaged; give the replay another --home")
    return kept


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# ---- where predictions are written down ------------------------------------------------------------------------------


class ReplayLog(Protocol):
    """What a walk through the days needs of a log: the disk's, or one in memory."""

    @property
    def pending(self) -> Mapping[str, Prediction]: ...

    @property
    def learner(self) -> Learner: ...

    def settle(self, outcomes: Mapping[str, Outcome]) -> None: ...

    def append(self, predictions: Sequence[Prediction]) -> Sequence[Prediction]: ...


class DiskReplayLog:
    """The log on disk, held under its lock, and what was learned from it, kept in memory until `close`."""

    def __init__(self, log: PredictionLog, feedback: Feedback[Learner]) -> None:
        self._log, self._feedback = log, feedback
        self._learned: Learned[Learner] = feedback.update(log)
        self._last_key = log.folded.last_key if log.folded else 0
        self._folded = 0  # of the log's unfolded outcomes
        self.pending: dict[str, Prediction] = {line.id: line for line in log.read().pending}

    @property
    def learner(self) -> Learner:
        return self._learned.learner

    def settle(self, outcomes: Mapping[str, Outcome]) -> None:
        if not outcomes:
            return
        for line in self._log.settle(outcomes).done:
            del self.pending[line.id]
        known = self._log.unfolded
        new = [key for key in known if key > self._last_key]
        if len(known) - self._folded != len(new):  # one belongs before the last: as a live run, begin again
            self._learned, new = Learned(Learner(), {}), self._log.full_scan().verified
        self._learned.fold(self._log.lines_at(new))
        self._folded, self._last_key = len(known), (new or [self._last_key])[-1]

    def append(self, predictions: Sequence[Prediction]) -> Sequence[Prediction]:
        new = self._log.append(predictions)
        self.pending |= {line.id: line for line in new}
        return new

    def close(self) -> None:
        """Leave feedback/ as the last day's run would have."""
        self._feedback.keep(self._log, self._learned, self._last_key)


# ---- day by day ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class DailyFailures:
    """What a live run would have complained of, counted over the days."""

    days: dict[tuple[str, str], int] = field(default_factory=dict)  # by symbol and kind
    texts: dict[tuple[str, str], str] = field(default_factory=dict)  # the last of each

    def note(self, symbol: str, error: FetchError) -> None:
        key = (symbol, error.kind)
        self.days[key] = self.days.get(key, 0) + 1
        self.texts[key] = str(error)


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What came of a replay: the days lived through, the predictions logged, and what went wrong on the way."""

    days: int
    logged: int
    failures: DailyFailures
    schedule: ModelSchedule


def replay(  # noqa: PLR0913 - most of it is what a live run has as well
    settings: ReplaySettings,
    home: Home,
    log: PredictionLog,
    stocks: Sequence[PastStock],
    *,
    now: datetime,
    lock_timeout: float,
    jobs: int,
    tell: Progress,
) -> ReplayResult:
    """Live through every session that the home's log has not seen yet.

    Raises
    ------
    ReplayError
        For a home that is not this replay's.
    """
    with log.locked(lock_timeout):
        view, latest = log.read(), log.full_scan().ids.latest()
        claim(home, settings, has_predictions=bool(latest))
        for problem in view.problems:
            LOG.warning("%s", problem)
        days = days_left(settings, max(latest.values(), default=""))
        replay_log, schedule, failures = (
            DiskReplayLog(log, Feedback(home.feedback, Learner)),
            ModelSchedule([home], jobs),
            DailyFailures(),
        )
        logged, done = 0, 0
        for period in periods(days, _training_days(settings), folder(home)):
            if period.folder is not None and (period.days or period.folder.exists()):
                training = TrainingSettings(horizon=settings.horizon, jobs=jobs)
                schedule.train(period.folder, stocks, Clock(now, period.since), training, tell)
            if period.days:
                schedule.give_opinions(stocks, period.days, tell)
            for day in period.days:
                clock = Clock(now, day)
                seen, gone = look(clock, stocks, replay_log, settings, failures)
                logged += len(live_through(clock, seen, replay_log, settings, gone))
                done += 1
                tell("replay", done, len(days))
        replay_log.close()
    return ReplayResult(len(days), logged, failures, schedule)


def days_left(settings: ReplaySettings, latest: str) -> list[date]:
    """The sessions still to be lived through, given the newest day that a line of the log was made from ("": none).

    The lines of a day are written down all at once and last, so a day that has one is over; one that brought none is
    lived through again, which changes nothing.
    """
    return [day for day in settings.sessions() if day.isoformat() > latest]


def _training_days(settings: ReplaySettings) -> list[date]:
    return month_starts(settings.sessions()) if settings.retrain == MONTHLY else []


def look(
    clock: Clock,
    stocks: Iterable[PastStock],
    replay_log: ReplayLog,
    settings: ReplaySettings,
    failures: DailyFailures,
) -> tuple[SessionView, set[str]]:
    """ANALYZE: what there is to see on an evening, and of which symbols the source says that it has no prices."""
    assert clock.as_of is not None
    back = engine.sessions_back(clock.as_of, due_on(clock, replay_log, settings))
    seen = session_view(stocks, lambda symbol: span_of(symbol, back, clock))
    for symbol, error in seen.failures.items():
        failures.note(symbol, error)
    gone = {symbol for symbol, error in seen.failures.items() if error.kind == UNKNOWN_SYMBOL}
    return seen, gone if settings.source == YAHOO else set()


def live_through(
    clock: Clock, seen: SessionView, replay_log: ReplayLog, settings: ReplaySettings, gone: Collection[str] = ()
) -> Sequence[Prediction]:
    """LEARN, PLAN, PREDICT and ACT on an evening, as a live run does; returns the predictions that were new."""
    replay_log.settle(settle(due_on(clock, replay_log, settings), seen.tables, clock, gone)[0])
    plans = [engine.plan(analysis, replay_log.learner, settings.horizon) for analysis in seen.analyses]
    return replay_log.append([engine.predict(hypothesis, replay_log.learner, clock) for hypothesis in plans])


def due_on(clock: Clock, replay_log: ReplayLog, settings: ReplaySettings) -> list[Prediction]:
    """The pending predictions whose session is complete."""
    return [line for line in replay_log.pending.values() if line.source == settings.source and is_due(line, clock)]
