"""Verification: which close settles a prediction, in which units, when it must wait, and when it expires."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pandas as pd
import pytest
from conftest import made_up_prices

from stockml.accuracy.settlement import is_due, settle
from stockml.core.clock import Clock
from stockml.core.records import Evidence, Outcome, Prediction, Signal
from stockml.data.price_table import PriceTable

MADE_FROM, TARGET = "2026-06-12", "2026-06-19"
LATER = datetime(2026, 11, 20, 12, tzinfo=UTC)


def prediction(symbol: str = "MADE.NS", **changes) -> Prediction:
    base = Prediction(
        symbol=symbol,
        prediction_date=f"{MADE_FROM}T16:00:00",
        current_price=100.0,
        predicted_price=102.0,
        predicted_change_pct=2.0,
        confidence=0.8,
        prediction_horizon_days=5,
        target_date=TARGET,
        market_regime="sideways",
        signals=(Signal("golden_cross", 0.4),),
        data_through=MADE_FROM,
        magnitude=1.0,
        low=95.0,
        high=109.0,
        path=(100.4, 100.8, 101.2, 101.6, 102.0),
        evidence=Evidence({"golden_cross": 2.0}, {"volatility_20": 1.5}),
        source="csv",
        currency="INR",
        model_trained_at=None,
    )
    return replace(base, **changes)


def table(
    closes: dict[str, float], *, missing: tuple[str, ...] = (), last: str = "2026-06-30", symbol="MADE.NS"
) -> PriceTable:
    """Closes of 100 every weekday, except as stated."""
    prices = made_up_prices(60, symbol=symbol, last_day=date.fromisoformat(last))
    frame = prices.frame.copy()
    frame[["open", "high", "low", "close", "adj_close"]] = 100.0
    for day, close in closes.items():
        frame.loc[pd.Timestamp(day), ["open", "high", "low", "close", "adj_close"]] = close
    return replace(prices, frame=frame.drop([pd.Timestamp(day) for day in missing]))


def clock(as_of: str) -> Clock:
    return Clock(LATER, date.fromisoformat(as_of))


def settled(prices: PriceTable, as_of: str, **others: PriceTable) -> Outcome | str:
    tables = {"MADE.NS": prices.through(date.fromisoformat(as_of)), **others}
    outcomes, waiting = settle([prediction()], tables, clock(as_of))
    return waiting[0].reason if waiting else outcomes[prediction().id]


def test_the_close_of_the_target_day_settles_it_with_errors_against_what_came_true() -> None:
    outcome = settled(table({TARGET: 104.0, "2026-06-22": 90.0}), "2026-06-30")
    assert outcome == Outcome(
        status="verified",
        settled_at="2026-06-30T15:30:00",
        actual_price=104.0,
        error_pct=pytest.approx(2 / 104 * 100, abs=1e-4),
        was_accurate=True,
        naive_error_pct=pytest.approx(4 / 104 * 100, abs=1e-4),
    )


@pytest.mark.parametrize(("close", "accurate"), [(107.36, True), (107.37, False), (97.15, True), (97.14, False)])
def test_accurate_means_an_error_below_five_per_cent_of_the_actual_price(close: float, accurate: bool) -> None:
    outcome = settled(table({TARGET: close}), "2026-06-19")
    assert isinstance(outcome, Outcome) and outcome.was_accurate is accurate


def test_a_split_since_is_put_back_into_the_predictions_units() -> None:
    before = settled(table({TARGET: 104.0}), "2026-06-30")
    halved = table({TARGET: 104.0})
    after = settled(replace(halved, frame=halved.frame.assign(close=halved.frame["close"] / 4)), "2026-06-30")
    assert isinstance(before, Outcome) and isinstance(after, Outcome)
    assert after.units_factor == 4.0
    assert replace(after, units_factor=None) == before


def test_a_dividend_is_an_ordinary_outcome() -> None:
    paid = table({TARGET: 97.0})
    adjusted = paid.frame["adj_close"].where(paid.frame.index >= pd.Timestamp(TARGET), paid.frame["adj_close"] * 0.97)
    outcome = settled(replace(paid, frame=paid.frame.assign(adj_close=adjusted)), "2026-06-30")
    assert isinstance(outcome, Outcome)
    assert outcome.actual_price == 97.0 and outcome.units_factor is None


def test_a_missing_target_bar_waits_then_the_next_session_serves() -> None:
    prices = table({"2026-06-22": 105.0}, missing=(TARGET,))
    assert settled(prices, "2026-06-25") == f"the bar of {TARGET} is missing and may still be filled in"
    outcome = settled(prices, "2026-06-29")  # the fifth session after it; the 26th is a holiday of this exchange
    assert isinstance(outcome, Outcome) and outcome.actual_price == 105.0


def test_a_day_that_no_stock_of_the_exchange_traded_need_not_be_waited_for() -> None:
    prices = table({"2026-06-22": 105.0}, missing=(TARGET,))
    others_closed = table({}, missing=(TARGET,), symbol="OTHER.NS")
    others_open = table({}, symbol="OTHER.NS")
    elsewhere = table({}, missing=(TARGET,), symbol="OTHER.L")
    assert isinstance(settled(prices, "2026-06-22", **{"OTHER.NS": others_closed}), Outcome)
    assert isinstance(settled(prices, "2026-06-22", **{"OTHER.NS": others_open}), str)
    assert isinstance(settled(prices, "2026-06-22", **{"OTHER.L": elsewhere}), str)


def test_no_bar_thirty_days_after_the_target_expires_it() -> None:
    stopped = table({}, last="2026-06-18")
    assert settled(stopped, "2026-07-17") == f"there is no bar of {TARGET} yet"
    outcome = settled(stopped, "2026-07-20")
    assert isinstance(outcome, Outcome)
    assert outcome.status == "expired" and "no price from 2026-06-19 on" in str(outcome.reason)
    assert outcome.actual_price is None


def test_without_an_answer_of_the_source_nothing_expires() -> None:
    outcomes, waiting = settle([prediction()], {}, clock("2026-10-01"))
    assert not outcomes and waiting[0].reason == "its prices could not be had"


def test_what_the_source_no_longer_knows_expires_after_thirty_days() -> None:
    outcomes, waiting = settle([prediction()], {}, clock("2026-07-17"), gone={"MADE.NS"})
    assert not outcomes and waiting
    outcomes, waiting = settle([prediction()], {}, clock("2026-07-20"), gone={"MADE.NS"})
    assert outcomes[prediction().id].status == "expired" and not waiting


def test_a_table_without_the_day_it_was_made_from_cannot_tell_the_units() -> None:
    prices = table({TARGET: 104.0}, missing=(MADE_FROM,))
    assert "do not hold 2026-06-12" in str(settled(prices, "2026-06-30"))
    outcome = settled(table({}, missing=(MADE_FROM,), last="2026-07-31"), "2026-07-31")
    assert isinstance(outcome, Outcome) and outcome.status == "expired"


@pytest.mark.parametrize(("as_of", "due"), [("2026-06-18", False), (TARGET, True), ("2026-06-21", True)])
def test_a_prediction_is_due_once_its_session_is_complete(as_of: str, due: bool) -> None:
    assert is_due(prediction(), clock(as_of)) is due


def test_live_the_session_is_complete_twenty_minutes_after_its_close() -> None:
    closes = datetime(2026, 6, 19, 10, 0, tzinfo=UTC)  # 15:30 in Mumbai
    assert not is_due(prediction(), Clock(closes.replace(minute=19)))
    assert is_due(prediction(), Clock(closes.replace(minute=20)))
