"""Sources: every symbol ends in a checked table or in a failure with its own kind, and none stops another."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from made_up_bars import market

from stockml.core import failures
from stockml.core.calendars import calendar_for
from stockml.core.clock import Clock
from stockml.core.paths import Home
from stockml.data.csv_files import read_csv
from stockml.data.fetch import fetch_prices, spans_of
from stockml.data.point_in_time import PointInTimePrices
from stockml.data.request import DEFAULT_SETTINGS, FetchSettings
from stockml.data.simulated_market import SAMPLE_SYMBOLS, sample_bars
from stockml.data.sources import Source, parse_source

NOW = datetime(2026, 6, 30, 16, 0, tzinfo=UTC)  # Tuesday, after the close in Mumbai


def write(folder, symbol, raw):
    folder.mkdir(exist_ok=True)
    raw.to_csv(folder / f"{symbol}.csv")


def fetch(symbols, source, home, *, as_of=None, now=NOW, sessions_back=300, settings=DEFAULT_SETTINGS):
    clock = Clock(now, as_of)
    spans = spans_of(symbols, sessions_back, clock)
    return fetch_prices(spans, source, clock=clock, home=Home(home), settings=settings)


@pytest.fixture
def prices(tmp_path):
    """A folder of sound files and one of each kind that is not."""
    folder = tmp_path / "csv"
    raw = market(600)
    raw.index = pd.bdate_range(end="2026-06-30", periods=600, name="Date")
    write(folder, "TCS.NS", raw)
    write(folder, "^NSEI", raw.assign(Volume=0).drop(columns="Adj Close"))
    write(folder, "SHORT.NS", raw.tail(20))
    write(folder, "TORN.NS", raw.drop(columns="Volume"))
    write(folder, "UNITS.NS", raw.assign(**{name: raw[name].where(raw.index < "2026-03-02", 1) for name in raw}))
    (folder / "EMPTY.NS.csv").write_text("")
    (folder / "HEADER.NS.csv").write_text("Date,Open,High,Low,Close,Volume\n")
    (folder / "TITLE.NS.csv").write_text("prices of a year\n" + raw.to_csv(header=False))
    (folder / "HTML.NS.csv").write_text("<html>\n<p>a, b</p>\n<p>a, b, c, d</p></html>\n")
    (folder / "BINARY.NS.csv").write_bytes(bytes(range(256)) * 10)
    (folder / "FOLDER.NS.csv").mkdir()
    return folder


def test_files_are_checked_as_they_are_read_and_only_the_bars_asked_for_are_held(prices, tmp_path, monkeypatch):
    from stockml.data import fetch as sources

    steps = []

    def watched(name):
        function = getattr(sources, name)

        def watch(symbol, *rest, **more):
            steps.append((name, symbol))
            return function(symbol, *rest, **more)

        monkeypatch.setattr(sources, name, watch)

    watched("open_bars")
    watched("checked")
    fetched = fetch(["TCS.NS", "NONE.NS", "^NSEI"], Source("csv", prices), tmp_path, sessions_back=40)
    both = [(step, symbol) for symbol in ("TCS.NS", "^NSEI") for step in ("open_bars", "checked")]
    assert [step for step in steps if step[1] != "NONE.NS"] == both
    assert (list(fetched.tables), list(fetched.failures)) == (["TCS.NS", "^NSEI"], ["NONE.NS"])
    for table in fetched.tables.values():
        assert len(table.frame) >= 40
        for held in (table.frame.to_numpy(), table.frame.index.to_numpy()):
            while held.base is not None:
                held = held.base
            assert held.nbytes < 600 * 8  # one column of all bars takes as much


@pytest.mark.parametrize("text", ["yahoo", "sample"])
def test_a_source_is_named_by_one_word(text):
    assert str(parse_source(text)) == text
    assert parse_source(text).is_simulated == (text == "sample")


def test_a_folder_of_files_is_a_source(tmp_path):
    assert parse_source(f"csv:{tmp_path}") == Source("csv", tmp_path)
    assert str(parse_source(f"csv:{tmp_path}")) == f"csv:{tmp_path}"


@pytest.mark.parametrize("text", ["", "csv", "csv:", "csv:/no/such/folder", "google", "yahoo:x", "sample:3"])
def test_any_other_text_is_refused_in_plain_words(text):
    with pytest.raises(ValueError, match=rf"the source '{text}' "):
        parse_source(text)


@pytest.mark.parametrize(
    ("symbol", "kind", "words"),
    [
        ("../TCS.NS", failures.INVALID_SYMBOL, "is not a symbol"),
        ("A B", failures.INVALID_SYMBOL, "is not a symbol"),
        ("NOPE.NS", failures.UNKNOWN_SYMBOL, "there is no file"),
        ("EMPTY.NS", failures.UNREADABLE, "cannot be read as CSV"),
        ("HEADER.NS", failures.TOO_SHORT, "has no rows"),
        ("HTML.NS", failures.UNREADABLE, "HTML.NS"),
        ("TITLE.NS", failures.UNREADABLE, "no line names the columns, the first is 'prices of a year'"),
        ("BINARY.NS", failures.UNREADABLE, "cannot be read as CSV"),
        ("FOLDER.NS", failures.UNREADABLE, "cannot be read as CSV"),
        ("TORN.NS", failures.UNREADABLE, "no column volume"),
        ("SHORT.NS", failures.TOO_SHORT, "20 daily bars, need 30"),
        ("UNITS.NS", failures.BAD_PRICES, "on 2026-03-02 the close jumps"),
    ],
)
def test_a_symbol_that_fails_says_why_and_harms_no_other(prices, symbol, kind, words):
    fetched = fetch(["TCS.NS", symbol, "^NSEI"], Source("csv", prices), prices)
    assert list(fetched.tables) == ["TCS.NS", "^NSEI"]
    failure = fetched.failures[symbol]
    assert (failure.symbol, failure.kind, failure.is_known) == (symbol, kind, False)
    assert words in failure.message and symbol in failure.message and "\n" not in failure.message


@pytest.mark.parametrize("symbol", ["TCS.NS", "AAPL", "SHEL.L"])
@pytest.mark.parametrize("told", ["own", "UTC", "UTC T Z", "naive midnight"])
def test_days_told_as_moments_are_the_exchange_s_own(tmp_path, symbol, told):
    raw = market(300)
    raw.index = pd.bdate_range(end="2026-06-30", periods=300, name="Date")
    moments = raw.index.tz_localize(calendar_for(symbol).timezone)
    texts = {
        "own": moments.astype(str),
        "UTC": moments.tz_convert("UTC").astype(str),
        "UTC T Z": moments.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ"),
        "naive midnight": raw.index.strftime("%Y-%m-%dT%H:%M:%S"),
    }
    write(tmp_path / "csv", symbol, raw.set_axis(texts[told].rename("Date")))
    table = fetch([symbol], Source("csv", tmp_path / "csv"), tmp_path, as_of=date(2026, 6, 29)).tables[symbol]
    assert table.data_through == date(2026, 6, 29)
    assert table.frame.index.equals(raw.index[:-1].as_unit("us"))
    assert table.frame["close"].to_list() == raw["Close"].iloc[:-1].to_list()


@pytest.mark.parametrize(("sessions_back", "as_of"), [(10**7, None), (10**15, None), (300, date(1, 1, 2))])
def test_however_far_back_is_asked_for_there_is_a_first_day(prices, sessions_back, as_of):
    fetched = fetch(["TCS.NS"], Source("csv", prices), prices, sessions_back=sessions_back, as_of=as_of)
    assert [len(table.frame) for table in fetched.tables.values()] == ([] if as_of else [600])
    assert [failure.kind for failure in fetched.failures.values()] == ([failures.TOO_SHORT] if as_of else [])


def test_a_table_reaches_back_as_asked_and_ends_at_the_last_session(prices):
    table = fetch(["TCS.NS"], Source("csv", prices), prices, sessions_back=300).tables["TCS.NS"]
    assert 300 <= len(table.frame) < 400
    assert (table.data_through, table.source, table.currency) == (date(2026, 6, 30), "csv", None)
    assert table.findings == ()


def test_the_bar_of_an_open_session_is_dropped_and_said(prices):
    table = fetch(["TCS.NS"], Source("csv", prices), prices, now=datetime(2026, 6, 30, 10, 9, tzinfo=UTC)).tables[
        "TCS.NS"
    ]
    assert table.data_through == date(2026, 6, 29)
    assert [(finding.kind, finding.count) for finding in table.findings] == [("open_session", 1)]


def test_a_past_day_sees_no_later_bar_and_does_not_speak_of_any(prices):
    table = fetch(["TCS.NS"], Source("csv", prices), prices, as_of=date(2026, 3, 8)).tables["TCS.NS"]
    assert (table.data_through, table.findings) == (date(2026, 3, 6), ())


def test_a_past_day_equals_a_file_that_ends_there(prices, tmp_path):
    raw = pd.read_csv(prices / "TCS.NS.csv", index_col="Date").loc[:"2026-03-06"]
    write(tmp_path / "cut", "TCS.NS", raw)
    whole = fetch(["TCS.NS"], Source("csv", prices), prices, as_of=date(2026, 3, 6)).tables["TCS.NS"]
    cut = fetch(["TCS.NS"], Source("csv", tmp_path / "cut"), prices, as_of=date(2026, 3, 6)).tables["TCS.NS"]
    pd.testing.assert_frame_equal(whole.frame, cut.frame)


def test_a_special_session_on_a_sunday_serves_once_its_day_is_over(prices):
    raw = pd.read_csv(prices / "TCS.NS.csv", index_col="Date")
    raw.loc["2026-06-28"] = raw.iloc[-2]
    write(prices, "TCS.NS", raw.sort_index())
    monday = datetime(2026, 6, 29, 4, 0, tzinfo=UTC)  # before the close in Mumbai
    table = fetch(["TCS.NS"], Source("csv", prices), prices, now=monday).tables["TCS.NS"]
    assert table.data_through == date(2026, 6, 28)
    table = fetch(["TCS.NS"], Source("csv", prices), prices, as_of=date(2026, 6, 28)).tables["TCS.NS"]
    assert table.data_through == date(2026, 6, 28)


def test_a_table_that_ends_early_is_used_and_called_stale(prices):
    table = fetch(["TCS.NS"], Source("csv", prices), prices, now=datetime(2026, 7, 3, 16, 0, tzinfo=UTC)).tables[
        "TCS.NS"
    ]
    assert [(finding.kind, finding.dates) for finding in table.findings] == [("stale", (date(2026, 7, 3),))]


def test_the_simulated_market_is_a_source_of_its_own(tmp_path):
    fetched = fetch([*SAMPLE_SYMBOLS, "TCS.NS"], Source("sample"), tmp_path)
    assert list(fetched.tables) == list(SAMPLE_SYMBOLS)
    assert {(table.source, table.data_through, table.findings) for table in fetched.tables.values()} == {
        ("sample", date(2026, 6, 29), ())  # at 16:00 its session has closed a moment ago
    }
    assert fetched.failures["TCS.NS"].kind == failures.UNKNOWN_SYMBOL
    assert "not in the simulated market" in fetched.failures["TCS.NS"].message


def test_each_symbol_is_fetched_once_in_the_order_given(prices):
    fetched = fetch(["^NSEI", "TCS.NS", "^NSEI"], Source("csv", prices), prices)
    assert list(fetched.tables) == ["^NSEI", "TCS.NS"]


def test_the_summary_is_plain_values(prices):
    fetched = fetch(["TCS.NS", "NOPE.NS"], Source("csv", prices), prices, now=datetime(2026, 7, 3, 16, 0, tzinfo=UTC))
    summary = json.loads(json.dumps(fetched.summary()))
    assert summary["TCS.NS"]["data_through"] == "2026-06-30"
    assert summary["TCS.NS"]["findings"][0]["kind"] == "stale"
    assert summary["NOPE.NS"]["failure"] == "unknown_symbol"


def test_naming_a_source_loads_nothing_heavy():
    code = "import sys, stockml.data.fetch; print({'pandas', 'numpy', 'yfinance'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def spoilt(raw, how):
    """A table whose older bars need a check of their own."""
    if how == "a phantom":
        raw.iloc[700, :4] *= 3
    elif how == "a split not adjusted":
        raw.iloc[:650, :4] *= 2.37  # at no ratio that a split has: the history before it is lost
    elif how == "no volume":
        raw = raw.assign(Volume=0)
    return raw


@pytest.mark.parametrize("how", ["sound", "a phantom", "a split not adjusted", "no volume"])
def test_all_bars_at_hand_are_those_of_a_replay_on_that_day(tmp_path, how):
    raw = market(1500)
    raw.index = pd.bdate_range(end="2026-06-30", periods=1500, name="Date")
    raw = spoilt(raw.drop(columns="Adj Close") if how != "sound" else raw, how)
    write(tmp_path / "csv", "TCS.NS", raw)
    day, source = date(2025, 6, 30), Source("csv", tmp_path / "csv")
    settings = FetchSettings(history_bars=10_000)
    table = fetch(["TCS.NS"], source, tmp_path, as_of=day, settings=settings).tables["TCS.NS"]
    past = PointInTimePrices("TCS.NS", read_csv("TCS.NS", tmp_path / "csv", ZoneInfo("Asia/Kolkata")), "csv")
    replayed = past.training_table(spans_of(["TCS.NS"], 300, Clock(NOW, day))["TCS.NS"], 10_000)
    assert table.history.data_through == table.data_through == day
    assert len(table.history.frame) > 500 > len(table.frame) and table.history.findings == ()
    pd.testing.assert_frame_equal(replayed.history.frame, table.history.frame)
    assert replayed.history.breaks == table.history.breaks
    assert fetch(["TCS.NS"], source, tmp_path, as_of=day).tables["TCS.NS"].history is None
    few = fetch(["TCS.NS"], source, tmp_path, as_of=day, settings=FetchSettings(history_bars=450)).tables["TCS.NS"]
    pd.testing.assert_frame_equal(few.history.frame, table.history.frame.iloc[-450:])


def test_older_bars_that_cannot_be_used_or_are_none_leave_the_table_alone(tmp_path):
    settings = FetchSettings(history_bars=10_000)
    raw = market(600)
    raw.index = pd.bdate_range(end="2026-06-30", periods=600, name="Date")
    write(tmp_path / "csv", "YOUNG.NS", raw.tail(200))
    sparse = raw.set_axis([*pd.date_range(end=raw.index[300], periods=301, freq="9D"), *raw.index[301:]])
    write(tmp_path / "csv", "SPARSE.NS", sparse.rename_axis("Date"))
    tables = fetch(
        ["YOUNG.NS", "SPARSE.NS"], Source("csv", tmp_path / "csv"), tmp_path, settings=settings, sessions_back=250
    ).tables
    assert {symbol: table.history for symbol, table in tables.items()} == {"YOUNG.NS": None, "SPARSE.NS": None}


def test_the_simulated_market_has_all_its_years_at_hand(tmp_path):
    settings = FetchSettings(history_bars=10_000)
    (table,) = fetch(
        ["SIM-BETA"], Source("sample"), tmp_path, as_of=date(2026, 3, 2), settings=settings
    ).tables.values()
    expected = sample_bars("SIM-BETA", date(2015, 1, 1), date(2026, 3, 2))
    assert len(table.frame) < 500 and list(table.history.frame.index) == list(expected.index)
