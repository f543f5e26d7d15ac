"""Sessions: holidays, early closes, daylight saving, markets that never rest, the years no calendar knows."""

import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stockml.core import known_sessions
from stockml.core.calendars import SETTLING, calendar_for, calendar_of, surely_not_complete
from stockml.core.clock import Clock
from stockml.core.known_sessions import BY_RULES
from stockml.core.markets import EXCHANGES, market

SYMBOLS = ("TCS.NS", "VOD.L", "AAPL", "BTC-USD", "SIM-ALPHA", "ELSEWHERE.XX", "EURUSD=X")
WITH_HOLIDAYS = tuple(code for code in EXCHANGES if market(code).has_holidays)

symbols = st.sampled_from(SYMBOLS)
days = st.dates(min_value=date(1998, 1, 1), max_value=date(2042, 12, 31))  # begins and ends outside every calendar
moments = st.datetimes(min_value=datetime(1998, 1, 1), max_value=datetime(2042, 12, 31), timezones=st.just(UTC))
moments_known = st.datetimes(min_value=datetime(2000, 2, 1), max_value=datetime(2026, 12, 31), timezones=st.just(UTC))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("symbol", "name", "zone"),
    [
        ("TCS.NS", "XBOM", "Asia/Kolkata"),
        ("tcs.ns", "XBOM", "Asia/Kolkata"),
        ("500325.BO", "XBOM", "Asia/Kolkata"),
        ("^NSEI", "XBOM", "Asia/Kolkata"),
        ("^BSESN", "XBOM", "Asia/Kolkata"),
        ("NIFTYBEES.NS", "XBOM", "Asia/Kolkata"),
        ("AAPL", "XNYS", "America/New_York"),
        ("SPY", "XNYS", "America/New_York"),
        ("BRK-B", "XNYS", "America/New_York"),
        ("^GSPC", "XNYS", "America/New_York"),
        ("VOD.L", "XLON", "Europe/London"),
        ("^FTSE", "XLON", "Europe/London"),
        ("SAP.DE", "XETR", "Europe/Berlin"),
        ("7203.T", "XTKS", "Asia/Tokyo"),
        ("BTC-USD", "24/7", "UTC"),
        ("ETH-USD", "24/7", "UTC"),
        ("EURUSD=X", "weekdays", "Europe/London"),
        ("GC=F", "CMES", "America/Chicago"),
        ("SIM-ALPHA", "weekdays", "UTC"),
        ("ELSEWHERE.XX", "weekdays", "UTC"),
    ],
)
def test_a_symbol_finds_its_exchange(symbol, name, zone):
    calendar = calendar_for(symbol)
    assert (calendar.name, calendar.timezone) == (name, ZoneInfo(zone))
    assert calendar_for(symbol) is calendar


@pytest.mark.parametrize(
    ("symbol", "day", "is_session"),
    [
        ("TCS.NS", "2026-01-26", False),  # Republic Day, a Monday
        ("TCS.NS", "2025-10-21", False),  # Diwali: an hour of special trading that no calendar knows
        ("TCS.NS", "2025-02-01", False),  # Budget Saturday, likewise
        ("TCS.NS", "2026-01-30", True),
        ("AAPL", "2025-11-27", False),  # Thanksgiving
        ("AAPL", "2025-11-28", True),  # the short Friday after it
        ("AAPL", "2001-09-12", False),
        ("AAPL", "2025-01-09", False),  # a day of mourning, announced days before
        ("VOD.L", "2026-05-04", False),  # Early May bank holiday
        ("AAPL", "2026-05-04", True),
        ("BTC-USD", "2025-12-25", True),
        ("BTC-USD", "2026-05-03", True),  # a Sunday
        ("SIM-ALPHA", "2025-12-25", True),
        ("SIM-ALPHA", "2026-05-03", False),
        ("TCS.NS", "1999-01-26", True),  # before the years asked for: any weekday
        ("TCS.NS", "2027-01-26", False),  # after the last year published: a holiday that keeps its date
        ("TCS.NS", "2027-03-26", False),  # and Good Friday
        ("TCS.NS", "2027-01-25", True),  # any other weekday
        ("TCS.NS", "2027-01-24", False),
    ],
)
def test_holidays_are_kept_where_they_are_known_and_weekends_elsewhere(symbol, day, is_session):
    assert calendar_for(symbol).is_session(date.fromisoformat(day)) is is_session


