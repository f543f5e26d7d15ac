"""Fit of the scale model: the confidence inputs of all stocks' days and what came after in, its coefficients out.

By maximum likelihood of Student's law, shrunk toward the default model, which rests on two decades and two markets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stockml.core.line_arithmetic import ACCURATE_BELOW_PCT
from stockml.signals.calibration import GREATEST_PROBABILITY, StockPrior
from stockml.signals.scale_model import DEFAULT, DEGREES, TERMS, ScaleModel
from stockml.trainers.dataset import TrainingSet
from stockml.trainers.scale_terms import terms_table

Array = NDArray[np.float64]

MOST_ROWS = 40_000  # of the days to train on: two years of a hundred stocks; of more, every so many, each for so many
PRIOR_ROWS = 20_000.0  # days of a stock that the default counts as: two years of fifty stocks change it by half
PRIOR_PRECISION = 1000.0  # of each coefficient in its own units, where such days tell nothing of it
MOST_STEPS, SMALL_STEP = 50, 1e-7
DECIMALS = 6
# Of a stock's log-odds offset, chosen on a quarter of the stocks up to 2022: a ridge as strong as some 800 days, and a
# weight beside later outcomes that more than three years do not raise.
RIDGE, MOST_OUTCOMES = 100.0, 800.0


def fit_scale_model(training_sets: Sequence[TrainingSet], before: np.datetime64) -> ScaleModel:
    """The scale model of these stocks, of the days to train on and all older ones.

    Parameters
    ----------
    training_sets : sequence of TrainingSet
        With their markets joined.
    before : datetime64
        Only targets known before this day are used.

    Returns
    -------
    ScaleModel
        The default where no day is known.
    """
    rows = [_rows(training_set, before) for training_set in training_sets]
    every = max(1, math.ceil(sum(len(known) for known in rows) / MOST_ROWS))
    parts = [_terms_and_changes(stock, known[::every]) for stock, known in zip(training_sets, rows, strict=True)]
    weights = [np.full(len(changes), float(every)) for _, changes in parts]
    for stock in training_sets:
        older = stock.older.known_before(before)
        parts.append((terms_table(older.inputs, stock.horizon), older.changes_pct / np.sqrt(stock.horizon)))
        weights.append(np.full(len(older.rows), float(older.every)))
    terms, changes = (np.concatenate(both) for both in zip(*parts, strict=True))
    return fitted(terms, changes, np.concatenate(weights)) if len(changes) else DEFAULT


def stock_prior(model: ScaleModel, training_set: TrainingSet) -> StockPrior:
    """A stock's prior from the days before its validation, and all older ones.

    Parameters
    ----------
    model : ScaleModel
    training_set : TrainingSet
        With its market joined.

    Returns
    -------
    StockPrior
    """
    horizon, older = training_set.horizon, training_set.older
    rows = np.concatenate([training_set.split.fit, training_set.split.select])
    terms = [
        terms_table(days, horizon) for days in (older.inputs, training_set.confidence_inputs.iloc[rows]) if len(days)
    ]
    changes = np.concatenate([older.changes_pct, training_set.paths_pct[rows, -1]])
    weights = np.concatenate([np.full(len(older.rows), float(older.every)), np.ones(len(rows))])
    scales_pct = np.exp(np.concatenate(terms) @ _vector(model)) * np.sqrt(horizon)
    return stock_prior_of(scales_pct, changes, weights)


def stock_prior_of(scales_pct: Array, changes_pct: Array, weights: Array) -> StockPrior:
    """Estimate a stock's prior from the accuracy of the naive forecast on past days.

    Parameters
    ----------
    scales_pct, changes_pct : arrays, shape (n_days,)
        The scale model's scale on each day, and the change in % after it.
    weights : array, shape (n_days,)
        The number of days that each stands for.

    Returns
    -------
    StockPrior

    Notes
    -----
    Logistic regression of an offset, with a ridge.
    """
    odds = _log_odds_of_accuracy(scales_pct)
    accurate = np.abs(changes_pct) / (1 + changes_pct / 100) < ACCURATE_BELOW_PCT
    shift = 0.0
    for _ in range(MOST_STEPS):
        chance = 1 / (1 + np.exp(-odds - shift))
        pull = float(weights @ (accurate - chance)) - RIDGE * shift
        step = pull / (float(weights @ (chance * (1 - chance))) + RIDGE)
        shift += min(max(step, -1.0), 1.0)  # Newton's own steps may oscillate
        if abs(step) < SMALL_STEP:
            break
    return StockPrior(shift, min(float(weights.sum()), MOST_OUTCOMES))


def fitted(terms: Array, changes: Array, weights: Array | None = None) -> ScaleModel:
    """The coefficients of greatest posterior density.

    Parameters
    ----------
    terms : array, shape (n_rows, n_terms)
        By TERMS.
    changes : array, shape (n_rows,)
        In %, over one session or scaled to it.
    weights : array, shape (n_rows,), optional
        The number of days that each row stands for; 1 if left out.

    Returns
    -------
    ScaleModel

    Notes
    -----
    Fisher scoring; the prior's precision is that of PRIOR_ROWS such rows (Zellner's g-prior).
    """
    weights = np.ones(len(changes)) if weights is None else weights
    start = _vector(DEFAULT)
    information = 2 * DEGREES / (DEGREES + 3) * (terms.T * weights) @ terms  # of a log scale: 2 n / (n + 3) a row
    prior = information * (PRIOR_ROWS / weights.sum()) + PRIOR_PRECISION * np.eye(len(TERMS))
    found = start.copy()
    for _ in range(MOST_STEPS):
        squares = (changes * np.exp(-terms @ found)) ** 2
        pulls = weights * ((DEGREES + 1) * squares / (DEGREES + squares) - 1)
        step = np.linalg.solve(information + prior, terms.T @ pulls - prior @ (found - start))
        found += step
        if np.abs(step).max() < SMALL_STEP:
            break
    return ScaleModel(dict(zip(TERMS, np.round(found, DECIMALS).tolist(), strict=True)))


def _log_odds_of_accuracy(scales_pct: Array) -> Array:
    """Log odds of an error below 5 % of no change; as `calibration` has them, in arrays."""
    lowest, highest = (100 / (1 + side * ACCURATE_BELOW_PCT / 100) - 100 for side in (1, -1))
    chance = _below(highest / scales_pct) - _below(lowest / scales_pct)
    chance = np.clip(chance, 1 - GREATEST_PROBABILITY, GREATEST_PROBABILITY)
    return np.asarray(np.log(chance / (1 - chance)))


def _below(z: Array) -> Array:
    """Student's distribution function for DEGREES = 5 (Abramowitz and Stegun 26.7.3)."""
    angle = np.arctan2(z, math.sqrt(DEGREES))
    cosine = np.cos(angle)
    return np.asarray(0.5 + (angle + np.sin(angle) * (cosine + 2 / 3 * cosine**3)) / math.pi)


def _vector(model: ScaleModel) -> Array:
    return np.array([model.coefficients[name] for name in TERMS])


def _rows(training_set: TrainingSet, before: np.datetime64) -> NDArray[np.int64]:
    split = training_set.split
    return training_set.known_before(np.concatenate([split.fit, split.select]), before)


def _terms_and_changes(training_set: TrainingSet, rows: NDArray[np.int64]) -> tuple[Array, Array]:
    horizon = training_set.horizon
    terms = terms_table(training_set.confidence_inputs.iloc[rows], horizon)
    return terms, training_set.paths_pct[rows, -1] / np.sqrt(horizon)
