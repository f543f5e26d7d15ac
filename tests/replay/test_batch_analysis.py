"""What is worked out for all sessions at once is, to the bit, what a run of each session would have found."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import made_up_prices
from hypothesis import given, settings
from hypothesis import strategies as st

from stockml.core.calendars import calendar_for
from stockml.core.clock import Clock
from stockml.core.failures import FetchError
from stockml.core.paths import Home
from stockml.core.progress import no_progress
from stockml.data.fetch import checked, span_of
from stockml.data.point_in_time import PointInTimePrices
from stockml.data.request import DateRange, RawBars
from stockml.models.bundle import MISSING
from stockml.replay import model_schedule
from stockml.replay.batch_analysis import PastStock, session_view
from stockml.replay.model_schedule import ModelSchedule
from stockml.signals import engine

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SPAN_SESSIONS = 309


def raw_bars(n_days: int, seed: int = 1) -> pd.DataFrame:
    return made_up_prices(n_days, seed=seed).frame.copy()


def untraded(frame: pd.DataFrame, row: int) -> None:
    frame.iloc[row, :4] = frame["close"].iloc[row - 1]
    frame.iloc[row, 4:] = (frame["adj_close"].iloc[row - 1], 0.0)


def scaled(frame: pd.DataFrame, rows: slice, factor: float) -> None:
    frame.iloc[rows, :5] *= factor


def raw(frame: pd.DataFrame, row: int, ratio: float) -> None:
    """A split that only the adjusted closes know of."""
    frame.iloc[:row, :4] *= ratio
    frame.iloc[:row, 5] /= ratio


def paid_out(frame: pd.DataFrame, row: int, kept: float) -> None:
    scaled(frame, slice(row, None), kept)
    frame.iloc[:row, 4] *= kept


ODDITIES = {
    "holiday": untraded,
    "untraded at another price": lambda frame, row: (untraded(frame, row), scaled(frame, slice(row, row + 1), 1.9)),
    "two holidays": lambda frame, row: (untraded(frame, row - 1), untraded(frame, row)),
    "phantom": lambda frame, row: scaled(frame, slice(row, row + 1), 2.0),
    "wrong level": lambda frame, row: scaled(frame, slice(row, row + 3), 1.6),
    "split": lambda frame, row: scaled(frame, slice(row, None), 0.5),
    "small split": lambda frame, row: scaled(frame, slice(row, None), 0.8),
    "crash": lambda frame, row: scaled(frame, slice(row, None), 0.86),
    "demerger": lambda frame, row: scaled(frame, slice(row, None), 0.57),
    "unit jump": lambda frame, row: scaled(frame, slice(row, None), 100.0),
    "misadjusted": lambda frame, row: frame.iloc.__setitem__((row, 4), frame["adj_close"].iloc[row] * 0.6),
    "dividend": lambda frame, row: frame.iloc.__setitem__((slice(None, row), 4), frame["adj_close"].iloc[:row] * 0.93),
    "raw split": lambda frame, row: raw(frame, row, 2.0),
    "raw split in three": lambda frame, row: raw(frame, row, 3.0),
    "raw reverse split": lambda frame, row: raw(frame, row, 0.1),
    "spin-off": lambda frame, row: paid_out(frame, row, 0.83),
    "large spin-off": lambda frame, row: paid_out(frame, row, 0.62),
    "no price": lambda frame, row: frame.iloc.__setitem__((row, 3), np.nan),
    "upside down": lambda frame, row: frame.iloc.__setitem__((row, 1), frame["low"].iloc[row] * 0.9),
    "volume below zero": lambda frame, row: frame.iloc.__setitem__((row, 5), -1.0),
    "no price of anything": lambda frame, row: scaled(frame, slice(row, row + 1), 1e-16),
    "wild": lambda frame, row: frame.iloc.__setitem__((row, 1), frame["low"].iloc[row] * 3.5),
}


def found(make: object) -> object:
    """The table a function gives in values, or its error as text."""
    try:
        table = make()  # type: ignore[operator]
    except FetchError as error:
        return str(error)
    return table.frame, table.breaks


def assert_same(history: PointInTimePrices, raw: RawBars, span: DateRange) -> None:
    fast = found(lambda: history.table(span))
    slow = found(lambda: checked("MADE.NS", raw, "csv", span))
    if isinstance(slow, str):
        assert fast == slow
    else:
        pd.testing.assert_frame_equal(fast[0], slow[0], check_freq=False, check_exact=True)
        assert fast[1] == slow[1]


@given(
    planted=st.lists(st.tuples(st.sampled_from(sorted(ODDITIES)), st.integers(35, 118)), max_size=3),
    seed=st.integers(0, 50),
)
@settings(max_examples=25)
def test_a_session_s_table_is_the_checked_one_whatever_is_odd_near_it(planted: list, seed: int) -> None:
    frame = raw_bars(120, seed)
    for name, row in planted:
        ODDITIES[name](frame, row)
    raw = RawBars(frame, "INR")
    history = PointInTimePrices("MADE.NS", raw, "csv")
    rows = {row + near for _, row in planted for near in (-1, 0, 1, 4, 6)} | {45, 119}
    for row in sorted(row for row in rows if row < 120):
        last = frame.index[row].date()
        for first in (0, max(0, row - 45)):
            assert_same(history, raw, DateRange(frame.index[first].date(), last, last, True))


def test_holidays_and_bars_in_disorder_need_no_second_check() -> None:
    frame = raw_bars(200)
    untraded(frame, 150)
    history = PointInTimePrices("MADE.NS", RawBars(frame.iloc[::-1], None), "csv")
    span = DateRange(frame.index[10].date(), frame.index[160].date(), frame.index[160].date(), True)
    assert history.rows(span) == slice(10, 160)
    assert frame.index[150] not in history.table(span).frame.index


def with_texts(frame: pd.DataFrame, rows: tuple[int, ...]) -> pd.DataFrame:
    """The frame, with a text for a number in these rows."""
    frame = frame.astype(object)
    frame.iloc[list(rows), 1] = "1O1.5"
    return frame


def without_day(frame: pd.DataFrame, row: int) -> pd.DataFrame:
    """The frame with its days as texts, one of which is none."""
    texts = frame.index.strftime("%Y-%m-%d").tolist()
    texts[row] = "2O25"
    return frame.reset_index(drop=True).assign(Date=texts)


@pytest.mark.parametrize(
    "raw",
    [
        raw_bars(150).resample("D").ffill(),
        raw_bars(150).resample("D").ffill().assign(volume=0.0),
        pd.concat([raw_bars(300).iloc[:250:5], raw_bars(300).iloc[250:]]),
        pd.concat([raw_bars(150).iloc[:70], raw_bars(150).iloc[70::5]]),
        with_texts(raw_bars(150), (80,)),
        with_texts(raw_bars(150), (60, 61, 100)),
        without_day(raw_bars(150), 80),
        without_day(raw_bars(150).iloc[::-1], 80),
    ],
    ids=[
        "filled",
        "filled, no volume",
        "weekly, daily",
        "daily, weekly",
        "text",
        "texts",
        "no day",
        "no day, newest first",
    ],
)
def test_days_filled_forward_and_rows_that_cannot_be_read_are_those_of_the_day(raw: pd.DataFrame) -> None:
    bars = RawBars(raw, "INR")
    history = PointInTimePrices("MADE.NS", bars, "csv")
    days = pd.DatetimeIndex(pd.to_datetime(raw["Date"], errors="coerce") if "Date" in raw else raw.index).dropna()
    for last in sorted(days.date)[40::3]:
        for first in (days.min().date(), max(days.min().date(), last - timedelta(days=61))):
            assert_same(history, bars, DateRange(first, last, last, True))


@pytest.mark.parametrize("traded", [0, 60], ids=["never", "long ago"])
def test_where_nothing_has_volume_a_bar_that_repeats_the_close_before_stays(traded: int) -> None:
    frame = raw_bars(200)
    untraded(frame, 150)
    frame.loc[frame.index[traded:], "volume"] = 0.0
    raw = RawBars(frame, "INR")
    last = frame.index[180].date()
    assert_same(PointInTimePrices("MADE.NS", raw, "csv"), raw, DateRange(frame.index[100].date(), last, last, True))


def test_a_table_that_cannot_be_read_fails_as_it_does_on_input() -> None:
    raw = RawBars(pd.DataFrame({"Date": ["2026-01-01"], "Close": [1.0]}), None)
    span = DateRange(date(2025, 1, 1), date(2026, 1, 1), date(2026, 1, 1), True)
    with pytest.raises(FetchError, match="no column open"):
        PointInTimePrices("MADE.NS", raw, "csv").table(span)


@pytest.mark.parametrize("first", [None, 0, 299, 400, 419])
def test_a_day_s_analysis_is_that_of_a_run_of_the_day(first: int | None) -> None:
    frame = raw_bars(420)
    untraded(frame, 300)
    scaled(frame, slice(380, None), 0.57)
    raw, since = RawBars(frame, "INR"), None if first is None else frame.index[first].date()
    stock = PastStock(PointInTimePrices("MADE.NS", raw, "csv"), "INR", "csv", since)
    for row in (33, 200, 250, 251, 299, 301, 340, 383, 400, 419):
        span = replace(span_of("MADE.NS", SPAN_SESSIONS, Clock(NOW, frame.index[row].date())), start=date(2000, 1, 1))
        table, analysis = stock.analyze(span)
        assert repr(analysis) == repr(engine.analyze(checked("MADE.NS", raw, "csv", span), None))
        assert table.data_through == analysis.data_through


@pytest.mark.parametrize("ratio", [2.0, 3.0, 0.1])
def test_nor_where_closes_are_not_adjusted_for_a_later_split(ratio: float) -> None:
    frame = raw_bars(420)
    raw(frame, 330, ratio)
    bars = RawBars(frame, "INR")
    stock = PastStock(PointInTimePrices("MADE.NS", bars, "csv"), "INR", "csv")
    for row in (280, 329, 330, 331, 360, 419):
        span = replace(span_of("MADE.NS", SPAN_SESSIONS, Clock(NOW, frame.index[row].date())), start=date(2000, 1, 1))
        table, analysis = stock.analyze(span)
        assert repr(analysis) == repr(engine.analyze(checked("MADE.NS", bars, "csv", span), None))
        assert table.frame["close"].iloc[-1] == frame["close"].iloc[row]


def test_a_stock_without_a_table_stops_no_other() -> None:
    raw = RawBars(raw_bars(100), None)
    stocks = [PastStock(PointInTimePrices(name, raw, "csv"), None, "csv") for name in ("A.NS", "B.NS")]
    spans = {"A.NS": date(2000, 1, 1), "B.NS": raw.frame.index[90].date()}
    last = raw.frame.index[-1].date()
    seen = session_view(stocks, lambda symbol: DateRange(spans[symbol], last, last, True))
    assert [analysis.symbol for analysis in seen.analyses] == ["A.NS"]
    assert "10 daily bars" in str(seen.failures["B.NS"])
    assert "market_volatility_20" in seen.analyses[0].confidence_inputs


def test_stocks_without_models_start_no_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_schedule, "WORTH_PROCESSES", 1)
    monkeypatch.setattr(model_schedule, "ProcessRunner", None)
    frame = raw_bars(120)
    stock = PastStock(PointInTimePrices("MADE.NS", RawBars(frame, None), "csv"), None, "csv")
    schedule = ModelSchedule([Home(tmp_path)], jobs=2)
    list(schedule.give_opinions([stock], [frame.index[100].date()], no_progress))
    assert stock.opinions is None and schedule.unusable["MADE.NS"].kind == MISSING


def test_on_real_prices_both_ways_agree(nse_folder: Path) -> None:
    chance = random.Random(5)
    for symbol in ("TCS.NS", "TMPV.NS", "ADANIENT.NS", "JIOFIN.NS"):
        raw = RawBars(pd.read_csv(nse_folder / f"{symbol}.csv"), None)
        stock = PastStock(PointInTimePrices(symbol, raw, "csv"), None, "csv", date(2025, 3, 1))
        for day in chance.sample(calendar_for(symbol).sessions_between(date(2024, 1, 1), date(2026, 6, 30)), 5):
            span = span_of(symbol, SPAN_SESSIONS, Clock(NOW, day))
            table, analysis = stock.analyze(span)
            slow = checked(symbol, raw, "csv", span)
            assert table.frame.equals(slow.frame) and table.breaks == slow.breaks
            assert repr(analysis) == repr(engine.analyze(slow, None))
