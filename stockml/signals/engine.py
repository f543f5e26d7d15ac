"""Signal engine: the predictor's steps ANALYZE, PLAN and PREDICT, as functions of values.

A live run takes them once, for the newest day; a replay takes them for many days in turn.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

from stockml.core.clock import Clock
from stockml.core.exchanges import BY_SYMBOL, Exchanges
from stockml.core.failures import STALE, Failure
from stockml.core.records import STRONG_SIGNAL_PCT, Evidence, Prediction, Signal, round_price
from stockml.core.results_expected import ResultsExpected
from stockml.indicators.confidence_inputs import SPAN
from stockml.signals.calibration import EIGHTY
from stockml.signals.learner import Learner, Weighing
from stockml.signals.priors import Priors
from stockml.signals.rules import ModelForecast, opinions, path_pct, predicted_change_pct, regime

if TYPE_CHECKING:
    from stockml.data.price_table import PriceTable
    from stockml.models.bundle import Forecasts, ModelBundle


FARTHEST_FORECAST_PCT = 1000.0


@dataclass(frozen=True, slots=True)
class ModelView:
    """The forecasts of a stock's models for one day, with the priors from their training."""

    trained_at: str
    forecast: ModelForecast
    priors: Priors


@dataclass(frozen=True, slots=True)
class Analysis:
    """One stock on one day: prices, indicators, regime, the models' forecasts, and how much it moves."""

    symbol: str
    data_through: date
    current_price: float
    currency: str | None
    source: str
    indicators: Mapping[str, float]  # a row of `features.indicator_table`
    regime: str
    confidence_inputs: Mapping[str, float]  # a row of `confidence_table`, and the market's volatilities
    model: ModelView | None
    results: ResultsExpected | None = None  # that the company is expected to publish
    plugin_opinions: Mapping[int, Mapping[str, float]] = field(default_factory=dict)  # by horizon

    @property
    def priors(self) -> Priors:
        """The priors of the stock's training, or none."""
        return self.model.priors if self.model else Priors()


@dataclass(frozen=True, slots=True)
class Plan:
    """A hypothesis: every opinion, its weight, and the change that follows."""

    analysis: Analysis
    horizon: int
    opinions: Mapping[str, float]
    weighing: Weighing
    change_pct: float


def sessions_back(today: date, due: Iterable[Prediction]) -> int:
    """The sessions of prices that an analysis needs, and that reach back to the oldest due prediction."""
    from stockml.models.bundle import SESSIONS_NEEDED

    made_from = [date.fromisoformat(prediction.data_through) for prediction in due]
    return max(SESSIONS_NEEDED, (today - min(made_from, default=today)).days)


def view_of(bundle: ModelBundle, forecasts: Forecasts, row: int = 0) -> ModelView | None:
    """One day of a bundle's forecasts, with its priors.

    Parameters
    ----------
    bundle : ModelBundle
    forecasts : Forecasts
        Made by the bundle.
    row : int, default 0
        The day's row in `forecasts`.

    Returns
    -------
    ModelView or None
        None where the day's history is too short for the models.

    Raises
    ------
    ModelError
        unreadable, for damaged priors and for forecasts that no sound models make.
    """
    from stockml.models.bundle import RETRAIN, UNREADABLE, ModelError

    path = tuple(float(change) for change in forecasts.lstm_path_pct[row])
    if not all(math.isfinite(change) for change in path):
        return None
    xgb_pct = float(forecasts.xgb_pct[row])
    if max(map(abs, (*path, xgb_pct))) > FARTHEST_FORECAST_PCT:
        text = f"its models forecast a change of over {FARTHEST_FORECAST_PCT:,.0f} %, which no sound ones do"
        raise ModelError(UNREADABLE, f"{bundle.symbol}: {text}; {RETRAIN} {bundle.symbol}")
    forecast = ModelForecast(
        horizon=bundle.horizon,
        lstm_path_pct=path,
        xgb_pct=xgb_pct,
        pattern=int(forecasts.pattern[row]),
        pattern_unusual=float(forecasts.pattern_unusual[row]),
        pattern_pct=float(forecasts.pattern_pct[row]),
    )
    try:
        priors = Priors.from_dict(bundle.metrics["priors"])
    except ValueError as error:
        raise ModelError(UNREADABLE, f"{bundle.symbol}: {error}") from None
    return ModelView(bundle.trained_at, forecast, priors)


def analyze(prices: PriceTable, model: ModelView | None) -> Analysis:
    """ANALYZE one stock: indicators, regime and confidence inputs of its newest session."""
    from stockml.indicators.confidence_inputs import SESSIONS, confidence_inputs
    from stockml.indicators.features import HISTORY_SESSIONS, indicator_columns

    newest = prices.last(HISTORY_SESSIONS + 1)  # the newest day depends on no older session
    day = {name: float(column[-1]) for name, column in indicator_columns(newest).items()}
    return analysis_of(prices, day, confidence_inputs(prices.last(SESSIONS), prices.data_through), model)


