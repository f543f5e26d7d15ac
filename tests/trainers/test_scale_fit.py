"""The scale model is fitted to what its training knows, and hardly leaves the default where that is little."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import made_up_prices

from stockml.signals.calibration import NO_STOCK_PRIOR, Calibration
from stockml.signals.scale_model import DEFAULT, TERMS, ScaleModel
from stockml.trainers.dataset import join_market, prepare
from stockml.trainers.scale_fit import MOST_OUTCOMES, fit_scale_model, fitted, stock_prior_of
from stockml.trainers.scale_terms import terms_table

INPUTS = ("volatility_1", "volatility_5", "volatility_20", "volatility_60", "volatility_250", "recurrence")


def days(n: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return terms_table(pd.DataFrame(np.exp(rng.normal(0.5, 0.4, (n, len(INPUTS)))), columns=list(INPUTS)), 1)


def changes(terms: np.ndarray, model: ScaleModel, seed: int = 2) -> np.ndarray:
    sizes = terms @ np.array([model.coefficients[name] for name in TERMS])
    return np.exp(sizes) * np.random.default_rng(seed).standard_t(5, len(terms))


def misfit(found: ScaleModel, truth: ScaleModel, terms: np.ndarray) -> float:
    """Root mean square error of the log scale."""
    gap = np.array([found.coefficients[name] - truth.coefficients[name] for name in TERMS])
    return float(np.sqrt(np.mean((terms @ gap) ** 2)))


TRUTH = ScaleModel({**DEFAULT.coefficients, "constant": 0.2, "recurrence": 0.6, "volatility_20": 0.1})


@pytest.mark.parametrize(("n", "share"), [(500, 0.98), (20_000, 0.7), (80_000, 0.45)])
def test_the_more_days_the_nearer_the_truth(n: int, share: float) -> None:
    terms = days(n)
    found = fitted(terms, changes(terms, TRUTH))
    assert misfit(found, TRUTH, terms) < share * misfit(DEFAULT, TRUTH, terms)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("n", "most"), [(400, 0.01), (6000, 0.02)])
def test_one_stock_hardly_leaves_the_default_by_chance(n: int, most: float, seed: int) -> None:
    terms = days(n, seed)
    assert misfit(fitted(terms, changes(terms, DEFAULT, seed + 10)), DEFAULT, terms) < most


def test_days_that_tell_nothing_of_a_term_leave_it() -> None:
    terms = days(3000)
    terms[:, TERMS.index("results_known")] = 0.0
    found = fitted(terms, changes(terms, TRUTH))
    assert found.coefficients["results_known"] == pytest.approx(DEFAULT.coefficients["results_known"], abs=1e-6)


def test_extreme_changes_do_not_throw_it() -> None:
    terms = days(3000)
    wild = changes(terms, DEFAULT)
    wild[::100] = 1e6
    assert misfit(fitted(terms, wild), DEFAULT, terms) < 0.1
    assert misfit(fitted(terms, np.zeros(3000)), DEFAULT, terms) < 1.0


def test_a_training_s_model_uses_no_target_known_after_its_day() -> None:
    stocks = {symbol: made_up_prices(700, seed=seed, symbol=symbol) for seed, symbol in enumerate(("A.NS", "B.NS"))}
    sets = join_market({symbol: prepare(table, horizon=5, years=2, seed=1) for symbol, table in stocks.items()})
    members = list(sets.values())
    before = members[0].dates[members[0].split.validation[0]]
    found = fit_scale_model(members, before)
    assert found != DEFAULT
    for member in members:
        known = member.dates[np.arange(len(member.dates) - 5) + 5] < before
        member.paths_pct[:-5][~known] += 50.0
    assert fit_scale_model(members, before) == found
    assert fit_scale_model(members, members[0].dates[0]) == DEFAULT


def test_a_day_that_stands_for_several_counts_for_them() -> None:
    terms = days(900)
    size = changes(terms, TRUTH)
    thrice = fitted(np.repeat(terms, 3, axis=0), np.repeat(size, 3))
    assert fitted(terms, size, np.full(900, 3.0)) == thrice != fitted(terms, size)


@pytest.mark.parametrize(("n", "outcomes"), [(100, 100.0), (500, 500.0), (6000, MOST_OUTCOMES)])
def test_a_stock_prior_is_bolder_the_more_days_tell_of_it(n: int, outcomes: float) -> None:
    rng = np.random.default_rng(2)
    quiet, wild = rng.standard_t(5, 6000)[:n], np.full(n, 5.0)  # far calmer than its volatility says
    found, fewer = (stock_prior_of(wild[:m], quiet[:m], np.ones(m)) for m in (n, n // 2))
    assert found.outcomes == outcomes
    assert found.shift > fewer.shift > 0
    assert stock_prior_of(np.zeros(0), np.zeros(0), np.zeros(0)) == NO_STOCK_PRIOR


@pytest.mark.parametrize("hit", [0.0, 90.0])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_whatever_came_a_stock_prior_is_found(hit: float, scale: float) -> None:
    found = stock_prior_of(np.full(6000, scale), np.full(6000, hit), np.ones(6000))
    assert np.isfinite(found.shift) and (found.shift > 0) == (hit == 0.0)


@pytest.mark.parametrize("scale", [0.2, 1.5, 4.0, 30.0])
def test_a_stock_prior_starts_from_the_chance_that_calibration_states(scale: float) -> None:
    """With as many hits as that chance says, there is nothing to add to it."""
    chance = Calibration(5).confidence("A.NS", scale, 0.0).probability
    hits = round(10_000 * chance)
    actual = np.concatenate([np.zeros(hits), np.full(10_000 - hits, 40.0)])
    assert stock_prior_of(np.full(10_000, scale), actual, np.ones(10_000)).shift == pytest.approx(0, abs=0.02)
