"""A machine's clock that is wrong, in whole processes: Yahoo's time decides, and a clock that was moved is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from asking import listing
from fake_yahoo import UNKNOWN, FakeYahoo, site_folder
from scripts import Ran, log_of, predict
from tools import needs

from stockml.core.paths import Home
from stockml.data import price_cache

pytestmark = needs("faketime")

THURSDAY, MONDAY, TUESDAY = date(2026, 6, 25), date(2026, 6, 29), date(2026, 6, 30)
STOCKS = ("TCS.NS", "INFY.NS")
AHEAD_3_HOURS, AHEAD_45_DAYS, BEHIND_A_DAY = timedelta(hours=3), timedelta(days=45), timedelta(days=-1)


def mumbai(day: date, clock: str) -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}:00+05:30")


@dataclass
class World:
    """A home, and Yahoo, whose clock is right."""

    yahoo: FakeYahoo
    home: Path
    site: Path

    def run(
        self, now: datetime, *options: object, wrong_by: timedelta = timedelta(0), zone: str = "UTC", code: int = 0
    ) -> Ran:
        """A run at a moment by Yahoo's clock, on a machine whose clock is wrong by so much."""
        self.set_clock(now)
        symbols = () if "--verify" in options else ("--symbols", *STOCKS, "--horizon", 1)
        env = {"PYTHONPATH": str(self.site), "TZ": zone}
        ran = predict("--home", self.home, "--json", *symbols, *options, env=env, at=now + wrong_by)
        assert ran.code == code, ran.err
        return ran

    def set_clock(self, now: datetime) -> None:
        self.yahoo.skew, self.yahoo.today = now - datetime.now(UTC), now.date()

    def trade(self, day: date, factor: float) -> None:
        """Let every stock's close of a day be another."""
        for stock, known in self.yahoo.listings.items():
            bars = known.bars.astype(float)
            bars.loc[pd.Timestamp(day), ["Open", "High", "Low", "Close"]] *= factor
            self.yahoo.listings[stock] = replace(known, bars=bars)

    def close(self, day: date, stock: str = "TCS.NS") -> float:
        return float(self.yahoo.listings[stock].bars.at[pd.Timestamp(day), "Close"])

    def cached_through(self) -> set[date | None]:
        kept = [price_cache.read(stock, Home(self.home)) for stock in STOCKS]
        return {bars.through for bars in kept if bars is not None}

    def asked_at(self) -> list[datetime]:
        return [bars.fetched_at for stock in STOCKS if (bars := price_cache.read(stock, Home(self.home))) is not None]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with FakeYahoo(MONDAY) as yahoo:
        for seed, stock in enumerate(STOCKS):
            yahoo.listings[stock] = listing(seed=seed)
        yield World(yahoo, tmp_path / "home", site_folder(yahoo, tmp_path / "site"))


def told(ran: Ran) -> list[str]:
    """What the run says about the machine's clock."""
    return [notice for notice in ran.json["notices"] if "clock" in notice]


def statuses(home: Path, data_through: date) -> dict[str, str]:
    return {line["symbol"]: line["status"] for line in log_of(home) if line["data_through"] == data_through.isoformat()}


def are_of(made: list[dict[str, Any]], moment: datetime, key: str = "prediction_date") -> bool:
    """True for lines of a moment by Mumbai's clock, or of soon after; a Date header has whole seconds."""
    times = [datetime.fromisoformat(f"{line[key]}+05:30") for line in made]
    return all(timedelta(seconds=-2) <= time - moment < timedelta(hours=1) for time in times)


def lines(home: Path, data_through: date) -> list[dict[str, Any]]:
    return [line for line in log_of(home) if line["data_through"] == data_through.isoformat()]


# ---- the clock alone expires nothing ---------------------------------------------------------------------------------


def test_offline_for_thirty_six_days_expires_nothing_and_the_prices_that_come_then_settle(world):
    world.run(mumbai(MONDAY, "17:00"))
    later = mumbai(TUESDAY + timedelta(days=36), "17:00")
    waiting = world.run(later, "--offline", "--verify")
    assert set(statuses(world.home, MONDAY).values()) == {"pending"} and len(waiting.json["waiting"]) == 2
    world.run(later + timedelta(minutes=1), "--verify")
    found = {line["symbol"]: line["actual_price"] for line in lines(world.home, MONDAY)}
    assert found == pytest.approx({stock: world.close(TUESDAY, stock) for stock in STOCKS}, rel=1e-4)
    assert {line["settled_at"][:10] for line in lines(world.home, MONDAY)} == {str(later.date())}


