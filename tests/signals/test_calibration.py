"""Confidence: a probability that follows volatility and outcomes."""

import numpy as np
import pytest

from stockml.core.student_t import StudentT
from stockml.signals.calibration import NO_STOCK_PRIOR, Calibration, StockPrior
from stockml.signals.scale_model import DEFAULT

scale_pct = DEFAULT.scale_pct

CALM = {"volatility_1": 1.0, "volatility_5": 1.0, "volatility_20": 1.0}
WILD = dict.fromkeys(CALM, 4.0)


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
    priors = (NO_STOCK_PRIOR, StockPrior(1.0, 100.0), StockPrior(1.0, 500.0))  # far calmer than its volatility says
    none, little, much = (
        Calibration(5).confidence("AAA", scale_pct(WILD, 5), 0.0, prior).probability for prior in priors
    )
    assert much > little > none
    assert much > none + 0.05
