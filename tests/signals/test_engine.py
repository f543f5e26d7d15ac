"""PLAN beyond the horizon of a stock's models, beside it, and without any model."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from stockml.signals import engine
from stockml.signals.learner import Learner
from stockml.signals.priors import Priors
from stockml.signals.rules import RULE_WEIGHTS, ModelForecast

DAY = {
    "close": 110.0,
    "sma50": 105.0,
    "sma200": 100.0,
    "rsi": 55.0,
    "macd": 1.0,
    "change_20": 0.01,
    "volatility_20": 0.2,
}
MODEL = engine.ModelView(
    "2026-01-01T16:00:00",
    ModelForecast(5, (0.1, 0.2, 0.3, 0.4, 0.5), 0.5, -1, 0.0, 0.0),
    Priors({**dict.fromkeys(RULE_WEIGHTS, 0.0), "lstm": 0.5, "xgb": 0.5}, 1.0),
)
STOCK = engine.Analysis("A.XY", date(2026, 3, 2), 110.0, None, "csv", DAY, "sideways", {"volatility_20": 1.2}, MODEL)


def planned(analysis: engine.Analysis, horizon: int) -> engine.Plan:
    return engine.plan(analysis, Learner(), horizon)


@pytest.mark.parametrize("horizon", [6, 20, 250])
def test_beyond_its_models_a_forecast_is_no_bolder_than_the_evidence(horizon: int) -> None:
    plan = planned(STOCK, horizon)
    assert {"golden_cross", "macd_positive"} <= set(plan.opinions) and "lstm" not in plan.opinions
    assert plan.change_pct == 0.0 and plan.analysis.model is None
    alone = planned(replace(STOCK, model=None), horizon)
    assert alone.opinions == plan.opinions and alone.change_pct > 2  # nothing is known of the rules there


@pytest.mark.parametrize("horizon", [1, 3, 5])
def test_up_to_their_horizon_models_serve(horizon: int) -> None:
    plan = planned(STOCK, horizon)
    assert {"lstm", "xgb"} <= set(plan.opinions) and plan.analysis.model is MODEL and 0 < plan.change_pct <= 0.5


def test_rules_that_training_found_worth_something_keep_that(horizon: int = 20) -> None:
    trusted = replace(MODEL, priors=replace(MODEL.priors, weights={**MODEL.priors.weights, "golden_cross": 0.1}))
    plan = planned(replace(STOCK, model=trusted), horizon)
    assert 0 < plan.change_pct < planned(replace(STOCK, model=None), horizon).change_pct / 5
