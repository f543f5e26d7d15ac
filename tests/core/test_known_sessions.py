"""Holidays: those that pandas keeps exchange_calendars from building, and those beyond the years that are published."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from stockml.core.calendars import calendar_for, calendar_of
from stockml.core.known_sessions import easter
from stockml.core.markets import EXCHANGES, market


def days(*texts: str) -> list[date]:
    return [date.fromisoformat(text) for text in texts]


@pytest.mark.parametrize(
    ("symbol", "first", "last", "rests"),
    [  # Orthodox Easter was on 2026-04-12 and on 2025-04-20
        (
            "OPAP.AT",
            "2026-04-06",
            "2026-04-17",
            ["2026-04-06", "2026-04-10", "2026-04-13"],
        ),  # western Easter Monday too
        ("OPAP.AT", "2026-02-16", "2026-02-27", ["2026-02-23"]),  # Ash Monday
        ("OPAP.AT", "2025-10-27", "2025-10-31", ["2025-10-28"]),
        ("TLV.RO", "2026-04-06", "2026-04-17", ["2026-04-10", "2026-04-13"]),
        ("TLV.RO", "2025-12-22", "2026-01-09", ["2025-12-25", "2025-12-26", "2026-01-01", "2026-01-02"]),
        ("TLV.RO", "2026-06-01", "2026-06-05", ["2026-06-01"]),
        ("LUMI.TA", "2026-01-09", "2026-01-16", []),  # Fridays are sessions since 2026-01
        ("LUMI.TA", "2025-09-21", "2025-09-25", ["2025-09-22", "2025-09-23", "2025-09-24"]),  # the Jewish New Year
        ("LUMI.TA", "2025-04-20", "2025-04-24", []),  # western Easter is no holiday there
        ("LUMI.TA", "2026-03-30", "2026-04-10", ["2026-04-01", "2026-04-02", "2026-04-07", "2026-04-08"]),  # Passover
        ("LUMI.TA", "2026-09-18", "2026-09-22", ["2026-09-18", "2026-09-21"]),  # Yom Kippur
        ("LUMI.TA", "2026-05-18", "2026-05-25", ["2026-05-21", "2026-05-22"]),  # Pentecost
        ("005930.KS", "2026-02-16", "2026-02-20", ["2026-02-16", "2026-02-17", "2026-02-18"]),  # the lunar New Year
        ("2222.SR", "2025-09-21", "2025-09-25", ["2025-09-23"]),
    ],
)
def test_holidays_of_an_exchange_by_its_rules(symbol, first, last, rests):
    calendar = calendar_for(symbol)
    first_day, last_day = days(first, last)
    week = [date.fromordinal(at) for at in range(first_day.toordinal(), last_day.toordinal() + 1)]
    in_week = [day for day in week if day.weekday() in calendar.market.week_on(day)]
    assert [day for day in in_week if not calendar.is_session(day)] == days(*rests)


def test_tel_aviv_trades_from_sunday_until_2026_and_from_monday_since():
    calendar = calendar_for("LUMI.TA")
    assert calendar.sessions_after(date(2025, 12, 25), 3) == days("2025-12-28", "2025-12-29", "2025-12-30")
    assert calendar.sessions_after(date(2026, 1, 8), 2) == days("2026-01-09", "2026-01-12")
    assert calendar.closes_at(date(2025, 12, 28)).time().isoformat() == "15:40:00"  # Sundays closed early
    assert calendar.closes_at(date(2026, 1, 9)).time().isoformat() == "13:50:00"  # Fridays do
    assert calendar.closes_at(date(2026, 1, 12)).time().isoformat() == "17:15:00"


@pytest.mark.parametrize("symbol", ["COMI.CA", "NBK.KW", "QNBK.QA", "2222.SR", "OMTEL.OM", "ARBK.AM", "ALBH.BH"])
def test_a_week_from_sunday_to_thursday(symbol):
    calendar = calendar_for(symbol)
    assert calendar.sessions_after(date(2026, 6, 11), 5) == days(
        "2026-06-14", "2026-06-15", "2026-06-16", "2026-06-17", "2026-06-18"
    )
    assert calendar.sessions_after(date(2026, 6, 14), 5)[-1] == date(2026, 6, 21)
    assert calendar.session_on_or_before(date(2026, 6, 20)) == date(2026, 6, 18)


@pytest.mark.parametrize(
    ("symbol", "rests", "trades"),
    [
        (
            "TCS.NS",
            ["2027-01-26", "2027-03-26", "2027-04-14", "2028-05-01", "2028-08-15", "2028-10-02"],
            ["2027-01-25"],
        ),
        ("D05.SI", ["2027-01-01", "2027-03-26", "2027-08-09"], ["2027-08-10"]),
        ("600519.SS", ["2027-01-01", "2027-10-01", "2027-10-04"], ["2027-10-11"]),
        ("2222.SR", ["2030-09-23"], ["2030-09-24"]),
    ],
)
def test_beyond_the_published_years_holidays_that_keep_their_date_are_kept(symbol, rests, trades):
    calendar = calendar_for(symbol)
    assert not any(map(calendar.is_session, days(*rests)))
    assert all(map(calendar.is_session, days(*trades)))
    assert all(map(calendar.is_provisional, days(*rests, *trades)))


@pytest.mark.parametrize(
    ("symbol", "last_certain"),
    [("TCS.NS", "2026-12-31"), ("D05.SI", "2026-12-31"), ("2222.SR", "2029-12-31"), ("AAPL", "2040-12-31")],
)
def test_a_day_is_provisional_beyond_the_last_year_that_is_published(symbol, last_certain):
    day = date.fromisoformat(last_certain)
    assert not calendar_for(symbol).is_provisional(day)
    assert calendar_for(symbol).is_provisional(day + timedelta(days=1))


def test_where_the_moon_sets_holidays_the_years_with_full_lists_count():
    for code in ("XIDX", "XKAR", "XPHS"):  # later years hold what is certain long before, and no more
        known = calendar_of(code)._known()
        assert known is not None
        assert date(2025, 12, 31) <= known.published_through < known.last


@pytest.mark.parametrize("code", EXCHANGES)
def test_a_market_without_known_holidays_is_provisional_always_and_the_others_are_not(code):
    calendar = calendar_of(code)
    assert calendar.knows_holidays is market(code).has_holidays
    assert calendar.is_provisional(date(2025, 6, 30)) is not market(code).has_holidays


@pytest.mark.parametrize("symbol", ["BTC-USD", "EURUSD=X", "SIM-ALPHA"])
def test_markets_without_holidays_are_never_provisional(symbol):
    assert not calendar_for(symbol).is_provisional(date(2045, 12, 25))
    assert calendar_for(symbol).knows_holidays


def test_easter():
    assert [easter(year) for year in (2025, 2026, 2027)] == days("2025-04-20", "2026-04-05", "2027-03-28")
