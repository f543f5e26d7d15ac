"""What a reader sets on the page: filters, colours, keys, and the table that is saved as CSV."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from browser import STOCKS, Made, Opened, day, price, written
from report_helpers import CLOCK, HORIZON, LAST_DAY, hostile_home, stock_lines, weekdays_until, write_log

from stockml.core.paths import Home
from stockml.data.sources import Source
from stockml.reporting.page import write_report
from stockml.reporting.status import status

GROUNDS = {"light": "rgb(244, 246, 248)", "dark": "rgb(14, 20, 26)"}


def ground(opened: Opened) -> str:
    return str(opened.page.evaluate("getComputedStyle(document.body).backgroundColor"))


def saved(opened: Opened, selector: str, folder: Path) -> list[dict[str, str]]:
    """The rows of the CSV file that a button gives."""
    with opened.page.expect_download() as download:
        opened.page.click(selector)
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n") and "\ufeff" not in text
    return list(csv.DictReader(text.splitlines()))


@pytest.fixture(scope="module")
def two_horizons(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Four stocks at two horizons, with closes from before their first prediction."""
    home = Home(tmp_path_factory.mktemp("two"))
    symbols = [f"S{number}.XY" for number in range(4)]
    log = write_log(home, *(stock_lines(name, 30, seed=1, horizon=h) for name in symbols for h in (HORIZON, 20)))
    days = weekdays_until(LAST_DAY, 120)
    for name in symbols:
        rows = [f"{at},{at.day},{at.day},{at.day},{at.day},{1000 + number}" for number, at in enumerate(days)]
        (home.root / f"{name}.csv").write_text("\n".join(["Date,Open,High,Low,Close,Volume", *rows]) + "\n")
    made = written(home)
    source = Source("csv", home.root)
    write_report(home, log, CLOCK, status(home, log, CLOCK), is_simulated=False, source=source)
    return made


def test_horizon_and_confidence_filter_what_is_shown_and_saved(
    two_horizons: Made, visit: Callable[..., Opened], tmp_path: Path
) -> None:
    opened = visit(two_horizons.path)
    newest = two_horizons.log.groupby(["symbol", "prediction_horizon_days"]).last().reset_index()
    opened.page.select_option("#ahead", "20")
    assert opened.column("Sessions") == ["20"] * 4
    opened.page.select_option("#ahead", "")
    for least in ("0.5", "0.6", "0.9"):
        opened.page.select_option("#sure", least)
        assert len(opened.column("Symbol")) == (newest["confidence"] >= float(least)).sum()
    opened.page.select_option("#sure", "0")
    opened.page.select_option("#ahead", str(HORIZON))
    opened.page.fill("#search", "s1")
    (row,) = saved(opened, "#today .csv", tmp_path)
    (line,) = newest.query(f"symbol == 'S1.XY' and prediction_horizon_days == {HORIZON}").to_dict("records")
    assert row["Symbol"] == "S1.XY" and row["For the close of"] == line["target_date"]
    figures = ("Close", "Predicted", "80 % interval, from", "80 % interval, to")
    told = [line[name] for name in ("current_price", "predicted_price", "low", "high")]
    assert [float(row[name]) for name in figures] == pytest.approx(told, abs=0.006)
    assert float(row["Confidence in %"]) == pytest.approx(line["confidence"] * 100, abs=0.06)


def test_a_record_is_saved_with_a_figure_in_each_column(
    made_page: Made, visit: Callable[..., Opened], tmp_path: Path
) -> None:
    opened = visit(made_page.path)
    rows = saved(opened, "button[aria-label='CSV of Record by stock']", tmp_path)
    verified = made_page.log[made_page.log["status"] == "verified"].groupby("symbol")
    assert [row["Symbol"] for row in rows] == sorted(verified.groups)
    for row in rows:
        lines = verified.get_group(row["Symbol"])
        rose = (lines["actual_price"] > lines["current_price"]).mean() * 100
        assert float(row["rose (Direction) in %"]) == pytest.approx(rose, abs=0.06)
        assert float(row["naive (Mean error) in %"]) == pytest.approx(lines["naive_error_pct"].mean(), abs=0.006)
    opened.page.locator("#record details summary").click()
    weeks = saved(opened, "button[aria-label='CSV of Weeks']", tmp_path)
    assert [row["Week of"] for row in weeks] == sorted((row["Week of"] for row in weeks), reverse=True)
    assert sum(int(row["Predictions"]) for row in weeks) == len(made_page.log.query("status == 'verified'"))
    conditions = saved(opened, "button[aria-label='CSV of Record by condition']", tmp_path)
    for row in conditions:
        apart = float(row["Confidence in %"]) - float(row["Accurate in %"])
        assert float(row["Apart in %"]) == pytest.approx(apart, abs=0.11)
    months = saved(opened, "button[aria-label='CSV of Record by month']", tmp_path)
    assert sum(int(row["Verified"]) for row in months) == sum(int(row["Verified"]) for row in rows)


