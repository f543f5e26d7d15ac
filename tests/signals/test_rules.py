"""Regime, rules and opinions at their thresholds; the formula that any line can be audited with."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stockml.signals import rules as signals
from stockml.signals.rules import ModelForecast, opinions, path_pct, predicted_change_pct, regime, rule_opinions

QUIET = {
    "close": 100.0,
    "rsi": 50.0,
    "macd": -0.1,
    "sma20": 100.0,
    "sma50": 100.0,
    "sma200": 100.0,
    "change_20": 0.0,
    "volatility_20": 0.2,
}
FORECAST = ModelForecast(
    horizon=5, lstm_path_pct=(0.1, 0.3, 0.2, 0.4, 0.6), xgb_pct=-0.5, pattern=3, pattern_unusual=0.4, pattern_pct=0.25
)


@pytest.mark.parametrize(
    ("change_20", "volatility_20", "expected"),
    [
        (0.05, 0.35, "bullish"),
        (0.0499, 0.35, "sideways"),
        (-0.05, 0.35, "bearish"),
        (-0.0499, 0.1, "sideways"),
        (0.2, 0.3501, "volatile"),
        (-0.2, 0.3501, "volatile"),
        (math.nan, math.nan, "sideways"),
    ],
)
def test_regime_at_its_thresholds(change_20: float, volatility_20: float, expected: str) -> None:
    assert regime(change_20, volatility_20) == expected


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ({}, {}),
        ({"rsi": 70.0}, {}),
        ({"rsi": 70.1}, {"overbought": -1.5}),
        ({"rsi": 30.0}, {}),
        ({"rsi": 29.9}, {"oversold": 1.5}),
        ({"macd": 0.1}, {"macd_positive": 1.0}),
        ({"close": 103.0, "sma50": 102.0, "sma200": 101.0}, {"golden_cross": 2.0}),
        ({"close": 98.0, "sma50": 99.0, "sma200": 101.0}, {"death_cross": -2.0}),
        ({"close": 103.0, "sma50": 102.0, "sma200": math.nan}, {}),
        ({"change_20": 0.06}, {"regime_bullish": 1.5}),
        ({"change_20": 0.06, "volatility_20": 0.4}, {}),
    ],
)
def test_rules_hold_beyond_their_thresholds_with_the_stated_weights(day: dict, expected: dict) -> None:
    assert rule_opinions(QUIET | day) == pytest.approx(expected)


def test_the_models_are_heard_at_their_horizon_and_in_proportion_before_it() -> None:
    heard = opinions(QUIET, FORECAST, 5)
    assert heard == {"drift": 1.0, "lstm": 0.6, "xgb": -0.5, "pattern_3": 0.25}
    assert opinions(QUIET, FORECAST, 2) == pytest.approx({"drift": 0.4, "lstm": 0.3, "xgb": -0.2, "pattern_3": 0.1})


def test_beyond_their_horizon_and_without_them_signals_stand_alone() -> None:
    assert set(opinions(QUIET, FORECAST, 6)) == {"drift"}
    assert set(opinions(QUIET, None, 5)) == {"drift"}


def test_a_forecast_that_is_no_number_is_no_opinion() -> None:
    broken = ModelForecast(5, (0.0,) * 5, math.nan, -1, math.nan, math.nan)
    assert set(opinions(QUIET, broken, 5)) == {"drift", "lstm"}


def test_the_example_of_the_documentation_adds_up() -> None:
    weights = {"macd_positive": 0.2, "golden_cross": 0.4, "regime_bullish": 0.3}
    assert predicted_change_pct(weights, 0.756) == pytest.approx(3.4, abs=0.01)


@given(change=st.floats(-20, 20), horizon=st.integers(1, 5), share=st.floats(-2, 2))
def test_every_path_ends_in_the_predicted_change(change: float, horizon: int, share: float) -> None:
    path = path_pct(change, horizon, FORECAST, share)
    assert len(path) == horizon and path[-1] == pytest.approx(change)


def test_without_a_model_the_path_is_a_straight_line() -> None:
    assert path_pct(2.0, 4, None, 1.0) == pytest.approx([0.5, 1.0, 1.5, 2.0])


def test_the_path_bends_as_the_lstm_does() -> None:
    assert path_pct(0.6, 5, FORECAST, 1.0) == pytest.approx(list(FORECAST.lstm_path_pct))


def test_the_rules_are_the_documented_six() -> None:
    assert signals.RULE_WEIGHTS == {
        "overbought": -0.3,
        "oversold": 0.3,
        "macd_positive": 0.2,
        "golden_cross": 0.4,
        "death_cross": -0.4,
        "regime_bullish": 0.3,
    }
