"""The simulated market: days that never change, bars as markets make them, and what may be planted."""

import doctest
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from stockml.core.calendars import calendar_for
from stockml.data import simulated_market as sample
from stockml.data.simulated_market import DIVIDENDS, SAMPLE_SYMBOLS, SPLITS, MarketSettings, sample_bars

START, END = date(2016, 1, 1), date(2026, 11, 20)
COLUMNS = ["Open", "High", "Low", "Close", "Adj Close", "Volume"]

every_company = pytest.mark.parametrize("symbol", SAMPLE_SYMBOLS)


def log_returns(column: str = "Close", settings: MarketSettings = sample.SAMPLE_MARKET) -> pd.DataFrame:
    closes = {symbol: sample_bars(symbol, START, END, settings=settings)[column] for symbol in settings.symbols}
    return np.log(pd.DataFrame(closes)).diff().dropna()


@given(
    symbol=st.sampled_from(SAMPLE_SYMBOLS),
    first=st.dates(date(2014, 6, 1), date(2029, 1, 1)),
    spans=st.tuples(st.integers(0, 900), st.integers(0, 900)),
)
def test_a_day_once_seen_never_changes(symbol, first, spans):
    shorter, longer = sorted(first + timedelta(days=span) for span in spans)
    seen, later = sample_bars(symbol, first, shorter), sample_bars(symbol, date(2015, 1, 1), longer)
    assert_frame_equal(seen, later.loc[str(first) : str(shorter)])


def test_tomorrow_adds_one_bar_also_at_the_turn_of_a_year():
    for today, tomorrow in pairwise([date(2026, 12, 30), date(2026, 12, 31), date(2027, 1, 1)]):
        seen, later = sample_bars("SIM-BETA", START, today), sample_bars("SIM-BETA", START, tomorrow)
        assert_frame_equal(seen, later.iloc[:-1])
        assert later.index[-1].date() == tomorrow


def test_the_bars_are_these_on_every_machine():
    around_dividend = sample_bars("SIM-ALPHA", date(2019, 6, 13), date(2019, 6, 14))
    assert around_dividend.to_numpy().tolist() == [
        [427.15, 431.35, 425.66, 428.33, 401.494879, 2285266],
        [427.12, 427.83, 424.25, 424.39, 406.334752, 2649528],
    ]
    around_split = sample_bars("SIM-GAMMA", date(2021, 8, 19), date(2021, 8, 20))
    assert around_split.to_numpy().tolist() == [
        [394.1325, 394.295, 386.1375, 392.59, 392.59, 574987],
        [390.37, 395.08, 379.52, 381.05, 381.05, 2014333],
    ]


@every_company
def test_bars_are_in_yahoos_form_and_hold_together(symbol):
    bars = sample_bars(symbol, START, END)
    assert list(bars.columns) == COLUMNS
    assert bars.index.name == "Date"
    assert [day.date() for day in bars.index] == calendar_for(symbol).sessions_between(START, END)
    assert np.isfinite(bars).all(axis=None)
    assert (bars[["Open", "Close"]].max(axis=1) <= bars["High"]).all()
    assert (bars[["Open", "Close"]].min(axis=1) >= bars["Low"]).all()
    assert (bars["Low"] > 1).all()
    assert bars["Volume"].dtype == np.int64
    assert (bars["Volume"] > 0).all()


@every_company
def test_prices_move_in_cents_and_in_fractions_of_them_before_a_split(symbol):
    bars = sample_bars(symbol, START, END)[COLUMNS[:4]]
    split_day, shares = SPLITS.get(symbol, (date.min, 1))
    steps = bars.mul(np.where([day.date() < split_day for day in bars.index], 100 * shares, 100), axis=0)
    assert np.allclose(steps, steps.round(), atol=1e-6)


def test_a_split_leaves_no_jump_behind():
    [(symbol, (split_day, _))] = SPLITS.items()
    returns = log_returns()[symbol]
    assert abs(returns[str(split_day)]) < 0.1


def test_markets_move_as_markets_do():
    returns = log_returns("Adj Close")
    sizes = returns.abs()
    assert returns.std().between(0.010, 0.025).all()
    assert (returns.kurt() > 0.5).all()  # more large days than chance alone would make
    assert (pd.Series([sizes[symbol].autocorr(1) for symbol in sizes]) > 0.05).all()  # and they come together
    assert (pd.Series([returns[symbol].autocorr(1) for symbol in returns]).abs() < 0.06).all()  # 3 / sqrt(2840)
    together = returns.corr().to_numpy()[np.triu_indices(len(SAMPLE_SYMBOLS), 1)]
    assert (together > 0.1).all()
    assert 0.2 < together.mean() < 0.6


