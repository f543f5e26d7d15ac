"""Indicators against TA-Lib, at their edges, and as functions of a fixed memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st
from moving_average import ema
from numpy.testing import assert_allclose, assert_array_equal

from stockml.indicators import smoothing
from stockml.indicators import technical as indicators
from stockml.indicators.technical import Array

MEMORY = 250
WHOLE = 2500  # sessions: no table here is longer


def walk(n_days: int, seed: int = 0) -> Array:
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, n_days)))


REFERENCES: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "sma20": (lambda c: indicators.sma(c, 20), lambda c: talib.SMA(c, 20)),
    "sma200": (lambda c: indicators.sma(c, 200), lambda c: talib.SMA(c, 200)),
    "ema12": (lambda c: ema(c, 12), lambda c: talib.EMA(c, 12)),
    "rsi": (lambda c: indicators.rsi(c, memory=WHOLE), lambda c: talib.RSI(c, 14)),
    "macd": (lambda c: indicators.macd(c, memory=WHOLE)[0], lambda c: talib.MACD(c, 12, 26, 9)[0]),
    "macd_signal": (lambda c: indicators.macd(c, memory=WHOLE)[1], lambda c: talib.MACD(c, 12, 26, 9)[1]),
}


@pytest.mark.parametrize("n_days", [1, 14, 15, 33, 34, 35, 127, 128, 129, 300, 2500])
@pytest.mark.parametrize("name", REFERENCES)
def test_agrees_with_talib_from_its_first_value_on(name: str, n_days: int) -> None:
    ours, reference = REFERENCES[name]
    close = walk(n_days)
    expected = reference(close)
    assert_array_equal(np.isnan(ours(close)), np.isnan(expected))
    assert_allclose(ours(close), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["rsi", "macd", "macd_signal", "ema12"])
def test_with_a_memory_each_value_is_that_of_its_own_window(name: str) -> None:
    close = walk(700)
    functions = {
        "rsi": lambda c: indicators.rsi(c, memory=MEMORY),
        "macd": lambda c: indicators.macd(c, memory=MEMORY)[0],
        "macd_signal": lambda c: indicators.macd(c, memory=MEMORY)[1],
        "ema12": lambda c: ema(c, 12, memory=MEMORY),
    }
    remembering, (_, reference) = functions[name], REFERENCES[name]
    whole = remembering(close)
    for day in (100, 249, 250, 400, 699):
        window = close[max(0, day - MEMORY + 1) : day + 1]
        assert_allclose(whole[day], reference(window)[-1], rtol=0, atol=1e-9)
    for begins in (1, 17, 449, 450):  # to the bit, wherever the table begins
        assert_array_equal(remembering(close[begins:])[MEMORY - 1 :], whole[begins + MEMORY - 1 :])


@given(st.integers(0, 10_000), st.integers(34, 80), st.integers(34, 120))
def test_of_any_memory_each_value_is_talibs_of_its_window(seed: int, memory: int, n_days: int) -> None:
    close = walk(n_days, seed)
    window = close[-memory:]
    line, signal, _ = talib.MACD(window, 12, 26, 9)
    ours = (indicators.rsi(close, memory=memory), *indicators.macd(close, memory=memory))
    for found, expected in zip(ours, (talib.RSI(window, 14), line, signal), strict=True):
        assert_allclose(found[-1], expected[-1], rtol=0, atol=1e-9)


@given(st.integers(1, 40), st.integers(0, 40), st.sampled_from([1.0, 0.5, 0.926]))
def test_a_decayed_sum_is_the_sum_of_its_terms(n_days: int, rows: int, decay: float) -> None:
    values = walk(n_days)
    expected = [sum(decay**ago * values[day - ago] for ago in range(min(rows, day + 1))) for day in range(n_days)]
    assert_allclose(smoothing.decayed_sums(values, decay, rows), expected, rtol=1e-12)


def test_rsi_of_a_price_that_never_moved_is_neutral() -> None:
    assert_array_equal(indicators.rsi(np.full(40, 7.0), memory=MEMORY)[14:], 50.0)
    stopped = np.concatenate([walk(100), np.full(MEMORY, 7.0)])
    assert_array_equal(indicators.rsi(stopped, memory=MEMORY)[-1:], 50.0)


@pytest.mark.parametrize("price", [7.0, 3033.57, 1e-9, 0.1 + 0.2])
def test_the_macd_of_a_price_that_never_moved_is_zero(price: float) -> None:
    assert_array_equal(indicators.macd(np.full(300, price), memory=MEMORY)[0][33:], 0.0)


def test_rsi_of_one_way_moves_is_at_its_ends() -> None:
    rising = np.arange(1.0, 60.0)
    assert_allclose(indicators.rsi(rising, memory=MEMORY)[14:], 100)
    assert_allclose(indicators.rsi(rising[::-1].copy(), memory=MEMORY)[14:], 0, atol=1e-12)


@given(st.integers(0, 10_000), st.floats(1e-3, 1e6))
def test_rsi_stays_in_its_range_and_ignores_the_price_scale(seed: int, scale: float) -> None:
    close = walk(120, seed)
    value = indicators.rsi(close, memory=60)[14:]
    assert ((value >= 0) & (value <= 100)).all()
    assert_allclose(indicators.rsi(close * scale, memory=60)[14:], value, atol=1e-6)


def test_volatility_is_the_sample_deviation_of_daily_returns_over_a_year() -> None:
    close = walk(60)
    daily = close[1:] / close[:-1] - 1
    expected = daily[-20:].std(ddof=1) * np.sqrt(252)
    assert_allclose(indicators.annualised_volatility(close)[-1], expected)
    assert np.isnan(indicators.annualised_volatility(close)[:20]).all()


@pytest.mark.parametrize("window", [0, -3])
def test_a_window_without_sessions_is_refused(window: int) -> None:
    with pytest.raises(ValueError, match=f"window is {window}"):
        indicators.sma(walk(10), window)
