"""The bar with the time left: drawn where a terminal watches, and only there."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from asking import AT_ONCE, listing
from fake_yahoo import FakeYahoo, redirected, site_folder
from scripts import ESCAPE, Ran, log_of, predict, watched

from stockml.core.clock import Clock
from stockml.core.paths import Home
from stockml.data.fetch import fetch_prices, spans_of
from stockml.data.simulated_market import sample_bars
from stockml.data.sources import Source

DAY = date(2026, 6, 30)
SYMBOLS = tuple(f"MADE{number}.NS" for number in range(8))
YAHOO = ("realtime_predictor.py", "--symbols", *SYMBOLS, "--as-of", DAY)
SIM = ("--source", "sample", "--symbols", "SIM-ALPHA")
BAR = re.compile(r"(\w[\w ]*?) +[━╸╺]+ +(\d+)% +(-:--:--|\d:\d\d:\d\d)")


def slowly(chart: dict[str, Any]) -> dict[str, Any]:
    time.sleep(0.4)
    return chart


@pytest.fixture
def yahoo() -> Iterator[FakeYahoo]:
    """A market in which each answer takes a while."""
    with FakeYahoo(DAY) as server:
        for seed, symbol in enumerate(SYMBOLS):
            server.listings[symbol] = listing(seed=seed)
        server.fail("*", slowly)
        yield server


def bars(ran: Ran) -> list[tuple[str, int, str]]:
    """Each state of a bar that was drawn: its stage, its share done in %, the time left."""
    plain = ESCAPE.sub("", ran.out).replace("\r", "\n")
    return [(stage, int(share), left) for stage, share, left in BAR.findall(plain)]


def test_fetching_shows_how_much_is_done_and_the_time_left(yahoo: FakeYahoo, tmp_path: Path) -> None:
    env = {"PYTHONPATH": str(site_folder(yahoo, tmp_path / "site"))}
    ran = watched(*YAHOO, "--home", tmp_path / "home", env=env)
    assert ran.code == 0 and len(log_of(tmp_path / "home")) == len(SYMBOLS)
    fetching = [(share, left) for stage, share, left in bars(ran) if stage == "fetch"]
    shares = [share for share, _ in fetching]
    assert shares == sorted(shares) and {0, 100} < set(shares)
    assert any(re.fullmatch(r"\d:\d\d:\d\d", left) for share, left in fetching if 0 < share < 100)
    table = ran.out[ran.out.index("Predictions") :]
    assert "%" in table and "fetch" not in table, "the bar is gone when the results are printed"


@pytest.mark.parametrize("option", ["--quiet", "--json"])
def test_who_asks_for_silence_or_json_sees_no_bar(option: str, tmp_path: Path) -> None:
    ran = watched("realtime_predictor.py", *SIM, "--as-of", "2026-03-02", "--home", tmp_path, option)
    assert ran.code == 0 and "\x1b" not in ran.out and not bars(ran)
    assert ran.out == "" if option == "--quiet" else ran.out.endswith("\n}\n")


def test_a_pipe_sees_none_of_it(yahoo: FakeYahoo, tmp_path: Path) -> None:
    env = {"PYTHONPATH": str(site_folder(yahoo, tmp_path / "site")), "TERM": "xterm-256color"}
    ran = predict(*YAHOO[1:], "--home", tmp_path / "home", env=env)
    told = ran.out + ran.err
    assert ran.code == 0 and "\x1b" not in told and "\r" not in told and "━" not in told
    lines = ran.err.splitlines()
    assert len(lines) == 1, ran.err
    assert lines[0].startswith(f"{len(SYMBOLS)} stocks (") and "no trained model" in lines[0]


def test_training_shows_its_stages_and_messages_stand_above_them(tmp_path: Path) -> None:
    (tmp_path / "csv").mkdir()
    for symbol, first in (("LONG.VN", date(2023, 1, 1)), ("SHORT.VN", date(2026, 3, 1))):
        sample_bars("SIM-ALPHA", first, DAY).to_csv(tmp_path / f"csv/{symbol}.csv")
    options = ("--source", f"csv:{tmp_path / 'csv'}", "--symbols", "LONG.VN", "SHORT.VN", "--as-of", DAY)
    ran = watched("train_models.py", *options, "--home", tmp_path / "home")
    assert ran.code == 1
    assert {"fetch", "prepare", "learn together", "finish"} <= {stage for stage, _, _ in bars(ran)}
    (line,) = [line for line in ran.out.replace("\r", "\n").splitlines() if "SHORT.VN: " in line]
    assert ESCAPE.sub("", line).startswith("SHORT.VN: ")


def test_a_replay_shows_its_days(tmp_path: Path) -> None:
    options = ("--replay", "2026-02-16", "2026-02-27", *SIM, "--home", tmp_path)
    replayed = watched("realtime_predictor.py", *options)
    assert replayed.code == 0
    assert {("fetch", 100), ("replay", 100)} <= {(stage, share) for stage, share, _ in bars(replayed)}


def test_every_stock_is_told_as_it_is_there(yahoo: FakeYahoo, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    settings = replace(AT_ONCE, threads=4, tell=lambda *step: told.append(step))
    clock = Clock(datetime(2026, 6, 30, 12, tzinfo=UTC))
    with redirected(yahoo):
        symbols = (*SYMBOLS[:3], "NOPE.NS")
        fetched = fetch_prices(
            spans_of(symbols, 300, clock), Source("yahoo"), clock=clock, home=Home(tmp_path), settings=settings
        )
    assert list(fetched.tables) == list(SYMBOLS[:3]) and list(fetched.failures) == ["NOPE.NS"]
    assert told == [*(("fetch", done, 4) for done in range(5)), *(("check", done, 3) for done in (1, 2, 3))]
