"""How far to believe what was learned: prior beliefs and a few weeks of later days -> posterior drift and slope.

Everything is in a stock's own standard deviations over the horizon. Days are the unit of evidence, not rows: stocks
move together and answers overlap, so that fifty stocks over eighty days are some sixteen observations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Chosen on NSE and US prices of 2009-2022, the same in both: over five sessions the best constant forecast lay between
# 0.03 and 0.07 of a share's standard deviation; of what two years of days seemed to teach beyond that, a tenth held.
DRIFT, DRIFT_SPREAD = 0.045, 0.03
SLOPE, SLOPE_SPREAD = 0.1, 0.5
SESSIONS_OF_DRIFT = 5  # a drift grows with time, a standard deviation with its root

FARTHEST = 3.0  # standard deviations; an answer farther away counts as this far
GREATEST_SLOPE = 1.2  # a model is hardly made bolder than it was fitted: what asks for more is chance


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is believed of a number after seeing it: the estimate with its standard error, and the posterior."""

    value: float
    estimate: float
    error: float


def drift_posterior(targets: Array, grown: Array, days: NDArray[np.int64], horizon: int) -> Posterior:
    """The constant forecast at the horizon, in standard deviations, that misses least.

    Parameters
    ----------
    answers : array, shape (n_rows,)
        Changes at the horizon in standard deviations.
    grown : array, shape (n_rows,)
        The price after each over the price before.
    days : int array, shape (n_rows,)
        The session each row belongs to, as a number.

    Notes
    -----
    An error is a share of the price that came: what misses least is the median in which a row counts the less the
    higher its price rose, the (-1)-median of Gneiting (2011), half as far up as the plain one in these markets.
    """
    longer = (horizon / SESSIONS_OF_DRIFT) ** 0.5
    held = np.clip(targets, -FARTHEST, FARTHEST)
    estimate = weighted_median(targets, 1 / grown) if len(targets) else 0.0
    error = _ratio_error(held - held.mean(), np.ones_like(held), days, horizon) if len(targets) else np.inf
    return _posterior(DRIFT * longer, DRIFT_SPREAD * longer, estimate, error)


def weighted_median(values: Array, weights: Array) -> float:
    """The smallest value that half of the weight does not exceed."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])


def slope_posterior(forecasts: Array, targets: Array, days: NDArray[np.int64], horizon: int) -> Posterior:
    """What a forecast that was made should be multiplied by; between 0 and GREATEST_SLOPE.

    Parameters
    ----------
    forecasts, answers : arrays, shape (n_rows,)
        On days the forecaster was not fitted on, both about 0, in standard deviations.
    days : int array, shape (n_rows,)
    """
    squares = float(forecasts @ forecasts)
    if squares == 0.0:
        return Posterior(0.0, 0.0, np.inf)  # a forecast of nothing
    held = np.clip(targets, -FARTHEST, FARTHEST)
    estimate = float(forecasts @ held) / squares
    error = _ratio_error(forecasts * (held - estimate * forecasts), forecasts**2, days, horizon)
    belief = _posterior(SLOPE, SLOPE_SPREAD, estimate, error)
    return Posterior(min(max(belief.value, 0.0), GREATEST_SLOPE), estimate, error)


def _ratio_error(residuals: Array, weights: Array, days: NDArray[np.int64], horizon: int) -> float:
    """The standard error of a sum of residuals over a sum of weights, from its variation between blocks of days.

    Each block is `horizon` sessions, so that answers overlap into the next block at most; Liang and Zeger (1986).
    """
    _, order = np.unique(days, return_inverse=True)
    block = order // horizon
    sums = np.bincount(block, residuals)
    if len(sums) < 2:
        return float("inf")
    return float(np.sqrt((sums**2).sum() * len(sums) / (len(sums) - 1)) / weights.sum())


def _posterior(mean: float, spread: float, estimate: float, error: float) -> Posterior:
    """A normal prior joined with a normal estimate."""
    weight = spread**2 / (spread**2 + error**2) if np.isfinite(error) else 0.0
    return Posterior(float(mean + weight * (estimate - mean)), estimate, float(error))
