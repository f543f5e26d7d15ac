"""A run against Yahoo: how often it asks, what it keeps, and what it does about each thing that goes wrong."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import fake_yahoo as fake
import numpy as np
import pandas as pd
import pytest
from asking import AT_ONCE, HANGING, listing
from fake_yahoo import FakeYahoo, redirected
from scripts import PROJECT
from waiting import PATIENCE_SECONDS

from stockml.core import failures
from stockml.core.calendars import calendar_for
from stockml.core.clock import Clock
from stockml.core.paths import Home
from stockml.data import price_cache
from stockml.data.fetch import fetch_prices, spans_of
from stockml.data.fetched import Fetched
from stockml.data.request import FetchSettings
from stockml.data.sources import Source
from stockml.data.yahoo_download import GIVE_UP_AFTER

TUESDAY = date(2026, 6, 30)
WEDNESDAY = date(2026, 7, 1)
MUMBAI = "Asia/Kolkata"
OFFLINE = FetchSettings(offline=True)


@dataclass
class Desk:
    """A server, a home, and a clock that stands after the close in Mumbai on the server's day."""

    yahoo: FakeYahoo
    home: Home

    def fetch(
        self,
        *symbols: str,
        at: str = "17:00",
        as_of: date | None = None,
        back: int = 300,
        settings: FetchSettings = AT_ONCE,
    ) -> Fetched:
        now = pd.Timestamp(f"{self.yahoo.today} {at}", tz=MUMBAI).to_pydatetime()
        clock = Clock(now, as_of)
        spans = spans_of(symbols or ("TCS.NS",), back, clock)
        return fetch_prices(spans, Source("yahoo"), clock=clock, home=self.home, settings=settings)

    def requests(self) -> int:
        """Charts asked for since the last call."""
        count = self.yahoo.charts()
        self.yahoo.asked.clear()
        return count


def settings_for(fault: Any) -> FetchSettings:
    return HANGING if fault is fake.hang else AT_ONCE


@pytest.fixture
def desk(tmp_path):
    with FakeYahoo(TUESDAY) as yahoo, redirected(yahoo):
        for seed, symbol in enumerate(("TCS.NS", "INFY.NS", "WIPRO.NS")):
            yahoo.listings[symbol] = listing(seed=seed)
        yield Desk(yahoo, Home(tmp_path))


def kinds(fetched: Fetched, symbol: str = "TCS.NS") -> list[str]:
    return [finding.kind for finding in fetched.tables[symbol].findings]


def in_another_process(desk: Desk, folder: Path, code: str, *, home: Path | None = None) -> tuple[str, str]:
    """What code prints and complains of as cron would run it after the session of TUESDAY, sent to the server."""
    path = [str(fake.site_folder(desk.yahoo, folder / "site")), str(PROJECT)]
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", FETCH.format(home=str(home or desk.home.root)) + code],
        capture_output=True,
        text=True,
        env={"HOME": "/proc/nonexistent", "PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(path)},
        check=False,
    )
    return done.stdout, done.stderr


FETCH = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from stockml.core.paths import Home
from stockml.core.clock import Clock
from stockml.data.fetch import fetch_prices, spans_of
from stockml.data.sources import Source


def fetch(*symbols):
    clock = Clock(datetime(2026, 6, 30, 12, tzinfo=UTC))
    spans = spans_of(symbols, 300, clock)
    return fetch_prices(spans, Source("yahoo"), clock=clock, home=Home(Path({home!r})))


