"""Prices at hand: closes before a first forecast in its own units, never later than the clock, never asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from report_helpers import CLOCK, LAST_DAY, Parsed, stock_lines, weekdays_until, write_log

from stockml.core.clock import Clock
from stockml.core.paths import Home
from stockml.data.sources import Source
from stockml.prediction_log.log import PredictionLog
from stockml.reporting.page import write_report
from stockml.reporting.page_values import day_number
from stockml.reporting.prices_at_hand import PricesAtHand
from stockml.reporting.status import status

DAYS = weekdays_until(LAST_DAY, 150)


def write_prices(folder: Path, symbol: str, factor: float = 1.0, days: list[date] = DAYS) -> dict[date, float]:
    """A file of prices that rise by a cent a day; returns the closes by day."""
    closes = {day: round((100 + at / 100) * factor, 4) for at, day in enumerate(DAYS)}
    rows = [f"{day},{closes[day]},{closes[day]},{closes[day]},{closes[day]},{1000 + at}" for at, day in enumerate(days)]
    (folder / f"{symbol}.csv").write_text("\n".join(["Date,Open,High,Low,Close,Volume", *rows]) + "\n")
    return closes


def test_closes_are_those_of_the_file_up_to_the_last_day_asked_for(tmp_path: Path) -> None:
    known = write_prices(tmp_path, "A.XY")
    prices = PricesAtHand(Source("csv", tmp_path), CLOCK, Home(tmp_path))
    found = prices.closes({"A.XY": (DAYS[100], DAYS[120]), "NONE.XY": (DAYS[100], DAYS[120])})
    assert found == {"A.XY": {day: known[day] for day in DAYS[100:121]}}


@pytest.mark.parametrize("back", [1, 5, 30])
def test_no_close_is_later_than_the_clock(tmp_path: Path, back: int) -> None:
    write_prices(tmp_path, "A.XY")
    clock = Clock(CLOCK.now, DAYS[-1 - back])
    found = PricesAtHand(Source("csv", tmp_path), clock, Home(tmp_path)).closes({"A.XY": (DAYS[90], LAST_DAY)})
    assert max(found["A.XY"]) == DAYS[-1 - back]


def page_data(root: Path, n_days: int, *, source: Source | None) -> dict[str, dict[str, list[float]]]:
    home = Home(root)
    log = write_log(home, stock_lines("A.XY", n_days, seed=1))
    path = write_report(home, log, CLOCK, status(home, log, CLOCK), is_simulated=False, source=source)
    return Parsed(path.read_text()).data["stocks"]["A.XY"]


@pytest.mark.parametrize("factor", [1.0, 2.0, 0.1])
def test_a_young_stocks_chart_begins_before_its_first_prediction_in_the_units_of_its_lines(
    tmp_path: Path, factor: float
) -> None:
    known = write_prices(tmp_path, "A.XY", factor)
    stock = page_data(tmp_path, 20, source=Source("csv", tmp_path))
    first = DAYS[-20]
    before = DAYS[-80:-20]
    assert stock["before"]["day"] == [day_number(day) for day in before]
    scale = stock["close"][0] / known[first]
    assert stock["before"]["close"] == pytest.approx([known[day] * scale for day in before], rel=1e-5)


@pytest.mark.parametrize(
    ("n_days", "given"),
    [
        (300, "prices"),  # its first prediction is not on the page
        (20, "none"),
        (20, "another source"),
        (20, "no bar of the first day"),
        (20, "no folder of it"),
    ],
)
def test_without_closes_to_begin_with_the_chart_begins_with_the_first_prediction(
    tmp_path: Path, n_days: int, given: str
) -> None:
    days = [day for day in DAYS if day != DAYS[-20]] if given == "no bar of the first day" else DAYS
    if given != "no folder of it":
        write_prices(tmp_path, "A.XY", days=days)
    source = {"none": None, "another source": Source("yahoo")}.get(given, Source("csv", tmp_path))
    assert page_data(tmp_path, n_days, source=source)["before"] == {"day": [], "close": []}


def test_what_prices_are_not_of_a_lines_source_is_said(tmp_path: Path) -> None:
    home = Home(tmp_path)
    log = write_log(home, stock_lines("A.XY", 20, seed=1))
    line = next(iter(PredictionLog(home.log).read().verified))
    assert "name it by --source csv:DIR" in str(PricesAtHand(Source("yahoo"), CLOCK, home).moves(line))
    assert "are not at hand" in str(PricesAtHand(Source("csv", tmp_path), CLOCK, home).moves(line))
    assert "name it by --source yahoo" in str(
        PricesAtHand(Source("csv", tmp_path), CLOCK, home).moves(replace(line, source="yahoo"))
    )
    assert log.count == 20


def test_a_plug_in_is_never_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stockml.data.fetch.fetch_bars", None)
    monkeypatch.setattr("stockml.data.fetch.fetch_prices", None)
    home = Home(tmp_path)
    write_log(home, stock_lines("A.XY", 20, seed=1))
    line = next(iter(PredictionLog(home.log).read().verified))
    prices = PricesAtHand(Source("theirs"), CLOCK, home)
    assert prices.closes({"A.XY": (DAYS[0], LAST_DAY)}) == {}
    assert "no prices of the plug-in theirs are kept" in str(prices.moves(replace(line, source="theirs")))