@pytest.mark.parametrize(
    ("symbol", "day", "before"),
    [
        ("TCS.NS", "2026-01-26", "2026-01-23"),
        ("TCS.NS", "2026-01-27", "2026-01-27"),
        ("VOD.L", "2025-12-28", "2025-12-24"),
        ("7203.T", "2019-05-06", "2019-04-26"),  # ten days of rest for a new emperor
        ("BTC-USD", "2025-12-28", "2025-12-28"),
        ("SIM-ALPHA", "2026-05-03", "2026-05-01"),
    ],
)
def test_a_day_of_rest_belongs_to_the_session_before_it(symbol, day, before):
    assert calendar_for(symbol).session_on_or_before(date.fromisoformat(day)) == date.fromisoformat(before)


@pytest.mark.parametrize(
    ("symbol", "data_through", "horizon", "target"),
    [
        ("TCS.NS", "2026-01-30", 5, "2026-02-06"),  # the documented example
        ("TCS.NS", "2025-02-01", 5, "2025-02-07"),  # from a special session, which counts as the day it is
        ("TCS.NS", "2026-01-23", 1, "2026-01-27"),  # over Republic Day
        ("AAPL", "2025-11-26", 1, "2025-11-28"),
        ("VOD.L", "2025-12-24", 2, "2025-12-30"),  # over Christmas, Boxing Day and a weekend
        ("BTC-USD", "2025-12-30", 5, "2026-01-04"),
        ("TCS.NS", "2026-12-24", 3, "2026-12-30"),  # Christmas known: the target lies before the calendar's end
        ("TCS.NS", "2026-12-24", 5, "2027-01-01"),  # and here beyond it
        ("TCS.NS", "2026-12-31", 5, "2027-01-07"),
        ("TCS.NS", "2027-03-01", 5, "2027-03-08"),
        ("AAPL", "2040-12-31", 1, "2041-01-02"),  # over New Year's Day, beyond the years asked for
        ("TCS.NS", "2027-01-22", 1, "2027-01-25"),
        ("TCS.NS", "2027-01-25", 1, "2027-01-27"),  # over Republic Day of a year that is not published yet
    ],
)
def test_the_target_is_so_many_sessions_on(symbol, data_through, horizon, target):
    following = calendar_for(symbol).sessions_after(date.fromisoformat(data_through), horizon)
    assert following[-1] == date.fromisoformat(target)


@pytest.mark.parametrize(
    ("symbol", "day", "close"),
    [
        ("TCS.NS", "2026-01-30", "2026-01-30T10:00"),
        ("AAPL", "2026-03-06", "2026-03-06T21:00"),  # daylight saving begins on the Sunday between
        ("AAPL", "2026-03-09", "2026-03-09T20:00"),
        ("AAPL", "2026-10-30", "2026-10-30T20:00"),
        ("AAPL", "2026-11-02", "2026-11-02T21:00"),
        ("VOD.L", "2026-03-27", "2026-03-27T16:30"),  # three weeks later than New York
        ("VOD.L", "2026-03-30", "2026-03-30T15:30"),
        ("VOD.L", "2026-10-23", "2026-10-23T15:30"),
        ("VOD.L", "2026-10-26", "2026-10-26T16:30"),
        ("AAPL", "2025-11-28", "2025-11-28T18:00"),  # early, 13:00
        ("AAPL", "2025-12-24", "2025-12-24T18:00"),
        ("VOD.L", "2025-12-24", "2025-12-24T12:30"),  # early
        ("7203.T", "2024-11-01", "2024-11-01T06:00"),  # Tokyo traded half an hour less until 2024-11-04
        ("7203.T", "2024-11-05", "2024-11-05T06:30"),
        ("TCS.NS", "2025-02-01", "2025-02-01T10:00"),  # special session, not on the calendar: the regular close
        ("TCS.NS", "2027-03-01", "2027-03-01T10:00"),  # nor any day here
        ("BTC-USD", "2026-05-03", "2026-05-03T23:59:59"),
        ("SIM-ALPHA", "2026-05-04", "2026-05-04T16:00"),
    ],
)
def test_closes_follow_daylight_saving_and_early_closes(symbol, day, close):
    assert calendar_for(symbol).closes_at(date.fromisoformat(day)) == utc(close)


