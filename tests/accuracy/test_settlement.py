"""Verification: which close settles a prediction, in which units, when it must wait, and when it expires."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
from conftest import made_up_prices
from hypothesis import assume, given
from hypothesis import strategies as st

from stockml.accuracy import settlement
from stockml.accuracy.settlement import is_due, settle
from stockml.core.clock import Clock
from stockml.core.outcomes import Outcome
from stockml.core.records import Evidence, Prediction, Signal
from stockml.data.request import RawBars
from stockml.data.source_bars import SourceBars

PRICES = ("open", "high", "low", "close", "adj_close")
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


def rows(
    closes: dict[str, float] | None = None, *, missing: tuple[str, ...] = (), last: str = "2026-06-30"
) -> pd.DataFrame:
    """Closes of 100 every weekday, on 1,000 shares a day, except as stated."""
    frame = made_up_prices(160, last_day=date.fromisoformat(last)).frame.copy()
    frame[["open", "high", "low", "close", "adj_close"]] = 100.0
    frame["volume"] = 1000.0
    for day, close in (closes or {}).items():
        frame.loc[pd.Timestamp(day), ["open", "high", "low", "close", "adj_close"]] = close
    return frame.drop([pd.Timestamp(day) for day in missing])


def stepped(first: str, factor: float, volume: float, *, last: str = "2026-08-31") -> pd.DataFrame:
    """From one day on all prices times a factor, and on that day `volume` times the usual number of shares."""
    frame = rows(last=last)
    frame.loc[pd.Timestamp(first) :, ["open", "high", "low", "close", "adj_close"]] *= factor
    frame.loc[pd.Timestamp(first), "volume"] *= volume
    return frame


def bars(frame: pd.DataFrame, **answer) -> SourceBars:
    return SourceBars.of(frame, RawBars(frame, "INR", **answer))


def clock(as_of: str) -> Clock:
    return Clock(LATER, date.fromisoformat(as_of))


def settled(frame: pd.DataFrame, as_of: str, line: Prediction | None = None, **others: SourceBars) -> Outcome | str:
    line = line or prediction()
    known = {name.replace("_", "."): found.through(date.fromisoformat(as_of)) for name, found in others.items()}
    known[line.symbol] = bars(frame.loc[:as_of])
    outcomes, waiting = settle([line], known, clock(as_of))
    return waiting[0].reason if waiting else outcomes[line.id]


def verified(found: Outcome | str) -> Outcome:
    assert isinstance(found, Outcome) and found.status == "verified", found
    return found


def expired(found: Outcome | str) -> str | None:
    assert isinstance(found, Outcome) and found.status == "expired" and found.actual_price is None, found
    return found.reason


def test_the_close_of_the_target_day_settles_it_with_errors_against_what_came_true() -> None:
    outcome = settled(rows({TARGET: 104.0, "2026-06-22": 90.0}), "2026-06-30")
    assert outcome == Outcome(
        status="verified",
        ended_at="2026-06-30T15:30:00",
        actual_price=104.0,
        error_pct=pytest.approx(2 / 104 * 100, abs=1e-4),
        was_accurate=True,
        naive_error_pct=pytest.approx(4 / 104 * 100, abs=1e-4),
        settled_from=TARGET,
        settled_at="2026-06-30T15:30:00",
    )


def test_what_is_kept_of_a_long_table_keeps_no_more_in_memory() -> None:
    """Thousands of stocks have theirs kept until all are analysed."""
    frame = made_up_prices(3000).frame
    kept = SourceBars.of(frame, RawBars(frame, "INR")).through(frame.index[-1].date())
    for values in (kept.days, kept.close, kept.counts, kept.given):
        assert values.size == 3000 and (values if values.base is None else values.base).size == 3000


def test_the_line_tells_when_the_bar_that_settled_it_was_fetched() -> None:
    frame, at = rows(), datetime(2026, 6, 19, 10, 30, tzinfo=UTC)
    now = Clock(datetime(2026, 6, 22, 12, tzinfo=UTC))
    found = settle([prediction()], {"MADE.NS": bars(frame.loc[:TARGET], fetched_at=at)}, now)[0]
    outcome = verified(found[prediction().id])
    assert (outcome.settled_from, outcome.settled_at, outcome.ended_at) == (
        TARGET,
        "2026-06-19T16:00:00",
        "2026-06-22T17:30:00",
    )


@pytest.mark.parametrize(("close", "accurate"), [(107.36, True), (107.37, False), (97.15, True), (97.14, False)])
def test_accurate_means_an_error_below_five_per_cent_of_the_actual_price(close: float, accurate: bool) -> None:
    assert verified(settled(rows({TARGET: close}), "2026-06-19")).was_accurate is accurate


# ---- units -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [2, 4, 10, 0.1, 1.5, 5 / 3, 1.4, 1.2, 100])
def test_a_split_since_is_put_back_into_the_predictions_units(ratio: float) -> None:
    before = verified(settled(rows({TARGET: 104.0}), "2026-06-30"))
    table = rows({TARGET: 104.0})
    table.iloc[:, :5] = (table.iloc[:, :5] / ratio).round(4)
    after = verified(settled(table, "2026-06-30"))
    assert after.units_factor == pytest.approx(ratio, rel=1e-3)
    assert after.actual_price == pytest.approx(before.actual_price, rel=1e-3)
    assert after.current_price_corrected is None


@pytest.mark.parametrize("corrected", [101.0, 99.0, 100.6, 104.9, 95.1, 110.0])
def test_a_corrected_close_is_no_split_and_is_scored_by_the_logged_price(corrected: float) -> None:
    outcome = verified(settled(rows({MADE_FROM: corrected, TARGET: 108.0}), "2026-06-30"))
    assert outcome.units_factor is None
    assert outcome.current_price_corrected == corrected
    assert (outcome.actual_price, outcome.error_pct) == (108.0, pytest.approx(6 / 108 * 100, abs=1e-4))
    assert outcome.naive_error_pct == pytest.approx(8 / 108 * 100, abs=1e-4)


def test_another_start_by_no_ratio_that_a_split_has_settles_nothing() -> None:
    table = rows({MADE_FROM: 37.7}, last="2026-07-31")
    assert "the close of 2026-06-12 was 100 when it was made and is 37.7 now" in str(settled(table, "2026-06-30"))
    assert expired(settled(table, "2026-07-31")) == settlement.UNKNOWN_UNITS


@pytest.mark.parametrize("ratio", [1.1, 1.05, 1.15, 21 / 20, 2.0, 1 / 1.125])
def test_a_split_that_the_source_tells_decides_however_small(ratio: float) -> None:
    before = verified(settled(rows({TARGET: 104.0}), "2026-06-30"))
    frame = rows({TARGET: 104.0})
    frame.iloc[:, :5] /= ratio
    told = frame.assign(**{"Stock Splits": 0.0})
    told.loc[pd.Timestamp("2026-06-24"), "Stock Splits"] = ratio
    known = SourceBars.of(frame, RawBars(told, "INR"))
    after = verified(settle([prediction()], {"MADE.NS": known}, clock("2026-06-30"))[0][prediction().id])
    assert after.units_factor == pytest.approx(ratio, abs=1e-6)
    assert replace(after, units_factor=None) == before


def test_a_correction_beside_a_split_is_kept_in_the_lines_units() -> None:
    frame = rows({MADE_FROM: 101.0, TARGET: 104.0})
    frame.iloc[:, :5] /= 4
    told = frame.assign(**{"Stock Splits": 0.0})
    told.loc[pd.Timestamp("2026-06-24"), "Stock Splits"] = 4.0
    known = SourceBars.of(frame, RawBars(told, "INR"))
    outcome = verified(settle([prediction()], {"MADE.NS": known}, clock("2026-06-30"))[0][prediction().id])
    assert (outcome.actual_price, outcome.units_factor, outcome.current_price_corrected) == (104.0, 4.0, 101.0)


def test_a_split_before_the_line_was_made_is_none_of_its_own() -> None:
    told = rows({MADE_FROM: 101.0}).assign(**{"Stock Splits": 0.0})
    told.loc[pd.Timestamp("2026-06-10"), "Stock Splits"] = 1.01
    known = SourceBars.of(told.drop(columns="Stock Splits"), RawBars(told, "INR"))
    outcome = verified(settle([prediction()], {"MADE.NS": known}, clock("2026-06-30"))[0][prediction().id])
    assert (outcome.units_factor, outcome.current_price_corrected) == (None, 101.0)


def test_another_currency_explains_any_ratio() -> None:
    line = prediction(currency="USD")
    frame = rows({TARGET: 39.0 / 0.377})
    frame.iloc[:, :5] *= 0.377
    outcome = verified(settled(frame, "2026-06-30", line))
    assert outcome.units_factor == pytest.approx(100 / 37.7, abs=1e-6)
    assert outcome.actual_price == pytest.approx(39.0 / 37.7 * 100, abs=0.01)


def test_a_dividend_is_an_ordinary_outcome() -> None:
    paid = rows({TARGET: 97.0})
    paid["adj_close"] = paid["adj_close"].where(paid.index >= pd.Timestamp(TARGET), paid["adj_close"] * 0.97)
    outcome = verified(settled(paid, "2026-06-30"))
    assert outcome.actual_price == 97.0 and outcome.units_factor is None


def raw_split(day: str, ratio: float, last: str = "2026-07-31") -> pd.DataFrame:
    """Closes that stand at 100 and 104 on the target day, but for a split that only the adjusted ones know of."""
    frame = rows({TARGET: 104.0}, last=last)
    after = frame.index >= pd.Timestamp(day)
    frame.loc[after, "open":"close"] /= ratio  # type: ignore[misc]
    frame.loc[after, "volume"] *= ratio
    return frame


@pytest.mark.parametrize("day", ["2026-06-15", "2026-06-17", TARGET])
@pytest.mark.parametrize("ratio", [2.0, 1.5, 10.0, 0.1])
def test_a_split_in_raw_closes_that_adj_close_tells_of_settles_at_once_in_the_lines_units(
    day: str, ratio: float
) -> None:
    frame = raw_split(day, ratio)
    whole, line = bars(frame), prediction()
    for looked in (TARGET, "2026-06-22", "2026-06-30", "2026-07-31"):
        outcome = verified(settled(frame, looked))
        assert (outcome.actual_price, outcome.units_factor) == (104.0, pytest.approx(ratio))
        replayed = settle([line], {line.symbol: whole.through(date.fromisoformat(looked))}, clock(looked))[0]
        assert replayed[line.id] == outcome


@pytest.mark.parametrize("day", ["2026-06-22", "2026-07-01"])
def test_a_later_split_in_raw_closes_changes_no_outcome(day: str) -> None:
    frame = raw_split(day, 2.0)
    assert verified(settled(frame, TARGET)).actual_price == verified(settled(frame, "2026-07-31")).actual_price == 104.0


@pytest.mark.parametrize("kept", [0.83, 0.8333, 0.75, 0.7, 0.62, 0.3])
def test_a_spin_off_that_adj_close_covers_is_an_outcome_and_no_split(kept: float) -> None:
    frame = stepped("2026-06-17", kept, 1.2)
    assert "change units" in str(settled(frame, "2026-06-30")) or kept in (0.7, 0.62)
    frame.loc[:"2026-06-16", "adj_close"] *= kept * 1.003  # type: ignore[misc]
    outcome = verified(settled(frame, "2026-06-30"))
    assert (outcome.actual_price, outcome.units_factor) == (pytest.approx(100 * kept), None)


# ---- jumps -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("factor", "volume"), [(3.68, 19), (0.21, 30), (0.27, 12), (12.4, 8), (5.0, 40)])
def test_a_jump_on_loud_volume_that_stays_is_an_outcome_like_any_other(factor: float, volume: float) -> None:
    outcome = verified(settled(stepped("2026-06-17", factor, volume), "2026-06-30"))
    assert (outcome.actual_price, outcome.units_factor, outcome.settled_from) == (100 * factor, None, TARGET)
    assert outcome.was_accurate is False


@pytest.mark.parametrize(("factor", "volume"), [(1 / 3, 3), (0.1, 10), (0.5, 2), (100.0, 1), (0.6, 1.6), (5.0, 0.2)])
def test_a_split_that_the_source_does_not_adjust_for_settles_nothing(factor: float, volume: float) -> None:
    frame = stepped("2026-06-17", factor, volume)
    assert "on 2026-06-17 the prices change units" in str(settled(frame, "2026-06-30"))
    assert expired(settled(frame, "2026-07-20")) == settlement.UNADJUSTED


@pytest.mark.parametrize("unknown", ["2026-06-16", "2026-06-03", "2026-05-21"])
def test_a_volume_that_is_not_given_makes_no_split_news(unknown: str) -> None:
    frame = stepped("2026-06-17", 0.1, 10)
    frame.loc[pd.Timestamp(unknown), "volume"] = float("nan")
    assert "on 2026-06-17 the prices change units" in str(settled(frame, "2026-06-30"))


def test_one_that_it_adjusts_for_later_settles_it() -> None:
    frame = stepped("2026-06-17", 0.5, 2)
    frame.loc[:"2026-06-16", "open":"adj_close"] *= 0.5  # type: ignore[misc]
    assert verified(settled(frame, "2026-07-10")).units_factor == 2.0


@pytest.mark.parametrize("level", [1.6, 0.5, 9.0])
@pytest.mark.parametrize("n_days", [1, 3, 5])
def test_a_price_that_leaps_settles_nothing_before_it_is_known_to_stay(level: float, n_days: int) -> None:
    run = pd.bdate_range(end=TARGET, periods=n_days)
    phantom = rows({str(day.date()): 100 * level for day in run})
    first = run[0].date()
    assert settled(phantom, TARGET) == f"the price leapt on {first}, and five later sessions tell whether it stays"
    back = settled(phantom, "2026-06-30")
    assert verified(back).actual_price == 100.0 and verified(back).settled_from == "2026-06-22"


# ---- bars that are missing -------------------------------------------------------------------------------------------


def test_a_missing_target_bar_waits_for_five_bars_then_the_next_session_serves() -> None:
    frame = rows({"2026-06-22": 105.0}, missing=(TARGET,))
    for day in ("2026-06-22", "2026-06-25"):
        assert settled(frame, day) == f"the bar of {TARGET} is missing and may still be filled in"
    outcome = verified(settled(frame, "2026-06-26"))
    assert (outcome.actual_price, outcome.settled_from) == (105.0, "2026-06-22")
    assert verified(settled(rows(), "2026-06-26")).settled_from == TARGET


@pytest.mark.parametrize("close", [0.0, -100.0, float("nan"), 1e15])
def test_a_close_that_no_share_can_have_is_waited_for_as_a_missing_one(close: float) -> None:
    frame = rows({TARGET: close, "2026-06-22": 103.0})
    assert f"the bar of {TARGET}" in str(settled(frame, "2026-06-22"))
    assert verified(settled(frame, "2026-06-26")).settled_from == "2026-06-22"


@pytest.mark.parametrize("adjusted", [float("nan"), 0.0, -1.0])
def test_a_close_counts_whatever_its_adjusted_close(adjusted: float) -> None:
    frame = rows({TARGET: 104.0})
    frame.loc[pd.Timestamp(TARGET), "adj_close"] = adjusted
    assert verified(settled(frame, TARGET)).actual_price == 104.0


def test_that_no_other_stock_has_a_bar_either_does_not_make_it_a_holiday() -> None:
    frame = rows({"2026-06-22": 105.0}, missing=(TARGET,))
    others = {name: bars(rows(missing=(TARGET,))) for name in ("A_NS", "B_NS", "C_NS")}
    assert "may still be filled in" in str(settled(frame, "2026-06-22", **others))
    frame.loc[pd.Timestamp(TARGET)] = [101.0] * 5 + [1000.0]
    assert verified(settled(frame.sort_index(), "2026-06-23", **others)).actual_price == 101.0


@pytest.mark.parametrize("frozen", [33, 27, 60])
def test_a_source_that_froze_ends_a_line_the_same_way_whenever_one_looks(frozen: int) -> None:
    frame = rows(last="2026-09-30")
    days = frame.index[frame.index >= pd.Timestamp("2026-06-15")][:frozen]
    frame.loc[days, "volume"] = 0.0
    frame.loc[frame.index > days[-1], ["open", "high", "low", "close"]] = 104.0
    looks = [str(day.date()) for day in frame.index if day >= pd.Timestamp("2026-07-20")]
    assert {expired(settled(frame, day)) for day in looks} == {settlement.NO_PRICE}


# ---- what has ended --------------------------------------------------------------------------------------------------


def test_it_expires_once_the_source_s_own_bars_reach_thirty_days_beyond() -> None:
    frame = rows(last="2026-08-31").drop(pd.bdate_range(TARGET, "2026-07-24"))
    assert settled(frame, "2026-07-24") == f"there is no bar of {TARGET} yet"
    assert expired(settled(frame, "2026-07-27")) == settlement.NO_PRICE


def test_however_late_it_is_nothing_expires_on_the_clock_alone() -> None:
    stopped = rows(last="2026-06-18")
    for day in ("2026-07-17", "2026-07-20", "2026-10-30"):
        assert settled(stopped, day) == f"there is no bar of {TARGET} yet"
    outcomes, waiting = settle([prediction()], {}, clock("2026-10-01"))
    assert not outcomes and waiting[0].reason == "its prices could not be had"


def test_that_the_source_was_asked_for_those_days_is_evidence() -> None:
    stopped = bars(rows(last="2026-06-18"), asked_through=date(2026, 7, 18))
    assert settle([prediction()], {"MADE.NS": stopped}, clock("2026-07-20"))[1]
    stopped = bars(rows(last="2026-06-18"), asked_through=date(2026, 7, 19))
    assert expired(settle([prediction()], {"MADE.NS": stopped}, clock("2026-07-20"))[0][prediction().id])


def test_so_are_the_bars_of_its_neighbours_but_of_no_other_market() -> None:
    stopped = rows(last="2026-06-18")
    later = bars(rows(last="2026-07-20"))
    assert expired(settled(stopped, "2026-07-20", OTHER_NS=later)) == settlement.NO_PRICE
    assert settled(stopped, "2026-07-20", OTHER_L=later) == f"there is no bar of {TARGET} yet"


def test_what_the_source_no_longer_knows_expires_after_thirty_days() -> None:
    outcomes, waiting = settle([prediction()], {}, clock("2026-07-17"), gone={"MADE.NS"})
    assert not outcomes and waiting
    outcomes, waiting = settle([prediction()], {}, clock("2026-07-20"), gone={"MADE.NS"})
    assert expired(outcomes[prediction().id]) == settlement.GONE and not waiting


def test_a_table_without_the_day_it_was_made_from_cannot_tell_the_units() -> None:
    assert "do not hold 2026-06-12" in str(settled(rows(missing=(MADE_FROM,)), "2026-06-30"))
    late = rows(missing=(MADE_FROM,), last="2026-07-31")
    assert expired(settled(late, "2026-07-31")) == settlement.NO_START


# ---- one outcome, whenever one looks ---------------------------------------------------------------------------------


@st.composite
def odd_tables(draw: st.DrawFn) -> pd.DataFrame:
    """Bars with gaps, frozen stretches, phantoms, jumps and bad closes about the target."""
    frame = rows(last="2026-08-31")
    noise = np.random.default_rng(draw(st.integers(0, 99))).normal(0, 0.01, (len(frame), 1))
    frame.iloc[:, :5] *= np.exp(noise)
    near = frame.index[frame.index >= pd.Timestamp("2026-06-15")]
    for _ in range(draw(st.integers(1, 4))):
        first = draw(st.integers(0, 20))
        days = near[first : first + draw(st.integers(1, 30))]
        match draw(st.sampled_from(["missing", "frozen", "phantom", "jump", "bad"])):
            case "missing":
                frame = frame[~frame.index.isin(days)]
            case "frozen":
                frame.loc[frame.index.isin(days), "volume"] = 0.0
            case "phantom":
                frame.loc[frame.index.isin(days[:6]), "open":"adj_close"] *= draw(st.sampled_from([0.4, 1.6, 10.0]))  # type: ignore[misc]
            case "jump":
                frame.loc[frame.index >= days[0], "open":"adj_close"] *= draw(st.sampled_from([0.2, 0.5, 1.5, 4.2]))  # type: ignore[misc]
                frame.loc[frame.index == days[0], "volume"] *= draw(st.sampled_from([1.0, 30.0]))
            case _:
                frame.loc[frame.index == days[0], "close"] = draw(st.sampled_from([0.0, np.nan, -5.0]))
        near = near[near.isin(frame.index)]
        if len(near) < 25:
            break
    return frame


@given(odd_tables())
def test_an_outcome_never_depends_on_the_day_on_which_one_looks(frame: pd.DataFrame) -> None:
    line = prediction(current_price=round(float(frame["close"].loc[MADE_FROM]), 2))
    whole = bars(frame)
    first: Outcome | None = None
    for day in pd.bdate_range(TARGET, frame.index[-1]):
        live = settled(frame, str(day.date()), line)
        replayed = settle([line], {line.symbol: whole.through(day.date())}, clock(str(day.date())))
        assert live == (replayed[0][line.id] if replayed[0] else replayed[1][0].reason)
        if isinstance(live, Outcome):
            live = replace(live, ended_at="", settled_at="")
            first = first or live
        assert first is None or live == first


@pytest.mark.parametrize("phantom", ["2026-06-18", "2026-06-22", "2026-06-24"])
@pytest.mark.parametrize("n_days", [1, 2, 4])
def test_nor_does_it_where_a_phantom_follows_a_loud_leap_that_never_calms(phantom: str, n_days: int) -> None:
    frame = stepped("2026-06-17", 4.3, 6)
    frame.loc["2026-06-18":, "volume"] = 7000.0  # type: ignore[misc]
    frame.loc[pd.bdate_range(phantom, periods=n_days), "open":"adj_close"] *= 2.0  # type: ignore[misc]
    whole, line = bars(frame), prediction()
    for day in pd.bdate_range(TARGET, "2026-07-10"):
        live = settled(frame, str(day.date()))
        assert settle([line], {line.symbol: whole.through(day.date())}, clock(str(day.date())))[1][0].reason == live


@given(odd_tables())
def test_no_line_stays_pending_once_the_source_reaches_thirty_days_beyond(frame: pd.DataFrame) -> None:
    assume(frame.index[-1] >= pd.Timestamp("2026-07-19"))
    line = prediction(current_price=round(float(frame["close"].loc[MADE_FROM]), 2))
    assert isinstance(settled(frame, "2026-08-31", line), Outcome)


@pytest.mark.parametrize(("as_of", "due"), [("2026-06-18", False), (TARGET, True), ("2026-06-21", True)])
def test_a_prediction_is_due_once_its_session_is_complete(as_of: str, due: bool) -> None:
    assert is_due(prediction(), clock(as_of)) is due


def test_live_the_session_is_complete_twenty_minutes_after_its_close() -> None:
    closes = datetime(2026, 6, 19, 10, 0, tzinfo=UTC)  # 15:30 in Mumbai
    assert not is_due(prediction(), Clock(closes.replace(minute=19)))
    assert is_due(prediction(), Clock(closes.replace(minute=20)))


# ---- where the calendar's holidays were not known --------------------------------------------------------------------

UNKNOWN = "MADE.CA"  # Cairo: Sunday to Thursday, holidays not known
BEFORE = {"2026-06-14": "2026-06-21", "2026-06-16": "2026-06-23", "2026-06-18": "2026-06-25"}


def cairo(*, missing: tuple[str, ...] = (), last: str = "2026-08-31") -> pd.DataFrame:
    """A close that rises by 1 with each session, so that it tells which one settled a line."""
    days = pd.bdate_range("2026-03-01", last, freq="C", weekmask="Sun Mon Tue Wed Thu")
    days = days.drop([pd.Timestamp(day) for day in missing])
    closes = np.arange(100.0, 100 + len(days))
    return pd.DataFrame(dict.fromkeys(PRICES, closes) | {"volume": 1000.0}, days)


@pytest.mark.parametrize("made_from", BEFORE)
def test_a_holiday_that_no_calendar_knew_moves_the_target_by_a_session(made_from: str) -> None:
    line = prediction(UNKNOWN, data_through=made_from, target_date=BEFORE[made_from])
    holiday = str((pd.Timestamp(made_from) + pd.offsets.CustomBusinessDay(2, weekmask="Sun Mon Tue Wed Thu")).date())
    frame = cairo(missing=(holiday,))
    line = replace(line, current_price=float(frame["close"].loc[made_from]))
    looks = {day: settled(frame, str(day.date()), line) for day in frame.index if str(day.date()) >= line.target_date}
    ended = [found for found in looks.values() if isinstance(found, Outcome)]
    assert {found.settled_from for found in ended} == {str(frame.index[frame.index.get_loc(made_from) + 5].date())}
    assert verified(ended[0]).actual_price == line.current_price + 5
    assert len(looks) - len(ended) == 6  # it was sure of the holiday only five bars after its target


def test_without_a_holiday_it_is_settled_at_once() -> None:
    frame = cairo()
    line = prediction(UNKNOWN, data_through="2026-06-14", target_date="2026-06-21")
    line = replace(line, current_price=float(frame["close"].loc["2026-06-14"]))
    assert verified(settled(frame, "2026-06-21", line)).settled_from == "2026-06-21"


def test_a_day_on_which_only_others_traded_was_a_session() -> None:
    frame = cairo(missing=("2026-06-16",))
    line = prediction(UNKNOWN, data_through="2026-06-14", target_date="2026-06-21")
    line = replace(line, current_price=float(frame["close"].loc["2026-06-14"]))
    assert verified(settled(frame, "2026-06-21", line, OTHER_CA=bars(cairo()))).settled_from == "2026-06-21"
    assert "not all 5 sessions" in str(settled(frame, "2026-06-21", line))
