"""Yahoo through the real yfinance, against a local server: every answer ends in bars or in the right failure."""

import csv
import json
import logging
import pickle
import re
import sqlite3
import warnings
from collections import Counter
from contextlib import closing
from datetime import date, datetime
from pathlib import Path

import fake_yahoo as fake
import numpy as np
import pandas as pd
import pytest
from fake_yahoo import FakeYahoo, Listing, Wire, redirected
from made_up_bars import market
from tools import shared_folder

from stockml.core import failures
from stockml.core.calendars import calendar_for
from stockml.core.failures import FetchError
from stockml.core.paths import Home
from stockml.data.price_table import PriceError, check_prices
from stockml.data.yahoo_client import Client, quiet

TODAY = date(2026, 6, 30)
START = date(2025, 1, 1)


def bars(n_days: int = 600, seed: int = 1) -> pd.DataFrame:
    raw = market(n_days, seed).drop(columns="Adj Close")
    return raw.set_index(pd.bdate_range(end=TODAY.isoformat(), periods=n_days, name="Date"))


@pytest.fixture
def yahoo():
    with FakeYahoo(TODAY) as server, redirected(server), quiet():
        server.listings["TCS.NS"] = Listing(bars())
        yield server


@pytest.fixture
def client(yahoo, tmp_path, request):
    is_hanging = fake.hang in getattr(getattr(request.node, "callspec", None), "params", {}).values()
    client = Client(Home(tmp_path), timeout_s=2 if is_hanging else 60)
    client.know_time_zones({"TCS.NS": "Asia/Kolkata", "NOPE.NS": "Asia/Kolkata"})
    return client


def test_bars_arrive_as_they_were_traded_with_their_currency(yahoo, client):
    answer = client.ask("TCS.NS", START)
    assert answer.currency == "INR"
    assert list(answer.frame.columns) == ["Open", "High", "Low", "Close", "Adj Close", "Volume", "Stock Splits"]
    expected = bars().loc["2025-01-01":]
    pd.testing.assert_index_equal(answer.frame.index, expected.index, exact=False, check_names=False)
    np.testing.assert_allclose(answer.frame["Close"], expected["Close"], rtol=1e-12)
    np.testing.assert_allclose(answer.frame["Adj Close"], expected["Close"], rtol=1e-12)


def test_closes_are_adjusted_for_splits_and_adjusted_closes_for_dividends_too(yahoo, client):
    split, dividend = date(2026, 3, 2), date(2026, 4, 2)
    yahoo.listings["TCS.NS"] = Listing(bars(), splits={split: 2.0}, dividends={dividend: 3.0})
    frame, traded = client.ask("TCS.NS", START).frame, bars().loc["2025-01-01":]
    before = frame.index < pd.Timestamp(split)
    np.testing.assert_allclose(frame["Close"], np.where(before, traded["Close"] / 2, traded["Close"]))
    factor = frame["Adj Close"] / frame["Close"]
    share = 1 - 3.0 / traded.loc["2026-04-01", "Close"]
    np.testing.assert_allclose(factor, np.where(frame.index < pd.Timestamp(dividend), share, 1.0))