@pytest.mark.parametrize(
    ("symbol", "now", "completed"),
    [
        ("TCS.NS", "2026-01-30T10:19:59", "2026-01-29"),
        ("TCS.NS", "2026-01-30T10:20:00", "2026-01-30"),
        ("TCS.NS", "2026-01-26T18:00:00", "2026-01-23"),  # a holiday
        ("TCS.NS", "2025-02-01T18:00:00", "2025-01-31"),  # a special session
        ("TCS.NS", "2026-01-29T20:00:00", "2026-01-29"),  # already the 30th in Mumbai
        ("AAPL", "2025-11-28T18:19:59", "2025-11-26"),  # closed early; the day before was Thanksgiving
        ("AAPL", "2025-11-28T18:20:00", "2025-11-28"),
        ("AAPL", "2026-03-06T21:19:59", "2026-03-05"),
        ("AAPL", "2026-03-09T20:20:00", "2026-03-09"),
        ("AAPL", "2026-03-10T01:00:00", "2026-03-09"),  # still the 9th in New York
        ("VOD.L", "2026-03-27T16:49:59", "2026-03-26"),
        ("VOD.L", "2026-03-30T15:50:00", "2026-03-30"),
        ("BTC-USD", "2026-05-03T00:10:00", "2026-05-01"),
        ("BTC-USD", "2026-05-03T00:20:00", "2026-05-02"),
        ("TCS.NS", "2027-01-27T10:20:00", "2027-01-27"),
        ("TCS.NS", "2027-01-26T10:20:00", "2027-01-25"),
        ("SIM-ALPHA", "2026-05-04T16:20:00", "2026-05-04"),
    ],
)
def test_a_session_is_complete_twenty_minutes_after_its_close(symbol, now, completed):
    assert calendar_for(symbol).last_completed(utc(now)) == date.fromisoformat(completed)


def test_the_zone_in_which_now_is_told_changes_nothing():
    now = utc("2024-04-25T22:10:00")  # Chicago's futures closed at 22:00, when Cairo's clocks went from 0:00 to 1:00
    for zone in (UTC, ZoneInfo("Africa/Cairo"), timezone(timedelta(hours=-9))):
        assert calendar_for("GC=F").last_completed(now.astimezone(zone)) == date(2024, 4, 24)
        assert Clock(now.astimezone(zone)).cutoff("GC=F") == date(2024, 4, 24)
        assert surely_not_complete(calendar_for("GC=F"), date(2024, 4, 26), now.astimezone(zone))


def test_a_moment_without_a_zone_is_refused():
    for ask in (
        lambda now: calendar_for("AAPL").last_completed(now),
        lambda now: surely_not_complete(calendar_for("AAPL"), date(2026, 5, 4), now),
        Clock,
    ):
        with pytest.raises(ValueError, match="has no time zone"):
            ask(datetime(2026, 5, 4, 12, 0))


def test_fewer_than_no_sessions_are_refused():
    with pytest.raises(ValueError, match="-1 sessions after 2026-05-04: ask for 0 or more"):
        calendar_for("AAPL").sessions_after(date(2026, 5, 4), -1)


LONG_AFTER = utc("2026-05-04T12:00:00")


@pytest.mark.parametrize(
    ("symbol", "as_of", "limit", "written"),
    [
        ("TCS.NS", "2026-02-06", "2026-02-06", "2026-02-06T15:30:00"),
        ("TCS.NS", "2026-02-08", "2026-02-06", "2026-02-06T15:30:00"),  # a Sunday
        ("TCS.NS", "2026-01-26", "2026-01-23", "2026-01-23T15:30:00"),  # a holiday
        ("AAPL", "2025-11-29", "2025-11-28", "2025-11-28T13:00:00"),  # a Saturday after an early close
        ("BTC-USD", "2026-02-08", "2026-02-08", "2026-02-08T23:59:59"),
        ("SIM-ALPHA", "2026-02-08", "2026-02-06", "2026-02-06T16:00:00"),
    ],
)
def test_as_of_acts_as_on_that_days_last_session_after_its_close(symbol, as_of, limit, written):
    clock = Clock(LONG_AFTER, date.fromisoformat(as_of))
    assert clock.limit(symbol) == date.fromisoformat(limit)
    assert clock.cutoff(symbol) == date.fromisoformat(as_of)
    assert clock.written_time(symbol) == written


def test_as_of_a_special_session_uses_its_bar_and_writes_the_regular_close():
    clock = Clock(LONG_AFTER, as_of=date(2025, 2, 1))
    assert clock.limit("TCS.NS") == date(2025, 1, 31)
    assert clock.cutoff("TCS.NS") == date(2025, 2, 1)
    assert clock.written_time("TCS.NS", data_through=date(2025, 2, 1)) == "2025-02-01T15:30:00"
    assert clock.written_time("TCS.NS", data_through=date(2025, 1, 30)) == "2025-01-31T15:30:00"


