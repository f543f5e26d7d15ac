"""State of each stock of the watchlist: its last forecast, its model's age, and since when a forecast is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from stockml.core.clock import Clock
from stockml.core.paths import Home
from stockml.core.wording import count
from stockml.prediction_log.log import PredictionLog
from stockml.reporting.last_run import LastRun

SCORES = ("lstm_mae", "xgb_mae", "ensemble_mae", "naive_mae", "val_samples")
TOO_LONG = 2  # sessions without a forecast; the run after today's close may still be to come


@dataclass(frozen=True, slots=True)
class StockState:
    """One stock of the watchlist.

    Attributes
    ----------
    last_forecast : str or None
        The last session that a forecast was made from.
    missing_since : str or None
        The first session without a forecast after it; of a stock without any the first in which a run failed for it.
    missing_sessions : int
        How many sessions of its exchange that is.
    failing_since : str or None
        The day of the first run without a forecast of it, where the last run for it made none.
    reason : str or None
        What that last run said of it.
    model_age_days : int or None
        None without a model that can be read.
    """

    symbol: str
    last_forecast: str | None
    missing_since: str | None
    missing_sessions: int
    failing_since: str | None
    reason: str | None
    model_age_days: int | None

    @property
    def is_missing(self) -> bool:
        """True without a forecast for two sessions."""
        return self.missing_sessions >= TOO_LONG

    def to_record(self) -> dict[str, Any]:
        """The object that --json prints."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "symbol"}

    def to_text(self) -> str:
        """One line without the symbol."""
        told = [f"last forecast {self.last_forecast}" if self.last_forecast else "no forecast yet"]
        if self.missing_since:
            told.append(f"missing since {self.missing_since} ({count(self.missing_sessions, 'session')})")
        told.append("no model" if self.model_age_days is None else f"model {count(self.model_age_days, 'day')} old")
        if self.failing_since:
            told.append(f"failing since {self.failing_since}")
        why = f": {self.reason}" if self.reason else ""
        return f"{', '.join(told)}{why}"


def stock_states(
    symbols: Iterable[str], log: PredictionLog, run: LastRun | None, ages: Mapping[str, int], clock: Clock
) -> dict[str, StockState]:
    """The state of each symbol, as of the clock.

    Parameters
    ----------
    symbols : iterable of str
        The watchlist.
    log : PredictionLog
    run : LastRun, optional
        As of the clock.
    ages : mapping of str to int
        Days of the models that there are.
    clock : Clock
    """
    newest = _newest(symbols := list(symbols), log, clock)
    return {symbol: _state(symbol, newest.get(symbol), run, ages.get(symbol), clock) for symbol in symbols}


def _newest(symbols: Sequence[str], log: PredictionLog, clock: Clock) -> dict[str, str]:
    """The last session with a forecast, by symbol."""
    if clock.as_of is not None:
        ids = {symbol: log.ids_of(symbol, clock.as_of) for symbol in symbols}
        return {symbol: found[0].rsplit(":", 2)[1] for symbol, found in ids.items() if found}
    newest: dict[str, str] = {}
    for (symbol, _), day in log.latest.items():
        newest[symbol.upper()] = max(day, newest.get(symbol.upper(), ""))
    return newest


def _state(symbol: str, last: str | None, run: LastRun | None, age: int | None, clock: Clock) -> StockState:
    failing = run.failing_since.get(symbol) if run else None
    since, sessions = None, 0
    if last is not None or failing is not None:
        first = date.fromisoformat(last) + timedelta(days=1) if last else date.fromisoformat(failing or "")
        missed = clock.calendar(symbol).sessions_between(first, clock.limit(symbol))
        since, sessions = (missed[0].isoformat() if missed else None), len(missed)
    reasons = (failure.message for failure in run.failures if failure.symbol == symbol) if run and failing else ()
    reason = next((text.removeprefix(f"{symbol}: ") for text in reasons), None)
    return StockState(symbol, last, since, sessions, failing, reason, age)


def sessions_behind(symbol: str, day: str, clock: Clock) -> int:
    """The sessions of the symbol's exchange after a day, YYYY-MM-DD."""
    after = date.fromisoformat(day) + timedelta(days=1)
    return len(clock.calendar(symbol).sessions_between(after, clock.limit(symbol)))


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A trained model by its metrics.json: its last training day, YYYY-MM-DD, its age, and its validation scores."""

    data_through: str
    age_days: int
    scores: Mapping[str, float | None]  # each of SCORES; None where it is not there


def known_models(home: Home, clock: Clock) -> dict[str, KnownModel]:
    """Each trained model by its symbol, in their order; none of a model that cannot be read."""
    if not any(home.models.glob("[!.]*")):
        return {}
    from stockml.models.bundle import ModelError
    from stockml.models.bundle_store import read_metrics, trained_symbols

    found = {}
    for symbol in trained_symbols(home):
        try:
            metrics = read_metrics(home, symbol)
        except ModelError:
            continue  # the run that would use it fails, and says why
        through = str(metrics["data_through"])
        age = max(0, (clock.limit(symbol) - date.fromisoformat(through)).days)
        scores = {name: metrics.get(name) if isinstance(metrics.get(name), int | float) else None for name in SCORES}
        found[symbol] = KnownModel(through, age, scores)
    return found
