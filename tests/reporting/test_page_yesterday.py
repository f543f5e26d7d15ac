"""The first box of the page: what changed, what came true, what missed and why, what is missing; each from the log."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from log_helpers import outcome, prediction
from report_helpers import CLOCK, LAST_DAY, Parsed, made_up_home, page_of, stock_lines, weekdays_until, write_log

from stockml.core.clock import Clock
from stockml.core.outcomes import VERIFIED, Outcome, completed
from stockml.core.paths import Home
from stockml.core.records import Prediction, record_line, round_price
from stockml.core.student_t import StudentT
from stockml.data.sources import Source
from stockml.reporting.outcome_causes import Cause
from stockml.reporting.page import write_report
from stockml.reporting.page_yesterday import Sessions, Yesterday, is_lacking, why_text, without_forecast
from stockml.reporting.status import status
from stockml.reporting.stock_states import StockState

DAYS = [str(day) for day in weekdays_until(LAST_DAY, 8)]
NONE = "no prices are at hand"


def made(symbol: str, day: str, change: float, *, horizon: int = 5) -> Prediction:
    line = prediction(symbol, horizon=horizon, current=100.0)
    return replace(line, data_through=day, target_date="2026-04-03", predicted_change_pct=change)


def came(line: Prediction, actual: float, target: str = DAYS[-1]) -> Prediction:
    """The line settled on a day, with an 80 % interval of 95 to 105 and a 95 % one from 91 to 109."""
    error, naive = (abs(actual - price) / actual * 100 for price in (100 + line.predicted_change_pct, 100.0))
    line = replace(line, target_date=target, predicted_price=100 + line.predicted_change_pct, low=95.0, high=105.0)
    found = replace(outcome(line), actual_price=actual, error_pct=error, was_accurate=error < 5, naive_error_pct=naive)
    return replace(line, outcome=found, distribution=StudentT(line.predicted_change_pct, 3.5, 5))


def box(
    *lines: Prediction, stocks: Mapping[str, StockState] | None = None, clock: Clock = CLOCK, newest: str = DAYS[-1]
) -> dict[str, Any]:
    series: dict[tuple[str, int], list[Prediction]] = {}
    for line in lines:
        series.setdefault((line.symbol, line.prediction_horizon_days), []).append(line)
    names = {key: f"{key[0]}@{key[1]}" for key in series}
    return Yesterday(series, names, Sessions(newest, clock), clock, stocks or {}, lambda line: NONE).to_page()


def test_the_forecasts_that_changed_most_stand_first() -> None:
    lines = [made(f"S{at}.XY", day, change) for at, now in enumerate((0.1, -2.0, 1.0, 0.3, 0.2, 0.004, -0.6))
             for day, change in ((DAYS[-2], 0.0), (DAYS[-1], now))]  # fmt: skip
    told = box(*lines)
    assert [(change["symbol"], change["by"]) for change in told["changes"]] == [
        ("S1.XY", -2.0),
        ("S2.XY", 1.0),
        ("S6.XY", -0.6),
        ("S3.XY", 0.3),
        ("S4.XY", 0.2),
    ]
    assert told["compared"] == 7 and told["changes"][0]["before"] == 0.0 and told["changes"][0]["now"] == -2.0


@pytest.mark.parametrize(
    ("days", "is_told"),
    [
        (DAYS[-2:], True),
        ([DAYS[-3], DAYS[-1]], False),  # a session was left out between
        (DAYS[-3:-1], False),  # the newest session has none
        (DAYS[-1:], False),  # its first
    ],
)
def test_only_neighbouring_sessions_are_compared_the_newest_among_them(days: Sequence[str], is_told: bool) -> None:
    told = box(*(made("A.XY", day, at + 1.0) for at, day in enumerate(days)), made("B.XY", DAYS[-1], 0.0))
    assert [change["symbol"] for change in told["changes"]] == ["A.XY"] * is_told


def test_each_horizon_is_compared_with_itself_alone() -> None:
    told = box(*(made("A.XY", day, h * at, horizon=h) for h in (1, 20) for at, day in enumerate(DAYS[-2:])))
    assert [(change["horizon"], change["by"]) for change in told["changes"]] == [(20, 20.0), (1, 1.0)]
    assert told["several"] is True


def test_on_a_saturday_the_stocks_of_friday_are_not_old() -> None:
    saturday = Clock(datetime(2026, 3, 29, 0, 40, tzinfo=UTC))
    sessions = Sessions("2026-03-28", saturday)
    assert sessions.is_newest("BTC-USD", "2026-03-28") and not sessions.is_newest("BTC-USD", "2026-03-27")
    assert sessions.is_newest("KO", "2026-03-27") and not sessions.is_newest("KO", "2026-03-26")
    assert not sessions.is_newest("TCS.NS", "2026-03-25")  # 26 March was a holiday of NSE, 27 a session
    morning = Sessions("2026-03-27", Clock(datetime(2026, 3, 27, 12, tzinfo=UTC)))  # New York has not closed yet
    assert morning.is_newest("TCS.NS", "2026-03-27") and morning.is_newest("KO", "2026-03-26")


def test_outcomes_of_the_day_are_those_for_the_newest_session() -> None:
    lines = [
        came(made("A.XY", DAYS[0], 1.0), 101.0),
        came(made("B.XY", DAYS[0], 1.0), 90.0),
        came(made("C.XY", DAYS[0], 1.0, horizon=1), 104.0),
        came(made("OLD.XY", DAYS[0], 1.0), 50.0, target=DAYS[-2]),
    ]
    told = box(*lines)
    assert told["outcomes"] == [
        "1 session ahead: 1 of 1 forecast accurate (naive: 1), mean error 2.88 % (naive: 3.85 %); 100.0 % had the "
        "direction right, 100.0 % rose.",
        "5 sessions ahead: 1 of 2 forecasts accurate (naive: 1), mean error 6.11 % (naive: 6.05 %); 50.0 % had the "
        "direction right, 50.0 % rose.",
    ]
    assert told["n_misses"] == 1 and told["misses"][0]["symbol"] == "B.XY"
    assert box(*lines[3:])["outcomes"] == []


def test_what_left_its_interval_is_told_the_farthest_first_and_held_against_chance() -> None:
    actual = {"IN.XY": 104.0, "LOW.XY": 94.0, "FAR.XY": 120.0, "HIGH.XY": 106.0}
    told = box(*(came(made(name, DAYS[0], 0.0), price) for name, price in actual.items()))
    assert [(one["symbol"], one["side"], one["is_far"]) for one in told["outside"]] == [
        ("FAR.XY", "above", True),
        ("HIGH.XY", "above", False),
        ("LOW.XY", "below", False),
    ]
    assert told["outside_text"] == "3 of 4 outcomes lie outside the 80 % interval; about 1 would by chance."


def test_a_miss_is_told_with_the_cause_that_the_log_knows() -> None:
    fallen = [came(made(f"S{at}.XY", DAYS[0], 0.0), price) for at, price in enumerate((88.0, 90.0, 90.0, 91.0))]
    miss = box(*fallen)["misses"][0]
    assert miss["text"].startswith("−12.00 % where 0.00 % was forecast, an error of 13.64 %: 1.20 widths of the 80 %")
    assert miss["why"].startswith("Market: 3 other stocks of its exchange went −10.00 % (median)")
    alone = box(fallen[0])["misses"][0]
    assert alone["why"] == (
        "No split did it. Not known of announcement and gap: no prices are at hand. Not known of market: the log has "
        "the outcome of 0 other stocks of its exchange from that day, too few to tell."
    )


@pytest.mark.parametrize(
    ("verdicts", "told"),
    [
        ((True, False, None), "A: because of a. "),
        ((True, True, False), "A: because of a. B: because of b."),
        ((False, False, False), "No a, b or c did it."),
        ((None, False, None), "No b did it. Not known of a: because of a. Not known of c: because of c."),
    ],
)
def test_causes_are_told_before_those_ruled_out_and_those_not_known(verdicts: Sequence[bool], told: str) -> None:
    found = [Cause(name, did_it, f"because of {name}") for name, did_it in zip("abc", verdicts, strict=True)]
    assert why_text(found) == told.strip()


def state(symbol: str, **known: Any) -> StockState:
    names = ("last_forecast", "missing_since", "failing_since", "reason", "model_age_days")
    return StockState(symbol=symbol, missing_sessions=known.pop("sessions", 0), **{**dict.fromkeys(names), **known})


def test_stocks_without_a_forecast_are_those_of_the_status() -> None:
    stocks = {
        one.symbol: one
        for one in (
            state("HERE", last_forecast=DAYS[-1]),
            state("LATE", last_forecast=DAYS[-3], missing_since=DAYS[-2], sessions=2),
            state("GONE", last_forecast=DAYS[-6], missing_since=DAYS[-5], sessions=5, failing_since=DAYS[-5]),
            state("NEW"),
            state("FAILS", last_forecast=DAYS[-1], failing_since=DAYS[-1], reason="no answer"),
        )
    }
    told = without_forecast(stocks)
    assert [symbol for symbol, _ in told["without"]] == ["GONE", "LATE", "FAILS", "NEW"]
    assert told["without"][0][1].endswith("failing since 2026-03-23")
    assert (told["n_without"], told["n_watched"], is_lacking(stocks["HERE"])) == (4, 5, False)


def test_the_box_is_the_first_of_the_page_and_agrees_with_the_log(tmp_path: Path) -> None:
    home, _ = made_up_home(tmp_path, 4, 30)
    text = page_of(home)
    parsed = Parsed(text)
    assert text.index('id="yesterday"') < text.index('class="tiles"')
    rows = [json.loads(line) for line in home.log.read_text().splitlines()]
    of_today = [row for row in rows if row.get("actual_price") and row["target_date"] == str(LAST_DAY)]
    accurate = sum(row["was_accurate"] for row in of_today)
    told = next(text for text in parsed.texts["p"] if text.startswith("5 sessions ahead: "))
    assert told.startswith(f"5 sessions ahead: {accurate} of {len(of_today)} forecasts accurate")


def test_a_past_day_tells_what_was_new_then(tmp_path: Path) -> None:
    home, _ = made_up_home(tmp_path, 2, 30)
    day = weekdays_until(LAST_DAY, 30)[-4]
    text = page_of(home, clock=Clock(CLOCK.now, day))
    assert f"The session of {day:%-d %b %Y}" in text and f"The session of {LAST_DAY:%-d %b %Y}" not in text


def test_a_gap_in_the_prices_at_hand_is_the_reason_of_a_miss(tmp_path: Path) -> None:
    lines = [Prediction.from_record(json.loads(line)) for line in stock_lines("MADE-00.XY", 30, seed=0)]
    (line,) = (line for line in lines if line.target_date == DAYS[-1])
    fallen = round_price(line.current_price * 0.8)
    error, naive = ((price - fallen) / fallen * 100 for price in (line.predicted_price, line.current_price))
    came_out = Outcome(VERIFIED, f"{DAYS[-1]}T17:00:00", fallen, error, False, naive)
    record = completed(replace(line, outcome=None).to_record(), came_out)
    home = Home(tmp_path)
    log = write_log(home, [record_line(record)])
    bars = ["Date,Open,High,Low,Close,Volume"]
    for at, day in enumerate(weekdays_until(LAST_DAY, 160)):
        price = line.current_price * (1 + at % 2 / 100) if day < LAST_DAY else fallen
        bars.append(f"{day},{price},{price},{price},{price},{9000 if day == LAST_DAY else 1000}")
    (tmp_path / "MADE-00.XY.csv").write_text("\n".join(bars) + "\n")
    source = Source("csv", tmp_path)
    path = write_report(home, log, CLOCK, status(home, log, CLOCK), is_simulated=False, source=source)
    (why,) = re.findall(r"Gap: the widest was .*? volume\.", path.read_text())
    assert why.startswith("Gap: the widest was −2") and why.endswith("on 9.0 times the usual volume.")