"""


# --- at what time it asks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("skew", "headers", "told"),
    [
        (timedelta(hours=-3), {}, timedelta(hours=-3)),
        (timedelta(hours=-3), {"Age": "10800"}, timedelta(0)),  # kept on the way since 14:00
        (timedelta(days=-45), {}, timedelta(days=-45)),
    ],
)
def test_an_answer_of_an_earlier_time_is_kept_as_of_that_time(desk, skew, headers, told):
    desk.yahoo.skew, desk.yahoo.headers = skew, headers
    fetched = desk.fetch("TCS.NS", at="17:00")
    kept = price_cache.read("TCS.NS", desk.home)
    assert fetched.skew is not None and abs(fetched.skew - told) < timedelta(minutes=2)
    answered = pd.Timestamp("2026-06-30 17:00", tz=MUMBAI) + skew
    assert abs(kept.fetched_at - answered) < timedelta(minutes=2)
    assert kept.through == fetched.completed["TCS.NS"] == calendar_for("TCS.NS").last_completed(answered)


@pytest.mark.parametrize("fault", [fake.UNKNOWN, fake.BROKEN, fake.NO_SUCH_DAYS])
def test_a_refusal_of_yahoos_own_tells_the_time_too(desk, fault):
    desk.yahoo.skew = timedelta(hours=-3)
    desk.yahoo.fail("TCS.NS", fault)
    assert abs(desk.fetch("TCS.NS").skew + timedelta(hours=3)) < timedelta(minutes=2)


@pytest.mark.parametrize("wire", [fake.HTML, fake.BROKEN_HTML, fake.TOO_MANY])
def test_what_may_not_be_yahoos_tells_no_time(desk, wire):
    desk.yahoo.skew = timedelta(hours=-3)
    desk.yahoo.fail("TCS.NS", wire)
    assert desk.fetch("TCS.NS").skew is None


# --- how often it asks ------------------------------------------------------------------------------------------


def test_a_symbol_costs_one_request_a_day_and_none_again_on_the_same_day(desk):
    first = desk.fetch("TCS.NS", "INFY.NS")
    assert (desk.requests(), first.requests) == (2, {"TCS.NS": 1, "INFY.NS": 1})
    again = desk.fetch("TCS.NS", "INFY.NS")
    assert (desk.requests(), again.requests, len(desk.yahoo.asked)) == (0, {}, 0)
    for symbol in first.tables:
        pd.testing.assert_frame_equal(first.tables[symbol].frame, again.tables[symbol].frame)
    desk.yahoo.today = WEDNESDAY
    later = desk.fetch("TCS.NS", "INFY.NS")
    assert (desk.requests(), later.requests) == (2, {"TCS.NS": 1, "INFY.NS": 1})
    assert {table.data_through for table in later.tables.values()} == {WEDNESDAY}


def test_a_daily_run_asks_for_the_new_sessions_and_a_few_before(desk):
    desk.fetch()
    desk.requests()
    desk.yahoo.today = WEDNESDAY
    desk.fetch()
    (url,) = (url for url in desk.yahoo.asked if fake.CHART in url)
    since = datetime.fromtimestamp(int(url.partition("period1=")[2].partition("&")[0]), UTC)
    assert (WEDNESDAY - since.date()).days in (15, 16)


def test_a_run_that_needs_nothing_new_does_not_load_yfinance(desk, tmp_path):
    desk.fetch()
    desk.yahoo.asked.clear()
    said = in_another_process(desk, tmp_path, "print(len(fetch('TCS.NS').tables), 'yfinance' in sys.modules)")
    assert (said, desk.yahoo.asked) == (("1 False\n", ""), [])


def test_the_series_that_grew_day_by_day_equals_the_one_fetched_at_once(desk, tmp_path):
    for day in calendar_for("TCS.NS").sessions_between(date(2026, 6, 1), TUESDAY):
        desk.yahoo.today = day
        grown = desk.fetch().tables["TCS.NS"]
    at_once = Desk(desk.yahoo, Home(tmp_path / "other")).fetch().tables["TCS.NS"]
    pd.testing.assert_frame_equal(grown.frame.loc["2025-06-01":], at_once.frame.loc["2025-06-01":])


@pytest.mark.parametrize("settings", [AT_ONCE, OFFLINE])
def test_a_history_is_what_the_store_holds_and_asks_for_no_more(desk, settings):
    with_history = replace(settings, history_bars=10_000)
    desk.fetch(back=300)
    desk.requests()
    assert desk.fetch(back=300, settings=with_history).tables["TCS.NS"].history is None
    assert desk.requests() == 0
    longer = desk.fetch(back=450).tables["TCS.NS"]
    desk.requests()
    table = desk.fetch(back=300, settings=with_history).tables["TCS.NS"]
    assert desk.requests() == 0
    pd.testing.assert_frame_equal(table.history.frame, longer.frame)
    assert len(table.frame) < len(longer.frame)


def test_more_history_is_fetched_when_more_is_needed(desk):
    assert len(desk.fetch(back=100).tables["TCS.NS"].frame) < 200
    assert len(desk.fetch(back=500).tables["TCS.NS"].frame) >= 500
    assert len(desk.fetch(back=100).tables["TCS.NS"].frame) < 200
    assert desk.requests() == 2


def test_a_past_day_is_served_from_later_prices_without_asking(desk):
    desk.fetch()
    desk.requests()
    past = desk.fetch(as_of=date(2026, 5, 20), back=200).tables["TCS.NS"]
    assert (past.data_through, past.findings, desk.requests()) == (date(2026, 5, 20), (), 0)


def test_a_past_day_in_an_empty_home_sees_nothing_later_and_keeps_it_for_other_days(desk):
    assert desk.fetch(as_of=date(2026, 5, 20)).tables["TCS.NS"].data_through == date(2026, 5, 20)
    assert desk.fetch(back=200).tables["TCS.NS"].data_through == TUESDAY
    assert desk.requests() == 1


def test_the_bar_of_an_open_session_is_used_by_nobody_and_fetched_again_after_the_close(desk):
    during = desk.fetch(at="14:00")
    assert (during.tables["TCS.NS"].data_through, kinds(during)) == (date(2026, 6, 29), ["open_session"])
    after = desk.fetch(at="15:51")
    assert (after.tables["TCS.NS"].data_through, kinds(after)) == (TUESDAY, [])
    assert desk.requests() == 2


# --- when the past changes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "close_factor"),
    [
        (lambda listing: listing.splitting(WEDNESDAY, 2.0), 0.5),
        (lambda listing: replace(listing, dividends={WEDNESDAY: 3.0}), 1.0),
    ],
    ids=["split", "dividend"],
)
def test_after_a_split_or_a_dividend_the_whole_series_is_fetched_again(desk, change, close_factor):
    before = desk.fetch().tables["TCS.NS"].frame
    desk.requests()
    desk.yahoo.listings["TCS.NS"] = change(desk.yahoo.listings["TCS.NS"])
    desk.yahoo.today = WEDNESDAY
    fetched = desk.fetch()
    after = fetched.tables["TCS.NS"].frame
    assert (desk.requests(), kinds(fetched)) == (2, ["refetched"])
    shared = before.index.intersection(after.index)
    np.testing.assert_allclose(after.loc[shared, "close"], before.loc[shared, "close"] * close_factor)
    whole = desk.yahoo.listings["TCS.NS"].known(WEDNESDAY).loc[after.index[0] :]
    np.testing.assert_allclose(after["adj_close"], whole["Adj Close"])
    assert desk.fetch().tables["TCS.NS"].data_through == WEDNESDAY
    assert desk.requests() == 0


def test_a_corrected_close_in_the_overlap_brings_the_whole_series_again(desk):
    desk.fetch()
    desk.requests()
    desk.yahoo.listings["TCS.NS"].bars.loc["2026-06-25", ["Close", "High"]] *= 1.03
    desk.yahoo.today = WEDNESDAY
    fetched = desk.fetch()
    assert (desk.requests(), kinds(fetched)) == (2, ["refetched"])
    close = desk.yahoo.listings["TCS.NS"].bars.loc["2026-06-25", "Close"]
    assert fetched.tables["TCS.NS"].frame.loc["2026-06-25", "close"] == pytest.approx(close)


def test_a_missing_bar_is_filled_in_late(desk):
    desk.yahoo.fail("TCS.NS", fake.without_rows(-3), times=1)
    missing = desk.yahoo.listings["TCS.NS"].known(TUESDAY).index[-3]
    assert missing not in desk.fetch().tables["TCS.NS"].frame.index
    desk.yahoo.today = WEDNESDAY
    assert missing in desk.fetch().tables["TCS.NS"].frame.index
    assert desk.requests() == 2


def test_when_the_last_session_is_missing_it_is_said_and_asked_for_again(desk):
    desk.yahoo.fail("TCS.NS", fake.without_rows(-1), times=1)
    early = desk.fetch()
    assert (early.tables["TCS.NS"].data_through, kinds(early)) == (date(2026, 6, 29), ["stale"])
    later = desk.fetch()
    assert (later.tables["TCS.NS"].data_through, kinds(later), desk.requests()) == (TUESDAY, [], 2)


def test_nulls_in_the_middle_and_at_the_end_are_dropped_and_counted(desk):
    desk.yahoo.fail("TCS.NS", fake.null_rows(50, 51, -1), times=1)
    table = desk.fetch().tables["TCS.NS"]
    assert {finding.kind: finding.count for finding in table.findings} == {"missing_price": 3, "stale": 1}
    assert table.data_through == date(2026, 6, 29)
    assert kinds(desk.fetch()) == ["missing_price"]  # the end was asked for again, the middle lies too far back


def test_a_damaged_file_of_the_price_cache_is_downloaded_again(desk, caplog):
    desk.fetch()
    (desk.home.prices / "TCS.NS.parquet").write_bytes(b"PAR1")
    assert desk.fetch().tables["TCS.NS"].data_through == TUESDAY
    assert "are damaged" in caplog.text and desk.requests() == 2


@pytest.mark.parametrize("name", ["tkr-tz.db", "cookies.db"])
def test_a_damaged_cache_of_yfinance_is_made_again(desk, tmp_path, name):
    caches = desk.home.prices / "yfinance"
    caches.mkdir(parents=True)
    (caches / name).write_bytes(b"not a database" * 1000)
    said = in_another_process(desk, tmp_path, "fetched = fetch('TCS.NS'); print(len(fetched.tables), fetched.failures)")
    assert said == ("1 {}\n", "")


# --- without a connection ---------------------------------------------------------------------------------------


def test_offline_the_price_cache_serves_and_says_how_old_it_is(desk):
    desk.fetch()
    desk.requests()
    desk.yahoo.today = date(2026, 7, 6)
    fetched = desk.fetch("TCS.NS", "INFY.NS", settings=OFFLINE)
    assert (list(fetched.tables), kinds(fetched), desk.requests()) == (["TCS.NS"], ["offline", "stale"], 0)
    assert "last asked 6 days ago; its prices end on 2026-06-30" in fetched.tables["TCS.NS"].findings[0].text
    assert fetched.failures["INFY.NS"].kind == failures.NO_NEW_DATA
    assert "run once with a connection" in fetched.failures["INFY.NS"].message


# --- faults -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "times", "kind", "requests"),
    [
        (fake.TOO_MANY, 1, None, 2),  # yfinance asks a second time by itself
        (fake.TOO_MANY, 2, None, 3),
        (fake.TOO_MANY, 99, failures.RATE_LIMITED, 8),
        (fake.UNKNOWN, 99, failures.UNKNOWN_SYMBOL, 2),
        (fake.BROKEN, 2, None, 3),
        (fake.BROKEN, 99, failures.SERVER, 6),
        (fake.HTML, 1, None, 2),
        (fake.HTML, 99, failures.UNREADABLE, 2),
        (fake.cut, 1, None, 2),
        (fake.cut, 99, failures.UNREADABLE, 2),
        (fake.drop, 1, None, 2),
        (fake.drop, 99, failures.NETWORK, 2),
        (fake.hang, 1, None, 2),
        (fake.hang, 99, failures.NETWORK, 2),
        (fake.empty, 99, failures.NO_NEW_DATA, 1),
        (fake.NO_SUCH_DAYS, 99, failures.NO_NEW_DATA, 2),
        (fake.described(symbol="OTHER.NS"), 99, failures.RENAMED, 1),
        (fake.described(currency="USD"), 99, None, 1),
    ],
)
def test_a_fault_ends_in_its_class_and_harms_no_other_symbol(desk, fault, times, kind, requests):
    desk.yahoo.fail("INFY.NS", fault, times)
    fetched = desk.fetch("TCS.NS", "INFY.NS", "WIPRO.NS", settings=settings_for(fault))
    assert fetched.requests == {"TCS.NS": 1, "INFY.NS": requests, "WIPRO.NS": 1}
    assert {"TCS.NS", "WIPRO.NS"} <= set(fetched.tables)
    if kind is None:
        assert list(fetched.tables) == ["TCS.NS", "INFY.NS", "WIPRO.NS"]
        assert (fetched.tables["INFY.NS"].data_through, fetched.failures) == (TUESDAY, {})
    else:
        failure = fetched.failures["INFY.NS"]
        assert (failure.kind, failure.is_known) == (kind, False)
        assert failure.message.startswith("INFY.NS: ") and "\n" not in failure.message


@pytest.mark.parametrize("fault", [fake.TOO_MANY, fake.BROKEN, fake.HTML, fake.cut, fake.drop, fake.hang, fake.empty])
def test_a_fault_leaves_what_is_stored_as_it_was(desk, fault):
    before = desk.fetch().tables["TCS.NS"]
    desk.yahoo.today = WEDNESDAY
    desk.yahoo.fail("TCS.NS", fault)
    desk.fetch(settings=settings_for(fault))
    desk.yahoo.mend()
    offline = desk.fetch(settings=OFFLINE).tables["TCS.NS"]
    pd.testing.assert_frame_equal(offline.frame.loc[: str(TUESDAY)], before.frame.loc[offline.frame.index[0] :])
    assert desk.fetch().tables["TCS.NS"].data_through == WEDNESDAY


@pytest.mark.parametrize("fault", [fake.empty, fake.NO_SUCH_DAYS])
def test_no_new_price_is_said_and_the_stored_ones_are_used(desk, fault):
    desk.fetch()
    desk.yahoo.today = WEDNESDAY
    desk.yahoo.fail("TCS.NS", fault)
    fetched = desk.fetch()
    assert (fetched.failures, kinds(fetched)) == ({}, ["no_new_data", "stale"])


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (fake.TOO_MANY, "5 requests in a row were refused by Yahoo"),
        (fake.BROKEN, "9 requests in a row were met by a server in trouble"),
        (fake.drop, "8 requests in a row were not answered"),
    ],
)
def test_after_several_failures_in_a_row_nobody_is_asked_any_more(desk, fault, words):
    symbols = [f"S{number}.NS" for number in range(30)]
    desk.yahoo.fail("*", fault)
    fetched = desk.fetch(*symbols)
    kind = {failure.kind for failure in fetched.failures.values()}
    assert (len(fetched.failures), len(kind)) == (30, 1)
    asked = sum(fetched.requests.values())
    assert asked <= 2 * GIVE_UP_AFTER[kind.pop()]  # yfinance asks twice after an HTTP error
    assert words in fetched.failures["S29.NS"].message
    assert fetched.requests["S29.NS"] == 0


def test_waiting_is_bounded_and_ends_when_the_run_gives_up(desk):
    symbols = [f"S{number}.NS" for number in range(8)]
    desk.yahoo.fail("*", fake.TOO_MANY)
    started = datetime.now(UTC)
    waits = FetchSettings(threads=8, timeout_s=60, first_wait_s=PATIENCE_SECONDS, longest_wait_s=2 * PATIENCE_SECONDS)
    fetched = desk.fetch(*symbols, settings=waits)
    assert datetime.now(UTC) - started < timedelta(seconds=PATIENCE_SECONDS)
    assert {failure.kind for failure in fetched.failures.values()} == {failures.RATE_LIMITED}


def test_a_hanging_connection_costs_its_time_and_no_more(desk):
    desk.yahoo.fail("*", fake.hang)
    fetched = desk.fetch("TCS.NS", settings=HANGING)  # the server would be silent for ever
    assert fetched.failures["TCS.NS"].kind == failures.NETWORK


def test_a_few_threads_fetch_as_one_does(desk):
    for number in range(12):
        desk.yahoo.listings[f"S{number}.NS"] = listing(seed=100 + number)
    symbols = [f"S{number}.NS" for number in range(12)]
    desk.yahoo.fail("S3.NS", fake.UNKNOWN)
    desk.yahoo.fail("S5.NS", fake.cut)
    fetched = desk.fetch(*symbols, settings=replace(AT_ONCE, threads=6))
    assert list(fetched.tables) == [symbol for symbol in symbols if symbol not in ("S3.NS", "S5.NS")]
    for symbol, table in fetched.tables.items():
        np.testing.assert_allclose(
            table.frame["close"], desk.yahoo.listings[symbol].known(TUESDAY)["Close"].loc[table.frame.index[0] :]
        )


# --- dead symbols -----------------------------------------------------------------------------------------------


def test_a_dead_symbol_is_asked_for_again_only_weekly_and_forgiven_when_it_comes_back(desk):
    met = desk.fetch("TCS.NS", "DEAD.NS").failures["DEAD.NS"]
    assert (met.kind, met.is_known) == (failures.UNKNOWN_SYMBOL, False)
    desk.requests()
    for day in range(1, 7):
        desk.yahoo.today = TUESDAY + timedelta(days=day)
        skipped = desk.fetch("DEAD.NS")
        assert (skipped.failures["DEAD.NS"].is_known, desk.requests(), skipped.requests) == (True, 0, {})
        assert (
            "did not know it on 2026-06-30; it is asked for again from 2026-07-07 on"
            in skipped.failures["DEAD.NS"].message
        )
    desk.yahoo.today = TUESDAY + timedelta(days=7)
    again = desk.fetch("DEAD.NS").failures["DEAD.NS"]
    assert (again.is_known, desk.requests()) == (False, 2)
    desk.yahoo.today = TUESDAY + timedelta(days=14)
    desk.yahoo.listings["DEAD.NS"] = listing(seed=9)
    assert list(desk.fetch("DEAD.NS").tables) == ["DEAD.NS"]
    assert json.loads((desk.home.prices / "quarantine.json").read_text()) == {}


def test_a_renamed_symbol_fails_as_unknown_and_its_new_name_as_too_short(desk):
    desk.fetch("TCS.NS")
    del desk.yahoo.listings["TCS.NS"]
    desk.yahoo.listings["TCSNEW.NS"] = listing(n_days=12, last_day=str(WEDNESDAY))
    desk.yahoo.today = WEDNESDAY
    fetched = desk.fetch("TCS.NS", "TCSNEW.NS", "INFY.NS")
    assert {symbol: failure.kind for symbol, failure in fetched.failures.items()} == {
        "TCS.NS": failures.UNKNOWN_SYMBOL,
        "TCSNEW.NS": failures.TOO_SHORT,
    }
    assert list(fetched.tables) == ["INFY.NS"]


# --- what a caller is told --------------------------------------------------------------------------------------


def test_the_summary_tells_each_symbols_rows_requests_and_findings(desk):
    desk.yahoo.fail("TCS.NS", fake.null_rows(50), times=1)
    summary = json.loads(json.dumps(desk.fetch("TCS.NS", "DEAD.NS").summary()))
    finding = summary["TCS.NS"]["findings"][0]
    assert (finding["kind"], finding["action"], finding["count"]) == ("missing_price", "dropped", 1)
    assert finding["first"] == finding["last"]
    assert (summary["TCS.NS"]["requests"], summary["TCS.NS"]["data_through"]) == (1, "2026-06-30")
    assert summary["TCS.NS"]["currency"] == "INR"
    assert summary["DEAD.NS"] == {
        "failure": "unknown_symbol",
        "message": "DEAD.NS: Yahoo does not know it: delisted, renamed or misspelt",
        "skipped": False,
        "requests": 2,
    }


def test_without_a_home_directory_nothing_is_printed_and_all_is_kept(desk, tmp_path):
    home = tmp_path / "fresh"
    code = "for _ in range(2): fetched = fetch('TCS.NS', 'X.NS'); print(*fetched.tables, *fetched.failures)"
    assert in_another_process(desk, tmp_path, code, home=home) == ("TCS.NS X.NS\n" * 2, "")
    assert desk.requests() == 3
    kept = {path.name for path in (home / "ml_training_data" / "prices").iterdir()}
    assert kept >= {"TCS.NS.parquet", "quarantine.json", "yfinance"}
