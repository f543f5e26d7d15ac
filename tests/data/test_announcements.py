"""Announcements along with prices: on each past day those that were known by its close, however the table is made."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from made_up_bars import market

from stockml.core.calendars import calendar_for
from stockml.core.clock import Clock
from stockml.data.announcements import Announcement, known_by
from stockml.data.fetch import checked, span_of
from stockml.data.point_in_time import PointInTimePrices
from stockml.data.request import RawBars
from stockml.data.simulated_market import SAMPLE_SYMBOLS, sample_announcements, sample_bars

FIRST, LAST = date(2024, 1, 1), date(2025, 7, 11)  # of the bars


@pytest.mark.parametrize(
    ("one", "since"),
    [
        (Announcement(date(2025, 4, 30), None, date(2025, 4, 16)), date(2025, 4, 16)),
        (Announcement(date(2025, 4, 30)), date(2025, 4, 30)),
        (Announcement(date(2025, 4, 30), None, date(2025, 4, 30)), date(2025, 4, 30)),
    ],
)
def test_a_date_counts_from_the_day_it_was_known(one, since):
    assert [known_by([one], since + timedelta(days=shift)) for shift in (-1, 0, 1)] == [(), (one,), (one,)]


def announcements(seed: int) -> tuple[Announcement, ...]:
    rng = np.random.default_rng(seed)
    days = sorted({FIRST + timedelta(days=int(at)) for at in rng.integers(0, 700, 30)})
    leads = rng.integers(-1, 40, len(days)).tolist()
    return tuple(
        Announcement(day, None, day - timedelta(days=lead) if lead >= 0 else None)
        for day, lead in zip(days, leads, strict=True)
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_replay_knows_the_dates_that_a_run_of_that_day_knew(seed):
    frame = market(seed=seed)
    if seed == 2:  # a day on which only a check can tell
        frame.iloc[200, frame.columns.get_loc("Close")] = 0.0
    dates = announcements(seed)
    history = PointInTimePrices("TCS.NS", RawBars(frame, None, announcements=dates), "csv", calendar_for("AAPL"))
    later = 0
    for day in frame.index[60::7].date:
        span = span_of("AAPL", 300, Clock(pd.Timestamp("2026-01-05", tz="UTC").to_pydatetime(), day))
        then = RawBars(frame.loc[: pd.Timestamp(day)], None, announcements=known_by(dates, day))
        live, replayed = checked("TCS.NS", then, "csv", span), history.table(span)
        assert live.announcements == replayed.announcements
        assert all((one.first_known_on or one.day) <= day for one in replayed.announcements)
        assert history.whole().through(day).announcements == replayed.announcements
        later += sum(one.day > day for one in replayed.announcements)
    assert later > 10


@pytest.mark.parametrize("symbol", SAMPLE_SYMBOLS)
def test_the_simulated_companies_publish_results_on_days_that_move_more(symbol):
    bars = sample_bars(symbol, date(2015, 1, 1), date(2025, 12, 31))
    dates = sample_announcements(symbol, date(2025, 12, 31))
    assert 3 * 11 <= len(dates) <= 6.5 * 11
    assert {one.day - one.first_known_on for one in dates} == {timedelta(days=14)}
    ranges = np.log(bars["High"] / bars["Low"])
    on_results = ranges.index.isin(pd.DatetimeIndex([one.day for one in dates]))
    assert ranges[on_results].mean() > 1.3 * ranges[~on_results].mean()


@pytest.mark.parametrize("through", [date(2025, 12, 29), date(2025, 12, 31), date(2026, 1, 2)])
def test_a_simulated_date_once_known_never_changes(through):
    for symbol in SAMPLE_SYMBOLS:
        seen, later = sample_announcements(symbol, through), sample_announcements(symbol, date(2026, 11, 20))
        assert known_by(seen, through) == known_by(later, through)
