"""A headless Chromium for the tests of the page: what it shows, what it complains of, what it asks for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tools
from report_helpers import made_up_home, page_of
from waiting import PATIENCE_SECONDS

from stockml.core.paths import Home
from stockml.reporting.page import report_path

QUIET = [
    "--no-sandbox",  # containers run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
SHOTS = Path(__file__).resolve().parents[1] / "build" / "screenshots"
STOCKS, DAYS, FIRST = 20, 90, "MADE-00.XY"


@dataclass
class Opened:
    """A page in the browser, and everything that went wrong or left it meanwhile."""

    page: Any
    complaints: list[str] = field(default_factory=list)

    def text(self, selector: str) -> str:
        return str(self.page.inner_text(selector)).replace("\u2212", "-")

    def comes_to(self, selector: str, text: str) -> None:
        """Wait until this is shown: the browser tells the page of a new address only after it has answered us."""
        shown = "([selector, text]) => document.querySelector(selector)?.innerText === text"
        self.page.wait_for_function(shown, arg=[selector, text], timeout=PATIENCE_SECONDS * 1000)

    def column(self, name: str) -> list[str]:
        """A column of the predictions, the rows that are shown."""
        heads = [head.strip().rstrip("↕▲▼") for head in self.page.locator("#predictions thead th").all_inner_texts()]
        rows = self.page.locator("#predictions tbody tr:visible")
        cells = rows.locator(f"xpath=./*[{heads.index(name) + 1}]")
        return [text.replace("\u2212", "-").strip() for text in cells.all_inner_texts()]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium; the tests skip where there is none, or no Playwright to drive it."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    tools.need("chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=tools.found("chromium"), args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Opened]]:
    """Opens a file; at the end nothing may have been complained about, and no request may have left the page."""
    contexts, visits = [], []

    def open_(path: Path, *, at: str = "", viewport: dict[str, int] = DESKTOP, **how: Any) -> Opened:
        context = browser.new_context(viewport=viewport, reduced_motion="reduce", **how)
        context.set_default_timeout(PATIENCE_SECONDS * 1000)
        opened = Opened(context.new_page())
        opened.page.on("console", lambda message: opened.complaints.append(f"{message.type}: {message.text}"))
        opened.page.on("pageerror", lambda error: opened.complaints.append(f"error: {error}"))
        opened.page.on("request", lambda request: _note_request(opened, request.url, path))
        opened.page.on("dialog", lambda dialog: (opened.complaints.append("a dialog"), dialog.dismiss()))
        opened.page.goto(f"file://{path}{at}")
        contexts.append(context)
        visits.append(opened)
        return opened

    yield open_
    for context in contexts:
        context.close()
    complaints = [complaint for opened in visits for complaint in opened.complaints]
    if complaints:
        pytest.fail("\n".join(complaints))


def _note_request(opened: Opened, url: str, path: Path) -> None:
    if url.split("#", maxsplit=1)[0] != f"file://{path}" and not url.startswith("data:"):
        opened.complaints.append(f"request: {url}")


@dataclass(frozen=True)
class Made:
    """A written page, and the log it should agree with."""

    path: Path
    log: pd.DataFrame

    @property
    def newest(self) -> pd.DataFrame:
        return self.log.groupby("symbol").last()

    def of(self, symbol: str) -> pd.DataFrame:
        return self.log[self.log["symbol"] == symbol].reset_index(drop=True)


def written(home: Home, **how: Any) -> Made:
    """Write a home's page."""
    page_of(home, **how)
    lines = home.log.read_text().splitlines() if home.log.exists() else []
    return Made(report_path(home), pd.DataFrame([json.loads(line) for line in lines if line.startswith('{"symbol"')]))


@pytest.fixture(scope="session")
def made_page(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The page of 20 stocks and 90 days."""
    return written(made_up_home(tmp_path_factory.mktemp("browser"), STOCKS, DAYS)[0])


def price(value: float) -> str:
    """A price as the page writes it."""
    assert value >= 10
    return f"{value:,.2f}"


def day(text: str) -> str:
    """A day as the page writes it."""
    return f"{date.fromisoformat(text):%-d %b %Y}"