@pytest.mark.parametrize("as_of", [date(2026, 5, 4), date(2026, 5, 5), date(2030, 1, 1)])
def test_as_of_a_day_not_over_yet_uses_no_open_bar(as_of):
    clock = Clock(utc("2026-05-04T09:00:00"), as_of)  # 14:30 in Mumbai, an hour before the close
    assert clock.limit("TCS.NS") == date(2026, 5, 1) - timedelta(days=1)  # Maharashtra Day between
    assert clock.cutoff("TCS.NS") == date(2026, 5, 3)
    assert clock.written_time("TCS.NS") == "2026-04-30T15:30:00"


@pytest.mark.parametrize(
    ("now", "limit", "cutoff", "written"),
    [
        ("2025-02-01T12:00:00", "2025-01-31", "2025-01-31", "2025-02-01T17:30:00"),  # still the special Saturday
        ("2025-02-02T12:00:00", "2025-01-31", "2025-02-01", "2025-02-02T17:30:00"),  # it is over: its bar serves
        ("2025-02-03T10:00:00", "2025-01-31", "2025-02-02", "2025-02-03T15:30:00"),
        ("2025-02-03T10:20:00", "2025-02-03", "2025-02-03", "2025-02-03T15:50:00"),
        ("2025-02-02T18:40:00", "2025-01-31", "2025-02-01", "2025-02-03T00:10:00"),  # Monday, ten minutes old
    ],
)
def test_a_live_clock_uses_what_is_complete_and_writes_exchange_time(now, limit, cutoff, written):
    clock = Clock(utc(now))
    assert clock.limit("TCS.NS") == date.fromisoformat(limit)
    assert clock.cutoff("TCS.NS") == date.fromisoformat(cutoff)
    assert clock.written_time("TCS.NS", data_through=date(2025, 2, 1)) == written


def test_what_is_surely_ahead_needs_no_calendar():
    now = utc("2025-11-28T18:00:00")  # 13:00 in New York on a short day
    assert surely_not_complete(calendar_for("AAPL"), date(2025, 11, 29), now)
    assert surely_not_complete(calendar_for("AAPL"), date(2025, 11, 28), now)
    assert not surely_not_complete(calendar_for("AAPL"), date(2025, 11, 28), now + timedelta(minutes=20))
    assert not surely_not_complete(calendar_for("AAPL"), date(2025, 11, 27), now)
    assert not Clock(now).is_surely_ahead("AAPL", date(2025, 11, 27))
    past = Clock(now, as_of=date(2025, 11, 26))
    assert past.is_surely_ahead("AAPL", date(2025, 11, 27))
    assert not past.is_surely_ahead("AAPL", date(2025, 11, 26))


def test_nothing_heavy_is_imported_until_a_holiday_is_asked_for():
    program = (
        "import sys\n"
        "from datetime import UTC, date, datetime\n"
        "from stockml.core.calendars import calendar_for, surely_not_complete\n"
        "from stockml.core.clock import Clock\n"
        "surely_not_complete(calendar_for('TCS.NS'), date(2026, 5, 4), datetime.now(UTC))\n"
        "Clock(datetime.now(UTC)).written_time('TCS.NS')\n"
        "Clock(datetime.now(UTC)).limit('SIM-ALPHA')\n"
        "print(sorted({'exchange_calendars', 'pandas', 'numpy'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_threads_that_ask_at_once_are_answered_alike(monkeypatch):
    read = []
    read_once = known_sessions._read
    monkeypatch.setattr(known_sessions, "_read", lambda *of: read.append(of) or read_once(*of))
    monkeypatch.setattr(known_sessions, "_known", {})
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: calendar_for("VOD.L").sessions_after(date(2025, 12, 23), 2), range(16)))
    assert answers == [[date(2025, 12, 24), date(2025, 12, 29)]] * 16
    assert len(read) == 1


@pytest.mark.parametrize("name", [code for code in WITH_HOLIDAYS if code not in BY_RULES])
def test_the_table_of_closes_agrees_with_exchange_calendars(name):
    import exchange_calendars

    calendar = calendar_of(name)
    known = known_sessions.known_sessions(name, calendar.close)
    reference = exchange_calendars.get_calendar(name, start=known.first.isoformat(), end=known.last.isoformat())
    assert calendar.timezone == reference.tz
    assert calendar.close == reference.close_times[-1][1]
    assert calendar.earliest_close == min(known.other_closes.values(), default=calendar.close)
    assert len(known.sessions) == len(reference.sessions)
    assert reference.close_offset == 0  # sessions close on their own date


