"""Fit of the scale model: the confidence inputs of all stocks' days and what came after in, its coefficients out.

By maximum likelihood of Student's law, shrunk toward the default model, which rests on two decades and two markets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stockml.signals.scale_model import DEFAULT, DEGREES, TERMS, ScaleModel, terms_of
from stockml.trainers.dataset import TrainingSet

Array = NDArray[np.float64]

MOST_ROWS = 40_000  # two years of a hundred stocks; of more, every so many
PRIOR_ROWS = 20_000.0  # days of a stock that the default counts as: two years of fifty stocks change it by half
PRIOR_PRECISION = 1000.0  # of each coefficient in its own units, where such days tell nothing of it
MOST_STEPS, SMALL_STEP = 50, 1e-7
DECIMALS = 6


def fit_scale_model(training_sets: Sequence[TrainingSet], before: np.datetime64) -> ScaleModel:
    """The scale model of these stocks.

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
    terms, changes = (np.concatenate(both) for both in zip(*parts, strict=True))
    return fitted(terms, changes) if len(changes) else DEFAULT


def known_inputs(training_set: TrainingSet, rows: NDArray[np.int64]) -> list[dict[str, float]]:
    """The confidence inputs of some days, without what is not known.

    Parameters
    ----------
    training_set : TrainingSet
    rows : int array, shape (n_rows,)

    Returns
    -------
    list of dict
    """
    days = training_set.confidence_inputs.iloc[rows].to_dict("records")
    return [{str(name): float(value) for name, value in day.items() if np.isfinite(value)} for day in days]


def fitted(terms: Array, changes: Array) -> ScaleModel:
    """The coefficients of greatest posterior density.

    Parameters
    ----------
    terms : array, shape (n_rows, n_terms)
        By TERMS.
    changes : array, shape (n_rows,)
        In %, over one session or scaled to it.

    Returns
    -------
    ScaleModel

    Notes
    -----
    Fisher scoring; the prior's precision is that of PRIOR_ROWS such rows (Zellner's g-prior).
    """
    start = np.array([DEFAULT.coefficients[name] for name in TERMS])
    information = 2 * DEGREES / (DEGREES + 3) * terms.T @ terms  # of a log scale: 2 n / (n + 3) a row
    prior = information * (PRIOR_ROWS / len(changes)) + PRIOR_PRECISION * np.eye(len(TERMS))
    found = start.copy()
    for _ in range(MOST_STEPS):
        squares = (changes * np.exp(-terms @ found)) ** 2
        gradient = terms.T @ ((DEGREES + 1) * squares / (DEGREES + squares) - 1) - prior @ (found - start)
        step = np.linalg.solve(information + prior, gradient)
        found += step
        if np.abs(step).max() < SMALL_STEP:
            break
    return ScaleModel(dict(zip(TERMS, np.round(found, DECIMALS).tolist(), strict=True)))


def _rows(training_set: TrainingSet, before: np.datetime64) -> NDArray[np.int64]:
    split = training_set.split
    return training_set.known_before(np.concatenate([split.fit, split.select]), before)


def _terms_and_changes(training_set: TrainingSet, rows: NDArray[np.int64]) -> tuple[Array, Array]:
    horizon = training_set.horizon
    days = [terms_of(inputs, horizon) for inputs in known_inputs(training_set, rows)]
    terms = np.array([[day[name] for name in TERMS] for day in days]).reshape(-1, len(TERMS))
    return terms, training_set.paths_pct[rows, -1] / np.sqrt(horizon)
