"""Confidence: a probability that follows volatility and outcomes, from figures that only look back."""

import math
from datetime import date
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from stockml.core.student_t import StudentT
from stockml.indicators.volatility import confidence_inputs, confidence_table, market_inputs, true_ranges
from stockml.signals.calibration import NO_STOCK_PRIOR, Calibration, stock_prior_of
from stockml.signals.scale_model import ELASTICITIES, UNKNOWN_PCT, scale_pct

CALM = {"volatility_1": 1.0, "volatility_5": 1.0, "volatility_20": 1.0}
WILD = dict.fromkeys(CALM, 4.0)


@pytest.fixture
def prices():
    rng = np.random.default_rng(3)
    days = pd.bdate_range("2022-01-03", periods=600, name="Date")
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.015, 600)))
    opened = close * np.exp(rng.normal(0, 0.005, 600))
    spread = np.exp(np.abs(rng.normal(0, 0.01, 600)))
    frame = pd.DataFrame(
        {
            "open": opened,
            "high": np.maximum(opened, close) * spread,
            "low": np.minimum(opened, close) / spread,
            "close": close,
            "adj_close": close,
            "volume": 1e6,
        },
        index=days,
    )
    return table(frame)


def table(frame, breaks=()):
    return SimpleNamespace(frame=frame, breaks=breaks)


def test_the_true_range_agrees_with_its_definition_by_hand():
    frame = pd.DataFrame(
        {
            "low": [99.0, 101.0, 120.0],
            "high": [101.0, 105.0, 121.0],
            "close": [100.0, 104.0, 120.0],
            "adj_close": [49.0, 52.0, 60.0],  # a dividend of 2 on the second day: the close before counts as 98
        },
        index=pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03"]),
    )
    found = true_ranges(frame)
    assert found == pytest.approx([100 * math.log(101 / 99), 100 * math.log(105 / 98), 100 * math.log(121 / 104)])
    assert true_ranges(frame, [date(2024, 1, 3)])[2] == pytest.approx(100 * math.log(121 / 120))


def test_inputs_of_a_day_are_those_of_the_whole_table(prices):
    whole = confidence_table(prices)
    for row in (0, 30, 249, 400, 599):
        expected = {name: value for name, value in whole.iloc[row].items() if math.isfinite(value)}
        assert confidence_inputs(prices, prices.frame.index[row].date()) == expected


def test_a_longer_history_changes_no_input(prices):
    short = confidence_table(table(prices.frame.iloc[200:]))
    pd.testing.assert_frame_equal(short.iloc[250:], confidence_table(prices).iloc[450:], check_exact=True)


def test_the_market_s_inputs_are_averages_of_the_stocks():
    stocks = [{"volatility_5": 1.0, "volatility_20": 2.0}, {"volatility_5": 2.0}]
    assert market_inputs(stocks) == {"market_volatility_5": 1.5, "market_volatility_20": 2.0}
    assert market_inputs([]) == {}


def test_scale_grows_with_volatility_and_time():
    assert scale_pct(WILD, 5) == pytest.approx(4**0.94 * scale_pct(CALM, 5))
    assert scale_pct(CALM, 20) == pytest.approx(2 * scale_pct(CALM, 5))


def test_a_window_not_known_yet_is_stood_in_for():
    assert scale_pct({"volatility_1": 2.0}, 5) == scale_pct(dict.fromkeys(ELASTICITIES, 2.0), 5)
    assert scale_pct({}, 5) == scale_pct(dict.fromkeys(ELASTICITIES, UNKNOWN_PCT), 5)


def test_confidence_falls_with_volatility_and_with_a_bolder_prediction():
    calibration = Calibration(5)
    calm, wild, bold = (
        calibration.confidence("AAA", scale_pct(i, 5), c) for i, c in ((CALM, 0.0), (WILD, 0.0), (CALM, 4.0))
    )
    assert calm.probability > bold.probability
    assert calm.probability > wild.probability
    assert wild.distribution.scale_pct > 3 * calm.distribution.scale_pct
    assert bold.distribution.location_pct == 4.0


@pytest.mark.parametrize("spread", [0.7, 1.0, 1.5])
def test_probability_and_interval_come_true_whatever_the_market(spread):
    rng = np.random.default_rng(1)
    calibration, chances, hits, covered = Calibration(5), [], [], []
    scale = scale_pct({"volatility_20": 2.0}, 5)
    for number, change in enumerate(spread * scale * rng.standard_t(5, 12000)):
        stock = f"S{number % 12}"
        found = calibration.confidence(stock, scale, 0.0)
        chances.append(found.probability)
        hits.append(abs(change) < 5)
        low, high = found.distribution.interval_pct(0.8)
        covered.append(low <= change <= high)
        calibration.learn(stock, scale, 0.0, change, hits[-1])
    assert np.mean(chances[6000:]) == pytest.approx(np.mean(hits[6000:]), abs=0.02)
    assert np.mean(covered[6000:]) == pytest.approx(0.8, abs=0.03)


def test_the_chance_is_that_of_prices_within_5_pct_of_the_actual_one():
    scale = scale_pct(CALM, 5)
    law = StudentT(0.0, scale, 5)
    expected = law.below(102 / 0.95 - 100) - law.below(102 / 1.05 - 100)
    assert Calibration(5).confidence("AAA", scale, 2.0).probability == pytest.approx(expected, abs=1e-4)


def test_a_stock_prior_counts_the_more_the_more_outcomes_it_rests_on():
    rng = np.random.default_rng(2)
    quiet = 0.6 * scale_pct(CALM, 5) * rng.standard_t(5, 500)
    prior = stock_prior_of([scale_pct(WILD, 5)] * 500, quiet)  # far calmer than its volatility says
    assert prior.outcomes == 500
    chances = [
        Calibration(5).confidence("AAA", scale_pct(WILD, 5), 0.0, known).probability
        for known in (NO_STOCK_PRIOR, prior)
    ]
    assert chances[1] > chances[0] + 0.05
    assert stock_prior_of([], []) == NO_STOCK_PRIOR