def test_that_yahoo_was_asked_for_those_days_and_has_no_bar_expires_a_line(world):
    world.run(mumbai(MONDAY, "17:00"))
    for stock, known in world.yahoo.listings.items():
        world.yahoo.listings[stock] = replace(known, bars=known.bars.loc[: str(MONDAY)])
    world.run(mumbai(TUESDAY + timedelta(days=29), "17:00"), "--verify")
    assert set(statuses(world.home, MONDAY).values()) == {"pending"}
    ran = world.run(mumbai(TUESDAY + timedelta(days=30), "17:00"), "--verify", code=1)
    assert set(statuses(world.home, MONDAY).values()) == {"expired"}
    assert "could not be settled: the source has no price within 30 days of the target" in ran.err


# ---- ahead: a session that is still open -----------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
def test_three_hours_ahead_the_running_sessions_bar_settles_nothing_is_not_kept_and_serves_no_forecast(world, zone):
    assert told(world.run(mumbai(MONDAY, "17:00"), zone=zone)) == []
    world.trade(TUESDAY, 0.9)
    ran = world.run(mumbai(TUESDAY, "14:00"), wrong_by=AHEAD_3_HOURS, zone=zone)
    assert [re.sub(r":\d\d", ":MM", text) for text in told(ran)] == [
        "The clock of this machine is 3 hours ahead of Yahoo's (2026-06-30 11:MM UTC here, 2026-06-30 08:MM UTC "
        "there); Yahoo's is used, so set the machine's."
    ]
    assert statuses(world.home, MONDAY) == dict.fromkeys(STOCKS, "pending")
    assert len(log_of(world.home)) == len(STOCKS)  # no forecast from the open session
    assert world.cached_through() == {MONDAY}
    assert max(world.asked_at()) < mumbai(TUESDAY, "14:30")

    world.trade(TUESDAY, 1 / 0.9)  # the true close
    assert told(world.run(mumbai(TUESDAY, "17:00"), zone=zone)) == []
    settled = lines(world.home, MONDAY)
    assert [line["status"] for line in settled] == ["verified"] * len(STOCKS)
    assert settled[0]["actual_price"] == pytest.approx(world.close(TUESDAY), abs=0.01)
    assert are_of(settled[:1], mumbai(TUESDAY, "17:00"), "settled_at")


@pytest.mark.parametrize("wrong_by", [AHEAD_3_HOURS, AHEAD_45_DAYS, timedelta(days=400), BEHIND_A_DAY])
def test_a_first_run_predicts_on_yahoos_day_whatever_the_machines_clock_says(world, wrong_by):
    ran = world.run(mumbai(TUESDAY, "14:00"), wrong_by=wrong_by)
    assert len(told(ran)) == 1
    made = ran.json["predictions"]
    assert {line["data_through"] for line in made} == {"2026-06-29"}
    assert {line["target_date"] for line in made} == {"2026-06-30"}
    assert are_of(made, mumbai(TUESDAY, "14:00"))
    assert world.cached_through() == {MONDAY}
    assert not [notice for notice in ran.json["notices"] if "is missing" in notice]


def test_a_replay_up_to_a_session_that_is_open_by_yahoos_clock_is_refused(world):
    now = mumbai(TUESDAY, "14:00")
    ran = world.run(now, "--replay", MONDAY, TUESDAY, wrong_by=AHEAD_3_HOURS, code=2)
    assert "2026-06-30 has not closed yet" in ran.err
    ran = world.run(now, "--replay", THURSDAY, MONDAY, wrong_by=AHEAD_3_HOURS)
    assert ran.json["days"] == 2


@pytest.mark.parametrize("days", [1, 2, 45])
def test_a_past_day_that_is_still_to_come_by_yahoos_clock_is_refused(world, days):
    to_come = TUESDAY + timedelta(days=days)
    wrong_by = timedelta(days=days + 1)
    ran = world.run(mumbai(TUESDAY, "14:00"), "--as-of", to_come, wrong_by=wrong_by, code=2)
    assert f"--as-of {to_come}: is still to come (today is 2026-06-30)" in ran.err
    assert not (world.home / "realtime_predictions" / "predictions.jsonl").exists()


def test_today_before_its_close_acts_as_the_present_does_by_yahoos_clock(world):
    ran = world.run(mumbai(TUESDAY, "14:00"), "--as-of", TUESDAY, wrong_by=AHEAD_3_HOURS)
    assert {line["data_through"] for line in ran.json["predictions"]} == {"2026-06-29"}


# ---- far ahead: nothing expires --------------------------------------------------------------------------------------


