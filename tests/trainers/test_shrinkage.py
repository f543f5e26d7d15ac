"""Shrinkage: how much two years of prices may say beside a century, and a few weeks of outcomes of a forecast."""

from __future__ import annotations

import numpy as np
import pytest

from stockml.trainers.shrinkage import DRIFT_PCT, Posterior, drift_posterior, slope_posterior


def drift_of(years: float, yearly_pct: float, *, stocks: int = 12, horizon: int = 5, seed: int = 1) -> Posterior:
    """The posterior from a market of overlapping changes that rose by so much a year."""
    rng = np.random.default_rng(seed)
    sessions = round(252 * years)
    market = rng.normal(0, 1.0, sessions)
    market += yearly_pct / 252 - market.mean()  # as it went, not as it was meant to go
    moves = market[:, None] + rng.normal(0, 1.5, (sessions, stocks))  # (sessions, stocks), in %
    ahead = np.stack([moves[start : start + horizon].sum(axis=0) for start in range(sessions - horizon)])
    days = np.repeat(np.arange(len(ahead)), stocks)
    return drift_posterior(ahead.ravel(), 1 + ahead.ravel() / 100, days, horizon)


@pytest.mark.parametrize("yearly_pct", [-40.0, -20.0, 0.0, 20.0, 40.0])
def test_two_years_of_rise_or_fall_are_not_extrapolated(yearly_pct: float) -> None:
    posterior = drift_of(2, yearly_pct)
    assert posterior.value == pytest.approx(DRIFT_PCT, abs=0.05)
    assert (posterior.value - DRIFT_PCT) * (posterior.estimate - DRIFT_PCT) > 0  # but some of it counts


@pytest.mark.parametrize("years", [2, 10, 40])
def test_a_longer_history_counts_for_more(years: int) -> None:
    counted = [abs(drift_of(span, 30.0).value - DRIFT_PCT) for span in (years / 2, years)]
    assert counted[0] < counted[1]


@pytest.mark.parametrize(("horizon", "times"), [(1, 0.2), (5, 1.0), (20, 4.0)])
def test_the_drift_grows_with_the_horizon(horizon: int, times: float) -> None:
    nothing = np.zeros(0)
    assert drift_posterior(nothing, nothing, nothing.astype(np.int64), horizon).value == pytest.approx(
        times * DRIFT_PCT
    )


@pytest.mark.parametrize("outlier", [-95.0, 900.0, 1e6])
def test_an_outlier_does_not_move_the_drift(outlier: float) -> None:
    changes = np.random.default_rng(4).normal(0, 4, 2000)
    days = np.repeat(np.arange(200), 10)
    calm = drift_posterior(changes, 1 + changes / 100, days, 5).value
    changes[777] = outlier
    assert drift_posterior(changes, 1 + changes / 100, days, 5).value == pytest.approx(calm, abs=0.02)


@pytest.mark.parametrize("skill", [0.0, 0.5, 1.0])
def test_a_slope_is_what_held(skill: float) -> None:
    rng = np.random.default_rng(2)
    forecasts = rng.normal(0, 0.5, 40_000)
    targets = skill * forecasts + rng.normal(0, 1, 40_000)
    posterior = slope_posterior(forecasts, targets, np.repeat(np.arange(2000), 20), 5)
    assert posterior.value == pytest.approx(skill, abs=0.05)
