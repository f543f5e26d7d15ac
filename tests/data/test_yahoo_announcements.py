"""The days of results by Yahoo through the real yfinance, against a local server: which, how often, and faults."""

import logging
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import fake_yahoo as fake
import pandas as pd
import pytest
from asking import AT_ONCE, HANGING, listing
from fake_yahoo import FakeYahoo, Results, Wire, redirected
from yfinance.data import SingletonMeta

from stockml.core.clock import Clock
from stockml.core.paths import Home
from stockml.data import announcement_store
from stockml.data.announcements import Announcement
from stockml.data.fetch import fetch_prices, spans_of
from stockml.data.fetched import Fetched
from stockml.data.request import FetchSettings
from stockml.data.sources import Source
from stockml.data.yahoo_announcements import LEAST_A_RUN, MOST_A_RUN

TUESDAY = date(2026, 6, 30)
MUMBAI, NEW_YORK = ZoneInfo("Asia/Kolkata"), ZoneInfo("America/New_York")
COMING = datetime(2026, 7, 9, 16, 0, tzinfo=MUMBAI)
PAST = tuple(datetime(2025 + year, month, 9, 6, tzinfo=NEW_YORK) for year in (0, 1) for month in (1, 4))
ASKING = replace(AT_ONCE, asks_announcements=True)


@dataclass
class Desk:
    """A server, a home, and a clock that stands after the close in Mumbai on the server's day."""

    yahoo: FakeYahoo
    home: Home

    def fetch(self, *symbols: str, settings: FetchSettings = ASKING) -> Fetched:
        clock = Clock(datetime(*self.yahoo.today.timetuple()[:3], 17, tzinfo=MUMBAI))
        spans = spans_of(symbols or ("TCS.NS",), 300, clock)
        self.yahoo.asked.clear()
        SingletonMeta._instances.clear()  # each run is a process of its own, and remembers no page
        return fetch_prices(spans, Source("yahoo"), clock=clock, home=self.home, settings=settings)

    def kept(self, symbol: str = "TCS.NS") -> tuple[Announcement, ...]:
        return announcement_store.read(self.home)[symbol].dates

    def pages(self) -> int:
        return sum(fake.EARNINGS in url for url in self.yahoo.asked)


@pytest.fixture
def desk(tmp_path):
    with FakeYahoo(TUESDAY) as yahoo, redirected(yahoo):
        yahoo.listings["TCS.NS"] = listing()
        yahoo.results["TCS.NS"] = Results((COMING,), PAST)
        yield Desk(yahoo, Home(tmp_path))


def test_the_next_date_and_the_past_ones_travel_with_the_prices_and_are_kept(desk):
    table = desk.fetch().tables["TCS.NS"]
    past = [Announcement(at.date(), time(16, 30) if at.month == 1 else time(15, 30)) for at in PAST]
    assert table.announcements == (*past, Announcement(COMING.date(), time(16, 0), TUESDAY))
    assert desk.kept() == table.announcements
    assert (desk.yahoo.results_asked(), desk.pages()) == (["TCS.NS"], 1)
    offline = desk.fetch(settings=FetchSettings(offline=True))
    assert (offline.tables["TCS.NS"].announcements, desk.yahoo.asked) == (table.announcements, [])


@pytest.mark.parametrize(
    ("symbol", "coming", "expected"),
    [
        ("AAPL", datetime(2026, 7, 30, 20, 30, tzinfo=UTC), Announcement(date(2026, 7, 30), time(16, 30))),
        ("7203.T", datetime(2026, 8, 6, 23, 30, tzinfo=UTC), Announcement(date(2026, 8, 7), time(8, 30))),
        ("VOD.L", datetime(2026, 7, 28, tzinfo=UTC), Announcement(date(2026, 7, 28))),
        ("TCS.NS", COMING, Announcement(COMING.date(), time(16, 0))),
    ],
)
def test_a_moment_is_told_in_the_exchanges_time_whatever_the_machines(desk, symbol, coming, expected, monkeypatch):
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    desk.yahoo.listings[symbol], desk.yahoo.results[symbol] = listing(symbol=symbol), Results((coming,))
    desk.fetch(symbol)
    (found,) = desk.kept(symbol)
    assert (found.day, found.at) == (expected.day, expected.at)


@pytest.mark.parametrize(
    "results",
    [
        Results((COMING, COMING + timedelta(4))),
        Results((COMING,), is_estimate=True),
        Results(),
        Results((COMING - timedelta(30),)),
    ],
)
def test_a_day_that_the_company_has_not_named_yet_is_not_kept(desk, results):
    desk.yahoo.results["TCS.NS"] = results
    assert desk.fetch().tables["TCS.NS"].announcements == desk.kept() == ()


def test_a_stock_is_asked_for_once_a_week_and_for_past_dates_once_a_date_has_passed(desk):
    asked, pages = [], []
    for passed in range(24):
        desk.yahoo.today = TUESDAY + timedelta(passed)
        desk.fetch()
        asked += [passed] * bool(desk.yahoo.results_asked())
        pages += [passed] * desk.pages()
    assert asked == [0, 7, 14, 21]
    assert pages == [0, 14]  # its results came on the ninth day


def test_a_page_without_a_table_does_not_end_the_asking_for_past_dates(desk):
    desk.yahoo.results["TCS.NS"] = Results((COMING,))
    pages = []
    for passed in (0, 7, 14):
        desk.yahoo.today = TUESDAY + timedelta(passed)
        desk.fetch()
        pages += [desk.pages()]
    assert pages == [1, 1, 1]


