"""Markets, and lives in them: the replay's own steps, with a log in memory and learners that lack a part.

Each session is analysed once and stepped through by every variant.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import pandas as pd
from results_days import Days, announcements
from scale_again import Fit, fits, with_fit

from stockml.core.clock import Clock
from stockml.core.outcomes import VERIFIED, Outcome
from stockml.core.paths import Home
from stockml.core.records import Prediction
from stockml.data.point_in_time import PointInTimePrices
from stockml.data.request import RawBars
from stockml.replay.batch_analysis import PastStock, SessionView
from stockml.replay.model_schedule import ModelSchedule, When, periods
from stockml.replay.walk_forward import DailyFailures, ReplayLog, ReplaySettings, analyze_session, step
from stockml.signals.calibration import Confidence
from stockml.signals.learner import Learner, Weighing
from stockml.signals.priors import Priors
from stockml.trainers.pipeline import TrainingSettings

PROJECT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("STOCKML_SHARED") or PROJECT.parent / "shared") / "market-data"
BUILD = PROJECT / "build"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
FIRST_TEST_DAY = date(2023, 1, 1)
SESSIONS_BEFORE = 500  # that a stock must have before the test begins: what its models learn from


@dataclass(frozen=True)
class Market:
    """Stocks, and the days on which they are forecast."""

    name: str
    stocks: Sequence[PastStock]
    settings: ReplaySettings
    raw: Mapping[str, RawBars] = field(default_factory=dict)  # of its stocks, by symbol

    @property
    def days(self) -> list[date]:
        return self.settings.sessions()


REAL = {"NSE": ("nse-nifty50", date(2026, 8, 7)), "US": ("us-sp500-10y", date(2026, 3, 11))}


def real_market(name: str, *, most_stocks: int | None = None, last: date | None = None) -> Market:
    """The shared price tables with two years before 2023, from 2023 to their end."""
    folder, end = REAL[name]
    raw = tables_of(folder, FIRST_TEST_DAY, SESSIONS_BEFORE)
    return market_of(name, dict(list(raw.items())[:most_stocks]), FIRST_TEST_DAY, last or end)


def tables_of(folder: str, first: date, sessions_before: int) -> dict[str, pd.DataFrame]:
    """The raw tables of a shared folder with so many sessions before a day, by symbol."""
    tables = {path.stem: pd.read_csv(path) for path in sorted((DATA / folder).glob("*.csv"))}
    return {symbol: raw for symbol, raw in tables.items() if (raw["Date"] < first.isoformat()).sum() >= sessions_before}


def market_of(name: str, tables: Mapping[str, pd.DataFrame], first: date, last: date) -> Market:
    """A market of these raw tables."""
    raw = {symbol: RawBars(table, None) for symbol, table in tables.items()}
    return Market(name, _stocks(raw), ReplaySettings(first, last, tuple(raw), "csv"), raw)


def announced(market: Market, days: Days, known: str) -> Market:
    """The same market with its stocks' announcements, known in advance as `known` says."""
    raw = {
        symbol: replace(bars, announcements=announcements(days.get(symbol, ()), known))
        for symbol, bars in market.raw.items()
    }
    return replace(market, stocks=_stocks(raw), raw=raw)


def _stocks(raw: Mapping[str, RawBars]) -> list[PastStock]:
    return [PastStock(PointInTimePrices(symbol, bars, "csv"), None, "csv") for symbol, bars in raw.items()]


# ---- a log in memory -------------------------------------------------------------------------------------------------


class MemoryBook:
    """What a replay's log and feedback do, without a disk; `lines` are the predictions in the order they were made."""

    def __init__(self, learner: Learner) -> None:
        self.learner = learner
        self.pending: dict[str, Prediction] = {}
        self.lines: dict[str, Prediction] = {}
        self._position: dict[str, int] = {}

    def settle(self, outcomes: Mapping[str, Outcome]) -> None:
        for id_ in sorted(outcomes, key=lambda id_: (outcomes[id_].ended_at, self._position[id_])):
            self.lines[id_] = replace(self.pending.pop(id_), outcome=outcomes[id_])
            if self.lines[id_].status == VERIFIED:
                self.learner.learn(self.lines[id_])

    def append(self, predictions: Sequence[Prediction]) -> Sequence[Prediction]:
        new = [line for line in predictions if line.id not in self.lines]
        self._position |= {line.id: len(self.lines) + number for number, line in enumerate(new)}
        self.lines |= {line.id: line for line in new}
        self.pending |= {line.id: line for line in new}
        return new


# ---- learners that lack a part ---------------------------------------------------------------------------------------


class Partial(Learner):
    """A learner that never hears some signals."""

    def __init__(self, is_heard: Callable[[str], bool]) -> None:
        super().__init__()
        self._is_heard = is_heard

    def learn(self, prediction: Prediction) -> None:
        evidence = replace(prediction.evidence, opinions=self._heard(prediction.evidence.opinions))
        super().learn(replace(prediction, evidence=evidence))

    def weigh(self, symbol: str, horizon: int, opinions: Mapping[str, float], priors: Priors | None = None) -> Weighing:
        return super().weigh(symbol, horizon, self._heard(opinions), priors or Priors())

    def _heard(self, opinions: Mapping[str, float]) -> dict[str, float]:
        return {name: value for name, value in opinions.items() if self._is_heard(name)}


class Unlearning(Learner):
    """A learner that learns nothing: what training found before serves for ever."""

    def learn(self, prediction: Prediction) -> None:
        return