@pytest.mark.parametrize("text", ["=1+1", "-x", "@cmd"])
def test_no_text_becomes_a_formula(
    text: str, tmp_path: Path, visit: Callable[..., Opened], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stockml.prediction_log.line.check_symbol", str)
    opened = visit(written(hostile_home(tmp_path, f'{text},"')).path)
    (row,) = saved(opened, "#today .csv", tmp_path)
    assert row["Symbol"] == row["Regime"] == f"'{text},\""


def test_the_colours_chosen_hold_and_are_remembered(made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path, color_scheme="dark")
    assert ground(opened) == GROUNDS["dark"], "the system's, before anything is chosen"
    for name in ("light", "dark", "light"):
        opened.page.check(f"#theme input[value='{name}']", force=True)
        assert ground(opened) == GROUNDS[name]
    opened.page.reload()
    assert ground(opened) == GROUNDS["light"]
    opened.page.check("#theme input[value='system']", force=True)
    assert ground(opened) == GROUNDS["dark"]


def test_a_browser_that_remembers_nothing_shows_the_page_all_the_same(
    made_page: Made, visit: Callable[..., Opened]
) -> None:
    opened = visit(made_page.path)
    refused = (
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('', 'SecurityError'); } })"
    )
    opened.page.add_init_script(refused)
    opened.page.reload()
    opened.page.check("#theme input[value='dark']", force=True)
    assert ground(opened) == GROUNDS["dark"] and len(opened.column("Symbol")) == 12


def test_a_slash_searches_and_arrows_step_but_not_in_a_field(made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path)
    focus = lambda: opened.page.evaluate("document.activeElement.id")  # noqa: E731
    opened.page.keyboard.press("ArrowRight")
    opened.comes_to("#stock-name", "MADE-01.XY")
    opened.page.keyboard.press("ArrowLeft")
    opened.comes_to("#stock-name", "MADE-00.XY")
    opened.page.keyboard.press("ArrowLeft")
    opened.comes_to("#stock-name", f"MADE-{STOCKS - 1}.XY")
    opened.page.keyboard.press("/")
    assert focus() == "search"
    opened.page.keyboard.type("0/")
    opened.page.keyboard.press("ArrowLeft")
    assert opened.page.input_value("#search") == "0/" and opened.text("#stock-name") == f"MADE-{STOCKS - 1}.XY"
    chart = opened.page.locator("#price-chart svg")
    chart.press("ArrowLeft")
    assert opened.text("#stock-name") == f"MADE-{STOCKS - 1}.XY", "inside a chart they walk along it"
    chart.press("/")
    assert focus() == "search"


def test_the_keys_are_explained_and_can_be_switched_off(made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path)
    opened.page.click("#keys summary")
    assert "/ goes to the search" in opened.text("#keys")
    opened.page.uncheck("#shortcuts")
    opened.page.evaluate("document.activeElement.blur()")
    opened.page.keyboard.press("/")
    opened.page.keyboard.press("ArrowRight")
    assert opened.page.evaluate("document.activeElement.id") != "search"
    assert opened.text("#stock-name") == "MADE-00.XY"
    opened.page.reload()
    assert not opened.page.is_checked("#shortcuts")


def test_the_chart_begins_before_the_first_prediction(two_horizons: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(two_horizons.path)
    first = two_horizons.log.iloc[0]
    label = opened.page.locator("#price-chart svg").get_attribute("aria-label")
    told = f"to {price(first['current_price'])} on {day(first['data_through'])}."
    assert told in str(label)
    points = "(path) => path.getAttribute('d').match(/[ML]/g).length"
    for sessions, shown in ((60, 30), (125, 60), (30, 0)):
        opened.page.check(f"#range input[value='{sessions}']", force=True)
        before = opened.page.locator("#price-chart .before")
        assert before.count() == bool(shown)
        if shown:
            assert before.evaluate(points) == shown + 1
