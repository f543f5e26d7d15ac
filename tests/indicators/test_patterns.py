"""Unsupervised patterns: shapes without scale, found without labels, with a shrunk outcome each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import made_up_prices
from numpy.testing import assert_allclose, assert_array_equal

from stockml.data.price_table import PriceTable
from stockml.indicators.features import change_pct
from stockml.indicators.patterns import PatternConfig, PatternModel, normalised_windows

CONFIG = PatternConfig(window_sessions=10, patterns=2)


def waves(n_days: int = 400) -> PriceTable:
    """Prices that rise for ten days and fall for ten, again and again."""
    base = made_up_prices(n_days)
    price = 100 + np.abs(np.arange(n_days) % 20 - 10.0)
    columns = dict.fromkeys(("open", "high", "low", "close", "adj_close"), price)
    return replace(base, frame=base.frame.assign(**columns, volume=1000.0))


def test_windows_have_no_scale_and_no_currency() -> None:
    prices = made_up_prices(80)
    frame = prices.frame.assign(adj_close=prices.frame["adj_close"] * 83.1)
    assert_allclose(
        normalised_windows(replace(prices, frame=frame), CONFIG), normalised_windows(prices, CONFIG), atol=1e-9
    )


def test_the_two_turns_of_a_wave_are_told_apart_and_known_again() -> None:
    prices = waves()
    windows, target = normalised_windows(prices, CONFIG), change_pct(prices, 5).to_numpy()
    rows = np.arange(9, 300)
    model = PatternModel.fit(windows[rows], target[rows], horizon=5, seed=0, config=CONFIG)
    seen = model.read(windows)
    assert set(seen.number[9:]) == {0, 1} and (seen.number[:9] == -1).all()
    assert_array_equal(seen.number[320:380], seen.number[300:360])  # one wave later, the same patterns
    after = [target[rows][seen.number[rows] == number].mean() for number in (0, 1)]
    assert np.sign(model.outcome_pct).tolist() == np.sign(after).tolist()
    assert (np.abs(model.outcome_pct) < np.abs(after)).all()  # shrunk


def test_a_window_unlike_any_seen_is_unusual() -> None:
    prices = waves()
    windows = normalised_windows(prices, CONFIG)
    target = change_pct(prices, 5).to_numpy()
    model = PatternModel.fit(windows[9:300], target[9:300], horizon=5, seed=0, config=CONFIG)
    strange = np.zeros((1, 20))
    strange[0, 5] = 9.0
    assert model.read(strange).unusual[0] == 1.0
    assert model.read(windows[300:320]).unusual.max() < 1.0


def test_the_same_seed_finds_the_same_patterns() -> None:
    windows = normalised_windows(made_up_prices(300), PatternConfig())[19:]
    fits = [PatternModel.fit(windows, np.zeros(len(windows)), horizon=5, seed=7) for _ in range(2)]
    assert_array_equal(fits[0].centres, fits[1].centres)


def test_prices_that_never_move_have_a_pattern() -> None:
    still = waves(60)
    columns = {name: np.full(60, 3.0) for name in ("open", "high", "low", "close", "adj_close")}
    assert_array_equal(normalised_windows(replace(still, frame=still.frame.assign(**columns)), CONFIG)[9:], 0.0)


def test_too_few_windows_are_refused_with_the_numbers() -> None:
    with pytest.raises(ValueError, match="1 windows, need 2"):
        PatternModel.fit(np.zeros((1, 20)), np.zeros(1), horizon=5, seed=0, config=CONFIG)


def test_what_followed_is_averaged_over_windows_that_do_not_overlap() -> None:
    rng = np.random.default_rng(0)
    windows = np.concatenate([rng.normal(-5, 0.1, (50, 20)), rng.normal(5, 0.1, (50, 20))])
    outcomes = np.concatenate([np.full(50, 2.0), np.full(50, -1.0)])
    model = PatternModel.fit(windows, outcomes, horizon=5, seed=0, config=CONFIG)
    share = 10 / (10 + CONFIG.shrink_windows)  # 50 overlapping windows of 5 sessions are worth 10
    assert sorted(model.outcome_pct) == pytest.approx(sorted([2.0 * share, -1.0 * share]))
