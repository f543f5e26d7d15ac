"""The page for every reader: young logs, failures, hostile words; phones, dark rooms, keyboards, no script."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from browser import DESKTOP, PHONE, SHOTS, STOCKS, Made, Opened, day, price, written
from report_helpers import HORIZON, HOSTILE, LAST_DAY, ended, hostile_home, made_up_home, stock_lines, write_log

from stockml.core.paths import Home

# ---- states ----


@pytest.mark.parametrize("days", [0, 1, 3, HORIZON + 1])
def test_a_young_log_makes_a_whole_page(days: int, tmp_path: Path, visit: Callable[..., Opened]) -> None:
    home = Home(tmp_path)
    if days:
        write_log(home, stock_lines("ONLY.XY", days, seed=3))
    opened = visit(written(home).path)
    assert opened.page.locator("#predictions tbody tr").count() == (1 if days else 0)
    assert ("Nothing is verified yet" in opened.text("#record")) is (days <= HORIZON)
    assert not re.search(r"\b(NaN|undefined|null|Infinity|None(?! of))\b", opened.text("body"))
    if days:
        assert "NaN" not in opened.page.inner_html("#stock")


def test_failures_and_the_simulated_market_are_marked(tmp_path: Path, visit: Callable[..., Opened]) -> None:
    home, _ = made_up_home(tmp_path, 2, 20)
    ended(home, exit_code=1, failures=[{"symbol": "B.XY", "kind": "network", "message": "B.XY: no answer; try later"}])
    opened = visit(written(home, is_simulated=True).path)
    assert "none is real" in opened.text(".simulated")
    assert "B.XY: no answer; try later" in opened.text("#state .alarms")
    assert "2" in opened.text("nav .badge")
    opened.page.set_viewport_size(PHONE)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    opened.page.screenshot(path=SHOTS / "alarms-phone.png", full_page=True)


def test_hostile_words_are_only_shown(
    tmp_path: Path, visit: Callable[..., Opened], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stockml.prediction_log.line.check_symbol", str)
    opened = visit(written(hostile_home(tmp_path, HOSTILE)).path)
    assert opened.text("#stock-name") == HOSTILE
    opened.page.click("#predictions tbody a")
    opened.page.locator("#history summary").click()
    opened.page.wait_for_selector("#history tbody tr")
    assert HOSTILE in opened.text("#why") and HOSTILE in opened.text("#story")
    assert opened.page.locator("img, iframe, object, embed").count() == 0
    assert opened.page.locator("script").count() == 2


def test_the_policy_stops_a_foreign_script(made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path)
    opened.page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.foreign = 1'}))"
    )
    opened.page.evaluate("document.body.append(Object.assign(new Image(), {src: 'https://example.org/x.png'}))")
    while len(refused := [each for each in opened.complaints if "Content Security Policy" in each]) < 2:
        opened.page.wait_for_timeout(20)  # complaints come while the browser is listened to
    assert opened.page.evaluate("window.foreign") is None and len(refused) == 2
    opened.complaints.clear()


def test_without_javascript_the_predictions_are_still_there(made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path, java_script_enabled=False)
    assert opened.page.locator("#predictions tbody tr:visible").count() == STOCKS
    assert opened.page.is_visible("noscript")


# ---- for every reader ----


# At once: a chart may be drawn anew between two questions.
EDGES_OF_CHARTS = """
[...document.querySelectorAll(".chart svg")].map(chart => chart.getBoundingClientRect())
    .map(box => [box.left, box.right])
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("name", "viewport"), [("desktop", DESKTOP), ("phone", PHONE)])
def test_it_fits_every_screen(
    name: str, viewport: dict[str, int], scheme: str, made_page: Made, visit: Callable[..., Opened]
) -> None:
    opened = visit(made_page.path, viewport=viewport, color_scheme=scheme)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], "nothing sticks out"
    ground = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, ground[4:-1].split(","))) / 3
    assert (brightness < 60) is (scheme == "dark")
    edges = opened.page.evaluate(EDGES_OF_CHARTS)
    assert edges and all(0 <= left < right <= viewport["width"] for left, right in edges)
    opened.page.screenshot(path=SHOTS / f"page-{name}-{scheme}.png", full_page=True)


@pytest.mark.parametrize("width", [320, 480, 768, 769, 820, 1024, 1120, 1121, 1920])
def test_nothing_sticks_out_at_any_width(width: int, made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path, viewport={"width": width, "height": 900})
    opened.page.locator("#history summary").click()
    opened.page.wait_for_selector("#history tbody tr")
    opened.page.locator("#record details summary").click()
    outside = opened.page.evaluate(
        """() => [...document.querySelectorAll("main *, header *")].filter((node) => {
            const { width, left, right } = node.getBoundingClientRect();
            const hides = node.closest(".scroll, .unseen, thead, fieldset, svg");
            return width > 0 && !hides && (right > innerWidth + 0.5 || left < -0.5);
        }).map((node) => node.outerHTML.slice(0, 120))"""
    )
    assert outside == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("table", ["#stocks", "#validation"])
