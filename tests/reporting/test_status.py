"""The status counts what is in the log, and alarms where, and only where, somebody has to do something."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from report_helpers import (
    CLOCK,
    HORIZON,
    LAST_DAY,
    NOW,
    ended,
    made_up_home,
    stock_lines,
    weekdays_until,
    write_log,
    write_metrics,
)

from stockml.core.clock import Clock
from stockml.core.paths import Home
from stockml.prediction_log.log import PredictionLog
from stockml.reporting.last_run import LastRun, begin_run, last_run_path, read_last_run
from stockml.reporting.status import MODEL_STALE_AFTER_DAYS, Status, status


def at(day: date) -> Clock:
    return Clock(datetime(day.year, day.month, day.day, 23, 0, tzinfo=UTC) + timedelta(days=1), day)


def state_of(home: Home, clock: Clock = CLOCK) -> Status:
    return status(home, PredictionLog(home.log), clock)


def next_weekdays(count: int) -> list[date]:
    return weekdays_until(LAST_DAY + timedelta(days=2 * count), 3 * count)[-count:]


def test_a_home_without_anything_is_calm(tmp_path: Path) -> None:
    state = state_of(Home(tmp_path))
    assert (state.pending, state.due, state.record.total, state.prices_through) == (0, 0, 0, None)
    assert not state.is_alarming
    assert list(tmp_path.iterdir()) == [], "looking writes nothing"


def test_it_counts_what_the_log_holds(tmp_path: Path) -> None:
    home, log = made_up_home(tmp_path, 3, 40)
    lines = [json.loads(line) for line in home.log.read_text().splitlines()]
    verified = [line for line in lines if line["status"] == "verified"]
    state = status(home, log, CLOCK)
    assert (state.pending, state.due, state.record.total) == (3 * HORIZON, 0, len(verified))
    assert state.record.accurate == sum(line["was_accurate"] for line in verified)
    assert state.record.naive_error_pct_sum == pytest.approx(sum(line["naive_error_pct"] for line in verified))
    assert state.prices_through == str(LAST_DAY)
    assert not state.is_alarming


def test_a_past_day_knows_only_what_was_known_then(tmp_path: Path) -> None:
    home, log = made_up_home(tmp_path, 2, 40)
    day = weekdays_until(LAST_DAY, 40)[19]
    state = status(home, log, at(day))
    assert (state.pending, state.record.total) == (2 * HORIZON, 2 * (20 - HORIZON))
    assert state.prices_through == str(day)


@pytest.mark.parametrize(("sessions", "is_alarming"), [(0, False), (1, False), (2, True)])
def test_it_alarms_where_nothing_was_predicted_for_two_sessions(
    sessions: int, is_alarming: bool, tmp_path: Path
) -> None:
    home, _ = made_up_home(tmp_path, 1, 30)
    clock = at(weekdays_until(LAST_DAY + timedelta(days=sessions + 2 * (sessions > 0)), 1)[0])
    state = state_of(home, clock)
    assert state.is_alarming is is_alarming
    assert any(f"the prices of {LAST_DAY}" in alarm for alarm in state.alarms) is is_alarming


def test_due_is_not_overdue_until_a_missing_bar_is_no_excuse(tmp_path: Path) -> None:
    home, log = made_up_home(tmp_path, 1, 30)
    (first, *_) = sorted(log.read().pending, key=lambda line: line.target_date)
    target = date.fromisoformat(first.target_date)
    calm, late = (at(weekdays_until(target + timedelta(days=days), 1)[0]) for days in (7, 8))
    assert first.id not in state_of(home, calm).overdue
    assert state_of(home, calm).due > 0
    assert first.id in state_of(home, late).overdue
    (alarm,) = [alarm for alarm in state_of(home, late).alarms if "still pending" in alarm]
    assert "--verify-only" in alarm


def test_an_overdue_line_is_named_with_the_reason_the_last_run_gave(tmp_path: Path) -> None:
    home, log = made_up_home(tmp_path, 1, 30)
    clock = at(next_weekdays(12)[-1])
    waiting = [{"id": line.id, "reason": "its prices could not be had"} for line in log.read().pending]
    ended(home, waiting=waiting)
    alarm = next(alarm for alarm in state_of(home, clock).alarms if "still pending" in alarm)
    assert "MADE-00.XY" in alarm and "its prices could not be had" in alarm


@pytest.mark.parametrize("age", [MODEL_STALE_AFTER_DAYS, MODEL_STALE_AFTER_DAYS + 1])
def test_a_model_is_stale_after_its_days(age: int, tmp_path: Path) -> None:
    home = Home(tmp_path)
    write_metrics(home, "OLD.XY", data_through=str(LAST_DAY - timedelta(days=age)))
    write_metrics(home, "NEW.XY", data_through=str(LAST_DAY))
    write_log(home, stock_lines("OLD.XY", 10, seed=1), stock_lines("NEW.XY", 10, seed=2))
    state = state_of(home)
    assert state.model_ages == {"OLD.XY": age, "NEW.XY": 0}
    assert set(state.stale_models) == ({"OLD.XY"} if age > MODEL_STALE_AFTER_DAYS else set())
    assert state.is_alarming is (age > MODEL_STALE_AFTER_DAYS)


def test_the_model_of_a_stock_that_is_not_predicted_does_not_matter(tmp_path: Path) -> None:
    home = Home(tmp_path)
    write_metrics(home, "GONE.XY", data_through="2024-01-02")
    write_log(home, stock_lines("HERE.XY", 10, seed=1))
    assert not state_of(home).is_alarming


def test_prices_that_stopped_are_named(tmp_path: Path) -> None:
    home, _ = made_up_home(tmp_path, 1, 30)
    ended(home, prices={"MADE-00.XY": {"data_through": str(LAST_DAY)}, "DEAD.XY": {"data_through": "2026-03-20"}})
    state = state_of(home)
    assert state.stale_prices == {"DEAD.XY": "2026-03-20"}
    assert any("DEAD.XY" in alarm and "2026-03-20" in alarm for alarm in state.alarms)


def test_where_no_run_came_since_no_symbol_is_blamed_for_it(tmp_path: Path) -> None:
    home, _ = made_up_home(tmp_path, 1, 30)
    ended(home)
    state = state_of(home, at(next_weekdays(4)[-1]))
    assert not state.stale_prices
    (alarm,) = state.alarms
    assert "started every day" in alarm


def test_a_run_that_failed_alarms_with_its_own_messages(tmp_path: Path) -> None:
    home, _ = made_up_home(tmp_path, 1, 30)
    failures = [{"symbol": f"X{at}", "kind": "bad_prices", "message": f"X{at}: bars {'x' * at}."} for at in range(8)]
    ended(home, exit_code=1, failures=failures)
    alarms = state_of(home).alarms
    assert "failed" in alarms[0] and "X0: bars ." in alarms
    assert len(alarms) == 7 and "3 more failures" in alarms[-1], "a long list is cut short"


def test_stocks_that_failed_alike_are_one_alarm(tmp_path: Path) -> None:
    home, _ = made_up_home(tmp_path, 1, 30)
    failures = [{"symbol": f"X{at}", "kind": "network", "message": f"X{at}: no answer; try later"} for at in range(8)]
    ended(home, exit_code=1, failures=failures)
    assert state_of(home).alarms[1:] == ("8 stocks (X0, X1, X2 and 5 more), each: no answer; try later",)


def test_where_runs_are_started_but_predict_nothing_the_timer_is_not_blamed(tmp_path: Path) -> None:
    home, _ = made_up_home(tmp_path, 1, 30)
    ended(home, logged=[], settled=[])
    later = NOW + timedelta(days=9)
    record = json.loads(last_run_path(home).read_text())
    for moment in ("began_at", "ended_at"):
        record[moment] = (later - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    last_run_path(home).write_text(json.dumps(record))
    (alarm,) = (alarm for alarm in state_of(home, Clock(later)).alarms if "newest prediction" in alarm)
    assert "made none" in alarm and "started every day" not in alarm


def test_what_a_run_settled_may_have_expired(tmp_path: Path) -> None:
    home, _ = made_up_home(tmp_path, 1, 30)
    ended(home, settled=["one that was verified", "one that expired"])
    assert "went well: 2 logged, 2 settled" in state_of(home).to_text()


def test_a_run_that_never_ended_alarms_after_an_hour(tmp_path: Path) -> None:
    home, _ = made_up_home(tmp_path, 1, 30)
    begin_run(home, NOW, None)
    soon, later = (Clock(NOW + timedelta(minutes=minutes)) for minutes in (59, 61))
    assert not state_of(home, soon).is_alarming
    (alarm,) = state_of(home, later).alarms
    assert "never ended" in alarm


def test_a_run_that_acted_on_a_later_day_is_not_known_yet(tmp_path: Path) -> None:
    home, _ = made_up_home(tmp_path, 1, 30)
    ended(home, as_of="2026-03-27", exit_code=3)
    assert state_of(home).last_run is not None
    assert state_of(home, at(date(2026, 3, 26))).last_run is None


def test_what_a_run_leaves_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    home = Home(tmp_path)
    failures = [{"symbol": "A", "kind": "network", "message": "A: no answer"}]
    run = ended(home, failures=failures, waiting=[{"id": "A:2026-03-20:5", "reason": "no bar"}], notices=["one"])
    assert LastRun.from_record(run.to_record()) == run
    assert (run.ended_at, run.logged, run.settled) == ("2026-03-27T20:00:00Z", 2, 1)
    begin_run(home, NOW, date(2026, 3, 2))
    assert read_last_run(home) == LastRun(
        "2026-03-27T20:00:00Z", "2026-03-02", failing_since={"A": "2026-03-27"}, previous_at="2026-03-27T19:59:55Z"
    )


@pytest.mark.parametrize(
    "damage",
    ["", "{", "[]", "{}", '{"began_at": 3}', "null", "[" * 100_000, "\0" * 1000, "1e999", '"\\ud800"'],
)
def test_a_damaged_note_of_the_last_run_is_as_if_not_there(damage: str, tmp_path: Path) -> None:
    home = Home(tmp_path)
    ended(home)
    last_run_path(home).write_text(damage)
    assert read_last_run(home) is None


@pytest.mark.parametrize(
    "put", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: path.symlink_to("nowhere")]
)
def test_what_stands_in_its_place_hinders_no_status(put: Callable[[Path], object], tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.log.parent.mkdir(parents=True)
    put(last_run_path(home))
    assert state_of(home).last_run is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("began_at", "2026-03-27T20:00:00"),
        ("began_at", None),
        ("ended_at", None),
        ("ended_at", "9999-12-31T23:59:59+00:00"),
        ("exit_code", "1"),
        ("as_of", "soon"),
        ("as_of", "0001-01-01"),
        ("logged", "x"),
        ("logged", math.inf),
        ("prices_through", {"TCS.NS": "0001-01-01"}),
        ("prices_through", {"../../etc": "2026-03-02"}),
        ("failures", "all"),
        ("failures", [3]),
        ("notices", {"one": 1}),
        ("waiting", []),
        ("failing_since", {"A": "soon"}),
        ("failing_since", {"../../etc": "2026-03-02"}),
    ],
)
def test_a_note_with_a_wrong_value_is_as_if_not_there(key: str, value: object, tmp_path: Path) -> None:
    home = Home(tmp_path)
    record = ended(home).to_record() | {key: value}
    last_run_path(home).write_text(json.dumps(record))
    assert read_last_run(home) is None and state_of(home).last_run is None


def test_lines_to_be_set_aside_are_an_alarm(tmp_path: Path) -> None:
    home, _ = made_up_home(tmp_path, 2, 30)
    lines = home.log.read_text().splitlines(keepends=True)
    home.log.write_text("".join([lines[0], lines[1].replace('"id": ', '"ie": ', 1), *lines[2:]]))
    (alarm,) = state_of(home).alarms
    assert alarm.startswith("The prediction log, line 2: the key 'id' is missing: set aside")


def test_as_text_and_as_json_it_says_the_same(tmp_path: Path) -> None:
    home, _ = made_up_home(tmp_path, 2, 30)
    ended(home, exit_code=3)
    state = state_of(home)
    record, text = state.to_record(), state.to_text()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert f"{record['pending']} pending, 0 of them due, 0 overdue; {record['verified']} verified" in text
    assert f"mean error {record['record']['mean_error_pct']:.2f} %" in text
    assert all(f"ALARM         {alarm}" in text for alarm in record["alarms"])
    assert f"Intervals     80 % intervals hold {state.record.coverage * 100:.1f} %" in text
    assert f"Distribution  CRPS {record['record']['mean_crps_pct']:.3f} % (naive: " in text
    assert replace(state, concerns=()).to_text().count("\n") == 6, "seven lines on a good day"


def test_the_condition_in_which_intervals_hold_least_is_told_and_the_others_are_in_the_json(tmp_path: Path) -> None:
    home, _ = made_up_home(tmp_path, 4, 150)
    state = state_of(home)
    by_family = {(row["family"], row["value"]): row for row in state.to_record()["by_condition"]}
    assert {family for family, _ in by_family} == {"volatility", "regime", "year"}
    told = [row for row in by_family.values() if row["predictions"] >= 100]
    least = min(told, key=lambda row: row["coverage"])
    assert f", least in {'' if least['family'] == 'year' else 'the '}{least['value']}" in state.to_text()
    assert f": {least['coverage'] * 100:.1f} % of {least['predictions']}" in state.to_text()
