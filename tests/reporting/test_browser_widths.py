"""The page in both themes at six widths: no table leaves its card, and axe-core finds no serious fault."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from browser import Opened
from report_helpers import CLOCK, ended, stock_lines, write_log, write_metrics

from stockml.core.paths import Home
from stockml.core.records import Prediction, record_line
from stockml.reporting.page import write_report
from stockml.reporting.status import status

WIDTHS = (320, 375, 768, 1280, 1920, 2560)
LONG = ("LONGEST-SYMBOL.THAT_IS-ALLOWED=1", "ABCDEFGHIJKLMNOPQRSTUVWXYZ.XY")  # the first has 32 characters
REGIME = "a-regime-of-sixty-characters-without-any-blank-to-break-it-at"
SERIOUS = ("serious", "critical")
GROUND = {"light": "rgb(244, 246, 248)", "dark": "rgb(14, 20, 26)"}
CONTRAST_AT = 1280  # what takes axe-core most of its time, and hangs on the theme alone

# Tables beyond their card, cells beyond their table's card or beyond themselves, and the width of the whole page.
LEAVING = """() => {
  const right = (node) => node.getBoundingClientRect().right, seen = (node) => node.getClientRects().length;
  const found = [...document.querySelectorAll('main table')].filter(seen).flatMap((table) => {
    const box = table.closest('.scroll'), edge = right(table.closest('.card')) + 0.5;
    const cells = box ? [] : [...table.querySelectorAll('tbody th, tbody td')].filter(seen);
    const loose = cells.filter((cell) => right(cell) > edge || cell.scrollWidth > cell.clientWidth + 1);
    return [...(right(box ?? table) > edge ? [table] : []), ...loose].map((node) => `${table.id}: ${node.innerText}`);
  });
  return [found, document.documentElement.scrollWidth];
}"""
DRAWN = """() => {
  const host = document.querySelector('#price-chart');
  return host.firstChild.viewBox.baseVal.width === Math.max(240, host.clientWidth);
}"""


@pytest.fixture(scope="module")
def long_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of long names, large prices and every badge: no model, an older forecast, a stale model, alarms."""
    home = Home(tmp_path_factory.mktemp("long"))
    stocks = []
    for number, symbol in enumerate(LONG):
        for horizon in (5, 20):
            lines = stock_lines(symbol, 25 if horizon == 20 else 12, seed=number, horizon=horizon, currency="IDR")
            lines[-1] = record_line(_awkward(Prediction.from_record(json.loads(lines[-1]))).to_record())
            stocks.append(lines[:-3] if number == 1 else lines)
        write_metrics(home, symbol, seed=number, data_through="2025-11-28")
    log = write_log(home, *stocks)
    ended(home, exit_code=1, failures=[{"symbol": LONG[0], "kind": "network", "message": "x" * 200}])
    state = status(home, log, CLOCK, watchlist=[*LONG, "NEVER-PREDICTED.XY"])
    return write_report(home, log, CLOCK, state, is_simulated=True)


def _awkward(line: Prediction) -> Prediction:
    prices = {name: getattr(line, name) * 1e6 for name in ("current_price", "predicted_price", "low", "high")}
    path = tuple(price * 1e6 for price in line.path)
    return replace(line, **prices, path=path, model_trained_at=None, market_regime=REGIME)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_table_leaves_its_card_and_axe_finds_no_serious_fault(
    theme: str, long_page: Path, visit: Callable[..., Opened]
) -> None:
    opened = visit(long_page, color_scheme=theme)
    opened.page.evaluate("document.querySelectorAll('details').forEach((node) => (node.open = true))")
    for width in WIDTHS:
        resized(opened.page, width)
        assert opened.page.evaluate(LEAVING) == [[], width], f"{theme}, {width} pixels"
    assert opened.page.evaluate("getComputedStyle(document.body).backgroundColor") == GROUND[theme]
    badges = " ".join(opened.page.locator("#predictions .old").all_inner_texts())
    assert "no model" in badges and "from 24 Mar 2026" in badges and "stale" in opened.text("#validation")
    for width in WIDTHS:
        resized(opened.page, width)
        assert not faults(opened.page, contrast=width == CONTRAST_AT), f"{theme}, {width} pixels"


def resized(page: Any, width: int) -> None:
    """Give the page a width, and wait until its charts are drawn for it."""
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_function(DRAWN)


def faults(page: Any, *, contrast: bool) -> list[str]:
    """What axe-core calls serious or critical; it is no part of the page, whose policy would refuse it as a script."""
    library = pytest.importorskip("axe_playwright_python", reason="needs axe-core: make install-dev")
    if not page.evaluate("'axe' in window"):
        page.evaluate(files(library).joinpath("axe.min.js").read_text(encoding="utf-8"))
    rules = {"color-contrast": {"enabled": contrast}}
    found = page.evaluate("(rules) => axe.run(document, { resultTypes: ['violations'], rules })", rules)
    assert found["passes"], "it has looked at something"
    return [
        f"{fault['id']}: {node['html'][:120]}: {node['failureSummary']}"
        for fault in found["violations"]
        if fault["impact"] in SERIOUS
        for node in fault["nodes"]
    ]
