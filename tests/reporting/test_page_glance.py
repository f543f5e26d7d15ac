"""The headline cards: one horizon, forecasts of the newest session alone, and no calm beside what is not done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_helpers import CLOCK, LAST_DAY, Parsed, made_up_home, page_of, stock_lines, weekdays_until, write_log

from stockml.core.paths import Home
from stockml.core.records import Prediction, record_line
from stockml.prediction_log.log import PredictionLog
from stockml.reporting.concerns import Concern
from stockml.reporting.page import write_report
from stockml.reporting.page_data import LogSummary
from stockml.reporting.page_glance import open_points, tiles
from stockml.reporting.status import Status, status
from stockml.reporting.stock_states import StockState

CALM = "Nothing needs attention."


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Status:
    home, log = made_up_home(tmp_path_factory.mktemp("home"), 1, 20)
    return status(home, log, CLOCK)


def stock(missing: int, *, last: str | None = "2026-03-20", failing: str | None = None) -> StockState:
    return StockState("S.XY", last, "2026-03-23" if missing else None, missing, failing, None, None)


@pytest.mark.parametrize(
    ("changed", "answer", "point"),
    [
        ({}, "Nothing", ""),
        ({"due": 108}, "108 due", "108 due predictions are not settled: run realtime_predictor.py --verify-only."),
        ({"due": 1}, "1 due", "1 due prediction is not settled: run realtime_predictor.py --verify-only."),
        (
            {"stocks": {"S.XY": stock(2), "T.XY": stock(0)}},
            "1 stock without a forecast",
            "1 of 2 stocks in the watchlist is without a forecast.",
        ),
        ({"stocks": {"S.XY": stock(0, failing="2026-03-27")}}, "1 stock without a forecast", "1 of 1 stock in the"),
        ({"stocks": {"S.XY": stock(0, last=None)}}, "1 stock without a forecast", "1 of 1 stock in the watchlist is"),
        ({"due": 3, "stocks": {"S.XY": stock(4)}}, "3 due, 1 stock without a forecast", "3 due predictions"),
        ({"concerns": (Concern("It burns.", ("fire",)),), "due": 3}, "1 alarm", "3 due predictions are not settled"),
    ],
)
def test_nothing_needs_attention_is_never_said_beside_what_is_not_done(
    state: Status, changed: Mapping[str, Any], answer: str, point: str
) -> None:
    now = replace(state, **changed)
    card = tiles(LogSummary({}, {}), [], now)[3]
    assert card["answer"] == answer and card["is_alarm"] is bool(changed)
    assert point in card["detail"] and (point in " ".join(open_points(now)))


def test_a_note_is_told_below_the_alarms_and_is_none(state: Status, tmp_path: Path) -> None:
    home, log = made_up_home(tmp_path, 1, 20)
    noted = replace(state, concerns=(Concern("It is warm.", ("warmth",), is_alarm=False),))
    text = write_report(home, log, CLOCK, noted, is_simulated=False).read_text()
    assert "<strong>Note</strong> It is warm." in text and text.count("It is warm.") == 1
    assert CALM not in text and tiles(LogSummary({}, {}), [], noted)[3]["answer"] == "Nothing"


@pytest.mark.parametrize("is_late", [False, True])
def test_the_page_is_calm_only_where_every_due_line_is_settled(tmp_path: Path, is_late: bool) -> None:
    home = Home(tmp_path)
    lines = stock_lines("A.XY", 30, seed=1, horizon=1)
    if is_late:  # the one for the last day is pending
        line = Prediction.from_record(json.loads(lines[-2]))
        lines[-2] = record_line(replace(line, outcome=None).to_record())
    write_log(home, lines)
    log = PredictionLog(home.log)
    now = status(home, log, CLOCK)
    text = write_report(home, log, CLOCK, now, is_simulated=False).read_text()
    assert now.due == is_late
    assert (CALM in text) is not is_late and ("1 due prediction is not settled" in text) is is_late


def row(symbol: str, change: float, *, horizon: int = 5, is_old: bool = False) -> dict[str, Any]:
    figures = {"low": 90.0, "high": 110.0, "close": 100.0, "confidence": 0.7, "target": "2026-04-03"}
    return {"symbol": symbol, "horizon": horizon, "change": change, "is_old": is_old, **figures}


def test_cards_count_the_main_horizon_and_the_newest_session_alone(state: Status) -> None:
    rows = [row("A", 1.0), row("B", -1.0), row("C", -9.0, is_old=True), row("A", 50.0, horizon=20)]
    expects, sure, *_ = tiles(LogSummary({}, {}), rows, replace(state, horizon=5))
    assert expects["answer"] == "1 of 2 to rise"
    assert expects["detail"] == (
        "5 sessions ahead. Median 0.00 %, from −1.00 % (B) to +1.00 % (A). 1 older forecast left out."
    )
    assert sure["answer"] == "70 %" and sure["detail"].startswith("5 sessions ahead. ")
    (far, *_) = tiles(LogSummary({}, {}), rows, replace(state, horizon=20))
    assert far["answer"] == "A +50.00 %"
    (old, *_) = tiles(LogSummary({}, {}), rows[2:3], state)
    assert (old["answer"], old["detail"]) == ("–", "No forecast of the newest session. 1 older forecast left out.")


def test_a_home_that_predicts_at_another_horizon_alone_counts_that(state: Status) -> None:
    (expects, *_) = tiles(LogSummary({}, {}), [row("A", 2.0, horizon=10)], state)
    assert expects["answer"] == "–", "of the main horizon there is none"


def test_the_record_of_the_card_is_that_of_the_main_horizon(tmp_path: Path) -> None:
    home, days = Home(tmp_path), weekdays_until(LAST_DAY, 40)
    write_log(home, *(stock_lines("A.XY", 40, seed=1, horizon=horizon) for horizon in (5, 10)))
    log = PredictionLog(home.log)
    for main, n in ((5, 35), (10, 30)):
        now = status(home, log, CLOCK, main_horizon=main)
        parsed = Parsed(write_report(home, log, CLOCK, now, is_simulated=False).read_text())
        (card,) = (text for text in parsed.texts["p"] if "verified." in text)
        assert card.startswith(f"{main} sessions ahead.") and f", {n} verified" in card
    assert days[-1] == LAST_DAY and page_of(home)
