"""Confidence inputs look back over a bounded number of sessions, and see no announcement before it was known."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, time, timedelta

import numpy as np
import pandas as pd
import pytest
from conftest import made_up_prices

from stockml.data.announcements import Announcement, known_by
from stockml.data.price_table import PriceTable
from stockml.indicators import events
from stockml.indicators.confidence_inputs import SESSIONS, confidence_inputs, confidence_table
from stockml.indicators.volatility import market_inputs, true_ranges


@pytest.fixture
def announced() -> PriceTable:
    """Two years of prices with results each quarter, some known two weeks ahead, on which the stock moves more."""
    prices = made_up_prices(620, seed=3)
    frame = prices.frame.copy()
    rows = range(40, 620, 63)
    for row in rows:
        frame.iloc[row, 1] *= 1.04
        frame.iloc[row, 5] *= 3
    days = [frame.index[row].date() for row in rows]
    announcements = tuple(
        Announcement(day, None, day - timedelta(days=14) if number % 2 else None) for number, day in enumerate(days)
    )
    return replace(prices, frame=frame, announcements=announcements)


def test_the_true_range_agrees_with_its_definition_by_hand() -> None:
    frame = pd.DataFrame(
        {
            "low": [99.0, 101.0, 120.0],
            "high": [101.0, 105.0, 121.0],
            "close": [100.0, 104.0, 120.0],
            "adj_close": [49.0, 52.0, 60.0],  # a dividend of 2 on the second day: the close before counts as 98
        },
        index=pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03"]),
    )
    found = true_ranges(frame)
    assert found == pytest.approx([100 * math.log(101 / 99), 100 * math.log(105 / 98), 100 * math.log(121 / 104)])
    assert true_ranges(frame, [date(2024, 1, 3)])[2] == pytest.approx(100 * math.log(121 / 120))


def test_a_session_of_one_price_counts_its_change_as_a_volatility() -> None:
    prices = [100.0, 105.0]
    columns = dict.fromkeys(("low", "high", "close", "adj_close"), prices)
    frame = pd.DataFrame(columns, index=pd.to_datetime(["2024-01-01", "2024-01-02"]))
    assert true_ranges(frame)[1] / 1.596 == pytest.approx(100 * math.log(1.05))


def test_inputs_of_a_day_are_those_of_the_whole_table(announced: PriceTable) -> None:
    whole = confidence_table(announced)
    for row in (0, 30, SESSIONS - 2, SESSIONS - 1, 400, 545, 546, 550, 619):
        expected = {name: value for name, value in whole.iloc[row].items() if math.isfinite(value)}
        assert confidence_inputs(announced, announced.frame.index[row].date()) == expected


def test_a_longer_history_changes_no_input(announced: PriceTable) -> None:
    short = confidence_table(replace(announced, frame=announced.frame.iloc[200:]))
    whole = confidence_table(announced).iloc[200:]
    pd.testing.assert_frame_equal(short.iloc[SESSIONS - 1 :], whole.iloc[SESSIONS - 1 :], check_exact=True)


def test_no_announcement_is_seen_before_it_was_known(announced: PriceTable) -> None:
    """The table with only what had been announced by a day gives that day's inputs."""
    for row in range(300, 620, 7):
        day = announced.frame.index[row].date()
        known = known_by(announced.announcements, day)
        then = replace(announced, frame=announced.frame.iloc[: row + 1], announcements=known)
        assert confidence_inputs(then, day) == confidence_inputs(announced, day)


def test_inputs_are_finite_and_to_four_decimals(announced: PriceTable) -> None:
    found = confidence_table(announced).to_numpy()
    found = found[np.isfinite(found)]
    assert np.array_equal(found, np.round(found, 4))
    assert found.size > 4000


