"""Each stock of the watchlist: its last forecast, what is missing since when, and the metrics that tell it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from report_helpers import (
    CLOCK,
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
from stockml.reporting.last_run import begin_run
from stockml.reporting.openmetrics import is_ours, openmetrics_text, write_openmetrics
from stockml.reporting.status import Status, status

FAILED = [{"symbol": "GONE.XY", "kind": "network", "message": "GONE.XY: no answer; try later"}]


def state_of(home: Home, watchlist: Sequence[str], clock: Clock = CLOCK) -> Status:
    return status(home, PredictionLog(home.log), clock, watchlist=watchlist)


def home_with(root: Path, **ends: int) -> Home:
    """A home whose stocks NAME.XY had their last forecast so many sessions before the last day."""
    home, days = Home(root), weekdays_until(LAST_DAY, 30)
    lines = [
        [line for line in stock_lines(f"{name}.XY", 30, seed=1) if line.split('"data_through": "')[1][:10] <= str(last)]
        for name, back in ends.items()
        for last in [days[-1 - back]]
    ]
    write_log(home, *lines)
    return home


@pytest.mark.parametrize(("back", "is_missing"), [(0, False), (1, False), (2, True), (5, True)])
def test_a_stock_without_a_forecast_for_two_sessions_alarms(tmp_path: Path, back: int, is_missing: bool) -> None:
    state = state_of(home_with(tmp_path, HERE=0, LATE=back), ["HERE.XY", "LATE.XY"])
    late, days = state.stocks["LATE.XY"], weekdays_until(LAST_DAY, 30)
    assert (late.last_forecast, late.missing_sessions) == (str(days[-1 - back]), back)
    assert late.missing_since == (str(days[-back]) if back else None)
    alarms = [alarm for alarm in state.alarms if f"no forecast for {back} sessions" in alarm]
    assert bool(alarms) is is_missing is state.is_alarming
    assert not any("HERE.XY" in alarm for alarm in alarms)


def test_many_are_one_alarm_and_one_that_is_on_no_watchlist_is_none(tmp_path: Path) -> None:
    home = home_with(tmp_path, HERE=0, **{f"L{at}": at + 2 for at in range(8)})
    assert not state_of(home, ["HERE.XY"]).is_alarming
    (alarm,) = state_of(home, ["HERE.XY", *(f"L{at}.XY" for at in range(8))]).alarms
    assert alarm.startswith("L7.XY, L6.XY, L5.XY, L4.XY, L3.XY and 3 more: no forecast for 2 to 9 sessions, since ")


def test_where_nothing_runs_that_is_said_once(tmp_path: Path) -> None:
    home = home_with(tmp_path, HERE=0, LATE=4)
    clock = Clock(datetime(2026, 4, 3, 12, tzinfo=UTC))
    alarms = state_of(home, ["HERE.XY", "LATE.XY"], clock).alarms
    assert len(alarms) == 2 and "started every day" in alarms[0]
    assert alarms[1].startswith("LATE.XY: no forecast for ")


def test_a_stock_counts_the_sessions_of_its_own_exchange(tmp_path: Path) -> None:
    home = Home(tmp_path)
    good_friday = date(2026, 4, 3)
    write_log(home, *(stock_lines(symbol, 10, seed=1) for symbol in ("MADE.L", "MADE.XY", "BTC-USD")))
    state = state_of(home, ["MADE.L", "MADE.XY", "BTC-USD"], Clock(datetime(2026, 4, 4, 12, tzinfo=UTC), good_friday))
    assert {symbol: stock.missing_sessions for symbol, stock in state.stocks.items()} == {
        "MADE.L": 4,
        "MADE.XY": 5,
        "BTC-USD": 7,
    }


def test_failing_is_told_since_the_first_run_that_failed(tmp_path: Path) -> None:
    home = home_with(tmp_path, HERE=0)
    for back in (3, 2, 0):
        begin_run(home, NOW - timedelta(days=back), None)
        made = [{"symbol": "HERE.XY"}]
        ended(home, at=NOW - timedelta(days=back), failures=FAILED, predictions=made, exit_code=1)
    gone = state_of(home, ["HERE.XY", "GONE.XY"]).stocks["GONE.XY"]
    assert (gone.last_forecast, gone.failing_since, gone.missing_since) == (None, "2026-03-24", "2026-03-24")
    assert gone.missing_sessions == 4 and gone.reason == "no answer; try later"
    assert "GONE.XY: no forecast yet, missing since 2026-03-24 (4 sessions)" in state_of(home, ["GONE.XY"]).to_text()
    begin_run(home, NOW, None)
    ended(home, predictions=[{"symbol": "OTHER.XY"}])  # a run that did not ask for it
    assert state_of(home, ["GONE.XY"]).stocks["GONE.XY"].failing_since == "2026-03-24"
    ended(home, predictions=[{"symbol": "GONE.XY"}], failures=FAILED)  # such as a damaged model
    assert state_of(home, ["GONE.XY"]).stocks["GONE.XY"].failing_since is None


def test_one_that_was_never_asked_for_is_told_and_no_alarm(tmp_path: Path) -> None:
    state = state_of(home_with(tmp_path, HERE=0), ["HERE.XY", "NEW.XY"])
    assert not state.is_alarming
    assert "Stocks        2 in the watchlist, 1 not predicted yet\n" in state.to_text()
    assert "NEW.XY: no forecast yet, no model\n" in state.to_text(all_stocks=True)


def test_a_past_day_sees_no_later_forecast(tmp_path: Path) -> None:
    home, _ = made_up_home(tmp_path, 1, 30)
    day = weekdays_until(LAST_DAY, 30)[20]
    clock = Clock(CLOCK.now, day)
    assert state_of(home, ["MADE-00.XY"], clock).stocks["MADE-00.XY"].last_forecast == str(day)


# ---- metrics ----

NAME = re.compile(r"stockml_[a-z_]+")
LABELS = re.compile(r'\{([a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+\}')


def parsed(text: str) -> dict[str, dict[str, float]]:
    """The samples by metric and labels, read as the text format and OpenMetrics both want them."""
    *lines, end, empty = text.split("\n")
    assert (end, empty) == ("# EOF", "")
    found: dict[str, dict[str, float]] = {}
    for line in lines:
        if line.startswith("# HELP "):
            name = line.split(" ")[2]
            assert NAME.fullmatch(name) and name not in found and len(line.split(" ", 3)[3]) > 5
            found[name] = {}
        elif line.startswith("# TYPE "):
            assert line == f"# TYPE {name} gauge" and not found[name]
        else:
            series, _, value = line.rpartition(" ")
            labels = series.removeprefix(name)
            assert series.startswith(name) and (not labels or LABELS.fullmatch(labels)) and labels not in found[name]
            found[name][labels] = float(value)
    assert all(found.values())
    return found


def test_the_metrics_tell_the_state(tmp_path: Path) -> None:
    home = home_with(tmp_path, HERE=0, LATE=3)
    write_metrics(home, "HERE.XY", data_through=str(LAST_DAY - timedelta(days=3)))
    ended(home)
    state = state_of(home, ["HERE.XY", "LATE.XY"])
    told = parsed(openmetrics_text(state, is_simulated=False))
    assert told["stockml_stock_missing_sessions"] == {'{symbol="HERE.XY"}': 0, '{symbol="LATE.XY"}': 3}
    assert told["stockml_stock_model_age_seconds"] == {'{symbol="HERE.XY"}': 3 * 86_400}
    assert told["stockml_alarms"] == {"": len(state.alarms)} and told["stockml_simulated"] == {"": 0}
    assert told["stockml_last_run_end_timestamp_seconds"] == {"": NOW.timestamp()}
    assert told["stockml_mean_error_ratio"]['{horizon_sessions="5"}'] == pytest.approx(
        state.record.mean_error_pct / 100, abs=1e-6
    )


def test_an_empty_home_and_hostile_names_make_sound_metrics(tmp_path: Path) -> None:
    assert "stockml_last_run_exit_code" not in parsed(openmetrics_text(state_of(Home(tmp_path), []), is_simulated=True))
    state = state_of(home_with(tmp_path, HERE=0), ["HERE.XY"])
    hostile = replace(state.stocks["HERE.XY"], symbol='A"} 1\nB\\')
    told = parsed(openmetrics_text(replace(state, stocks={"x": hostile}), is_simulated=True))
    assert list(told["stockml_stock_failing"]) == ['{symbol="A\\"} 1\\nB\\\\"}']


def test_the_file_is_replaced_whole_and_only_where_it_is_ours(tmp_path: Path) -> None:
    state, path = state_of(Home(tmp_path / "home"), []), tmp_path / "a.prom"
    assert not is_ours(path)
    for _ in range(2):
        write_openmetrics(path, state, is_simulated=False)
        assert is_ours(path) and parsed(path.read_text()) and [*tmp_path.iterdir()] == [path]
    path.write_text("# HELP node_load1 of another program\n")
    assert not is_ours(path)
