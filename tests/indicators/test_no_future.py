"""The one test that matters most here: nothing computed for a day changes when later days are cut off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from conftest import made_up_prices
from moving_average import ema
from numpy.testing import assert_array_equal

from stockml.data.price_table import PriceTable
from stockml.indicators import confidence_inputs, features, smoothing, volatility
from stockml.indicators import technical as indicators
from stockml.indicators.patterns import PatternConfig, PatternModel, normalised_windows

MEMORY = features.HISTORY_SESSIONS
DAYS = (45, 130, 249, 250, 251, 399, 640)


def closes(prices: PriceTable) -> indicators.Array:
    return prices.frame["adj_close"].to_numpy()


def fitted_patterns() -> PatternModel:
    past = made_up_prices(300, seed=9)
    windows = normalised_windows(past, PatternConfig())[19:-5]
    return PatternModel.fit(windows, features.change_pct(past, 5).to_numpy()[19:-5], horizon=5, seed=3)


PATTERNS = fitted_patterns()

ALL: dict[str, Callable[[PriceTable], np.ndarray]] = {
    "sma": lambda p: indicators.sma(closes(p), 20),
    "ema": lambda p: ema(closes(p), 20, memory=MEMORY),
    "rsi": lambda p: indicators.rsi(closes(p), memory=MEMORY),
    "macd": lambda p: np.stack(indicators.macd(closes(p), memory=MEMORY), axis=1),
    "decayed_sums": lambda p: smoothing.decayed_sums(closes(p), 0.9, MEMORY),
    "rolling_std": lambda p: indicators.rolling_std(closes(p), 20),
    "rolling_max": lambda p: indicators.rolling_max(closes(p), 60),
    "rolling_min": lambda p: indicators.rolling_min(closes(p), 60),
    "change": lambda p: indicators.change(closes(p), 20),
    "annualised_volatility": lambda p: indicators.annualised_volatility(closes(p)),
    "indicator_table": lambda p: features.indicator_table(p).to_numpy(),
    "feature_table": lambda p: features.feature_table(p).to_numpy(),
    "relative_volume": features.relative_volume,
    "normalised_windows": lambda p: normalised_windows(p, PATTERNS.config),
    "pattern_number": lambda p: PATTERNS.read(normalised_windows(p, PATTERNS.config)).number,
    "pattern_unusual": lambda p: PATTERNS.read(normalised_windows(p, PATTERNS.config)).unusual,
    "pattern_outcome": lambda p: PATTERNS.read(normalised_windows(p, PATTERNS.config)).outcome_pct,
    "true_ranges": lambda p: volatility.true_ranges(p.frame, p.breaks),
    "confidence_table": lambda p: confidence_inputs.confidence_table(p).to_numpy(),
}


@pytest.mark.parametrize("name", ALL)
def test_no_value_changes_when_the_future_is_cut_off(name: str) -> None:
    prices = made_up_prices(700)
    whole = ALL[name](prices)
    assert len(whole) == 700
    for day in DAYS:
        cut = ALL[name](replace(prices, frame=prices.frame.iloc[: day + 1]))
        # to the bit: where the table is longer than the memory, one row never depends on how many others there are
        if day >= MEMORY:
            assert_array_equal(cut[MEMORY:], whole[MEMORY : day + 1])
        np.testing.assert_allclose(cut, whole[: day + 1], rtol=1e-12, atol=1e-12)


def test_every_public_indicator_is_in_the_test_above() -> None:
    public = {name for name, value in vars(indicators).items() if callable(value) and not name.startswith("_")}
    imported = {"Array", "Callable", "NDArray", "lru_cache", "sliding_window_view"}
    assert public - imported <= set(ALL)


def test_pattern_outcomes_of_training_rows_know_only_what_was_answered_before() -> None:
    rng = np.random.default_rng(4)
    number = rng.integers(0, 3, 200)
    outcomes = rng.normal(0, 2, 200)
    model = replace(PATTERNS, config=PatternConfig(patterns=3))
    whole = model.outcomes_as_known(number, outcomes, horizon=5)
    for row in (5, 60, 199):
        changed = outcomes.copy()
        changed[row - 4 :] += 100  # targets that were not known on that row's day
        assert_array_equal(model.outcomes_as_known(number, changed, horizon=5)[: row + 1], whole[: row + 1])
        earlier = outcomes.copy()
        earlier[number == number[row]] += 100
        if row > 5:
            assert model.outcomes_as_known(number, earlier, horizon=5)[row] != whole[row]


@pytest.mark.parametrize("day", [350, 500])
def test_a_split_never_uses_a_target_that_was_not_known(day: int) -> None:
    prices = made_up_prices(700)
    cut = replace(prices, frame=prices.frame.iloc[: day + 1])
    usable = features.usable_rows(cut, 5)
    split = features.split_rows(usable, 5)
    assert max(split.validation.max(), split.fit.max(), split.select.max()) + 5 <= day
