"""Symbols that Yahoo did not know: how often they are asked for, and when it is Yahoo's own fault."""

from datetime import date, timedelta

import pytest

from stockml.core import failures
from stockml.core.failures import Failure
from stockml.core.paths import Home
from stockml.data import price_cache, quarantine
from stockml.data.request import RawBars

DAY = date(2026, 6, 1)


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


def unknown(symbol: str) -> Failure:
    return Failure(symbol, failures.UNKNOWN_SYMBOL, f"{symbol}: Yahoo does not know it")


def test_the_list_of_dead_symbols_comes_back(home):
    assert quarantine.read(home) == {}
    quarantine.write({"B.NS": (DAY,), "A.NS": (DAY, DAY + timedelta(days=1))}, home)
    assert quarantine.read(home) == {"A.NS": (DAY, DAY + timedelta(days=1)), "B.NS": (DAY,)}


@pytest.mark.parametrize("text", ["", "[]", '{"A.NS": 3}', '{"A.NS": "soon"}', "{", '{"A.NS": [3]}'])
def test_a_damaged_list_is_said_and_not_used(home, text, caplog):
    quarantine.write({}, home)
    quarantine.path_of(home).write_text(text)
    assert quarantine.read(home) == {}
    assert "is damaged and not used" in caplog.text


def test_a_stock_with_history_rests_after_three_days_and_another_after_one(home):
    home.prices.mkdir(parents=True)
    price_cache.path_of("OLD.NS", home).touch()
    asked = {"OLD.NS": 0, "NEW.NS": 0}
    for offset in range(9):
        today = DAY + timedelta(days=offset)
        for _ in range(2):  # two runs a day count once
            dead = quarantine.read(home)
            resting = quarantine.resting(asked, dead, today, home)
            for symbol in asked.keys() - resting.keys():
                asked[symbol] += 1
                quarantine.remember(quarantine.read(home), {symbol: unknown(symbol)}, today, home)
            assert all(failure.is_known for failure in resting.values())
    assert asked == {"OLD.NS": 5, "NEW.NS": 2}  # on three days until the third answer; on the first, and a week later


def test_a_stock_that_is_known_again_is_forgiven(home):
    quarantine.write({"A.NS": (DAY, DAY)}, home)
    quarantine.remember(quarantine.read(home), {"A.NS": RawBars(None, None)}, DAY, home)
    assert quarantine.read(home) == {}


@pytest.mark.parametrize(
    ("is_cached", "lost", "kind"),
    [
        ({f"S{n}.NS": True for n in range(4)}, 4, failures.SERVER),
        ({f"S{n}.NS": True for n in range(4)}, 3, failures.SERVER),
        ({f"S{n}.NS": True for n in range(6)}, 3, None),  # half of the market
        ({f"S{n}.NS": True for n in range(2)}, 2, None),  # two may be delisted together
        ({f"S{n}.NS": False for n in range(3)}, 3, failures.UNKNOWN_SYMBOL),  # or misspelt: told so, and not remembered
        ({f"S{n}.NS": False for n in range(4)}, 3, None),
        ({"S0.NS": True, "S1.NS": True, "S2.L": True, "S3.T": True}, 4, None),  # four exchanges
    ],
)
def test_a_market_lost_at_once_is_the_source_s_fault(is_cached, lost, kind):
    found = {symbol: unknown(symbol) for symbol in list(is_cached)[:lost]}
    told = quarantine.unknown_at_once(is_cached, found)
    assert {failure.kind for failure in told.values()} == ({kind} if kind else set())
    assert set(told) == (set(found) if kind else set())