def test_a_date_that_moves_is_first_known_when_it_moved(desk):
    desk.fetch()
    desk.yahoo.results["TCS.NS"].coming = (COMING + timedelta(5),)
    desk.yahoo.today = TUESDAY + timedelta(7)
    table = desk.fetch().tables["TCS.NS"]
    assert table.announcements[-1] == Announcement(COMING.date() + timedelta(5), time(16, 0), TUESDAY + timedelta(7))
    assert COMING.date() not in {one.day for one in table.announcements}


@pytest.mark.parametrize(
    ("symbol", "kind"),
    [("^NSEI", "INDEX"), ("EURUSD=X", "CURRENCY"), ("BTC-USD", "CRYPTOCURRENCY"), ("NIFTYBEES.NS", "ETF"),
     ("0P0000XVL9.BO", "MUTUALFUND"), ("GC=F", "FUTURE"), ("^GSPC", ""), ("INR=X", ""), ("ETH-EUR", "")],
)  # fmt: skip
def test_what_is_no_company_is_not_asked_for(desk, symbol, kind):
    desk.yahoo.listings[symbol] = replace(listing(symbol=symbol), kind=kind)
    desk.yahoo.results[symbol] = Results((COMING,))
    assert symbol in desk.fetch(symbol, "TCS.NS").tables
    assert desk.yahoo.results_asked() == ["TCS.NS"]


@pytest.mark.parametrize("n", [3, 8, 40])
def test_many_stocks_are_spread_over_the_days(desk, n):
    symbols = [f"S{number:02}.NS" for number in range(n)]
    desk.yahoo.listings |= dict.fromkeys(symbols, listing())
    desk.yahoo.results |= {symbol: Results((COMING,), PAST) for symbol in symbols}
    per_day = []
    for passed in range(10):  # of them seven sessions
        desk.yahoo.today = TUESDAY + timedelta(passed)
        desk.fetch(*symbols, settings=replace(ASKING, threads=4))
        per_day += [desk.yahoo.results_asked()]
        desk.fetch(*symbols)  # a second run of the evening has all prices, and asks for nothing
        assert desk.yahoo.asked == []
    asked = [symbol for day in per_day[:7] for symbol in day]
    assert len(asked) == len(set(asked))  # none twice in a week
    assert {symbol for day in per_day for symbol in day} == set(symbols)
    assert max(map(len, per_day)) == min(n, max(LEAST_A_RUN, -(-n // 7))) <= MOST_A_RUN


@pytest.mark.parametrize(
    "settings", [AT_ONCE, FetchSettings(offline=True), FetchSettings(offline=True, asks_announcements=True)]
)
def test_a_run_that_may_not_ask_does_not(desk, settings):
    desk.fetch(settings=settings)
    assert not desk.yahoo.results_asked() and not desk.home.announcements.exists()


HALF = Wire(200, '{"quoteSummary": {"result": [{"calendar')
FAULTS = [
    fake.TOO_MANY, Wire(403, "no"), fake.BROKEN, fake.BROKEN_HTML, fake.HTML, fake.drop, fake.hang, fake.UNKNOWN, HALF,
    Wire(200, "[]"), Wire(200, '{"quoteSummary": null}'), Wire(418, "teapot"), Wire(200, ""),
    Wire(200, '{"quoteSummary": {"result": [{"calendarEvents": {"earnings": {"earningsDate": ["soon"]}}}]}}'),
    Wire(200, "<html><table><tr><td>Symbol</td></tr></table></html>", "text/html"),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_goes_wrong_costs_no_price_and_no_message(desk, caplog, fault):
    symbols = [f"S{number}.NS" for number in range(4)]
    desk.yahoo.listings |= dict.fromkeys(symbols, listing())
    desk.yahoo.results_fault = fault
    settings = replace(HANGING if fault is fake.hang else AT_ONCE, asks_announcements=True)
    with caplog.at_level(logging.INFO):
        fetched = desk.fetch(*symbols, settings=settings)
    assert (set(fetched.tables), fetched.failures) == (set(symbols), {})
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 0
    (told,) = [record.getMessage() for record in caplog.records if "Days of results" in record.getMessage()]
    assert told.startswith("Days of results: Yahoo asked for 4 stocks, ") and "\n" not in told
    assert len(desk.yahoo.results_asked()) <= (4 if fault is fake.UNKNOWN else 3)
    desk.yahoo.results_fault = None
    desk.yahoo.results |= {symbol: Results((COMING,)) for symbol in symbols}
    desk.yahoo.today = TUESDAY + timedelta(8)
    assert desk.fetch("S0.NS").tables["S0.NS"].announcements[-1].day == COMING.date()


def test_a_run_whose_prices_met_an_outage_asks_for_nothing_else(desk):
    symbols = [f"S{number}.NS" for number in range(12)]
    desk.yahoo.listings |= dict.fromkeys(symbols, listing())
    for symbol in symbols[1:]:
        desk.yahoo.fail(symbol, fake.BROKEN)
    assert desk.fetch(*symbols).failures
    assert not desk.yahoo.results_asked()


def test_a_store_that_cannot_be_written_is_told_once_and_costs_no_price(desk, caplog):
    desk.home.announcements.mkdir(parents=True)
    fetched = desk.fetch()
    assert set(fetched.tables) == {"TCS.NS"}
    assert "announcements.jsonl: is a folder" in caplog.text


def test_asking_is_over_when_time_is_up(desk, monkeypatch):
    monkeypatch.setattr("stockml.data.yahoo_announcements.LONGEST_S", 0.0)
    assert set(desk.fetch().tables) == {"TCS.NS"}
    assert desk.yahoo.results_asked() == [] and not announcement_store.read(desk.home)
    assert pd.notna(desk.fetch().tables["TCS.NS"].frame["close"]).all()
