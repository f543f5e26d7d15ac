"""Smoothing that forgets: each row is a function of its own window, to the bit, wherever the table begins.

A running total or a recursion from the first row would carry rounding errors from row to row, and a longer table would
then change the last digits of old values. Here each row is added up by itself, from sums of 1, 2, 4, ... rows.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def decayed_sums(values: Array, decay: float, rows: int) -> Array:
    """The sum of each row and of the `rows - 1` before it, each counting `decay` times as much as the one after it.

    Parameters
    ----------
    values : array, shape (..., n_days)
    decay : float
        1 for a plain sum.
    rows : int
        At least 0.

    Returns
    -------
    array, shape (..., n_days)
        What is missing before the first row counts as 0.
    """
    n_days = values.shape[-1]
    missing = np.zeros((*values.shape[:-1], max(0, rows - 1)))
    sums, length = np.concatenate([missing, values], axis=-1), 1  # of `length` rows each; `decay` is that of so many
    total, added, weight = np.zeros(values.shape), 0, 1.0  # of the `added` newest rows; `weight` is their decay
    while True:
        if rows & length:
            first = rows - added - length
            total += weight * sums[..., first : first + n_days]
            added, weight = added + length, weight * decay
        if added == rows:
            return total
        sums = sums[..., length:] + decay * sums[..., :-length]
        length, decay = 2 * length, decay * decay


def seeded(values: Array, seeds: Array, decay: float, gain: float, rows: int) -> Array:
    """y[t] = decay * y[t-1] + gain * values[t], begun anew for each row with the seed of `rows` rows before.

    Parameters
    ----------
    values : array, shape (..., n_days)
    seeds : array, shape (..., n_days + 1)
        The first stands before the first value, each other beside one.
    decay, gain : float
    rows : int
        At least 0; for a row that has fewer before it the first seed counts.

    Returns
    -------
    array, shape (..., n_days + 1)
        One value for each seed.
    """
    weights = _powers(decay, rows)[: seeds.shape[-1]]
    out = np.empty_like(seeds)
    out[..., : len(weights)] = weights * seeds[..., :1]
    out[..., len(weights) :] = weights[-1] * seeds[..., 1 : max(1, seeds.shape[-1] - rows)]
    out[..., 1:] += gain * decayed_sums(values, decay, rows)
    return out


def ema(values: Array, alpha: float, seed: int, memory: int) -> Array:
    """Exponential moving average, seeded with a mean: y[t] = y[t-1] + alpha * (x[t] - y[t-1]).

    Parameters
    ----------
    values : array, shape (..., n_days)
    alpha : float
        The smoothing factor: 2 / (window + 1) as a rule, 1 / window in Wilder's way.
    seed : int
        Begin with the mean of so many rows.
    memory : int
        Begin anew for each row, so that it is a function of the last `memory` rows; at least `seed`.

    Returns
    -------
    array, shape (..., n_days - seed + 1)
        From the first row that has a value on.
    """
    means = decayed_sums(values, 1.0, seed)[..., seed - 1 :] / seed
    return seeded(values[..., seed:], means, 1 - alpha, alpha, memory - seed)


@lru_cache
def _powers(base: float, rows: int) -> Array:
    """1, base, base^2, ..., base^rows."""
    return np.cumprod(np.array([1.0, *[base] * rows]))
