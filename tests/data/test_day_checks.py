"""Daily bars of real sessions: bars within the day and rarer ones are refused, bars filled forward are dropped."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from made_up_bars import market

from stockml.core.calendars import calendar_for
from stockml.data.csv_files import read_csv
from stockml.data.price_table import PriceError, check_prices

END = "2026-06-30"


def sessions(symbol: str = "TCS.NS", n_days: int = 300) -> pd.DataFrame:
    """Bars of the sessions that the symbol's exchange held."""
    days = calendar_for(symbol).sessions_between(date(2024, 1, 1), date.fromisoformat(END))[-n_days:]
    return market(n_days).set_axis(pd.DatetimeIndex(days, name="Date"))


def check(raw: pd.DataFrame, symbol: str = "TCS.NS", **options):
    return check_prices(symbol, raw, **options)


def counts(table) -> dict[str, int]:
    return {finding.kind: finding.count for finding in table.findings}


def hours(raw: pd.DataFrame, times: list[str]) -> pd.DataFrame:
    parts = [raw.set_axis(raw.index + pd.Timedelta(f"{time}:00")) * (1 + row / 1000) for row, time in enumerate(times)]
    return pd.concat(parts).sort_index().rename_axis("Date")


# ---- bars within the day ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [["09:15", "10:15", "11:15"], ["09:30", "13:00"], ["00:00", "04:00", "20:00"]])
@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S+05:30", "%d/%m/%Y %H:%M", "epoch"])
def test_bars_within_the_day_are_refused(tmp_path, times, form):
    raw = hours(sessions(n_days=60), times)
    texts = (
        raw.index.tz_localize("Asia/Kolkata").astype("int64") // 10**6 if form == "epoch" else raw.index.strftime(form)
    )
    raw.set_axis(texts.rename("Datetime")).to_csv(tmp_path / "TCS.NS.csv")
    with pytest.raises(PriceError, match=r"bars within the day, .* daily ones are needed") as refused:
        check(read_csv("TCS.NS", tmp_path, ZoneInfo("Asia/Kolkata")).frame)
    assert refused.value.kind == "intraday"


@pytest.mark.parametrize("time", ["{:02}:15", "{:02}:15:00", "{:02}1500"])
def test_bars_within_the_day_with_the_time_in_a_column_of_its_own_are_refused(tmp_path, time):
    parts = [sessions(n_days=60).assign(Time=time.format(hour)) * 1 for hour in (9, 10)]
    pd.concat(parts).sort_index().to_csv(tmp_path / "TCS.NS.csv")
    with pytest.raises(PriceError, match="bars within the day, 2 of"):
        check(read_csv("TCS.NS", tmp_path, ZoneInfo("Asia/Kolkata")).frame)


@pytest.mark.parametrize("n_bars", [3, 7, 75])
def test_bars_within_the_day_whose_times_are_lost_are_refused(n_bars):
    raw = sessions(n_days=60)
    with pytest.raises(PriceError, match=f"bars within the day, {n_bars} of"):
        check(pd.concat([raw * (1 + row / 1000) for row in range(n_bars)]).sort_index())


def test_the_last_quote_beside_the_newest_bar_is_a_second_bar_of_its_day():
    raw = sessions(n_days=60)
    quote = raw.tail(1).set_axis(raw.index[-1:] + pd.Timedelta("13:10:00"))
    table = check(pd.concat([raw, quote]).rename_axis("Date"))
    assert (counts(table), len(table.frame)) == ({"duplicate": 1}, 60)


# ---- weekly and monthly bars -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "words"), [("W-FRI", "weekly"), ("W-MON", "weekly"), ("MS", "monthly"), ("QS", "rarer")]
)
def test_weekly_and_monthly_bars_are_refused(rule, words):
    n_days = 60 if rule.startswith("W") else 40
    raw = market(n_days).set_axis(pd.date_range(end=END, periods=n_days, freq=rule, name="Date"))
    with pytest.raises(PriceError, match=f"days apart, .* {words}.* daily ones are needed") as refused:
        check(raw)
    assert refused.value.kind == "sparse"


def test_daily_bars_whose_newest_are_weekly_are_refused():
    raw = sessions()
    with pytest.raises(PriceError, match="7 days apart"):
        check(pd.concat([raw.iloc[:-200], raw.iloc[-200:][raw.index[-200:].day_of_week == 4]]))


@pytest.mark.parametrize("rows", [slice(100, 130), slice(200, 204), slice(290, 296)])
def test_a_gap_in_daily_bars_is_no_reason_to_refuse_them(rows):
    raw = sessions()
    assert len(check(raw.drop(raw.index[rows])).frame) >= 170


# ---- bars filled forward ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("symbol", ["TCS.NS", "AAPL", "SHEL.L", "EURUSD=X", "NEW.XY"])
@pytest.mark.parametrize("volume", ["as before", "zero", "none"])
def test_bars_filled_forward_over_days_without_a_session_are_dropped(symbol, volume):
    raw = sessions(symbol)
    filled = raw.resample("D").ffill()
    added = ~filled.index.isin(raw.index)
    if volume != "as before":
        filled.loc[added, "Volume"] = 0 if volume == "zero" else np.nan
    table = check(filled, symbol)
    assert table.frame.equals(check(raw, symbol).frame.set_axis(table.frame.index))
    assert counts(table) == {"filled_forward": int(added.sum())}


@pytest.mark.parametrize("symbol", ["TCS.NS", "AAPL", "SHEL.L"])
def test_holidays_filled_forward_are_dropped_too(symbol):
    raw = sessions(symbol)
    filled = raw.asfreq("B").ffill()
    assert len(filled) > len(raw)
    assert counts(check(filled, symbol)) == {"filled_forward": len(filled) - len(raw)}


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5, 6, 7])
def test_wherever_a_filled_table_begins_the_days_are_the_same(cut):
    raw = sessions()
    filled = raw.resample("D").ffill()
    first = filled.index[cut]
    asked = check(filled, start=first.date())
    assert asked.frame.index.equals(check(raw[raw.index >= first]).frame.index)


@pytest.mark.parametrize("row", [50, 150, -1])
def test_a_session_like_the_one_before_stays(row):
    raw = sessions()
    raw.iloc[row] = raw.iloc[row - 1]
    assert (counts(check(raw)), len(check(raw).frame)) == ({}, 300)


@pytest.mark.parametrize("column", ["Open", "High", "Low", "Close", "Volume"])
def test_a_special_session_at_a_weekend_stays(column):
    raw = sessions()
    saturday = raw.index[100] + pd.offsets.Week(weekday=5)
    before = raw.loc[:saturday].iloc[-1]
    special = before.copy()
    special[column] *= 1.001 if column in ("High", "Volume") else 1.0
    if column in ("Open", "Low", "Close"):
        special[column] = (special["Low"] + special["High"]) / 2 if column != "Low" else special["Low"] * 0.999
    raw.loc[saturday] = special
    assert len(check(raw.sort_index()).frame) == 301


def test_a_market_that_never_rests_has_no_bar_filled_forward():
    raw = market(300).set_axis(pd.date_range(end=END, periods=300, name="Date"))
    raw.iloc[100] = raw.iloc[99]
    assert len(check(raw, "BTC-USD").frame) == 300
