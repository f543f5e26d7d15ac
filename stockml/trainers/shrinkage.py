"""Shrinkage estimated on held-out days: a prior and a few weeks of outcomes in, posterior drift and slope out.

The drift is in %, slopes are factors. The unit of evidence is the day, not the row: stocks move together and targets
overlap, so that fifty stocks over eighty days are some sixteen observations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Over five sessions, in %. Since 1900 the world's shares returned 5.1 % a year above inflation (Dimson, Marsh and
# Staunton 2017), 8 % with it, 0.16 % in five sessions. The best forecast of an index is 0.03 % lower, since errors are
# shares of the price that came; that of a single large share, with twice the volatility, is about 0. Half-way lies the
# mean. The spread is a guess at what decades and markets differ by; two years have five times that standard error.
DRIFT_PCT, DRIFT_SPREAD_PCT = 0.06, 0.04
SESSIONS_OF_DRIFT = 5  # a drift grows with time
# Chosen on half of the NSE and US stocks, 2006-2022: what a few weeks show of a forecast does not hold on average.
SLOPE, SLOPE_SPREAD = 0.0, 0.25

FARTHEST = 3.0  # standard deviations; a target farther away is clipped
MADS = 1.4826  # standard deviations of a normal law in one median absolute value
GREATEST_SLOPE = 1.2  # an estimate that would amplify a fitted model further is chance


@dataclass(frozen=True, slots=True)
class Posterior:
    """A posterior mean (`value`), with the estimate from the data and its standard error."""

    value: float
    estimate: float
    error: float


def drift_posterior(changes_pct: Array, grown: Array, days: NDArray[np.int64], horizon: int) -> Posterior:
    """The best constant forecast at the horizon, in %, the same for calm and for wild stocks.

    Parameters
    ----------
    changes_pct : array, shape (n_rows,)
        Changes at the horizon in %.
    grown : array, shape (n_rows,)
        The price at the target over the price before.
    days : int array, shape (n_rows,)
        The number of each row's session.
    horizon : int
        In sessions.

    Returns
    -------
    Posterior

    Notes
    -----
    An error is a share of the actual price, so the best constant is a median that weights each row by the inverse of
    its growth: the (-1)-median of Gneiting (2011), half the plain median in these markets.
    """
    longer = horizon / SESSIONS_OF_DRIFT
    estimate = weighted_median(changes_pct, 1 / grown) if len(changes_pct) else 0.0
    typical = MADS * float(np.median(np.abs(changes_pct))) if len(changes_pct) else 0.0
    held = np.clip(changes_pct, -FARTHEST * typical, FARTHEST * typical)
    error = _ratio_error(held - held.mean(), np.ones_like(held), days, horizon) if len(held) else np.inf
    return _posterior(DRIFT_PCT * longer, DRIFT_SPREAD_PCT * longer, estimate, error)


def weighted_median(values: Array, weights: Array) -> float:
    """The smallest value at which the cumulative weight reaches half.

    Parameters
    ----------
    values, weights : arrays, shape (n_values,)

    Returns
    -------
    float
    """
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])


def slope_posterior(forecasts: Array, targets: Array, days: NDArray[np.int64], horizon: int) -> Posterior:
    """The factor that a forecast should be multiplied by, between 0 and GREATEST_SLOPE.

    Parameters
    ----------
    forecasts, targets : arrays, shape (n_rows,)
        On held-out days, both centred about 0, in standard deviations.
    days : int array, shape (n_rows,)
        The number of each row's session.
    horizon : int
        In sessions.

    Returns
    -------
    Posterior
    """
    squares = float((forecasts**2).sum())  # not a product of BLAS, whose bits depend on the number of threads
    if squares == 0.0:
        return Posterior(0.0, 0.0, np.inf)  # a naive forecast
    held = np.clip(targets, -FARTHEST, FARTHEST)
    estimate = float((forecasts * held).sum()) / squares
    error = _ratio_error(forecasts * (held - estimate * forecasts), forecasts**2, days, horizon)
    posterior = _posterior(SLOPE, SLOPE_SPREAD, estimate, error)
    return Posterior(min(max(posterior.value, 0.0), GREATEST_SLOPE), estimate, error)


def _ratio_error(residuals: Array, weights: Array, days: NDArray[np.int64], horizon: int) -> float:
    """The standard error of a sum of residuals over a sum of weights, from its variation between blocks of days.

    A block is `horizon` sessions, so that targets overlap with the next block at most; Liang and Zeger (1986).
    """
    _, order = np.unique(days, return_inverse=True)
    block = order // horizon
    sums = np.bincount(block, residuals)
    if len(sums) < 2:
        return float("inf")
    return float(np.sqrt((sums**2).sum() * len(sums) / (len(sums) - 1)) / weights.sum())


def _posterior(mean: float, spread: float, estimate: float, error: float) -> Posterior:
    """Combine a normal prior with a normal estimate."""
    weight = spread**2 / (spread**2 + error**2) if np.isfinite(error) else 0.0
    return Posterior(float(mean + weight * (estimate - mean)), estimate, float(error))