@every_company
def test_volume_goes_with_the_range(symbol):
    bars = sample_bars(symbol, START, END)
    assert np.log(bars["High"] / bars["Low"]).corr(np.log(bars["Volume"])) > 0.5


def test_each_regime_has_its_time():
    path = sample._regimes(sample._Chance(sample.SAMPLE_MARKET, "market", 3000).uniform)
    shares = np.bincount(path, minlength=4) / len(path)
    assert (shares > 0.05).all()
    assert 20 < len(path) / sum(before != after for before, after in pairwise(path)) < 120  # sessions in each


@every_company
def test_dividends_part_the_adjusted_close_from_the_real_one(symbol):
    bars = sample_bars(symbol, START, END)
    factor = bars["Adj Close"] / bars["Close"]
    expected = pd.Series(1.0, index=bars.index)
    for ex_day, fraction in DIVIDENDS.get(symbol, ()):
        expected[: str(ex_day - timedelta(days=1))] *= 1 - fraction
    assert np.allclose(factor, expected, rtol=1e-6)


def test_a_dividend_is_taken_off_the_price_and_not_off_the_adjusted_one(monkeypatch):
    ex_day, fraction = DIVIDENDS["SIM-ALPHA"][0]
    paid = log_returns()["SIM-ALPHA"][str(ex_day)], log_returns("Adj Close")["SIM-ALPHA"][str(ex_day)]
    sample._company.cache_clear()
    monkeypatch.setattr(sample, "DIVIDENDS", {})
    unpaid = log_returns()["SIM-ALPHA"][str(ex_day)]
    sample._company.cache_clear()
    assert paid == pytest.approx((unpaid + np.log(1 - fraction), unpaid), abs=2e-4)  # prices are rounded to cents


def test_another_seed_is_another_market():
    other = sample_bars("SIM-ALPHA", START, END, settings=MarketSettings(seed=1))
    assert (other["Close"] != sample_bars("SIM-ALPHA", START, END)["Close"]).mean() > 0.99


def test_without_regimes_the_market_is_a_fair_game():
    crowd = tuple(f"SIM-{number}" for number in range(40))
    returns = np.expm1(log_returns(settings=MarketSettings(seed=3, symbols=crowd, has_regimes=False)))
    mean_of_all = returns.mean(axis=1)
    assert abs(mean_of_all.mean()) < 3 * mean_of_all.std() / np.sqrt(len(mean_of_all))
    following = [returns[symbol].autocorr(1) for symbol in crowd]
    assert abs(np.mean(following)) < 0.02


def test_a_planted_drift_sees_past_closes_alone_and_moves_the_next():
    seen = []

    def after_a_fall(closes):
        seen.append(closes.copy())
        return 0.01 if len(closes) > 1 and closes[-1] < closes[-2] else 0.0

    plain = MarketSettings(seed=5, symbols=("SIM-A",), has_regimes=False)
    planted = MarketSettings(seed=5, symbols=("SIM-A",), has_regimes=False, drift=after_a_fall)
    bars = sample_bars("SIM-A", date(2015, 1, 1), date(2015, 12, 31), settings=planted)
    assert [len(closes) for closes in seen] == list(range(1, len(bars) + 1))
    assert np.allclose([closes[-1] for closes in seen[1:]], bars["Close"].iloc[:-1], atol=0.0051)
    unmoved = sample_bars("SIM-A", date(2015, 1, 1), date(2015, 12, 31), settings=plain)
    moved = bars["Close"].pct_change() - unmoved["Close"].pct_change()
    fell = (bars["Close"].diff() < 0).shift(1, fill_value=False)
    assert moved[fell].mean() == pytest.approx(0.01, abs=0.001)
    assert moved[~fell].mean() == pytest.approx(0.0, abs=0.001)


def test_the_planted_market_of_the_documentation_is_as_it_says():
    tried = doctest.testmod(sample)
    assert tried.attempted > 0
    assert tried.failed == 0


def test_an_unknown_company_is_refused_by_name():
    with pytest.raises(ValueError, match=r"TCS\.NS is not simulated; choose from SIM-ALPHA, "):
        sample_bars("TCS.NS", START, END)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (date(2026, 5, 4), date(2026, 5, 1)),
        (date(2026, 5, 2), date(2026, 5, 3)),  # a weekend
        (date(2001, 1, 1), date(2014, 12, 31)),  # before it all began
    ],
)
def test_there_may_be_no_bars(start, end):
    bars = sample_bars("SIM-ALPHA", start, end)
    assert bars.empty
    assert list(bars.columns) == COLUMNS


def test_a_table_handed_out_may_be_changed_without_harm():
    bars = sample_bars("SIM-ALPHA", START, END)
    bars["Close"] = 0.0
    assert (sample_bars("SIM-ALPHA", START, END)["Close"] > 0).all()