def analysis_of(
    prices: PriceTable, day: Mapping[str, float], inputs: Mapping[str, float], model: ModelView | None
) -> Analysis:
    """Assemble the analysis of a table's newest session from its row of indicators and its confidence inputs."""
    from stockml.indicators.results_ahead import results_ahead

    return Analysis(
        symbol=prices.symbol,
        data_through=prices.data_through,
        current_price=round_price(float(prices.frame["close"].iloc[-1])),
        currency=prices.currency,
        source=prices.source,
        indicators=day,
        regime=regime(day["change_20"], day["volatility_20"]),
        confidence_inputs=inputs,
        model=model,
        results=results_ahead(prices, inputs),
    )


def add_market(analyses: Iterable[Analysis], exchanges: Exchanges = BY_SYMBOL) -> list[Analysis]:
    """Add the market's average volatility to each analysis: over the given stocks of one calendar and day."""
    from stockml.indicators.volatility import market_inputs

    markets: dict[tuple[str, date], list[Analysis]] = {}
    for analysis in analyses:
        name = exchanges.calendar(analysis.symbol).name
        markets.setdefault((name, analysis.data_through), []).append(analysis)
    return [
        replace(analysis, confidence_inputs={**analysis.confidence_inputs, **market})
        for market_members in markets.values()
        for market in [market_inputs([member.confidence_inputs for member in market_members])]
        for analysis in market_members
    ]


def target_of(symbol: str, data_through: date, horizon: int, clock: Clock) -> date:
    """The session `horizon` sessions after the newest one used: the one whose close is predicted."""
    return clock.calendar(symbol).sessions_after(data_through, horizon)[-1]


def past_target(symbol: str, data_through: date, horizon: int, clock: Clock) -> Failure | None:
    """The failure of a stock whose prices end so early that the close to be predicted has passed already."""
    target = target_of(symbol, data_through, horizon, clock)
    if not clock.has_closed(symbol, target):
        return None
    remedy = "renew its prices, or see whether it is still traded"
    if clock.now < (final := clock.final_at(symbol, target)):  # the source cannot have a bar of that session yet
        remedy = f"its prices are final at {final:%H:%M} ({final.tzinfo}): run it again from then on"
    message = f"{symbol}: no price since {data_through}: not predicted, for the close of {target} has passed; {remedy}"
    return Failure(symbol, STALE, message)


def plan(analysis: Analysis, learner: Learner, horizon: int) -> Plan:
    """PLAN for one stock: weigh every signal's opinion by the learned weights, and form a hypothesis.

    Beyond the horizon of its models a stock has none, and the rules are trusted no more than training found them worth.
    """
    priors = analysis.priors
    if analysis.model and analysis.model.forecast.horizon < horizon:
        priors, analysis = priors.beyond_their_horizon(), replace(analysis, model=None)
    forecast = analysis.model.forecast if analysis.model else None
    heard = opinions(analysis.indicators, forecast, horizon) | dict(analysis.plugin_opinions.get(horizon, {}))
    weighing = learner.weigh(analysis.symbol, horizon, heard, priors)
    return Plan(
        analysis=analysis,
        horizon=horizon,
        opinions=heard,
        weighing=weighing,
        change_pct=predicted_change_pct(weighing.weights, weighing.magnitude),
    )


def predict(plan: Plan, learner: Learner, clock: Clock) -> Prediction:
    """PREDICT for one stock: the price, its path and interval, the confidence, and the target date."""
    analysis = plan.analysis
    target = target_of(analysis.symbol, analysis.data_through, plan.horizon, clock)
    inputs = {**analysis.confidence_inputs, SPAN: float((target - analysis.data_through).days)}
    confidence = learner.confidence(analysis.symbol, plan.horizon, inputs, plan.change_pct, analysis.priors)
    price = analysis.current_price
    low_pct, high_pct = confidence.distribution.interval_pct(EIGHTY)
    return Prediction(
        symbol=analysis.symbol,
        prediction_date=clock.written_time(analysis.symbol, analysis.data_through),
        current_price=price,
        predicted_price=_moved(price, plan.change_pct),
        predicted_change_pct=plan.change_pct,
        confidence=confidence.probability,
        prediction_horizon_days=plan.horizon,
        target_date=target.isoformat(),
        market_regime=analysis.regime,
        signals=tuple(Signal(name, weight) for name, weight in plan.weighing.weights.items()),
        data_through=analysis.data_through.isoformat(),
        magnitude=plan.weighing.magnitude,
        low=_moved(price, max(low_pct, -99.0)),  # a price stays above 0
        high=_moved(price, high_pct),
        path=tuple(_moved(price, max(step, -99.0)) for step in _path(plan)),
        evidence=Evidence(dict(plan.opinions), inputs, analysis.results),
        distribution=confidence.distribution,
        model_scale_pct=confidence.model_scale_pct,
        source=analysis.source,
        currency=analysis.currency,
        model_trained_at=analysis.model.trained_at if analysis.model else None,
    )


def _path(plan: Plan) -> list[float]:
    forecast = plan.analysis.model.forecast if plan.analysis.model else None
    opinion, weight = plan.opinions.get("lstm", 0.0), plan.weighing.weights.get("lstm", 0.0)
    share = plan.weighing.magnitude * weight * STRONG_SIGNAL_PCT / opinion if opinion else 0.0
    return path_pct(plan.change_pct, plan.horizon, forecast, share if math.isfinite(share) else 0.0)


def _moved(price: float, change_pct: float) -> float:
    return round_price(price * (1 + change_pct / 100))
