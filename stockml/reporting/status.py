"""State of the system for people and monitors: lines pending and late, stale prices and models, the last run.

It reads the log, the feedback, the models' metrics and what the last run left behind, and writes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from stockml.accuracy.conditions import ConditionScore, by_condition
from stockml.accuracy.scores import Score
from stockml.accuracy.settlement import PATIENCE_SESSIONS, is_due
from stockml.accuracy.tracker import AccuracyTracker
from stockml.core.clock import Clock
from stockml.core.paths import Home
from stockml.core.records import Prediction
from stockml.prediction_log.log import PredictionLog
from stockml.prediction_log.seals import Head, last_witness
from stockml.prediction_log.view import View
from stockml.reporting import concerns
from stockml.reporting.concerns import PRICES_GRACE_SESSIONS, Concern
from stockml.reporting.last_run import LastRun, read_last_run
from stockml.reporting.status_text import status_text
from stockml.reporting.stock_states import KnownModel, StockState, known_models, sessions_behind, stock_states
from stockml.signals.plugins import plugin_names

MODEL_STALE_AFTER_DAYS = 45  # a model trained monthly, and half a month of grace


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a home at one moment."""

    at: str
    pending: int
    due: int
    overdue: tuple[str, ...]  # ids
    horizon: int  # the main one, in sessions
    record: Score  # of the settled predictions at the main horizon
    by_condition: tuple[ConditionScore, ...]  # of the same
    by_horizon: Mapping[int, Score]
    prices_through: str | None  # the newest day that any prediction was made from
    stale_prices: Mapping[str, str]  # last day had, by symbol
    models: Mapping[str, KnownModel]  # all that there are
    model_ages: Mapping[str, int]  # days, by symbol
    stale_models: Mapping[str, int]
    without_model: tuple[str, ...]  # predicted all the same, from signals alone
    plugins: Mapping[str, int]  # stocks of pending predictions in which a plug-in has an opinion, by its name
    last_run: LastRun | None
    head: Head | None  # of the chain of seals; None of a past day too
    witnessed_at: str | None  # when this head was written down
    broken_seals: str | None  # the first place
    stocks: Mapping[str, StockState]  # of the watchlist
    concerns: tuple[Concern, ...]

    @property
    def alarms(self) -> tuple[str, ...]:
        """Sentences that each ask for something to be done."""
        return tuple(concern.text for concern in self.concerns if concern.is_alarm)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what is worth knowing and may well be as it is."""
        return tuple(concern.text for concern in self.concerns if not concern.is_alarm)

    @property
    def verified(self) -> int:
        """Verified predictions of all horizons."""
        return sum(score.total for score in self.by_horizon.values())

    @property
    def is_alarming(self) -> bool:
        """True if there is any alarm, so that a monitor should call somebody."""
        return bool(self.alarms)

    def to_record(self) -> dict[str, Any]:
        """The object that --json prints."""
        return {
            "at": self.at,
            "pending": self.pending,
            "due": self.due,
            "overdue": list(self.overdue),
            "verified": self.verified,
            "horizon": self.horizon,
            "record": self.record.to_record() if self.record.total or self.record.expired else None,
            "by_condition": [row.to_record() for row in self.by_condition],
            "by_horizon": {str(horizon): score.to_record() for horizon, score in self.by_horizon.items()},
            "prices_through": self.prices_through,
            "stale_prices": dict(self.stale_prices),
            "model_age_days": dict(self.model_ages),
            "stale_models": dict(self.stale_models),
            "without_model": list(self.without_model),
            "plugins": dict(self.plugins),
            "last_run": self.last_run.to_record() if self.last_run else None,
            "head": {"count": self.head.count, "seal": self.head.seal} if self.head else None,
            "witnessed_at": self.witnessed_at,
            "broken_seals": self.broken_seals,
            "stocks": {symbol: state.to_record() for symbol, state in self.stocks.items()},
            "notes": list(self.notes),
            "alarms": list(self.alarms),
        }

    def to_text(self, *, all_stocks: bool = False) -> str:
        """A few plain lines, the alarms last; of the watchlist those that lack something, or all."""
        return status_text(self, all_stocks=all_stocks)


def status(
    home: Home, log: PredictionLog, clock: Clock, main_horizon: int | None = None, watchlist: Sequence[str] = ()
) -> Status:
    """State of a home as of the clock; reads without the lock and writes nothing.

    `main_horizon` is the one that the home's settings name, if they do; of the `watchlist` each stock is looked at.
    """
    view = log.read(clock.as_of)
    due = [line for line in view.pending if is_due(line, clock)]
    overdue = sorted(line.id for line in due if _is_overdue(line, clock))
    newest = _newest(log, view)
    run = _run_until(home, clock)
    models, predicted = known_models(home, clock), {line.symbol for line in view.pending}
    known_ages = {symbol: model.age_days for symbol, model in models.items()}
    ages = {symbol: days for symbol, days in known_ages.items() if not predicted or symbol in predicted}
    stale_models = {symbol: days for symbol, days in ages.items() if days > MODEL_STALE_AFTER_DAYS}
    stale_prices = _stale_prices(run, clock)
    record = AccuracyTracker(home.feedback).record(view)
    horizon = record.main_horizon(main_horizon)
    main = record.of(horizon)
    stocks = stock_states(watchlist, log, run, known_ages, clock)
    lagging = concerns.lagging(newest, run, clock)
    found = (
        *concerns.damage(view),
        *concerns.overdue(overdue, run),
        *lagging,
        *concerns.missing(stocks, newest and newest[1], is_idle=bool(lagging)),
        *concerns.stale(stale_prices, stale_models),
        *concerns.failed(run, clock),
        *concerns.skipped(run, list(stocks) or list(newest[:1] if newest else ()), clock),
        *concerns.misfits(record),
        *concerns.surprises(run),
    )
    return Status(
        at=clock.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if clock.as_of is None else clock.as_of.isoformat(),
        pending=len(view.pending),
        due=len(due),
        overdue=tuple(overdue),
        horizon=horizon,
        record=sum(main.stocks.values(), Score()),
        by_condition=tuple(by_condition(main.conditions, main.stocks, clock.exchanges.market)),
        by_horizon={of: sum(known.stocks.values(), Score()) for of, known in sorted(record.horizons.items())},
        prices_through=newest[1] if newest else None,
        stale_prices=stale_prices,
        models=models,
        model_ages=ages,
        stale_models=stale_models,
        without_model=tuple(sorted({line.symbol for line in view.pending if line.model_trained_at is None})),
        plugins=_plugins(view),
        last_run=run,
        **_seals(log, clock),
        stocks=stocks,
        concerns=found,
    )


def _plugins(view: View) -> dict[str, int]:
    spoken = {(name, line.symbol) for line in view.pending for name in plugin_names(line.evidence.opinions)}
    return dict(sorted(Counter(name for name, _ in spoken).items()))


def _newest(log: PredictionLog, view: View) -> tuple[str, str] | None:
    """The symbol and the day of the prediction made from the newest prices."""
    if not view.is_partial:
        days = [(symbol, day) for (symbol, _), day in log.latest.items()]
    else:  # settled lines are read only where none is pending
        days = [(line.symbol, line.data_through) for line in view.pending or view.verified]
    return max(days, key=lambda newest: newest[1], default=None)


def _run_until(home: Home, clock: Clock) -> LastRun | None:
    """The last run, unless it acted on a later day than the clock's."""
    run = read_last_run(home)
    is_later = run is not None and clock.as_of is not None and run.day > clock.as_of.isoformat()
    return None if is_later else run


def _is_overdue(line: Prediction, clock: Clock) -> bool:
    """True where even a missing bar is no reason to wait any longer."""
    return sessions_behind(line.symbol, line.target_date, clock) > PATIENCE_SESSIONS


def _stale_prices(run: LastRun | None, clock: Clock) -> dict[str, str]:
    """The last day had of each stock whose prices lagged already when the run asked for them."""
    if run is None:
        return {}
    ended, as_of = run.ended_at or run.began_at, date.fromisoformat(run.as_of) if run.as_of else None
    then = replace(clock, now=datetime.fromisoformat(ended), as_of=as_of)
    found = sorted(run.prices_through.items())
    return {symbol: day for symbol, day in found if sessions_behind(symbol, day, then) > PRICES_GRACE_SESSIONS}


def _seals(log: PredictionLog, clock: Clock) -> dict[str, Any]:
    head = log.head() if clock.as_of is None else None
    witness = last_witness(log.path) if head else None
    at = witness.at if witness and head and witness.head.seal == head.seal else None
    return {"head": head, "witnessed_at": at, "broken_seals": log.broken if clock.as_of is None else None}