def test_forty_five_days_ahead_a_line_without_a_bar_waits(world):
    world.run(mumbai(MONDAY, "17:00"))
    for stock, known in world.yahoo.listings.items():
        world.yahoo.listings[stock] = replace(known, bars=known.bars.drop(pd.Timestamp(TUESDAY)))
    ran = world.run(mumbai(TUESDAY, "17:00"), "--verify", wrong_by=AHEAD_45_DAYS)
    assert statuses(world.home, MONDAY) == dict.fromkeys(STOCKS, "pending")
    assert "45 days ahead of Yahoo's" in told(ran)[0]
    assert len(ran.json["waiting"]) == len(STOCKS)


def test_forty_five_days_ahead_a_stock_that_yahoo_does_not_know_any_more_expires_nothing(world):
    world.run(mumbai(MONDAY, "17:00"))
    world.yahoo.fail("TCS.NS", UNKNOWN)
    world.run(mumbai(TUESDAY, "17:00"), "--verify", wrong_by=AHEAD_45_DAYS, code=1)
    assert statuses(world.home, MONDAY) == {"TCS.NS": "pending", "INFY.NS": "verified"}


# ---- behind: what is complete is used --------------------------------------------------------------------------------


@pytest.mark.parametrize(("wrong_by", "length"), [(BEHIND_A_DAY, "24 hours"), (timedelta(hours=-5), "5 hours")])
def test_behind_every_session_that_is_complete_by_yahoos_clock_is_used(world, wrong_by, length):
    world.run(mumbai(THURSDAY, "17:00"))
    ran = world.run(mumbai(TUESDAY, "17:00"), wrong_by=wrong_by, zone="America/New_York")
    assert f"is {length} behind Yahoo's" in told(ran)[0]
    assert statuses(world.home, THURSDAY) == dict.fromkeys(STOCKS, "verified")
    assert {line["data_through"] for line in ran.json["predictions"]} == {"2026-06-30"}
    assert are_of(ran.json["predictions"], mumbai(TUESDAY, "17:00"))
    assert world.cached_through() == {TUESDAY}
    again = world.run(mumbai(TUESDAY, "17:30"))
    assert (told(again), again.json["logged"]) == ([], [])


def test_behind_a_line_that_is_due_by_yahoos_clock_alone_is_settled_in_the_same_run(world):
    world.run(mumbai(MONDAY, "17:00"))
    options = ("--symbols", "HDFCBANK.NS", "--horizon", 1)
    world.yahoo.listings["HDFCBANK.NS"] = listing(seed=7)
    world.set_clock(mumbai(TUESDAY, "17:00"))
    env = {"PYTHONPATH": str(world.site)}
    predict("--home", world.home, *options, env=env, at=mumbai(TUESDAY, "17:00") + BEHIND_A_DAY)
    assert statuses(world.home, MONDAY) == dict.fromkeys(STOCKS, "pending")  # --symbols verifies its own lines alone
    world.run(mumbai(TUESDAY, "17:30"), "--verify")
    assert statuses(world.home, MONDAY) == dict.fromkeys(STOCKS, "verified")


# ---- in step, and answers that say nothing of the time ---------------------------------------------------------------


@pytest.mark.parametrize("seconds", [-60, 0, 60])
def test_clocks_within_two_minutes_are_in_step(world, seconds):
    assert told(world.run(mumbai(TUESDAY, "17:00"), wrong_by=timedelta(seconds=seconds))) == []


def test_a_trading_period_that_ends_later_than_the_calendar_says_keeps_the_session_open(world):
    for stock, known in world.yahoo.listings.items():
        world.yahoo.listings[stock] = replace(known, closes="19:15")
    for clock, through in (("16:30", "2026-06-29"), ("19:30", "2026-06-29"), ("19:40", "2026-06-30")):
        ran = world.run(mumbai(TUESDAY, clock))
        assert {line["data_through"] for line in ran.json["predictions"]} == {through}, clock
        assert world.cached_through() == {date.fromisoformat(through)}
        assert ran.json["notices"] == [f"{stock}: {NO_MODEL}" for stock in STOCKS]


NO_MODEL = "no trained model, so signals alone serve; run train_models.py to add it."


# ---- what lies in the clock's future ---------------------------------------------------------------------------------


