"""The page in a real browser: it sorts, filters and shows a stock, and every number is the log's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from browser import DAYS, FIRST, STOCKS, Made, Opened, day, price, written
from report_helpers import HORIZON, stock_lines, write_log

from stockml.core.paths import Home
from stockml.core.records import round_price
from stockml.core.student_t import StudentT

# ---- today's predictions ----


def test_the_table_shows_the_newest_line_of_each_stock(made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path)
    opened.page.click("#more")
    newest = made_page.newest
    assert opened.column("Symbol") == newest.index.tolist()
    assert opened.column("Close") == [f"{price(value)} EUR" for value in newest["current_price"]]
    assert opened.column("Predicted") == [price(value) for value in newest["predicted_price"]]
    assert [text[2:] for text in opened.column("Change")] == [f"{v:+.2f} %" for v in newest["predicted_change_pct"]]
    ranges = zip(newest["low"], newest["high"], strict=True)
    assert opened.column("80 % interval") == [f"{price(low)} – {price(high)}" for low, high in ranges]
    assert opened.column("Confidence") == [f"{value * 100:.1f} %" for value in newest["confidence"]]
    assert opened.column("Regime") == newest["market_regime"].tolist()
    assert opened.column("For the close of") == [day(text) for text in newest["target_date"]]


def test_it_sorts_by_every_column_both_ways(made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path)
    opened.page.click("#more")
    columns = {
        "Close": "current_price",
        "Predicted": "predicted_price",
        "Change": "predicted_change_pct",
        "Confidence": "confidence",
    }
    for name, key in columns.items():
        button = opened.page.get_by_role("button", name=name, exact=True)
        for ascending, direction in ((False, "descending"), (True, "ascending")):
            button.click()
            expected = made_page.newest.sort_values(key, ascending=ascending, kind="stable").index.tolist()
            assert opened.column("Symbol") == expected, f"{name} {direction}"
            assert button.locator("..").get_attribute("aria-sort") == direction
    assert opened.page.locator("#predictions th[aria-sort]").count() == 1


def test_the_strongest_come_first_before_all_are_shown(made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path)
    assert len(opened.column("Symbol")) == 12
    opened.page.locator("#predictions thead button", has_text="Change").press("Enter")  # the keyboard does it, too
    expected = made_page.newest.sort_values("predicted_change_pct", ascending=False).index[:12].tolist()
    assert opened.column("Symbol") == expected
    opened.page.click("#more")
    assert len(opened.column("Symbol")) == STOCKS
    assert opened.page.evaluate("document.activeElement.textContent") == opened.column("Symbol")[12]


def test_it_searches_and_filters(made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path)
    opened.page.fill("#search", "made-1")
    assert opened.column("Symbol") == [f"MADE-{number}.XY" for number in range(10, 20)]
    assert opened.text("#shown") == f"10 of {STOCKS} predictions"
    opened.page.fill("#search", "NOTHING")
    assert opened.column("Symbol") == [] and opened.page.is_visible("#nothing")
    opened.page.fill("#search", "")
    regimes = made_page.newest["market_regime"]
    opened.page.select_option("#regime", regimes.iloc[0])
    assert opened.text("#shown").split()[0] == str((regimes == regimes.iloc[0]).sum())


# ---- one stock ----


def test_a_stock_is_picked_by_link_list_step_and_address(made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path)
    opened.comes_to("#stock-name", FIRST)
    opened.page.click("#predictions >> text=MADE-03.XY")
    opened.comes_to("#stock-name", "MADE-03.XY")
    assert opened.page.evaluate("document.activeElement.id") == "stock-name"
    assert opened.page.locator("#predictions tr.chosen th").inner_text() == "MADE-03.XY"
    opened.page.select_option("#pick", "MADE-07.XY")
    opened.comes_to("#stock-name", "MADE-07.XY")
    opened.page.click("#next")
    opened.comes_to("#stock-name", "MADE-08.XY")
    opened.page.click("#previous")
    opened.comes_to("#stock-name", "MADE-07.XY")
    opened.page.go_back()  # the browser's own way back works
    opened.comes_to("#stock-name", "MADE-08.XY")
    visit(made_page.path, at="#stock/MADE-05.XY").comes_to("#stock-name", "MADE-05.XY")


def test_the_story_tells_the_prediction_and_the_record(made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path, at="#stock/MADE-04.XY")
    story, lines = opened.text("#story"), made_page.of("MADE-04.XY")
    last, verified = lines.iloc[-1], lines[lines["status"] == "verified"]
    for words in (
        f"from {price(last['current_price'])} EUR on {day(last['data_through'])}",
        f"to {price(last['predicted_price'])} EUR at the close of {day(last['target_date'])}",
        f"between {price(last['low'])} and {price(last['high'])}",
        f"Confidence {last['confidence'] * 100:.1f} %",
        f"Of {len(verified)} verified predictions of this stock {verified['was_accurate'].sum()} were accurate",
        f"mean error of {verified['error_pct'].mean():.2f} % (naive: {verified['naive_error_pct'].mean():.2f} %)",
    ):
        assert words in story


@pytest.mark.parametrize("sessions", [30, 60, 125])
def test_the_chart_marks_hits_misses_and_what_is_open(
    sessions: int, made_page: Made, visit: Callable[..., Opened]
) -> None:
    opened = visit(made_page.path)
    opened.page.check(f"#range input[value='{sessions}']", force=True)
    shown = made_page.of(FIRST).tail(sessions)
    hits, verified = (shown["was_accurate"] == True).sum(), (shown["status"] == "verified").sum()  # noqa: E712
    count = lambda selector: opened.page.locator(f"#price-chart {selector}").count()  # noqa: E731
    assert count("circle.hit") == hits and count("path.miss") == verified - hits
    assert count("path.open") == HORIZON - 1 and count("path.goal") == 1


def test_the_arrow_keys_walk_through_every_prediction(made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path)
    chart, lines = opened.page.locator("#price-chart svg"), made_page.of(FIRST).tail(60)
    assert "Not known yet" in opened.text("#price-readout")
    chart.press("Home")
    for line in lines.to_dict("records"):
        told = opened.text("#price-readout")
        assert (
            f"Made from {day(line['data_through'])} for {day(line['target_date'])}: {price(line['predicted_price'])}"
            in told
        )
        if line["status"] == "verified":
            verdict = "a hit" if line["was_accurate"] else "a miss"
            assert f"It came to {price(line['actual_price'])}: {verdict}, error {line['error_pct']:.2f} %" in told
        chart.press("ArrowRight")
    assert opened.page.evaluate("document.activeElement.tagName") == "svg"


def test_a_pointer_finds_the_nearest_prediction(made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path)
    mark = opened.page.locator("#price-chart circle.hit").first
    before = opened.text("#price-readout")
    mark.hover(force=True)
    assert opened.text("#price-readout") != before and "a hit" in opened.text("#price-readout")


def test_interval_and_path_are_drawn_to_scale(made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path)
    last = made_page.of(FIRST).iloc[-1]
    ends = opened.page.eval_on_selector(
        "#price-chart .ahead", "path => path.getAttribute('d').match(/-?[0-9.]+/g).map(Number)"
    )
    height = opened.page.eval_on_selector_all("#price-chart .edge", "paths => paths[0].getBBox().height")
    path_y = ends[1::2]
    assert len(path_y) == HORIZON + 1, "from today's close along the whole path"
    to_pixels = height / (last["high"] - last["low"])
    expected = [(last["current_price"] - value) * to_pixels + path_y[0] for value in last["path"]]
    assert path_y[1:] == pytest.approx(expected, abs=0.6)


def test_why_lists_every_opinion_and_adds_up(made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path)
    last = made_page.of(FIRST).iloc[-1]
    rows = opened.page.locator("#why tbody tr")
    names = [text.split("\n")[0] for text in rows.locator("th").all_inner_texts()]
    assert set(names) == set(last["evidence"]["opinions"])
    adds = [float(text.replace("\u2212", "-").rstrip(" %")) for text in rows.locator("td.bar").all_inner_texts()]
    weights = dict(last["signals"])
    assert adds == pytest.approx([weights.get(name, 0) * 5 * last["magnitude"] for name in names], abs=6e-4)
    assert f"{last['predicted_change_pct']:+.3f} %" in opened.text("#why tfoot")


def test_each_signal_has_its_weights_over_time(made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path)
    shown = made_page.of(FIRST).tail(60)["signals"]
    counted = {name for signals in shown for name, _ in signals}
    opened.page.locator("#patterns summary").click()
    heads = opened.page.locator("#stock .multiples h4").all_inner_texts()
    assert {head.split("\n")[0] for head in heads} == counted
    weights = dict(shown.iloc[-1])
    for head in heads:
        name, told = head.replace("\u2212", "-").split("\n")
        assert told == (f"{weights[name]:.4f}" if name in weights else "silent today")
    opened.page.check("#measure input[value='learned']", force=True)
    assert "learned weight" in opened.text("#measure-note")


def test_the_three_ranges_are_told_drawn_and_tabulated(made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path)
    last = made_page.of(FIRST).iloc[-1]
    law = StudentT.from_record(last["distribution"])
    edges = {part: law.interval_pct(part / 100) for part in (50, 95)}
    ranges = {part: [round_price(last["current_price"] * (1 + pct / 100)) for pct in edges[part]] for part in edges}
    ranges[80] = [last["low"], last["high"]]
    story = opened.text("#story")
    for part in (50, 95):
        low, high = ranges[part]
        assert f"of {part} % between {price(low)} and {price(high)}" in story
    assert opened.page.locator("#price-chart .fan").count() == 3
    boxes = opened.page.eval_on_selector_all("#price-chart .fan", "paths => paths.map((path) => path.getBBox().height)")
    widths = [ranges[part][1] - ranges[part][0] for part in (95, 80, 50)]
    assert boxes == pytest.approx([width * boxes[0] / widths[0] for width in widths], abs=1)
    opened.page.locator("#ranges summary").click()
    row = opened.page.locator("#ranges tbody tr", has_text=FIRST).first.inner_text()
    assert all(f"{price(low)} – {price(high)}" in row for low, high in ranges.values())


def test_the_record_by_condition_and_range_can_be_read_as_tables(made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path)
    verified = made_page.log[made_page.log["status"] == "verified"]
    inside = (verified["low"] <= verified["actual_price"]) & (verified["actual_price"] <= verified["high"])
    assert opened.page.locator("#ranges-held tbody tr").count() == 3
    first = opened.page.locator("#conditions tbody tr").first.inner_text()
    assert first.startswith("all") and f"{inside.mean() * 100:.1f} %" in first
    told = opened.page.locator("#conditions tbody th").all_inner_texts()
    assert "predicted volatility: wild third" in told
    assert ", least in " in opened.text("#record-story")


def test_the_history_is_there_as_a_table(made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path)
    opened.page.locator("#history summary").click()
    opened.page.wait_for_selector("#history tbody tr")
    assert opened.page.locator("#history tbody tr").count() == DAYS
    newest_known = made_page.of(FIRST).iloc[-HORIZON - 1]
    told = opened.page.locator("#history tbody tr").nth(HORIZON).inner_text()
    assert price(newest_known["actual_price"]) in told and f"{newest_known['error_pct']:.2f} %" in told
    assert ("hit" if newest_known["was_accurate"] else "miss") in told


# ---- the record ----


def test_the_record_agrees_with_the_log(made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path)
    verified = made_page.log[made_page.log["status"] == "verified"]
    story = opened.text("#record-story")
    assert (
        f"Of {len(verified):,} verified predictions, {verified['was_accurate'].mean() * 100:.1f} % were accurate"
        in story
    )
    assert f"naive: {(verified['naive_error_pct'] < 5).mean() * 100:.1f} %" in story
    assert f"{verified['error_pct'].mean():.2f} % against {verified['naive_error_pct'].mean():.2f} %" in story
    opened.page.locator("#record details summary").click()
    counts = [int(text) for text in opened.page.locator("#weeks tbody td:nth-child(2)").all_inner_texts()]
    assert sum(counts) == len(verified)
    assert opened.page.locator("#hit-chart circle.ours").count() == len(counts)
    assert opened.page.locator("#gain-chart .rise, #gain-chart .fall").count() == len(counts)
    target = pd.to_datetime(verified["target_date"])
    last_week = verified[target >= target.max() - pd.to_timedelta(target.max().day_of_week, unit="D")]
    gain = (last_week["naive_error_pct"] - last_week["error_pct"]).mean()
    word = "closer" if gain >= 0 else "farther off"
    assert f"{abs(gain):.3f} % {word} than naive, {len(last_week)} predictions" in opened.text("#gain-readout")
    assert opened.page.locator("#stocks tbody tr").count() == STOCKS
    opened.page.locator("#stocks thead button").nth(2).click()
    by_accuracy = verified.groupby("symbol")["was_accurate"].mean()
    assert by_accuracy[opened.page.locator("#stocks tbody th").first.inner_text()] == by_accuracy.max()


def test_the_reliability_diagram_can_be_read_point_by_point(made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path)
    points = opened.page.locator("#reliability-chart circle.ours").count()
    chart = opened.page.locator("#reliability-chart svg")
    chart.press("Home")
    total = 0
    for _ in range(points):
        total += int(opened.text("#reliability-readout").split()[0].replace(",", ""))
        chart.press("ArrowRight")
    assert total == (made_page.log["status"] == "verified").sum()


def test_a_stock_may_be_called_as_what_every_object_has(tmp_path: Path, visit: Callable[..., Opened]) -> None:
    home, names = Home(tmp_path), ("constructor", "hasOwnProperty", "toString", "valueOf")
    write_log(home, *(stock_lines(name, 3 if at < 2 else 40, seed=at) for at, name in enumerate(names)))
    opened = visit(written(home).path)
    assert sorted(opened.column("Symbol")) == sorted(names)
    for name in names:
        opened.page.select_option("#pick", name)
        opened.comes_to("#stock-name", name)
        verified = "None of its predictions is verified" if name in names[:2] else "Of 35 verified predictions"
        assert verified in opened.text("#story")


def test_several_horizons_can_be_told_apart(tmp_path: Path, visit: Callable[..., Opened]) -> None:
    home = Home(tmp_path)
    write_log(home, stock_lines("TWO.XY", 40, seed=1), stock_lines("TWO.XY", 40, seed=1, horizon=10))
    opened = visit(written(home).path)
    assert opened.column("Sessions") == ["5", "10"]
    assert "Of 35 verified" in opened.text("#record-story")
    opened.page.select_option("#horizon", "10")
    assert "Of 30 verified" in opened.text("#record-story")
    opened.page.select_option("#pick", "TWO.XY@10")
    opened.comes_to("#stock-name", "TWO.XY, 10 sessions ahead")