def test_a_wide_table_keeps_its_first_column_on_a_phone(
    table: str, made_page: Made, visit: Callable[..., Opened]
) -> None:
    opened = visit(made_page.path, viewport=PHONE)
    box = opened.page.locator(f".scroll:has({table})")
    box.scroll_into_view_if_needed()
    cells = opened.page.locator(f"{table} tbody tr").first.locator("th, td")
    edge = lambda: box.bounding_box()["x"] + box.bounding_box()["width"]  # noqa: E731
    against = cells.nth(1).bounding_box()
    assert against["x"] + against["width"] <= edge(), "what counts stands beside the symbol"
    before = cells.first.bounding_box()
    box.evaluate("node => node.scrollLeft = node.scrollWidth")
    last = cells.last.bounding_box()
    assert cells.first.bounding_box() == before
    assert last["x"] >= before["x"] + before["width"] and last["x"] + last["width"] <= edge() + 1


def test_on_a_phone_the_list_sorts_and_everything_can_be_touched(made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path, viewport=PHONE, has_touch=True, is_mobile=True)
    opened.page.select_option("#sort", label="Confidence ▲")
    shown = [text.split("\n")[0] for text in opened.page.locator("#predictions tbody tr:visible th").all_inner_texts()]
    assert shown == made_page.newest.sort_values("confidence").index[:12].tolist()
    for control in opened.page.locator("select:visible, input[type=search]:visible, button:visible").all():
        if not control.evaluate("node => Boolean(node.closest('th'))"):
            assert control.bounding_box()["height"] >= 40
    opened.page.tap("#price-chart svg")
    assert "Made from" in opened.text("#price-readout")


def test_every_control_and_picture_has_a_name(made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path)
    nameless = opened.page.evaluate(
        """() => [...document.querySelectorAll('a, button, input, select, svg')].filter((node) => {
            if (node.closest('[aria-hidden=true]') || node.hidden) return false;
            const label = node.labels?.[0]?.textContent ?? '';
            return !(node.getAttribute('aria-label') || node.textContent || label).trim();
        }).map((node) => node.outerHTML.slice(0, 120))"""
    )
    assert nameless == []
    assert opened.page.locator("h1").count() == 1
    ids = opened.page.eval_on_selector_all("[id]", "nodes => nodes.map((node) => node.id)")
    assert len(ids) == len(set(ids))


def test_the_keyboard_reaches_everything_in_order(made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path)
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.className") == "skip"
    reached: list[str] = []
    while "skip" not in reached:
        opened.page.keyboard.press("Tab")
        here = "(node => node.id || node.getAttribute('class') || node.parentElement.id)(document.activeElement)"
        reached.append(opened.page.evaluate(here))
        assert len(reached) < 200
    order = ["search", "regime", "more", "previous", "pick", "next", "price-chart", "hit-chart", "reliability-chart"]
    assert [name for name in reached if name in order] == order


def test_colour_is_never_the_only_carrier(made_page: Made, visit: Callable[..., Opened]) -> None:
    opened = visit(made_page.path)
    for change in opened.page.locator("#predictions td.up, #predictions td.down").all_inner_texts():
        assert change[0] in "▲▼" and change[2] in "+\u2212"
    five = set("".join(opened.page.locator("#predictions .five span[aria-hidden]").all_inner_texts()))
    assert five <= {"●", "✕"}
    assert (
        opened.page.locator("#price-chart path.miss").count() and opened.page.locator("#price-chart circle.hit").count()
    )


def test_fifty_stocks_open_at_once(tmp_path: Path, visit: Callable[..., Opened]) -> None:
    made = written(made_up_home(tmp_path, 50, 255)[0])
    opened = visit(made.path)
    opened.page.select_option("#pick", "MADE-49.XY")
    opened.comes_to("#stock-name", "MADE-49.XY")
    assert price(made.newest.loc["MADE-49.XY", "predicted_price"]) in opened.text("#story")


def test_the_dates_are_the_logs_in_any_time_zone(made_page: Made, visit: Callable[..., Opened]) -> None:
    for zone in ("America/Los_Angeles", "Pacific/Auckland"):
        opened = visit(made_page.path, timezone_id=zone)
        assert f"on {day(str(LAST_DAY))} to" in opened.text("#story")
