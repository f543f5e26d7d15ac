"""Features see no future, forget what is old, and are split by time with a gap."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from conftest import made_up_prices
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal

from stockml.data.price_table import PriceTable
from stockml.indicators.features import (
    HISTORY_SESSIONS,
    change_pct,
    feature_table,
    indicator_table,
    relative_volume,
    split_rows,
    usable_rows,
)


def first_days(prices: PriceTable, n_days: int) -> PriceTable:
    return replace(prices, frame=prices.frame.iloc[:n_days])


@pytest.mark.parametrize("table", [indicator_table, feature_table], ids=lambda f: f.__name__)
def test_a_longer_table_changes_nothing(prices: PriceTable, table) -> None:
    whole = table(prices)
    recent = table(replace(prices, frame=prices.frame.iloc[-HISTORY_SESSIONS - 30 :]))
    assert_frame_equal(recent.iloc[HISTORY_SESSIONS:], whole.iloc[-30:], check_exact=True)


def test_a_later_dividend_changes_no_feature(prices: PriceTable) -> None:
    frame = prices.frame.assign(adj_close=prices.frame["adj_close"] * 0.93)
    assert_frame_equal(feature_table(replace(prices, frame=frame)), feature_table(prices), rtol=1e-9, atol=1e-9)


def test_a_split_changes_no_feature(prices: PriceTable) -> None:
    frame = prices.frame.copy()
    frame[["open", "high", "low", "close", "adj_close"]] /= 4
    frame["volume"] *= 4
    assert_frame_equal(feature_table(replace(prices, frame=frame)), feature_table(prices), rtol=1e-9, atol=1e-9)


def test_the_input_is_left_as_it_was(prices: PriceTable) -> None:
    before = prices.frame.copy()
    feature_table(prices)
    change_pct(prices, 5)
    assert_frame_equal(prices.frame, before)


def test_the_target_is_the_change_to_come_and_unknown_for_the_newest_rows(prices: PriceTable) -> None:
    close = prices.frame["adj_close"].to_numpy()
    target = change_pct(prices, 5)
    assert target.iloc[10] == pytest.approx((close[15] / close[10] - 1) * 100)
    assert target.iloc[-5:].isna().all() and target.iloc[:-5].notna().all()


def test_a_stock_without_volume_has_a_neutral_relative_volume(prices: PriceTable) -> None:
    still = replace(prices, frame=prices.frame.assign(volume=0.0))
    assert_array_equal(relative_volume(still)[19:], 0.0)


def test_flat_prices_give_finite_features() -> None:
    prices = made_up_prices(300)
    frame = prices.frame.assign(open=5.0, high=5.0, low=5.0, close=5.0, adj_close=5.0)
    assert np.isfinite(feature_table(replace(prices, frame=frame)).iloc[-1]).all()


def test_windows_and_answers_across_a_demerger_are_not_used(prices: PriceTable) -> None:
    row = 400
    day = prices.frame.index[row].date()
    usable = usable_rows(replace(prices, breaks=(day,)), 5)
    assert not usable[row - 5 : row + 60].any()
    assert usable[row - 6] and usable[row + 60]


@given(n_rows=st.integers(120, 800), horizon=st.integers(1, 20))
def test_no_answer_of_a_part_reaches_into_the_next(n_rows: int, horizon: int) -> None:
    usable = np.ones(n_rows, dtype=bool)
    usable[-horizon:] = False
    split = split_rows(usable, horizon)
    assert split.fit.max() + horizon < split.select.min()
    assert split.select.max() + horizon < split.validation.min()
    assert len(split.validation) == int((n_rows - horizon) * 0.2)


def test_golden_cross_columns_are_plain_averages(prices: PriceTable) -> None:
    close = prices.frame["adj_close"].to_numpy()
    row = indicator_table(prices).iloc[-1]
    assert_allclose([row["sma20"], row["sma50"], row["sma200"]], [close[-n:].mean() for n in (20, 50, 200)])


def test_a_break_before_the_table_is_ignored(prices: PriceTable) -> None:
    early = replace(prices, breaks=(date(1999, 1, 4),), frame=prices.frame)
    assert usable_rows(early, 5).sum() >= len(prices.frame) - 5 - 60


def test_dates_are_those_of_the_prices(prices: PriceTable) -> None:
    assert feature_table(prices).index.equals(pd.DatetimeIndex(prices.frame.index))
    assert first_days(prices, 3).data_through == prices.frame.index[2].date()
