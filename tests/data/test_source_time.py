"""The time that Yahoo's answers tell."""

from datetime import UTC, date, datetime, timedelta

import pytest

from stockml.data.source_time import UNTOLD, AnswerTime, TradingPeriod, time_of, trading_period

ASKED = datetime(2026, 6, 30, 11, 0, 0, tzinfo=UTC)
ANSWERED = ASKED + timedelta(seconds=40)
NOTHING = timedelta(0)


@pytest.mark.parametrize(
    ("sent", "skew"),
    [
        ("Tue, 30 Jun 2026 11:00:00 GMT", NOTHING),
        ("Tue, 30 Jun 2026 11:00:39 GMT", NOTHING),  # the answer was long on its way
        ("Tue, 30 Jun 2026 10:59:59 GMT", NOTHING),  # cut to whole seconds
        ("Tue, 30 Jun 2026 08:00:00 GMT", timedelta(hours=-3, seconds=1)),
        ("Tue, 30 Jun 2026 14:00:40 GMT", timedelta(hours=3)),
        ("Tue, 30 Jun 2026 14:00:40 +0530", timedelta(hours=-2, minutes=-29, seconds=-19)),
        ("Sat, 16 May 2026 11:00:00 GMT", timedelta(days=-45, seconds=1)),
        ("Tuesday", None),
        ("", None),
        (None, None),
    ],
)
def test_the_http_date_tells_how_far_the_clocks_are_apart(sent, skew):
    assert time_of({"Date": sent}, {}, ASKED, ANSWERED) == AnswerTime(skew)


@pytest.mark.parametrize(("age", "seconds"), [("7200", 7200), ("0", 0), ("-5", 0), ("soon", 0), (None, 0)])
def test_an_answer_that_was_kept_on_the_way_is_as_old_as_its_age_says(age, seconds):
    sent = ASKED - timedelta(seconds=seconds)
    headers = {"Date": f"{sent:%a, %d %b %Y %H:%M:%S} GMT", "Age": age}
    assert time_of(headers, {}, ASKED, ANSWERED) == AnswerTime(NOTHING, timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("traded", "skew"),
    [
        (ANSWERED + timedelta(days=1), timedelta(days=1)),  # a price of the future: the machine is behind
        (ANSWERED - timedelta(days=1), None),  # a price of the past says nothing
        (None, None),
    ],
)
def test_without_a_date_it_is_at_least_the_time_of_the_newest_price(traded, skew):
    meta = {"regularMarketTime": traded and int(traded.timestamp())}
    assert time_of({}, meta, ASKED, ANSWERED) == AnswerTime(skew)


@pytest.mark.parametrize("odd", ["x", float("nan"), 1e300, [], True and "2026"])
def test_a_market_time_that_is_none_says_nothing(odd):
    assert time_of({}, {"regularMarketTime": odd}, ASKED, ANSWERED) == UNTOLD


def period(start: object, end: object, offset: object = 19800) -> dict[str, object]:
    return {"currentTradingPeriod": {"regular": {"start": start, "end": end, "gmtoffset": offset}}}


OPENS, CLOSES = 1782791100, 1782813600  # 2026-06-30 09:15 and 15:30 in Mumbai


@pytest.mark.parametrize(
    ("meta", "day", "end"),
    [
        (period(OPENS, CLOSES), date(2026, 6, 30), "2026-06-30T10:00:00"),
        (period(1782792000 - 43200, 1782792000, 46800), date(2026, 6, 30), "2026-06-30T04:00:00"),  # east of UTC
        (period(1782777600 + 14400, 1782777600 + 100740, -14400), date(2026, 6, 30), "2026-07-01T03:59:00"),  # a future
    ],
)
def test_a_trading_period_is_a_day_at_the_exchange_and_its_end(meta, day, end):
    assert trading_period(meta) == TradingPeriod(day, datetime.fromisoformat(f"{end}+00:00"))


@pytest.mark.parametrize(
    "meta",
    [
        {},
        {"currentTradingPeriod": None},
        {"currentTradingPeriod": {"regular": []}},
        period(CLOSES, OPENS),
        period(OPENS, OPENS),
        period(OPENS, OPENS + 30 * 86400),
        period(None, CLOSES),
        period("09:15", "15:30"),
        period(OPENS, 1e300),
        period(OPENS, CLOSES, "IST"),
    ],
)
def test_what_can_be_no_session_is_none(meta):
    assert trading_period(meta) is None
