"""What --status knows beside its alarms, and which of all that is news to somebody who was told before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from report_helpers import CLOCK, NOW, ended, made_up_home

from stockml.core.paths import Home
from stockml.prediction_log.log import PredictionLog
from stockml.reporting.concerns import Concern, skipped, surprises
from stockml.reporting.last_run import LastRun, begin_run, end_run, read_last_run
from stockml.reporting.notified import news, read_told, remembered, told_path, write_told
from stockml.reporting.status import status

FRIDAY = "2026-03-06T21:30:00Z"  # after the close in New York
TODAY = date(2026, 3, 27)
LAW = {"law": "student_t", "degrees": 5, "location_pct": 0.0, "scale_pct": 2.0}


def run_at(moment: str, **values: Any) -> LastRun:
    return LastRun(moment, None, moment, 0, previous_at=FRIDAY, **values)


# ---- runs that were missed ----


@pytest.mark.parametrize(
    ("moment", "symbols", "words"),
    [
        ("2026-03-09T21:30:00Z", ["AAPL"], None),
        ("2026-03-07T12:00:00Z", ["AAPL"], None),
        ("2026-03-10T12:00:00Z", ["AAPL"], None),
        ("2026-03-10T21:30:00Z", ["AAPL"], "which 1 session went without"),
        ("2026-03-13T21:30:00Z", ["AAPL", "MSFT", "TCS.NS"], "which 4 sessions went without"),
        ("2026-03-09T21:30:00Z", ["BTC-USD"], "which 2 sessions went without"),
        ("2026-03-09T21:30:00Z", ["BTC-USD", "AAPL"], None),
        ("2026-03-13T21:30:00Z", [], None),
    ],
)
def test_sessions_without_a_run_are_told(moment: str, symbols: list[str], words: str | None) -> None:
    told = [concern.text for concern in skipped(run_at(moment), symbols, CLOCK)]
    assert (words is None and not told) or (len(told) == 1 and words is not None and words in told[0])


def test_a_run_that_never_ended_is_told_by_the_next(tmp_path: Path) -> None:
    home = Home(tmp_path)
    begin_run(home, NOW - timedelta(days=1), None)
    begin_run(home, NOW, None)
    run = ended(home)
    (concern,) = skipped(run, [], CLOCK)
    assert "never ended" in concern.text and concern.is_event and not concern.is_alarm
    begin_run(home, NOW + timedelta(minutes=1), None)
    after = read_last_run(home)
    assert after is not None and after.previous_ended and skipped(after, [], CLOCK) == []


def test_a_run_on_a_past_day_is_no_run_between(tmp_path: Path) -> None:
    home = Home(tmp_path)
    begin_run(home, datetime.fromisoformat(FRIDAY), None)
    end_run(home, _result(), began_at=datetime.fromisoformat(FRIDAY), ended_at=datetime.fromisoformat(FRIDAY))
    begin_run(home, NOW - timedelta(days=1), date(2026, 1, 5))
    begin_run(home, NOW, None)
    run = read_last_run(home)
    assert run is not None and run.previous_at == FRIDAY and run.previous_ended


# ---- outcomes outside their range ----


def _line(id_: str, actual: float, law: Mapping[str, Any] | None = LAW) -> dict[str, Any]:
    return {"id": id_, "current_price": 100.0, "actual_price": actual, "distribution": law}


def _result(**changed: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"logged": [], "settled": [], "prices": {}, "failures": [], "waiting": [], "notices": []}
    return {"as_of": None, "exit_code": 0, **empty, **changed}


def test_outcomes_outside_the_95_percent_range_are_named_once_each(tmp_path: Path) -> None:
    settled = [
        _line("A:2026-03-20:5", 104.9),
        _line("B:2026-03-20:5", 112.0),
        _line("C:2026-03-20:5", 80.0),
        _line("D:2026-03-20:5", 150.0, None),
        {"id": "E:2026-03-20:5", "current_price": 100.0, "status": "expired", "distribution": LAW},
        "F:2026-03-20:5",  # of a run that was cut short
    ]
    run = ended(Home(tmp_path), settled=settled)
    (concern,) = surprises(run)
    assert concern.text.startswith(
        "2 of 6 outcomes of the last run lie outside the 95 % range, as one in 20 should: B:"
    )
    assert "B:2026-03-20:5 (+12.0 %, expected -5.1 to +5.1 %), C:2026-03-20:5 (-20.0 %" in concern.text
    assert concern.keys == ("outside: B:2026-03-20:5", "outside: C:2026-03-20:5") and not concern.is_alarm
    assert LastRun.from_record(run.to_record()) == run
    assert surprises(ended(Home(tmp_path), settled=settled[:1])) == []


def test_notes_stand_in_the_status_and_are_no_alarms(tmp_path: Path) -> None:
    home, log = made_up_home(tmp_path, 1, 30)
    ended(home, settled=[_line("B:2026-03-20:5", 112.0)])
    state = status(home, log, CLOCK)
    assert not state.is_alarming and len(state.notes) == 1 and state.to_record()["notes"] == list(state.notes)
    assert f"NOTE          {state.notes[0]}" in state.to_text()


def test_shares_out_of_their_band_are_notes(tmp_path: Path) -> None:
    home, _ = made_up_home(tmp_path, 8, 90)
    lines = [json.loads(line) for line in home.log.read_text().splitlines()]
    for line in lines:
        line["confidence"] = 0.02
    home.log.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    found = [one for one in status(home, PredictionLog(home.log), CLOCK).concerns if one.keys == ("calibration: 5",)]
    assert len(found) == 1 and "2.0 % promised" in found[0].text and not found[0].is_alarm


# ---- what is news ----

LASTING, EVENT = Concern("It fails.", ("failed: A",)), Concern("It broke.", ("broke: 1",), is_event=True)


@pytest.mark.parametrize(
    ("concern", "days_ago", "is_news"),
    [
        *((LASTING, None, True), (LASTING, 0, False), (LASTING, 6, False), (LASTING, 7, True), (LASTING, -3, True)),
        *((EVENT, None, True), (EVENT, 0, False), (EVENT, 30, False)),
    ],
)
def test_a_lasting_concern_is_news_weekly_and_an_event_once(
    concern: Concern, days_ago: int | None, is_news: bool
) -> None:
    told = {} if days_ago is None else {concern.keys[0]: TODAY - timedelta(days=days_ago)}
    assert news([concern], told, TODAY) == ([concern] if is_news else [])


def test_one_more_stock_is_news_of_all_of_them_and_one_less_is_none() -> None:
    two, three = (Concern("...", tuple(f"no forecast: {name}" for name in names)) for names in ("AB", "ABC"))
    told = remembered([two], {}, [two], TODAY)
    assert news([three], told, TODAY) == [three]
    assert news([two], remembered([three], told, [three], TODAY), TODAY) == []


def test_what_is_over_is_forgotten_and_what_was_not_sent_stays_news() -> None:
    told = remembered([LASTING, EVENT], {}, [LASTING], TODAY)
    assert told == {"failed: A": TODAY} and news([LASTING, EVENT], told, TODAY) == [EVENT]
    assert remembered([], told, [], TODAY) == {}


def test_it_is_kept_and_read_back_and_a_damaged_file_is_as_none(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert read_told(home) == {}
    write_told(home, {"failed: A": TODAY})
    assert read_told(home) == {"failed: A": TODAY}
    for damage in ("", "{", '{"told": {"a": "1000-01-01"}}', '{"told": {"a": 1}}', '{"tol": {}}', '"' * 99):
        told_path(home).write_text(damage)
        assert read_told(home) == {}