def test_prices_kept_under_a_clock_that_was_ahead_are_asked_for_again(world):
    early = mumbai(TUESDAY, "14:00")
    world.run(mumbai(MONDAY, "17:00"))
    world.trade(TUESDAY, 0.9)
    world.run(early + AHEAD_3_HOURS)  # nothing says yet that it is 14:00
    assert world.cached_through() == {TUESDAY}
    world.trade(TUESDAY, 1 / 0.9)
    ran = world.run(mumbai(TUESDAY, "16:30"))
    assert len(told(ran)) == 1
    assert told(ran)[0].startswith("The last run ended at 2026-06-30 11:3")
    kept = price_cache.read("TCS.NS", Home(world.home))
    assert kept is not None
    assert kept.frame["Close"].iloc[-1] == pytest.approx(world.close(TUESDAY))
    assert max(world.asked_at()) < mumbai(TUESDAY, "17:00")


@pytest.mark.parametrize("back_by", [timedelta(minutes=30), timedelta(hours=3), timedelta(days=45)])
def test_offline_a_clock_that_was_set_back_is_told_and_changes_no_exit_code(world, back_by):
    world.run(mumbai(TUESDAY, "17:00"))
    (world.home / "realtime_predictions" / "last_run.json").unlink()
    now = mumbai(TUESDAY, "17:00") - back_by
    ran = predict(
        *("--home", world.home, "--json", "--offline", "--symbols", *STOCKS, "--dry-run"),
        env={"PYTHONPATH": str(world.site)},
        at=now,
    )
    assert ran.code == 0, ran.err
    assert len(told(ran)) == 1
    assert told(ran)[0].startswith("The prices kept were asked for at 2026-06-30 11:3")


# ---- CSV files -------------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "prices"
    folder.mkdir()
    for seed, stock in enumerate(STOCKS):
        listing(seed=seed, last_day="2026-06-30").bars.to_csv(folder / f"{stock}.csv")
    return folder


def csv_run(home: Path, folder: Path, at: datetime, *options: object) -> Ran:
    return predict("--home", home, "--source", f"csv:{folder}", "--json", *options, at=at)


@pytest.mark.parametrize(
    ("now", "through"),
    [("15:00", "2026-06-29"), ("15:45", "2026-06-29"), ("15:55", "2026-06-30")],
)
def test_a_files_day_is_complete_when_the_calendar_says_so_by_the_machines_clock(tmp_path, files, now, through):
    ran = csv_run(tmp_path / "home", files, mumbai(TUESDAY, now), "--symbols", *STOCKS)
    assert ran.code == 0, ran.err
    assert {line["data_through"] for line in ran.json["predictions"]} == {through}
    assert told(ran) == []


@pytest.mark.parametrize("ahead", [timedelta(minutes=10), timedelta(hours=3), timedelta(days=45)])
def test_a_clock_that_went_back_since_the_last_run_is_told_once(tmp_path, files, ahead):
    home, now = tmp_path / "home", mumbai(TUESDAY, "17:00")
    assert csv_run(home, files, now + ahead, "--verify").code == 0
    for command in (("--status",), ("--verify",)):
        ran = csv_run(home, files, now, *command)
        assert ran.code == 0, ran.err
        assert len(told(ran)) == 1
        assert "The last run ended at 2026-" in told(ran)[0]
        assert "it was ahead then or is behind now, so check it." in told(ran)[0]
    assert told(csv_run(home, files, now + timedelta(minutes=5), "--verify")) == []


def test_forty_five_days_ahead_files_expire_nothing(tmp_path, files):
    home = tmp_path / "home"
    for stock in STOCKS:
        path = files / f"{stock}.csv"
        whole = path.read_text()
        path.write_text("".join(line for line in whole.splitlines(keepends=True) if not line.startswith("2026-06-30")))
    assert csv_run(home, files, mumbai(MONDAY, "17:00"), "--symbols", *STOCKS, "--horizon", 1).code == 0
    csv_run(home, files, mumbai(TUESDAY, "17:00") + AHEAD_45_DAYS, "--verify")
    assert statuses(home, MONDAY) == dict.fromkeys(STOCKS, "pending")


def test_between_the_close_and_its_final_bar_the_next_session_is_farther_ahead(tmp_path: Path) -> None:
    """For 20 minutes the next session's close has passed and its bar is not final: said, with the hour that it is."""
    options = ("--source", "sample", "--symbols", "SIM-ALPHA", "--home", tmp_path, "--horizons", 1, 5)
    for minute, code, horizons in (("16:05", 1, [5]), ("16:21", 0, [5, 1, 5])):
        ran = predict(*options, at=datetime.fromisoformat(f"{TUESDAY}T{minute}:00+00:00"))
        assert ran.code == code
        told = "the close of 2026-06-30 has passed; its prices are final at 16:20 (UTC): run it again from then on"
        assert (told in ran.err) == (code == 1)
        assert [line["prediction_horizon_days"] for line in log_of(tmp_path)] == horizons