class Alone(Learner):
    """A learner a stock: nothing is pooled."""

    def __init__(self) -> None:
        super().__init__()
        self._own: dict[str, Learner] = {}

    def learn(self, prediction: Prediction) -> None:
        self._of(prediction.symbol).learn(prediction)

    def weigh(self, symbol: str, horizon: int, opinions: Mapping[str, float], priors: Priors | None = None) -> Weighing:
        return self._of(symbol).weigh(symbol, horizon, opinions, priors or Priors())

    def confidence(self, symbol: str, *question: Any, **more: Any) -> Confidence:
        return self._of(symbol).confidence(symbol, *question, **more)

    def _of(self, symbol: str) -> Learner:
        return self._own.setdefault(symbol, Learner())


@dataclass(frozen=True)
class Variant:
    """A way to live through a market: with its models' forecasts or without, and with which learner."""

    learner: Callable[[], Learner]
    with_models: bool = True


def without(*beginnings: str) -> Variant:
    return Variant(lambda: Partial(lambda name: not name.startswith(beginnings)))


FULL, COLD = "full system", "signals, learning from a cold start"
VARIANTS = {
    FULL: Variant(Learner),
    COLD: Variant(Learner, with_models=False),
}
ABLATIONS = {
    "without patterns": without("pattern_"),
    "without LSTM": without("lstm"),
    "without XGBoost": without("xgb"),
    "without learning": Variant(Unlearning),
    "without pooling": Variant(Alone),
    "without regimes": without("regime_"),
}


# ---- living ----------------------------------------------------------------------------------------------------------


@dataclass
class Seen:
    """A market's sessions, and how its models did on their own validation days."""

    market: Market
    history: dict[date, SessionView] = field(default_factory=dict)
    validation: list[dict[str, float]] = field(default_factory=list)

    def part(self, first: int, last: int) -> Seen:
        days = list(self.history)[first:last]
        return Seen(self.market, {day: self.history[day] for day in days})


def see(market: Market, training_days: Sequence[date] = (), jobs: int = 2, tell: Callable[[str], None] = print) -> Seen:
    """Every session of a market, with the forecasts of models trained as of each of those days."""
    return see_alike([market], training_days, jobs, tell)[0]


def see_alike(
    markets: Sequence[Market], training_days: Sequence[date] = (), jobs: int = 2, tell: Callable[[str], None] = print
) -> list[Seen]:
    """The sessions of markets that differ in their announcements alone.

    Models are trained on the first; the others have the same, with the scale model fitted to their announcements.
    """
    market, seen = markets[0], [Seen(market) for market in markets]
    schedule = ModelSchedule([Home(Path("/nonexistent"))], jobs)
    folder = BUILD / "quality-models" / f"{market.name}-{digest(market)}"
    replay_log: ReplayLog = MemoryBook(Learner())
    refitted: dict[int, dict[str, Fit]] = {}
    for period in periods(market.days, training_days, folder):
        if period.folder is not None:
            tell(f"{market.name}: models of {period.since}")
            when = When(lambda day: Clock(NOW, day), _silent)
            schedule.train([period], market.stocks, TrainingSettings(jobs=jobs), when)  # from nothing: half a year on
            seen[0].validation += _validation(Home(period.folder))
        schedule.use(period)
        if period.days and training_days:
            list(schedule.give_opinions(market.stocks, period.days, _silent))
        for one in seen:
            if one is not seen[0] and period.folder is not None:
                refitted[id(one)] = fits(one.market.stocks, Clock(NOW, period.since), TrainingSettings(jobs=jobs))
            for stock, first in zip(one.market.stocks, market.stocks, strict=True):
                stock.opinions = with_fit(first.opinions, refitted.get(id(one), {}).get(stock.symbol))
            for day in period.days:
                one.history[day] = analyze_session(
                    Clock(NOW, day), one.market.stocks, replay_log, one.market.settings, DailyFailures()
                )[0]
    return seen


def live(seen: Seen, variant: Variant) -> list[Prediction]:
    """All predictions of a life, with their outcomes where they came."""
    replay_log = MemoryBook(variant.learner())
    for day, session_view in seen.history.items():
        as_seen = session_view if variant.with_models else without_models(session_view)
        step(Clock(NOW, day), as_seen, replay_log, seen.market.settings)
    return list(replay_log.lines.values())


def without_models(session_view: SessionView) -> SessionView:
    return replace(session_view, analyses=[replace(analysis, model=None) for analysis in session_view.analyses])


def half_years(days: Sequence[date]) -> list[date]:
    """The first session, and the first of each half-year after it."""
    firsts: dict[tuple[int, bool], date] = {}
    for day in days:
        firsts.setdefault((day.year, day.month > 6), day)
    return list(firsts.values())


def digest(market: Market) -> str:
    """What the trained models depend on: the program, the prices and the stocks."""
    paths = [path for part in _TRAINS for path in sorted((PROJECT / "stockml").glob(part))]
    parts = [path.read_bytes() for path in paths]
    parts += [pd.util.hash_pandas_object(stock.history.bars).to_numpy().tobytes() for stock in market.stocks]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12]


_TRAINS = ("indicators/*.py", "models/*.py", "trainers/*.py", "signals/scale_model.py", "signals/calibration.py")


def _validation(home: Home) -> Iterable[dict[str, float]]:
    from stockml.models.bundle_store import read_metrics, trained_symbols

    for symbol in trained_symbols(home):
        metrics = read_metrics(home, symbol)
        yield {name: metrics[name] / metrics["naive_mae"] for name in ("lstm_mae", "xgb_mae", "ensemble_mae")}


def _silent(stage: str, done: int, of: int) -> None:
    """No progress bar."""
