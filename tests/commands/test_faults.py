"""The predictor against a Yahoo that fails: the class, the exit code, the other stocks, and what stays pending."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import fake_yahoo as fake
import pandas as pd
import pytest
from asking import AT_ONCE, HANGING, listing
from fake_yahoo import FakeYahoo, redirected
from scripts import log_of, predict
from stopped_clock import stopped_at

import realtime_predictor
from stockml.core.calendars import calendar_for
from stockml.core.paths import Home
from stockml.data import request
from stockml.data.request import FetchSettings
from stockml.prediction_log.log import PredictionLog

SYMBOLS = ("TCS.NS", "INFY.NS", "WIPRO.NS")
MADE_ON = date(2026, 6, 23)
TARGET = calendar_for("TCS.NS").sessions_after(MADE_ON, 5)[-1]
VICTIM = "INFY.NS"


class DailyRuns:
    """One home, one server, and runs of the predictor in this process after sessions of our choosing."""

    def __init__(self, yahoo: FakeYahoo, home: Path, monkeypatch: Any, capsys: Any) -> None:
        self.yahoo, self.home = yahoo, home
        self._monkeypatch, self._capsys = monkeypatch, capsys
        self.fetch_with(AT_ONCE)

    def fetch_with(self, settings: FetchSettings) -> None:
        """Let the next runs fetch with these time-outs and waits."""
        self._monkeypatch.setattr(request, "FetchSettings", lambda **options: replace(settings, **options))

    def run(self, day: date, *options: str, at: str = "17:00") -> tuple[int, dict[str, Any], list[str]]:
        """Exit code, the JSON object, and the lines on stderr of a run on that day."""
        self.yahoo.today = day
        now = pd.Timestamp(f"{day} {at}", tz="Asia/Kolkata").to_pydatetime()
        self._monkeypatch.setattr(realtime_predictor, "datetime", stopped_at(now))
        self._capsys.readouterr()
        code = realtime_predictor.main(["--home", str(self.home), "--json", "--quiet", "--symbols", *SYMBOLS, *options])
        out, err = self._capsys.readouterr()
        return code, json.loads(out), err.splitlines()

    def lines(self, symbol: str = VICTIM) -> list[dict[str, Any]]:
        return [line for line in log_of(self.home) if line["symbol"] == symbol]


@pytest.fixture
def runs(tmp_path, monkeypatch, capsys):
    """Predictions of three stocks were made on MADE_ON."""
    with FakeYahoo(MADE_ON) as yahoo, redirected(yahoo):
        for seed, symbol in enumerate(SYMBOLS):
            yahoo.listings[symbol] = listing(seed=seed)
        runs = DailyRuns(yahoo, tmp_path, monkeypatch, capsys)
        code, _, errors = runs.run(MADE_ON)
        assert (code, errors, len(log_of(tmp_path))) == (0, [], 3)
        yield runs


@pytest.mark.parametrize(
    ("fault", "times", "kind"),
    [
        (fake.TOO_MANY, 1, None),
        (fake.TOO_MANY, 2, None),
        (fake.TOO_MANY, 99, "rate_limited"),
        (fake.UNKNOWN, 99, "unknown_symbol"),
        (fake.BROKEN, 99, "server"),
        (fake.HTML, 99, "unreadable"),
        (fake.cut, 99, "unreadable"),
        (fake.drop, 99, "network"),
        (fake.hang, 99, "network"),
    ],
)
def test_a_fault_costs_its_own_stock_the_day_and_nothing_else(runs, fault, times, kind):
    runs.yahoo.fail(VICTIM, fault, times)
    if fault is fake.hang:
        runs.fetch_with(HANGING)
    code, told, errors = runs.run(TARGET)
    for symbol in set(SYMBOLS) - {VICTIM}:
        assert [line["status"] for line in runs.lines(symbol)] == ["verified", "pending"]
    if kind is None:
        assert (code, told["failures"], errors) == (0, [], [])
        assert [line["status"] for line in runs.lines()] == ["verified", "pending"]
        return
    assert (code, [(failure["symbol"], failure["kind"]) for failure in told["failures"]]) == (1, [(VICTIM, kind)])
    assert told["prices"][VICTIM]["failure"] == kind
    (error,) = errors
    assert VICTIM in error
    assert [line["status"] for line in runs.lines()] == ["pending"]
    runs.yahoo.mend()
    (runs.home / "ml_training_data" / "prices" / "quarantine.json").unlink(missing_ok=True)
    code, _, errors = runs.run(TARGET)
    assert (code, errors) == (0, [])
    assert [line["status"] for line in runs.lines()] == ["verified", "pending"]


@pytest.mark.parametrize(
    ("fault", "failures"),
    [
        (fake.empty, ["stale"]),  # without any bar since, the next close to forecast would be the target's again
        (fake.NO_SUCH_DAYS, ["stale"]),
        (fake.null_rows(-1), []),
        (fake.without_rows(-1), []),
    ],
    ids=["empty", "400", "null", "gone"],
)
def test_a_target_bar_that_is_late_is_waited_for_and_then_settled(runs, fault, failures):
    runs.yahoo.fail(VICTIM, fault)
    code, told, _ = runs.run(TARGET)
    assert (code, [failure["kind"] for failure in told["failures"]]) == (len(failures), failures)
    (waiting,) = told["waiting"]
    assert waiting["id"] == f"{VICTIM}:{MADE_ON}:5"
    assert runs.lines()[0]["status"] == "pending"
    runs.yahoo.mend()
    next_day = calendar_for(VICTIM).sessions_after(TARGET, 1)[0]
    code, told, errors = runs.run(next_day)
    assert (code, told["failures"], errors) == (0, [], [])
    settled = runs.lines()[0]
    close = runs.yahoo.listings[VICTIM].bars.loc[str(TARGET), "Close"]
    assert (settled["status"], settled["actual_price"]) == ("verified", pytest.approx(close, rel=1e-4))


def test_nulls_in_the_middle_change_no_outcome(runs):
    runs.yahoo.fail(VICTIM, fake.null_rows(3))
    code, told, errors = runs.run(TARGET)
    assert (code, told["failures"], errors, runs.lines()[0]["status"]) == (0, [], [], "verified")


def test_a_bar_of_the_open_target_session_settles_nothing(runs):
    code, told, _ = runs.run(TARGET, at="14:30")
    assert (code, told["settled"], runs.lines()[0]["status"]) == (0, [], "pending")
    runs.run(TARGET, at="15:55")
    assert runs.lines()[0]["status"] == "verified"


def outcome(line: dict[str, Any]) -> dict[str, Any]:
    keys = ("status", "actual_price", "error_pct", "was_accurate", "naive_error_pct")
    return {key: line[key] for key in keys}


def test_a_split_in_between_leaves_the_outcome_as_it_would_have_been(runs):
    split_on = calendar_for(VICTIM).sessions_after(MADE_ON, 2)[-1]
    runs.yahoo.listings["TCS.NS"] = listing(seed=1)  # as INFY.NS, which does not split
    runs.yahoo.listings[VICTIM] = runs.yahoo.listings[VICTIM].splitting(split_on, 5.0)
    assert runs.run(TARGET)[0] == 0
    split = runs.lines()[0]
    assert split["units_factor"] == pytest.approx(5.0)
    traded = listing(seed=1).bars.loc[str(TARGET), "Close"]
    assert split["actual_price"] == pytest.approx(traded, rel=1e-4)
    assert split["error_pct"] == pytest.approx(abs(traded - split["predicted_price"]) / traded * 100, abs=1e-3)


def test_a_dividend_in_between_is_an_ordinary_outcome(runs):
    paid_on = calendar_for(VICTIM).sessions_after(MADE_ON, 3)[-1]
    runs.yahoo.listings[VICTIM] = replace(runs.yahoo.listings[VICTIM], dividends={paid_on: 4.0})
    assert runs.run(TARGET)[0] == 0
    line = runs.lines()[0]
    assert "units_factor" not in line
    assert outcome(line)["actual_price"] == pytest.approx(listing(seed=1).bars.loc[str(TARGET), "Close"], rel=1e-4)


def test_a_lost_stock_keeps_its_prediction_is_asked_for_on_three_days_and_then_skipped_quietly(runs):
    del runs.yahoo.listings[VICTIM]
    days = [TARGET, *calendar_for(VICTIM).sessions_after(TARGET, 3)]
    for day in days[:3]:
        code, told, errors = runs.run(day)
        assert (code, told["failures"][0]["kind"], len(errors)) == (1, "unknown_symbol", 1)
    runs.yahoo.asked.clear()
    code, told, errors = runs.run(days[3])
    assert (code, told["failures"], errors, runs.yahoo.charts(VICTIM)) == (0, [], [], 0)
    assert any(
        notice.startswith(f"{VICTIM}: skipped, Yahoo did not know it on {days[2]}") for notice in told["notices"]
    )
    assert [line["status"] for line in runs.lines()] == ["pending"]


def test_an_evening_on_which_yahoo_knows_nobody_is_told_once_and_silences_no_day_after(runs):
    before = log_of(runs.home)
    runs.yahoo.fail("*", fake.UNKNOWN)
    for _ in range(2):
        code, told, errors = runs.run(TARGET)
        assert (code, {failure["kind"] for failure in told["failures"]}, len(errors)) == (3, {"server"}, 1)
        assert "3 of 3 stocks of XBOM at once are unknown to Yahoo, taken for a fault of Yahoo's" in errors[0]
        assert [failure["symbol"] for failure in told["failures"]] == list(SYMBOLS)
        assert log_of(runs.home) == before
    runs.yahoo.mend()
    code, told, errors = runs.run(TARGET)
    assert (code, errors, len(told["settled"]), len(told["logged"])) == (0, [], 3, 3)


def test_a_stock_that_yahoo_answers_under_another_name_is_told_the_new_one(runs):
    runs.yahoo.fail(VICTIM, fake.described(symbol="INFYNEW.NS"))
    code, told, errors = runs.run(TARGET)
    assert (code, told["failures"][0]["kind"]) == (1, "renamed")
    assert errors == [f"{VICTIM}: Yahoo answers with INFYNEW.NS; use INFYNEW.NS from now on"]
    assert [line["status"] for line in runs.lines()] == ["pending"]


@pytest.mark.parametrize("events", [{"dividends": {"1": {"amount": None}}}, {"splits": {"1": {"date": "soon"}}}, [3]])
def test_a_malformed_dividend_or_split_costs_no_prices(runs, events):
    runs.yahoo.fail(VICTIM, fake.with_events(events))
    code, told, errors = runs.run(TARGET)
    assert (code, told["failures"], errors) == (0, [], [])
    assert [line["status"] for line in runs.lines()] == ["verified", "pending"]
    assert any(notice.startswith(f"{VICTIM}: Yahoo's answer holds ") for notice in told["notices"])


def test_a_run_that_gives_up_waiting_leaves_the_record_of_the_last_run(runs):
    record = runs.home / "realtime_predictions" / "last_run.json"
    runs.yahoo.fail(VICTIM, fake.BROKEN)
    assert runs.run(TARGET)[0] == 1
    before = record.read_bytes()
    assert b"server" in before
    runs.yahoo.mend()
    with PredictionLog(Home(runs.home).log).locked(60), pytest.raises(json.JSONDecodeError):
        runs.run(TARGET, "--lock-timeout", "1")  # prints no object: it gave up
    assert record.read_bytes() == before
    assert runs.run(TARGET)[0] == 0 and record.read_bytes() != before


def test_a_day_costs_a_request_a_stock_and_a_second_run_none(runs):
    runs.yahoo.asked.clear()
    runs.run(TARGET)
    assert runs.yahoo.charts() == len(SYMBOLS)
    runs.run(TARGET)
    assert runs.yahoo.charts() == len(SYMBOLS)


def test_a_source_that_refuses_everyone_is_left_alone_and_loses_nothing(runs):
    before = log_of(runs.home)
    runs.yahoo.asked.clear()
    runs.yahoo.fail("*", fake.TOO_MANY)
    code, told, errors = runs.run(TARGET)
    assert (code, {failure["kind"] for failure in told["failures"]}, len(errors)) == (3, {"rate_limited"}, 1)
    assert [failure["symbol"] for failure in told["failures"]] == list(SYMBOLS)
    assert errors[0].startswith("3 stocks (TCS.NS, INFY.NS, WIPRO.NS), each: Yahoo refuses to answer")
    assert runs.yahoo.charts() <= 10
    assert log_of(runs.home) == before


def test_a_network_that_is_down_is_told_once_and_kept_by_symbol(runs):
    symbols = [*SYMBOLS, *(f"S{number}.NS" for number in range(12))]
    runs.yahoo.fail("*", fake.drop)
    code, told, errors = runs.run(TARGET, "--symbols", *symbols)
    assert (code, [failure["symbol"] for failure in told["failures"]]) == (3, symbols)
    assert len({failure["message"].partition(": ")[2] for failure in told["failures"]}) > 1
    (error,) = errors
    assert error.startswith("15 stocks (TCS.NS, INFY.NS, WIPRO.NS and 12 more), each: no answer from Yahoo")


def test_under_cron_a_good_run_prints_no_word_and_a_bad_one_a_line_a_stock(tmp_path):
    today = calendar_for("TCS.NS").last_completed(pd.Timestamp.now("UTC").to_pydatetime())
    with FakeYahoo(today) as yahoo:
        for seed, symbol in enumerate(SYMBOLS):
            yahoo.listings[symbol] = listing(seed=seed, last_day=str(today))
        environment = {"PYTHONPATH": str(fake.site_folder(yahoo, tmp_path / "site"))}
        options = ("--home", tmp_path / "home", "--as-of", today, "--quiet", "--symbols", *SYMBOLS)
        good = predict(*options, env=environment)
        assert (good.code, good.out, good.err) == (0, "", "")
        bad = predict(*options, "DEAD.NS", env=environment)
        assert (bad.code, bad.out, len(bad.err.splitlines())) == (1, "", 1)
        assert "DEAD.NS" in bad.err
        known = predict(*options, "DEAD.NS", env=environment)
        assert (known.code, known.out) == (0, "")
        assert yahoo.charts("DEAD.NS") == 2
