"""Malformed dividends and splits lose themselves, and not the prices beside them."""

import copy
from datetime import date

import fake_yahoo as fake
import pytest
from asking import listing
from fake_yahoo import FakeYahoo, redirected

from stockml.core.paths import Home
from stockml.data.request import SPLITS
from stockml.data.yahoo_client import Client, quiet
from stockml.data.yahoo_events import drop_malformed

WHEN = 1780000000
PAID = {"date": WHEN, "amount": 1.5}
SPLIT = {"date": WHEN, "numerator": 2, "denominator": 1, "splitRatio": "2:1"}

SOUND = [{}, {"dividends": {}}, {"dividends": {"1": PAID}}, {"dividends": {"1": PAID}, "splits": {"2": SPLIT}}]
MALFORMED = [
    ({"dividends": {"1": None}}, "1 dividend"),
    ({"dividends": {"1": {"date": WHEN}}}, "1 dividend"),
    ({"dividends": {"1": {"amount": 1.0}, "2": PAID}}, "1 dividend"),
    ({"dividends": {"1": {"date": WHEN, "amount": "1.5"}, "2": {"date": None, "amount": 1}}}, "2 dividends"),
    ({"dividends": {"1": {"date": WHEN, "amount": float("nan")}}}, "1 dividend"),
    ({"dividends": {"1": {"date": 10**15, "amount": 1}}}, "1 dividend"),
    ({"splits": {"1": {**SPLIT, "denominator": 0}}}, "1 split"),
    ({"splits": {"1": {**SPLIT, "numerator": None}}, "dividends": {"1": "x"}}, "1 dividend and 1 split"),
    ({"splits": {"1": {"splitRatio": "2:1"}}}, "1 split"),
    ({"splits": "none"}, "1 split"),
    ({"capitalGains": {"1": [1]}}, "1 capital gain"),
    ([1, 2], "a list of dividends and splits"),
    ("none", "a list of dividends and splits"),
]


@pytest.mark.parametrize("events", SOUND)
def test_sound_events_stay_as_they_are(events):
    chart = {"events": copy.deepcopy(events)}
    assert drop_malformed(chart) == (False, None)
    assert chart["events"] == events


@pytest.mark.parametrize("events", [None, {"dividends": None}, []])
def test_null_instead_of_nothing_loses_nothing(events):
    chart = {"events": events}
    assert drop_malformed(chart) == (True, None)
    assert chart["events"] == {}


@pytest.mark.parametrize(("events", "lost"), MALFORMED)
def test_malformed_ones_are_counted_and_left_out(events, lost):
    chart = {"events": copy.deepcopy(events)}
    assert drop_malformed(chart) == (
        True,
        f"Yahoo's answer holds {lost} that cannot be read; left out, the prices are used",
    )
    assert drop_malformed(chart) == (False, None)


TWICE = {"splits": {"1": SPLIT, "2": SPLIT}}


@pytest.mark.parametrize(("events", "lost"), [(None, None), (TWICE, None), *MALFORMED])
def test_through_yfinance_the_prices_are_all_there(tmp_path, events, lost):
    with FakeYahoo(date(2026, 6, 30)) as yahoo, redirected(yahoo), quiet():
        yahoo.listings["TCS.NS"] = listing()
        client = Client(Home(tmp_path), timeout_s=60)
        client.know_time_zones({"TCS.NS": "Asia/Kolkata"})
        whole = client.ask("TCS.NS", date(2025, 1, 1))
        yahoo.fail("TCS.NS", fake.with_events(events))
        answer = client.ask("TCS.NS", date(2025, 1, 1))
    assert answer.frame.drop(columns=SPLITS).equals(whole.frame.drop(columns=SPLITS))
    assert [kind for kind, _ in answer.notes] == (["malformed_event"] if lost else [])
