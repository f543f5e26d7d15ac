"""Prices from a plug-in go through the checks of all others, and what it does wrong is its stock's failure alone."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from planted_plugins import plant

from stockml.core.clock import Clock
from stockml.core.paths import Home
from stockml.core.plugins import PluginError
from stockml.data.fetch import fetch_prices, spans_of
from stockml.data.fetched import Fetched
from stockml.data.plugin_source import check_source, opened
from stockml.data.request import FetchSettings
from stockml.data.sources import Source, parse_source

CLOCK = Clock(datetime(2026, 7, 15, tzinfo=UTC), date(2026, 6, 30))
MADE = """
import pandas as pd
from stockml.data.simulated_market import sample_bars
asked = []
class Plugin:
    def __init__(self, argument):
        self.argument = argument
    def bars(self, symbol, start, end):
        asked.append((symbol, start, end, self.argument))
        if symbol == "NOBODY":
            return None
        bars = sample_bars("SIM-ALPHA", start, end + pd.Timedelta(days=9))
        {change}
        return bars
"""


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that installs a source which changes ordinary bars by a statement, and names it."""

    def install(change: str = "pass", argument: str = "") -> Source:
        monkeypatch.syspath_prepend(plant(tmp_path / "packages", {"sources": {"made": MADE.format(change=change)}}))
        return parse_source(f"made:{argument}" if argument else "made")

    return install


def fetched(source: Source, *symbols: str, home: Path = Path("/proc/nonexistent"), history_bars: int = 0) -> Fetched:
    settings = FetchSettings(history_bars=history_bars)
    spans = spans_of(symbols or ["AAPL"], 309, CLOCK)
    return fetch_prices(spans, source, clock=CLOCK, home=Home(home), settings=settings)


def test_its_bars_are_a_checked_table_of_that_source(source) -> None:
    made = source("bars.attrs['currency'] = 'USD'", "some place")
    assert (made, str(made)) == (Source("made", argument="some place"), "made:some place")
    table = fetched(made).tables["AAPL"]
    assert (table.source, table.currency, table.frame.attrs) == ("made", "USD", {})
    assert table.data_through == CLOCK.as_of  # it gave later ones
    assert str(fetched(made).bars["AAPL"].days[-1])[:10] == str(CLOCK.as_of)


def test_it_is_asked_for_the_days_wanted_or_for_all(source) -> None:
    made = source(argument="x:y")
    span = spans_of(["AAPL"], 309, CLOCK)["AAPL"]
    fetched(made)
    fetched(made, history_bars=9000)
    asked = sys.modules[type(opened(made)).__module__].asked
    assert [(symbol, end, argument) for symbol, _, end, argument in asked] == [("AAPL", span.limit, "x:y")] * 2
    assert 0 < (span.start - asked[0][1]).days < 30 and asked[1][1] == date(1900, 1, 1)


@pytest.mark.parametrize(
    ("change", "kind", "told"),
    [
        ("raise ValueError('no such table')", "plugin", "made failed (ValueError: no such table); repair it"),
        ("raise SystemExit", "plugin", "made failed (SystemExit); repair it or name another --source"),
        ("raise ConnectionResetError('gone')", "network", "failed (ConnectionResetError: gone); try again later"),
        ("raise TimeoutError", "network", "failed (TimeoutError); try again later"),
        ("bars = 5", "plugin", "gave a int, not a DataFrame or None"),
        ("bars = bars['Close']", "plugin", "gave a Series, not a DataFrame or None"),
        ("bars = pd.concat({'AAPL': bars}, axis=1)", "plugin", "several rows of headings"),
        ("bars = bars.set_index('Open', append=True)", "plugin", "several rows of headings or several indices"),
        ("bars = bars.iloc[:0]", "too_short", "AAPL: "),
        ("bars = bars.drop(columns='Volume')", "unreadable", "no column volume"),
        ("bars = bars.rename(columns={'Open': 7})", "unreadable", "no column open"),
        ("bars = bars.reset_index(drop=True)", "unreadable", "AAPL: "),
        ("bars = bars.astype(object).assign(Volume=10**400)", "plugin", "gave a table that cannot be read (Overflow"),
        ("bars = bars.iloc[-20:]", "too_short", "daily bars"),
        ("bars['Close'] = 'much'", "unreadable", "AAPL: "),
        ("bars['Close'] = -1.0", "too_short", "AAPL: "),
        ("bars = pd.concat([bars, bars * 2])", "bad_prices", "the table mixes two companies"),
        ("bars = pd.concat([bars, bars], axis=1)", "bad_prices", "AAPL: "),
    ],
)
def test_what_it_does_wrong_is_said_in_one_sentence(source, change: str, kind: str, told: str) -> None:
    failure = fetched(source(change)).failures["AAPL"]
    assert (failure.kind, failure.message.startswith("AAPL: ")) == (kind, True), failure
    assert told in failure.message and failure.message.isprintable()


@pytest.mark.parametrize(
    "change",
    [
        "bars.index = bars.index.tz_localize('America/New_York')",
        "bars = bars.reset_index()",
        "bars = bars.reset_index().astype({'Date': str}).iloc[::-1]",
        "bars.index = bars.index.date",
        "bars.index = bars.index.to_period('D')",
        "bars = bars.astype(object)",
        "bars.columns = bars.columns.str.lower()",
        "bars['Stock Splits'] = 0.0",
    ],
)
def test_days_and_numbers_in_any_usual_form_are_read(source, change: str) -> None:
    found = fetched(source(change))
    assert found.failures == {}
    assert found.tables["AAPL"].data_through == CLOCK.as_of and len(found.tables["AAPL"].frame) > 300


def test_a_symbol_that_it_does_not_know_harms_no_other(source) -> None:
    found = fetched(source(), "NOBODY", "AAPL")
    assert list(found.tables) == ["AAPL"]
    assert found.failures["NOBODY"].kind == "unknown_symbol"
    assert found.failures["NOBODY"].message == "NOBODY: not known to the price source made; correct the symbol"


@pytest.mark.parametrize("text", ["made", "MADE", "Made:a b", "made:/x:y", "made:"])
def test_it_is_named_in_any_case_with_any_argument(source, text: str) -> None:
    source()
    assert parse_source(text) == Source("made", argument=text.partition(":")[2])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("mades", "'mades' is none of yahoo, csv:DIR, made and sample; did you mean made?"),
        ("mede:x", "'mede:x' is none of yahoo, csv:DIR, made and sample; did you mean made?"),
        ("yaho", "did you mean yahoo?"),
        ("nothing_alike", "is none of yahoo, csv:DIR, made and sample; write one of them"),
    ],
)
def test_an_unknown_name_is_told_beside_the_installed_ones(source, text: str, told: str) -> None:
    source()
    with pytest.raises(ValueError) as caught:
        parse_source(text)
    assert told in str(caught.value)


@pytest.mark.parametrize("name", ["yahoo", "csv", "sample"])
def test_a_name_of_ours_is_refused(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(plant(tmp_path, {"sources": {name: MADE, "made": MADE}}))
    assert parse_source("sample") == Source("sample")
    with pytest.raises(PluginError, match=f"the price source {name} .* has the name of a built-in one"):
        parse_source("made")


def test_one_that_is_gone_or_cannot_be_made_is_said_before_anything_is_asked(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(PluginError, match="the price source lost is no longer installed"):
        check_source(Source("lost"))
    monkeypatch.syspath_prepend(plant(tmp_path, {"sources": {"made": "class Plugin: bars = print"}}))
    with pytest.raises(PluginError, match=r"the price source made .* cannot be made .TypeError"):
        check_source(parse_source("made"))