def test_where_results_are_followed_they_stand_for_what_recurs(announced: PriceTable) -> None:
    table = confidence_table(announced)
    bare = confidence_table(replace(announced, announcements=()))
    assert table["recurrence"].iloc[300:].isna().all()
    assert bare["recurrence"].iloc[300:].notna().all()
    assert table["results_reaction"].iloc[300:].min() > 1.5
    assert bare["results_reaction"].isna().all()
    assert bare["recurrence"].iloc[SESSIONS:].max() > 1.5  # the same quarter's big session is seen in the prices too


def test_the_market_s_inputs_are_averages_of_the_stocks() -> None:
    stocks = [{"volatility_5": 1.0, "volatility_20": 2.0}, {"volatility_5": 2.0}]
    assert market_inputs(stocks) == {"market_volatility_5": 1.5, "market_volatility_20": 2.0}
    assert market_inputs([]) == {}


def at_limits(changes_pct: list[float], *, is_locked: bool = False) -> tuple[np.ndarray, ...]:
    """Low, high and close of calm sessions, then some that close at the end of their range after these changes."""
    close = 100 * np.cumprod(1 + np.array([0.0] * 30 + changes_pct) / 100)
    before = np.concatenate([[100.0], close[:-1]])
    frame = pd.DataFrame({"low": np.minimum(close, before), "high": np.maximum(close, before), "close": close})
    frame.loc[:29, "high"] *= 1.01
    frame.loc[:29, "low"] *= 0.99
    if is_locked:
        frame.loc[30:, ["low", "high"]] = close[30:, None]
    return tuple(frame[name].to_numpy() for name in ("low", "high", "close"))


@pytest.mark.parametrize("limit", [2.0, -5.0, 10.0, 20.0])
def test_sessions_in_a_row_at_a_customary_limit_are_counted(limit: float) -> None:
    assert events.limit_runs(*at_limits([limit] * 7))[-8:].tolist() == [0, 1, 2, 3, 4, 5, 5, 5]


def test_a_locked_session_counts_whatever_its_limit() -> None:
    assert events.limit_runs(*at_limits([3.3] * 3, is_locked=True))[-1] == 3
    assert events.limit_runs(*at_limits([3.3] * 3))[-1] == 0


def test_a_run_ends_the_other_way_and_fades() -> None:
    assert events.limit_runs(*at_limits([5.0, 5.0, 5.0, -5.0]))[-1] == pytest.approx(3 * 0.8)
    after = events.limit_runs(*at_limits([5.0] * 5 + [0.3] * 6))[-6:]
    assert after.tolist() == pytest.approx([4, 3, 2, 1, 0, 0])


def test_a_break_is_felt_for_five_sessions() -> None:
    prices = made_up_prices(100)
    broken = replace(prices, breaks=(prices.frame.index[50].date(),))
    found = confidence_table(broken)["disruption"]
    assert found.dropna().tolist() == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2])
    assert found.first_valid_index() == prices.frame.index[50]


def test_without_volume_an_event_is_a_range() -> None:
    prices = made_up_prices(400)
    frame = prices.frame.assign(volume=0.0)
    frame.iloc[395, 1] *= 1.3
    table = confidence_table(replace(prices, frame=frame))
    assert table["volume_1"].isna().all()
    assert table["event_20"].iloc[-1] > 5


def test_time_of_day_moves_the_reaction() -> None:
    prices = made_up_prices(100)
    day = prices.data_through

    def ahead(announcement: Announcement, as_of: date = day) -> float | None:
        table = replace(prices, announcements=(announcement,))
        return confidence_inputs(table, as_of).get("results_days_ahead")

    coming = day + timedelta(days=4)
    assert ahead(Announcement(coming, None, day)) == 4.5
    assert ahead(Announcement(coming, time(9, 0), day)) == 4
    assert ahead(Announcement(coming, time(18, 0), day)) == 5
    assert ahead(Announcement(coming, None, day + timedelta(days=1))) is None
    assert ahead(Announcement(coming)) is None
    assert ahead(Announcement(day)) == 0.5
    assert ahead(Announcement(day, time(18, 0))) == 1
    assert ahead(Announcement(day, time(9, 0))) is None