@pytest.mark.parametrize(
    ("symbol", "listing", "currency"),
    [
        ("VOD.L", {"currency": "GBp", "exchange": "LSE", "timezone": "Europe/London", "opens": "08:00"}, "GBp"),
        ("AAPL", {"currency": "USD", "exchange": "NMS", "timezone": "America/New_York", "opens": "09:30"}, "USD"),
        ("BTC-USD", {"currency": "USD", "exchange": "CCC", "timezone": "UTC", "opens": "00:00"}, "USD"),
        ("^NSEI", {"kind": "INDEX"}, "INR"),
        ("NIFTYBEES.NS", {"kind": "ETF"}, "INR"),
        ("M&M.NS", {}, "INR"),
        ("EURUSD=X", {"currency": "USD", "timezone": "Europe/London", "opens": "00:00", "kind": "CURRENCY"}, "USD"),
        ("ADH", {"currency": None, "exchange": "YHD", "timezone": "America/New_York"}, None),
    ],
)
def test_each_market_keeps_its_own_days_and_currency(yahoo, client, symbol, listing, currency):
    yahoo.listings[symbol] = Listing(bars(), **listing)
    client.know_time_zones({symbol: str(calendar_for(symbol).timezone)})
    answer = client.ask(symbol, START)
    assert answer.currency == currency
    assert list(answer.frame.index) == list(bars().loc["2025-01-01":].index)


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (fake.TOO_MANY, failures.RATE_LIMITED, "Yahoo refuses to answer so many requests"),
        (Wire(403, "no"), failures.RATE_LIMITED, "Yahoo refuses"),
        (fake.UNKNOWN, failures.UNKNOWN_SYMBOL, "delisted, renamed or misspelt"),
        (fake.BROKEN, failures.SERVER, "HTTP 500"),
        (fake.BROKEN_HTML, failures.SERVER, "HTTP 502"),
        (fake.DOWN, failures.SERVER, "CURRENTLY DOWN"),
        (fake.HTML, failures.UNREADABLE, "is no price table"),
        (fake.cut, failures.UNREADABLE, "is no price table"),
        (Wire(200, "[]"), failures.UNREADABLE, "is no price table"),
        (Wire(200, '{"chart": null}'), failures.UNREADABLE, "is no price table"),
        (Wire(200, '{"finance": {"error": {"code": "Unauthorized"}}}'), failures.UNREADABLE, "is no price table"),
        (Wire(418, "teapot"), failures.UNREADABLE, "HTTP 418"),
        (fake.drop, failures.NETWORK, "no answer from Yahoo"),
        (fake.hang, failures.NETWORK, "timed out after"),
        (fake.empty, failures.NO_NEW_DATA, "has no prices for the days asked for"),
        (fake.NO_SUCH_DAYS, failures.NO_NEW_DATA, "has no prices for the days asked for"),
        (fake.described(symbol="INFY.NS"), failures.RENAMED, "Yahoo answers with INFY.NS; use INFY.NS from now on"),
        (fake.described(dataGranularity="1mo"), failures.UNREADABLE, "answered with 1mo bars, not daily"),
        (fake.described(symbol="9" * 5000), failures.UNREADABLE, "which is no symbol; try later"),
        (fake.described(symbol="../INFY.NS"), failures.UNREADABLE, "which is no symbol; try later"),
        (fake.described(dataGranularity="9" * 5000), failures.UNREADABLE, "999 bars, not daily"),
    ],
)
def test_each_failure_is_told_apart(yahoo, client, fault, kind, words):
    yahoo.fail("TCS.NS", fault)
    with pytest.raises(FetchError) as failure:
        client.ask("TCS.NS", START)
    assert failure.value.kind == kind
    message = str(failure.value)
    assert message.startswith("TCS.NS: ") and words in message
    assert "\n" not in message and "possibly" not in message and len(message) < 300


@pytest.mark.parametrize("fault", [fake.TOO_MANY, fake.BROKEN_HTML, fake.HTML, fake.drop, fake.hang])
def test_charts_do_without_cookies_and_crumbs_where_those_cannot_be_had(yahoo, client, fault):
    yahoo.gate = fault
    for _ in range(5):
        assert len(client.ask("TCS.NS", START).frame) > 300
    others = Counter(url.partition("?")[0] for url in yahoo.asked if fake.CHART not in url)
    assert set(others.values()) <= {1}


def test_a_server_that_is_not_there_is_a_network_failure(client, yahoo):
    yahoo.url = "http://127.0.0.1:9"  # the discard port: nobody listens
    with pytest.raises(FetchError) as failure:
        client.ask("TCS.NS", START)
    assert failure.value.kind == failures.NETWORK


def test_a_single_refusal_is_overcome_by_yfinance_itself(yahoo, client):
    yahoo.fail("TCS.NS", fake.TOO_MANY, times=1)
    assert len(client.ask("TCS.NS", START).frame) > 300
    assert client.requests["TCS.NS"] == 2


def test_a_symbol_costs_one_request_and_a_run_one_cookie_and_one_crumb(yahoo, client):
    for symbol in ("TCS.NS", "INFY.NS", "^NSEI"):
        yahoo.listings[symbol] = Listing(bars())
        client.know_time_zones({symbol: str(calendar_for(symbol).timezone)})
        client.ask(symbol, START)
    assert client.requests == {"TCS.NS": 1, "INFY.NS": 1, "^NSEI": 1}
    others = Counter(url.partition("?")[0] for url in yahoo.asked if fake.CHART not in url)
    assert set(others) <= {"fc.yahoo.com", "query1.finance.yahoo.com/v1/test/getcrumb"}
    assert set(others.values()) == {1}


