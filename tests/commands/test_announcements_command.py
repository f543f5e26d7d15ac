"""Days of results in whole processes: a file beside CSV prices, Yahoo's answers, and what a quiet run says of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import fake_yahoo as fake
import pandas as pd
import pytest
from asking import listing
from fake_yahoo import FakeYahoo, Results, site_folder
from made_up_bars import market
from scripts import Ran, log_of, predict, train
from tools import needs

from stockml.core.calendars import calendar_of
from stockml.core.paths import Home

TUESDAY = date(2026, 6, 30)
FRIDAY = date(2026, 7, 3)
STOCKS = ("TCS.NS", "INFY.NS")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "prices"
    path.mkdir()
    days = calendar_of("XBOM").sessions_between(date(2024, 1, 1), TUESDAY)[-400:]
    for seed, stock in enumerate(STOCKS):
        market(len(days), seed).set_index(pd.DatetimeIndex(days, name="Date")).to_csv(path / f"{stock}.csv")
    return path


def csv_run(folder: Path, *options: object) -> Ran:
    home = folder.parent / "home"
    return predict("--source", f"csv:{folder}", "--home", home, "--as-of", TUESDAY, "--symbols", *STOCKS, *options)


def test_rows_that_cannot_be_read_are_told_once_and_cost_no_stock(folder: Path) -> None:
    text = "symbol,date,first_known_on\nTCS.NS,2026-07-02,2026-06-18\nTCS.NS,soon,\nTCS.NS,2026-13-01,\n"
    (folder / "announcements.csv").write_text(text)
    ran = csv_run(folder)
    assert (ran.code, len(log_of(folder.parent / "home"))) == (0, 2)
    assert ran.err.count("announcements.csv: 2 rows left out, first line 3, column date: 'soon' is no date") == 1


@pytest.mark.parametrize(
    ("text", "command"), [("TCS.NS 2026-07-02\n", "predict"), ("", "train"), ("symbol,day\n", "replay")]
)
def test_a_file_that_is_none_is_wrong_usage(folder: Path, text: str, command: str) -> None:
    (folder / "announcements.csv").write_text(text)
    common = ("--source", f"csv:{folder}", "--home", folder.parent / "home", "--symbols", *STOCKS)
    ran = {
        "predict": lambda: predict(*common, "--as-of", TUESDAY),
        "train": lambda: train(*common, "--as-of", TUESDAY),
        "replay": lambda: predict(*common, "--replay", "2026-06-29", TUESDAY),
    }[command]()
    assert ran.code == 2
    assert "announcements.csv: its first line" in ran.err and "write a first line symbol,date" in ran.err
    assert not (folder.parent / "home").exists()


def test_the_file_is_no_stock(folder: Path) -> None:
    (folder / "announcements.csv").write_text("symbol,date\n")
    common = ("--source", f"csv:{folder}", "--home", folder.parent / "home", "--as-of", TUESDAY)
    for misspelt in ("ANNOUNCEMENTS", "ANOUNCEMENTS", "EXCHANGES"):
        ran = predict(*common, "--symbols", misspelt)
        assert ran.code == 3 and "did you mean" not in ran.err


ROWS = """symbol,date,first_known_on
TCS.NS,2026-07-02,2026-06-25
INFY.NS,2025-07-03,
"""
TOLD = {
    "TCS.NS": "results expected on 2026-07-02, moves then ",
    "INFY.NS": "results expected on 2026-07-02 (foretold from last year's), moves then ",
}


@pytest.mark.parametrize("symbol", STOCKS)
def test_the_log_the_explanation_and_the_report_tell_the_results_ahead(folder: Path, symbol: str) -> None:
    (folder / "announcements.csv").write_text(ROWS)
    home = folder.parent / "home"
    assert csv_run(folder).code == 0
    lines = {line["symbol"]: line["evidence"]["results_expected"] for line in log_of(home)}
    times = lines[symbol].pop("moves_times")
    assert lines[symbol] == {"date": "2026-07-02", "known": symbol == "TCS.NS"}
    text = f"{TOLD[symbol]}{times:.1f} times the usual"
    common = ("--source", f"csv:{folder}", "--home", home, "--as-of", TUESDAY)
    assert text in " ".join(predict(*common, "--explain", symbol).out.split())
    assert json.dumps(text)[1:-1] in (home / "realtime_predictions" / "report.html").read_text()


def test_a_replay_knows_a_date_from_the_day_it_was_known_on_as_live_runs_do(folder: Path) -> None:
    (folder / "announcements.csv").write_text(ROWS)
    common = ("--source", f"csv:{folder}", "--symbols", *STOCKS)
    replayed = predict(*common, "--home", folder.parent / "replay", "--replay", "2026-06-23", TUESDAY)
    assert replayed.code == 0, replayed.err
    told = {line["id"]: line["evidence"] for line in log_of(folder.parent / "replay")}
    known = {line[7:17] for line, evidence in told.items() if line.startswith("TCS") and "results_expected" in evidence}
    assert known == {"2026-06-25", "2026-06-29", "2026-06-30"}  # 2026-06-26 is a holiday in Mumbai
    for day in ("2026-06-24", "2026-06-25"):
        live = predict(*common, "--home", folder.parent / f"live {day}", "--as-of", day)
        assert live.code == 0, live.err
        for line in log_of(folder.parent / f"live {day}"):
            assert line["evidence"] == told[line["id"]]


# ---- Yahoo ----


@dataclass
class World:
    """A home, and Yahoo, which knows two companies and the days of their results."""

    yahoo: FakeYahoo
    home: Home
    site: Path

    def run(self, day: date, *options: object) -> Ran:
        """A run on the evening of a day."""
        now = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        self.yahoo.today, self.yahoo.skew = day, now - datetime.now(UTC)
        self.yahoo.asked.clear()
        symbols = () if "--explain" in options else ("--symbols", *STOCKS)
        env = {"PYTHONPATH": str(self.site)}
        return predict("--home", self.home.root, *symbols, *options, env=env, at=now)

    def kept(self) -> dict[str, list[dict[str, str | None]]]:
        lines = map(json.loads, self.home.announcements.read_text().splitlines())
        return {line["symbol"]: line["dates"] for line in lines}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with FakeYahoo(TUESDAY) as yahoo:
        for seed, stock in enumerate(STOCKS):
            yahoo.listings[stock] = listing(seed=seed)
            yahoo.results[stock] = Results(
                (datetime(2026, 7, 9, 10 + seed, tzinfo=UTC),), (datetime(2026, 4, 9, 10, tzinfo=UTC),)
            )
        yield World(yahoo, Home(tmp_path / "home"), site_folder(yahoo, tmp_path / "site"))


@needs("faketime")
def test_a_run_keeps_what_yahoo_tells_and_asks_again_after_a_week(world: World) -> None:
    first = world.run(TUESDAY)
    assert (first.code, sorted(world.yahoo.results_asked())) == (0, sorted(STOCKS)), first.err
    assert world.kept()["INFY.NS"] == [
        {"date": "2026-04-09", "time": "15:30", "first_known_on": None},
        {"date": "2026-07-09", "time": "16:30", "first_known_on": "2026-06-30"},
    ]
    kept = world.home.announcements.read_bytes()
    assert (world.run(FRIDAY).code, world.yahoo.results_asked()) == (0, [])
    assert world.home.announcements.read_bytes() == kept
    world.yahoo.results["TCS.NS"] = Results((datetime(2026, 7, 10, 10, tzinfo=UTC),))
    assert world.run(TUESDAY + timedelta(7)).code == 0
    assert world.kept()["TCS.NS"][-1] == {"date": "2026-07-10", "time": "15:30", "first_known_on": "2026-07-07"}


@needs("faketime")
@pytest.mark.parametrize(
    "options", [("--dry-run",), ("--explain", "TCS.NS"), ("--as-of", FRIDAY), ("--self-check",), ("--offline",)]
)
def test_a_run_that_only_looks_or_acts_on_a_past_day_does_not_ask(world: World, options: tuple[object, ...]) -> None:
    if "--offline" in options:
        world.yahoo.results_fault = fake.BROKEN
        world.run(TUESDAY)
    ran = world.run(date(2026, 7, 6), *options)
    assert ran.code in (0, 1), ran.err
    assert not world.yahoo.results_asked() and not world.home.announcements.exists()


@needs("faketime")
@pytest.mark.parametrize("fault", [fake.TOO_MANY, fake.HTML, fake.drop])
def test_what_goes_wrong_is_told_by_verbose_alone(world: World, fault: fake.Fault) -> None:
    world.yahoo.results_fault = fault
    ran = world.run(TUESDAY)
    assert (ran.code, "results" in ran.err) == (0, False), ran.err
    assert len(log_of(world.home.root)) == len(STOCKS)
    said = world.run(TUESDAY + timedelta(8), "-v").err
    assert said.count("Days of results: Yahoo asked for 2 stocks") == 1


@needs("faketime")
def test_a_damaged_line_of_the_store_is_told_and_set_aside(world: World) -> None:
    assert world.run(TUESDAY).code == 0
    lines = world.home.announcements.read_text().splitlines()
    world.home.announcements.write_text(f"{lines[0][:50]}\n{lines[1]}\n")
    ran = world.run(TUESDAY + timedelta(1))
    assert (ran.code, ran.err.count("announcements.jsonl: 1 line cannot be read")) == (0, 1), ran.err
    assert set(world.kept()) == set(STOCKS)
    aside = world.home.announcements.with_name("announcements.rejected.jsonl")
    assert aside.read_text() == f"{lines[0][:50]}\n"
    assert "cannot be read" not in world.run(TUESDAY + timedelta(2)).err