@given(st.sampled_from(("TCS.NS", "VOD.L", "AAPL", "0700.HK", "^BVSP")), moments_known)
def test_the_last_completed_session_is_what_a_search_among_all_closes_finds(symbol, now):
    import exchange_calendars
    import pandas as pd

    name = calendar_for(symbol).name
    first, last = ("2000-01-01", "2026-12-31") if name == "XBOM" else ("2000-01-01", "2040-12-31")
    calendar_for(symbol).is_session(now.date())  # exchange_calendars keeps what it built: no second time, no warnings
    closes = exchange_calendars.get_calendar(name, start=first, end=last).closes
    place = closes.searchsorted(pd.Timestamp(now) - pd.Timedelta(minutes=20), side="right")
    assert calendar_for(symbol).last_completed(now) == closes.index[place - 1].date()


@pytest.mark.parametrize(
    ("folder", "rows", "special"),
    [
        ("us-sp500-10y", 138_215, {}),
        ("us-adjclose-2010-2020", 36_050, {}),
        (
            "nse-nifty50",
            275_174,
            {  # Diwali evenings, two New Year's days, a Budget Saturday; in 2013 nobody traded on the 15th instead
                **{"2001-01-01": 19, "2004-01-01": 37, "2013-11-14": 44, "2017-10-19": 46, "2018-11-07": 46},
                **{"2019-10-27": 47, "2020-11-14": 48, "2021-11-04": 48, "2022-10-24": 48, "2024-11-01": 50},
                **{"2025-02-01": 50, "2025-10-21": 50},
            },
        ),
    ],
)
def test_real_bars_lie_on_the_calendars_sessions_but_for_these(nse_folder, folder, rows, special):
    import pandas as pd

    found, unknown = 0, Counter()
    for path in sorted((nse_folder.parent / folder).glob("*.csv")):
        table = pd.read_csv(path, usecols=["Date", "Volume"], parse_dates=["Date"])
        traded = [day.date() for day in table.loc[table["Volume"] > 0, "Date"]]
        found += len(traded)
        unknown.update(set(traded) - set(calendar_for(path.stem).sessions_between(traded[0], traded[-1])))
    assert found == rows
    assert {str(day): count for day, count in unknown.items()} == special


@given(symbols, days, st.integers(0, 30))
def test_sessions_after_are_that_many_and_ascend(symbol, day, n):
    following = calendar_for(symbol).sessions_after(day, n)
    assert len(following) == n
    assert all(earlier < later for earlier, later in zip([day, *following], following, strict=False))


@given(symbols, days, st.integers(0, 60))
def test_sessions_between_are_the_sessions_after_one_by_one(symbol, first, span):
    calendar, last = calendar_for(symbol), first + timedelta(days=span)
    between = calendar.sessions_between(first, last)
    following = calendar.sessions_after(first - timedelta(days=1), len(between) + 1)
    assert between == following[:-1]
    assert following[-1] > last
    assert all(calendar.session_on_or_before(day) == day for day in between)
    assert calendar.session_on_or_before(last) == (between or [calendar.session_on_or_before(first)])[-1]


@given(symbols, moments)
def test_the_last_completed_session_is_over_and_the_next_is_not(symbol, now):
    calendar = calendar_for(symbol)
    completed = calendar.last_completed(now)
    [following] = calendar.sessions_after(completed, 1)
    assert calendar.closes_at(completed) + SETTLING <= now < calendar.closes_at(following) + SETTLING
    assert not surely_not_complete(calendar_for(symbol), completed, now)


@given(symbols, moments, st.integers(-5, 5))
def test_what_is_surely_not_complete_is_later_than_the_last_completed(symbol, now, shift):
    day = now.date() + timedelta(days=shift)
    if surely_not_complete(calendar_for(symbol), day, now):
        assert day > calendar_for(symbol).last_completed(now)
        assert day > Clock(now).cutoff(symbol)
    else:
        assert day <= now.astimezone(calendar_for(symbol).timezone).date()


@given(symbols, days)
def test_a_close_lies_on_the_sessions_own_day(symbol, day):
    close = calendar_for(symbol).closes_at(day)
    assert close.date() == day
    assert close.utcoffset() is not None
    assert calendar_for(symbol).earliest_close <= close.time() <= time(23, 59, 59)


@given(symbols, moments, days)
def test_as_of_never_reaches_past_the_day_or_the_present(symbol, now, as_of):
    live, past = Clock(now), Clock(now, as_of)
    assert past.limit(symbol) == min(live.limit(symbol), calendar_for(symbol).session_on_or_before(as_of))
    assert past.limit(symbol) <= past.cutoff(symbol) <= min(as_of, live.cutoff(symbol))
    assert past.written_time(symbol)[:10] == past.limit(symbol).isoformat()