def test_a_dead_symbol_costs_two_requests(yahoo, client):
    with pytest.raises(FetchError):
        client.ask("NOPE.NS", START)
    assert (client.requests["NOPE.NS"], yahoo.charts()) == (2, 2)


def test_a_pickle_in_place_of_yfinance_s_cookies_is_not_executed(yahoo, client, tmp_path):
    class Planted:
        def __reduce__(self):
            return Path.touch, (tmp_path / "executed",)

    caches = Home(tmp_path).prices / "yfinance"
    with closing(sqlite3.connect(caches / "cookies.db")) as database, database:
        database.execute("CREATE TABLE _cookieschema (strategy PRIMARY KEY, fetch_date, cookie_bytes)")
        row = ("curlCffi", datetime.now().isoformat(), pickle.dumps(Planted()))
        database.execute("INSERT INTO _cookieschema VALUES (?, ?, ?)", row)
    assert len(client.ask("TCS.NS", START).frame) > 300
    assert not (tmp_path / "executed").exists()


def test_what_yfinance_remembers_lies_under_the_home_folder(yahoo, client, tmp_path):
    client.ask("TCS.NS", START)
    assert (tmp_path / "ml_training_data" / "prices" / "yfinance").is_dir()


def test_nothing_is_printed_or_warned_about(yahoo, client, capfd, caplog):
    with warnings.catch_warnings(record=True) as caught, quiet():
        client.ask("TCS.NS", START)
        for fault in (fake.TOO_MANY, fake.UNKNOWN, fake.HTML, fake.drop):
            yahoo.fail("TCS.NS", fault, times=2)
            with pytest.raises(FetchError):
                client.ask("TCS.NS", START)
            yahoo.mend()
    assert (caught, caplog.records, capfd.readouterr()) == ([], [], ("", ""))


def test_quiet_leaves_loggers_as_they_were():
    logger = logging.getLogger("yfinance")
    before = logger.level
    with quiet():
        assert not logger.isEnabledFor(logging.CRITICAL)
    assert logger.level == before


def expected_of(status: int, text: str) -> str:
    """The class of a recorded answer by what it holds, worked out without the code under test."""
    if status != 200:
        return {404: failures.UNKNOWN_SYMBOL, 400: failures.NO_NEW_DATA}[status]
    (result,) = json.loads(text)["chart"]["result"]
    if "timestamp" not in result:
        return failures.UNKNOWN_SYMBOL if result["meta"]["exchangeName"] == "YHD" else failures.NO_NEW_DATA
    whole = {"open", "high", "low", "close", "volume"} <= set(result["indicators"]["quote"][0])
    return "prices" if whole and result["meta"]["dataGranularity"] == "1d" else failures.UNREADABLE


def test_every_recorded_answer_ends_in_the_right_class(yahoo, client):
    recorded = shared_folder("yahoo-json")
    classes = Counter()
    with (recorded / "INDEX.csv").open() as index:
        for row in csv.DictReader(index):
            text, status = (recorded / row["file"]).read_text(), int(row["http_status"])
            symbol = next(iter(re.findall(r'"symbol": ?"([^"]+)"', text)), "DELISTED")
            yahoo.bodies[symbol] = Wire(status, text)
            yahoo.listings.pop(symbol, None)
            client.know_time_zones({symbol: str(calendar_for(symbol).timezone)})
            found = classify(client, symbol, text)
            assert found == expected_of(status, text), row["file"]
            classes[found] += 1
    assert classes == {"prices": 87, "unreadable": 8, "no_new_data": 8, "unknown_symbol": 5}


def classify(client, symbol, text):
    """The class in which an answer ends; one with bars must also end in a table or a plain refusal at the door."""
    try:
        frame = client.ask(symbol, START).frame
    except FetchError as error:
        return error.kind
    days = {pd.Timestamp(second, unit="s").date() for second in json.loads(text)["chart"]["result"][0]["timestamp"]}
    assert len(frame) == len(days)
    try:
        table = check_prices(symbol, frame)
        assert len(table.frame) + sum(
            finding.count for finding in table.findings if finding.action == "dropped"
        ) == len(days)
    except PriceError as error:
        assert (error.kind, len(frame) < 30) == ("too_short", True)
    return "prices"
