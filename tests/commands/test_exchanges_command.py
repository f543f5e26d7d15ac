"""Exchanges in whole runs: named, inferred, kept, answered by Yahoo; and targets beyond the published holidays."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from asking import AT_ONCE
from fake_yahoo import FakeYahoo, Listing, redirected
from made_up_bars import market
from scripts import BARE, PROJECT, Ran, log_of, predict, train
from stopped_clock import stopped_at
from tools import needs
from waiting import PATIENCE_SECONDS

import realtime_predictor
from stockml.core.calendars import calendar_of
from stockml.data import request

TUESDAY = date(2026, 6, 30)


def sessions(code: str, n: int, last: date = TUESDAY) -> list[date]:
    return calendar_of(code).sessions_between(date(2022, 1, 1), last)[-n:]


def bars(days: list[date], seed: int = 1) -> pd.DataFrame:
    return market(len(days), seed).set_index(pd.DatetimeIndex(days, name="Date"))


def folder_of(tmp_path: Path, **files: list[date]) -> Path:
    folder = tmp_path / "prices"
    folder.mkdir(exist_ok=True)
    for symbol, days in files.items():
        bars(days).to_csv(folder / f"{symbol}.csv")
    return folder


def csv_run(tmp_path: Path, folder: Path, *options: object) -> Ran:
    return predict("--source", f"csv:{folder}", "--home", tmp_path / "home", *options)


def kept(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "home" / "realtime_predictions" / "exchanges.json"
    return json.loads(path.read_text()) if path.exists() else {}


class Runs:
    """One home and runs of the predictor in this process at moments of our choosing."""

    def __init__(self, home: Path, monkeypatch: Any, capsys: Any) -> None:
        self.home, self._monkeypatch, self._capsys = home, monkeypatch, capsys

    def at(self, moment: str, *options: object) -> tuple[int, dict[str, Any]]:
        """Exit code and JSON object of a run at a moment in UTC."""
        now = datetime.fromisoformat(f"{moment}+00:00")
        self._monkeypatch.setattr(realtime_predictor, "datetime", stopped_at(now))
        self._capsys.readouterr()
        code = realtime_predictor.main(["--home", str(self.home), "--json", "--quiet", *map(str, options)])
        return code, json.loads(self._capsys.readouterr().out)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: Any, capsys: Any) -> Runs:
    return Runs(tmp_path / "home", monkeypatch, capsys)


# ---- CSV files whose symbols name no exchange ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exchange", "moment", "target"),
    [
        ("Mumbai (XBOM)", "2026-06-30T11:00:00", "2026-07-07"),
        ("Tokyo (XTKS)", "2026-06-30T07:30:00", "2026-07-07"),
        ("Riyadh (XSAU)", "2026-06-30T13:00:00", "2026-07-07"),
        ("Hong Kong (XHKG)", "2026-06-30T09:00:00", "2026-07-08"),  # over the first of July
    ],
)
def test_todays_bar_serves_once_the_exchange_of_the_files_days_has_closed(runs, tmp_path, exchange, moment, target):
    code = exchange[-5:-1]
    folder = folder_of(tmp_path, TCS=sessions(code, 400))
    exit_code, told = runs.at(moment, "--source", f"csv:{folder}", "--symbols", "TCS")
    (line,) = told["predictions"]
    assert exit_code == 0
    assert (line["data_through"], line["target_date"]) == ("2026-06-30", target)
    assert f"TCS: no exchange is named; by the days in the prices it is {exchange}." in told["notices"]
    assert kept(tmp_path) == {"TCS": code}


def test_a_stock_of_new_york_is_not_nagged_about(tmp_path):
    folder = folder_of(tmp_path, AAPL=sessions("XNYS", 400))
    ran = csv_run(tmp_path, folder, "--symbols", "AAPL", "--as-of", TUESDAY)
    assert (ran.code, "exchange" in ran.err) == (0, False)


@pytest.mark.parametrize("n", [35])
def test_a_file_that_does_not_decide_is_told_with_the_calendar_that_is_assumed(tmp_path, n):
    folder = folder_of(tmp_path, TCS=sessions("XBOM", n), INFY=sessions("XBOM", n))
    ran = csv_run(tmp_path, folder, "--symbols", "TCS", "INFY", "--as-of", TUESDAY)
    assert ran.err.count("no exchange is named") == 1
    assert "TCS, INFY: no exchange is named; New York (XNYS) is assumed; name the right one with --exchange" in ran.err
    assert kept(tmp_path) == {}  # a guess is made anew each time


@pytest.mark.parametrize(
    ("code", "week", "target"),
    [("XPAR", "Monday to Friday", "2026-07-07"), ("XCAI", "Sunday to Thursday", "2026-07-07")],
)
def test_days_of_several_exchanges_are_counted_by_their_week_and_told(tmp_path, code, week, target):
    folder = folder_of(tmp_path, OWN=sessions(code, 400))
    ran = csv_run(tmp_path, folder, "--symbols", "OWN", "--as-of", TUESDAY)
    assert f"by its days it may be any of several exchanges, so {week} without holidays is assumed" in ran.err
    assert log_of(tmp_path / "home")[0]["target_date"] == target


def said_by_option(folder: Path) -> tuple[str, ...]:
    return ("--exchange", "NSE")


def said_by_sidecar(folder: Path) -> tuple[str, ...]:
    (folder / "exchanges.csv").write_text("symbol,exchange\nTCS,XBOM\n")
    return ()


def said_by_column(folder: Path) -> tuple[str, ...]:
    path = folder / "TCS.csv"
    pd.read_csv(path).assign(Exchange="NSE").to_csv(path, index=False)
    return ()


@pytest.mark.parametrize("say", [said_by_option, said_by_sidecar, said_by_column])
def test_what_is_said_once_holds_for_later_runs_that_forget_it(tmp_path, say):
    """The days alone, 35 of them, would not tell; 2026-05-28 and 2026-06-26 were holidays in Mumbai alone."""
    folder = folder_of(tmp_path, TCS=sessions("XBOM", 35, date(2026, 6, 25)))
    made = csv_run(tmp_path, folder, "--symbols", "TCS", "--as-of", "2026-06-25", *say(folder))
    assert (made.code, "exchange is named" in made.err) == (0, False), made.err
    assert log_of(tmp_path / "home")[0]["target_date"] == "2026-07-03"
    assert kept(tmp_path) == {"TCS": "XBOM"}
    (folder / "exchanges.csv").unlink(missing_ok=True)
    folder_of(tmp_path, TCS=sessions("XBOM", 41, date(2026, 7, 3)))
    later = csv_run(tmp_path, folder, "--as-of", "2026-07-03", "--symbols", "TCS")
    assert (later.code, "exchange is named" in later.err) == (0, False), later.err
    first, second = log_of(tmp_path / "home")
    assert (first["status"], first["verified_at"]) == ("verified", "2026-07-03T15:30:00")
    assert second["prediction_date"] == "2026-07-03T15:30:00"


def test_another_exchange_than_the_one_kept_is_told(tmp_path):
    folder = folder_of(tmp_path, TCS=sessions("XBOM", 400))
    csv_run(tmp_path, folder, "--symbols", "TCS", "--as-of", TUESDAY, "--exchange", "XLON")
    again = csv_run(tmp_path, folder, "--symbols", "TCS", "--as-of", TUESDAY, "--exchange", "XBOM")
    assert "TCS: counted by Mumbai (XBOM) from now on, by London (XLON) before." in again.err
    assert kept(tmp_path) == {"TCS": "XBOM"}


def test_a_dry_run_keeps_nothing(tmp_path):
    folder = folder_of(tmp_path, TCS=sessions("XBOM", 400))
    assert csv_run(tmp_path, folder, "--symbols", "TCS", "--as-of", TUESDAY, "--dry-run").code == 0
    assert csv_run(tmp_path, folder, "--explain", "TCS", "--symbols", "TCS", "--as-of", TUESDAY).code == 0
    assert not (tmp_path / "home").exists()


def test_an_exchange_that_no_symbol_needs_is_told(tmp_path):
    folder = folder_of(tmp_path, **{"TCS.NS": sessions("XBOM", 400)})
    ran = csv_run(tmp_path, folder, "--symbols", "TCS.NS", "--as-of", TUESDAY, "--exchange", "XNYS")
    assert "--exchange XNYS: no symbol of this run needs it" in ran.err
    assert log_of(tmp_path / "home")[0]["prediction_date"] == "2026-06-30T15:30:00"


@pytest.mark.parametrize("start", [predict, train])
@pytest.mark.parametrize(("name", "hint"), [("XBON", "did you mean XBOM"), ("Mars", "known are ASEX")])
def test_an_unknown_exchange_is_wrong_usage(tmp_path, start, name, hint):
    ran = start("--source", f"csv:{tmp_path}", "--home", tmp_path / "home", "--exchange", name)
    assert ran.code == 2
    assert f"'{name}' is no exchange that is known; {hint}" in ran.err


def test_a_sidecar_that_cannot_be_followed_is_wrong_usage(tmp_path):
    folder = folder_of(tmp_path, TCS=sessions("XBOM", 400))
    (folder / "exchanges.csv").write_text("TCS,MARS\n")
    ran = csv_run(tmp_path, folder, "--symbols", "TCS", "--as-of", TUESDAY)
    assert ran.code == 2
    assert "exchanges.csv, line 1: 'MARS' is no exchange that is known" in ran.err


@pytest.mark.parametrize(("asked", "name"), [("BRK.B", "BRK.B"), ("BRK.B", "BRK-B"), ("BRK-B", "BRK.B")])
def test_a_share_class_is_one_stock_however_it_is_written(tmp_path, asked, name):
    folder = folder_of(tmp_path, **{name: sessions("XNYS", 400)})
    ran = csv_run(tmp_path, folder, "--symbols", asked, "--as-of", TUESDAY)
    assert ran.code == 0, ran.err
    (line,) = log_of(tmp_path / "home")
    assert (line["symbol"], line["prediction_date"]) == ("BRK-B", "2026-06-30T16:00:00")


def test_a_replay_infers_from_days_before_it_and_agrees_with_live_runs(tmp_path):
    folder = folder_of(tmp_path, TCS=sessions("XBOM", 400))
    replayed = tmp_path / "replayed"
    options = ("--source", f"csv:{folder}", "--symbols", "TCS")
    ran = predict("--replay", "2026-06-22", TUESDAY, *options, "--home", replayed)
    assert ran.code == 0, ran.err
    for day in sessions("XBOM", 10):
        if day >= date(2026, 6, 22):
            assert predict(*options, "--home", tmp_path / "home", "--as-of", day).code == 0
    assert log_of(replayed) == log_of(tmp_path / "home")
    assert {line["data_through"] for line in log_of(replayed)} == {
        str(day) for day in sessions("XBOM", 10) if day >= date(2026, 6, 22)
    }


# ---- Sunday to Thursday ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("symbol", ["COMI.CA", "NBK.KW", "QNBK.QA", "2222.SR"])
def test_a_week_from_sunday_is_predicted_and_settled_without_a_missing_friday(tmp_path, symbol):
    code = {"CA": "XCAI", "KW": "XKUW", "QA": "DSMD", "SR": "XSAU"}[symbol.rpartition(".")[2]]
    folder = folder_of(tmp_path, **{symbol: sessions(code, 400)})
    for day in ("2026-06-14", "2026-06-21", "2026-06-26"):
        ran = csv_run(tmp_path, folder, "--symbols", symbol, "--as-of", day)
        assert (ran.code, "missing" in ran.err) == (0, False), ran.err
    first, second, third = log_of(tmp_path / "home")
    assert (first["target_date"], first["status"]) == ("2026-06-21", "verified")
    assert (second["data_through"], second["target_date"]) == ("2026-06-21", "2026-06-28")
    assert (third["data_through"], third["target_date"]) == ("2026-06-25", "2026-07-02")


# ---- beyond the years that an exchange has published -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("horizon", "target", "is_provisional"),
    [(1, "2026-12-31", False), (5, "2027-01-06", True), (20, "2027-01-28", True)],
)
def test_a_run_at_the_end_of_the_year_says_that_the_next_years_holidays_are_not_known(
    runs, tmp_path, horizon, target, is_provisional
):
    symbols = ("TCS.NS", "INFY.NS")
    folder = folder_of(tmp_path, **dict.fromkeys(symbols, sessions("XBOM", 400, date(2026, 12, 30))))
    code, told = runs.at(
        "2026-12-30T12:00:00", "--source", f"csv:{folder}", "--symbols", *symbols, "--horizon", horizon
    )
    assert code == 0
    assert {line["target_date"] for line in told["predictions"]} == {target}  # over 26 January
    said = [notice for notice in told["notices"] if "holidays" in notice]
    assert said == (
        [
            "TCS.NS, INFY.NS: the holidays of 2027 are not known yet for Mumbai (XBOM); the target is provisional, "
            "counted by the week and the holidays that keep their date."
        ]
        if is_provisional
        else []
    )


@needs("faketime")
@pytest.mark.parametrize(("horizon", "target"), [(1, "2026-12-31"), (5, "2027-01-06"), (20, "2027-01-28")])
def test_the_same_as_a_process_on_that_day(tmp_path, horizon, target):
    folder = folder_of(tmp_path, **{"TCS.NS": sessions("XBOM", 400, date(2026, 12, 30))})
    command = [
        *("faketime", "2026-12-30 12:00:00", str(PROJECT / "realtime_predictor.py"), "--source", f"csv:{folder}"),
        *("--home", str(tmp_path / "home"), "--symbols", "TCS.NS", "--horizon", str(horizon)),
    ]
    env = BARE | {"TZ": "UTC", "DONT_FAKE_MONOTONIC": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, env=env, cwd="/", timeout=PATIENCE_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    assert log_of(tmp_path / "home")[0]["target_date"] == target
    assert ("the holidays of 2027 are not known yet for Mumbai (XBOM)" in done.stderr) is (target > "2026-12-31")


# ---- Yahoo -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def yahoo(monkeypatch: Any) -> Iterator[FakeYahoo]:
    monkeypatch.setattr(request, "FetchSettings", lambda **options: AT_ONCE)
    with FakeYahoo(TUESDAY) as server, redirected(server):
        yield server


@pytest.mark.parametrize(
    ("symbol", "listing", "seen"),
    [
        ("^CNX100", ("NSI", "Asia/Kolkata", "09:15", "XBOM"), ("2026-06-30T10:30:00", "2026-06-30")),
        ("^TOPX", ("OSA", "Asia/Tokyo", "09:00", "XTKS"), ("2026-06-30T07:00:00", "2026-06-30")),
        ("^TA35", ("TLV", "Asia/Jerusalem", "10:00", "XTAE"), ("2026-06-30T16:00:00", "2026-06-30")),
        ("^TA35", ("TLV", "Asia/Jerusalem", "10:00", "XTAE"), ("2026-06-30T12:00:00", "2026-06-29")),  # still open
        ("^EGX70", ("CAI", "Africa/Cairo", "10:00", "XCAI"), ("2026-06-30T13:00:00", "2026-06-30")),
    ],
)
def test_yahoo_names_the_exchange_of_an_index_that_is_not_listed(runs, yahoo, symbol, listing, seen):
    moment, through = seen
    exchange, zone, opens, code = listing
    raw = bars(sessions(code, 400)).drop(columns="Adj Close")
    yahoo.listings[symbol] = Listing(raw, exchange=exchange, timezone=zone, opens=opens)
    for asked in (1, 1):  # the second time the prices kept from the first one say it
        exit_code, told = runs.at(moment, "--symbols", symbol)
        assert exit_code == 0, told["failures"]
        assert told["predictions"][0]["data_through"] == through
        assert not [notice for notice in told["notices"] if "New York" in notice]
        assert yahoo.charts() == asked
    book = runs.home / "realtime_predictions" / "exchanges.json"
    assert json.loads(book.read_text()) == {symbol: code}
    book.unlink()
    exit_code, told = runs.at(moment, "--symbols", symbol, "--dry-run")
    assert told["predictions"][0]["data_through"] == through


def test_a_stock_of_new_york_at_yahoo_is_not_spoken_of(runs, yahoo):
    raw = bars(sessions("XNYS", 400)).drop(columns="Adj Close")
    yahoo.listings["AAPL"] = Listing(raw, exchange="NMS", timezone="America/New_York", opens="09:30")
    _, told = runs.at("2026-06-30T21:00:00", "--symbols", "AAPL")
    assert told["predictions"][0]["data_through"] == "2026-06-30"
    assert [notice for notice in told["notices"] if "exchange" in notice or "Yahoo" in notice] == []


@pytest.mark.parametrize(
    ("symbol", "listing", "words"),
    [
        ("SAP.L", ("GER", "Europe/Berlin", "XETR"), "Frankfurt (Xetra) (XETR), not in London (XLON)"),
        ("OWN.NS", ("TLV", "Asia/Jerusalem", "XTAE"), "Tel Aviv (XTAE), not in Mumbai (XBOM)"),
        ("OWN.TO", ("NYQ", "America/New_York", "XNYS"), "New York (XNYS), not in Toronto (XTSE)"),
    ],
)
def test_where_yahoo_contradicts_the_ending_it_wins_and_the_run_says_so(runs, yahoo, symbol, listing, words):
    exchange, zone, code = listing
    raw = bars(sessions(code, 400)).drop(columns="Adj Close")
    yahoo.listings[symbol] = Listing(raw, exchange=exchange, timezone=zone)
    _, told = runs.at("2026-06-30T22:00:00", "--symbols", symbol)
    assert f"{symbol}: by Yahoo it trades in {words}; Yahoo's is taken." in told["notices"]
    _, again = runs.at("2026-06-30T23:00:00", "--symbols", symbol)
    assert not [notice for notice in again["notices"] if "by Yahoo" in notice]  # kept, and told once
