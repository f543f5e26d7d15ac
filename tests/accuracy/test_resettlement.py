"""A year of settled lines, each worked out anew by code that shares nothing with the settling: no difference."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from faulty_source import EVENINGS, SESSIONS, Stock, market, ordinary, write_folder
from scripts import log_of, predict

import realtime_predictor
from stockml.accuracy import resettlement
from stockml.accuracy.counting_bars import Bar
from stockml.accuracy.resettlement import Difference, differences
from stockml.accuracy.settlement import is_due, settle
from stockml.core.clock import Clock
from stockml.core.records import Evidence, Prediction, Signal, round_price
from stockml.data.fetch import source_bars, span_of
from stockml.data.request import RawBars

PROMPT = {str(day) for day in SESSIONS}
ALL = [str(day) for day in EVENINGS]
LATE = f"{ALL[-1]}T18:30:00"
CHANGING = ("SPLIT.NS", "FIXED.NS", "LATE.NS", "GHOST.NS", "NEWS.NS", "RAW.NS")  # with a fault about the 80th evening


def stock_of(frame: pd.DataFrame, reach: str) -> resettlement.Stock:
    rows = frame[["Open", "High", "Low", "Close", "Volume", "Adj Close"]].to_numpy().tolist()
    bars = tuple(Bar(str(day.date()), *row) for day, row in zip(frame.index, rows, strict=True))
    return resettlement.Stock(bars, reach, is_session=PROMPT.__contains__)


def stocks_on(source: Mapping[str, Stock], evening: date) -> dict[str, resettlement.Stock]:
    """What the independent code is told of an evening: all bars, and the last day that any file speaks of."""
    seen = {symbol: stock.seen(evening) for symbol, stock in source.items()}
    reach = max(str(frame.index[-1].date()) for frame in seen.values() if len(frame))
    return {symbol: stock_of(frame, reach) for symbol, frame in seen.items()}


def line_from(symbol: str, closes: pd.Series, horizon: int, clock: Clock) -> Prediction:
    day, price = closes.index[-1], round_price(closes.iloc[-1])
    target = clock.calendar(symbol).sessions_after(day.date(), horizon)[-1]
    change = random.Random(f"{symbol}{day}{horizon}").choice([-6.0, -1.0, 0.5, 2.0, 5.5])
    return Prediction(
        symbol=symbol,
        prediction_date=clock.written_time(symbol),
        current_price=price,
        predicted_price=round_price(price * (1 + change / 100)),
        predicted_change_pct=change,
        confidence=0.8,
        prediction_horizon_days=horizon,
        target_date=str(target),
        market_regime="sideways",
        signals=(Signal("drift", 0.1),),
        data_through=str(day.date()),
        magnitude=1.0,
        low=price * 0.9,
        high=price * 1.1,
        path=(price,) * horizon,
        evidence=Evidence({"drift": 0.1}, {}),
        source="csv",
        currency=None,
        model_trained_at=None,
    )


@dataclass
class Life:
    """A home that is lived through evening by evening: settle what is due, then make lines from the newest closes."""

    source: Mapping[str, Stock]
    lines: dict[str, Prediction] = field(default_factory=dict)
    evening_of: dict[str, date] = field(default_factory=dict)  # of each settled line

    def live(self, evening: date, horizons: tuple[int, ...] = (1, 5)) -> set[str]:
        """One evening's run; returns the ids of the lines settled on it."""
        clock = Clock(datetime.combine(evening, time(13), UTC))
        seen = {symbol: stock.seen(evening) for symbol, stock in self.source.items()}
        raw = {symbol: RawBars(frame, None) for symbol, frame in seen.items() if len(frame)}
        bars = {symbol: source_bars(symbol, found, span_of(symbol, 300, clock)) for symbol, found in raw.items()}
        due = [line for line in self.lines.values() if line.outcome is None and is_due(line, clock)]
        outcomes, _ = settle(due, bars, clock)
        self.lines |= {name: replace(self.lines[name], outcome=outcome) for name, outcome in outcomes.items()}
        self.evening_of |= dict.fromkeys(outcomes, evening)
        for symbol, found in raw.items():
            closes = found.frame["Close"][found.frame["Close"] > 0]
            for horizon in horizons:
                line = line_from(symbol, closes, horizon, clock)
                if not clock.has_closed(symbol, date.fromisoformat(line.target_date)):
                    self.lines.setdefault(line.id, line)
        return set(outcomes)

    def records(self) -> list[dict[str, Any]]:
        return [line.to_record() for line in self.lines.values()]


@dataclass
class Year:
    life: Life
    found: list[tuple[date, Difference]]  # on the evenings themselves


@pytest.fixture(scope="module")
def year() -> Year:
    """A year of evenings, on some of which no run was made, each looked over by the independent code at once."""
    life, found = Life(market()), []
    for number, evening in enumerate(EVENINGS):
        if number % 11 == 4 or number in (86, 87, 88):  # no run was made
            continue
        done = life.live(evening)
        told = stocks_on(life.source, evening)
        fresh = [line.to_record() for name, line in life.lines.items() if line.outcome is None or name in done]
        found += [(evening, difference) for difference in differences(fresh, told, str(evening), are_fresh=True)]
    return Year(life, found)


def archive(life: Life) -> Callable[[Mapping[str, Any]], resettlement.Stock | None]:
    """The bars of the evenings on which lines were settled."""
    kept: dict[date, dict[str, resettlement.Stock]] = {}

    def then(line: Mapping[str, Any]) -> resettlement.Stock | None:
        evening = life.evening_of[line["id"]]
        if evening not in kept:
            kept[evening] = stocks_on(life.source, evening)
        return kept[evening][line["symbol"]]

    return then


def test_each_evening_s_log_says_what_that_evening_s_prices_say(year: Year) -> None:
    assert year.found == []
    states = [line.status for line in year.life.lines.values()]
    assert states.count("verified") > 4000 and states.count("expired") > 40


def test_at_the_year_s_end_too_but_for_what_the_source_changed_after_a_line_was_settled(year: Year) -> None:
    last = EVENINGS[-1]
    told, lines = stocks_on(year.life.source, last), year.life.records()
    assert differences(lines, told, str(last), archive(year.life)) == []
    changed = differences(lines, told, str(last))
    assert {difference.id.split(":")[0] for difference in changed} == {"FIXED.NS"}


# ---- a replay, and whole processes ---------------------------------------------------------------------------------


def test_a_replay_of_the_year_says_what_the_prices_say(tmp_path: Path) -> None:
    source, last = market(), EVENINGS[-1]
    write_folder(tmp_path / "prices", source, last)
    options = ("--source", f"csv:{tmp_path / 'prices'}", "--symbols", *source, "--home", tmp_path / "home", "--quiet")
    words = [str(option) for option in ("--replay", EVENINGS[0], last, *options)]
    assert realtime_predictor.main(words) in (0, 1)
    lines = log_of(tmp_path / "home")
    assert len(lines) > 2000 and {line["symbol"] for line in lines} == set(source)
    whole = {symbol: stock.seen(last) for symbol, stock in source.items()}

    def then(line: Mapping[str, Any]) -> resettlement.Stock:
        evening = str(line.get("verified_at") or line["expired_at"])[:10]
        return stock_of(whole[line["symbol"]].loc[:evening], evening)

    told = stocks_on(source, last)
    assert differences(lines, told, str(last), then, are_fresh=True) == []
    in_other_units = {found.id.split(":")[0] for found in differences(lines, told, str(last), are_fresh=True)}
    assert in_other_units == {"RAW.NS"}


def test_runs_on_files_that_change_overnight_say_what_each_evening_s_prices_say(tmp_path: Path) -> None:
    source = {symbol: stock for symbol, stock in market().items() if symbol in CHANGING}
    options = ("--source", f"csv:{tmp_path / 'prices'}", "--symbols", *source, "--home", tmp_path / "home", "--quiet")
    settled: set[str] = set()
    for evening in (*EVENINGS[76:82], *EVENINGS[88:91], *EVENINGS[94:97]):
        write_folder(tmp_path / "prices", source, evening)
        assert predict("--as-of", evening, *options).code in (0, 1)
        lines = log_of(tmp_path / "home")
        fresh = [line for line in lines if line["id"] not in settled]
        assert differences(fresh, stocks_on(source, evening), str(evening), are_fresh=True) == []
        settled |= {line["id"] for line in lines if line["status"] != "pending"}
    assert len(settled) > 20


# ---- planted errors ------------------------------------------------------------------------------------------------


def scored(line: Mapping[str, Any], actual: float, **changes: Any) -> dict[str, Any]:
    """A verified line with another actual price, and errors that fit it."""
    errors = [round(abs(actual - line[key]) / actual * 100, 4) for key in ("predicted_price", "current_price")]
    found = {"actual_price": actual, "error_pct": errors[0], "naive_error_pct": errors[1]}
    return {**line, **found, "was_accurate": errors[0] < 5, **changes}


def expired(line: Mapping[str, Any], day: str) -> dict[str, Any]:
    gone = ("actual_price", "error_pct", "was_accurate", "verified_at", "naive_error_pct", "settled_from", "settled_at")
    kept = {key: value for key, value in line.items() if key not in gone}
    return {**kept, "status": "expired", "reason": "made up", "expired_at": f"{day}T15:30:00"}


def pending(line: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in expired(line, "2026-01-01").items() if key not in ("reason", "expired_at")} | {
        "status": "pending"
    }


PLANTED: dict[str, tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "another day's close": ("price", lambda line: scored(line, round_price(line["actual_price"] * 1.004))),
    "a cent too much": ("price", lambda line: scored(line, round_price(line["actual_price"] + 0.02))),
    "the next day's bar": (
        "bar",
        lambda line: {**line, "settled_from": after(line["target_date"]), "verified_at": LATE},
    ),
    "a bar before the target": ("early", lambda line: {**line, "settled_from": line["data_through"]}),
    "no bar named": ("bar", lambda line: {key: line[key] for key in line if key != "settled_from"}),
    "half of it, as by a split": ("price", lambda line: scored(line, round_price(line["actual_price"] / 2))),
    "expired at once": ("early", lambda line: expired(line, line["target_date"])),
    "expired though it has a bar": ("status", lambda line: expired(line, "2026-05-29")),
    "pending though it has a bar": ("status", pending),
    "a hit for a miss": ("sums", lambda line: {**line, "was_accurate": not line["was_accurate"]}),
    "another error": ("sums", lambda line: {**line, "error_pct": line["error_pct"] + 0.01}),
    "another naive error": ("sums", lambda line: {**line, "naive_error_pct": line["naive_error_pct"] * 2 + 1}),
}


def after(day: str) -> str:
    return next(str(session) for session in SESSIONS if str(session) > day)


@pytest.mark.parametrize(("kind", "plant"), PLANTED.values(), ids=PLANTED)
def test_each_planted_error_is_named(year: Year, kind: str, plant: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    lines = {line["id"]: line for line in year.life.records() if line["status"] == "verified"}
    told = stocks_on(year.life.source, EVENINGS[-1])
    for symbol in ("PAYS.NS", "NEWS.NS", "GHOST.NS"):
        name = [name for name in lines if name.startswith(f"{symbol}:2025-09")][3]
        assert differences([lines[name]], told, ALL[-1]) == []
        found = differences([plant(lines[name])], told, ALL[-1], archive(year.life))
        assert [(one.id, one.kind) for one in found] == [(name, kind)] and name in found[0].sentence


def test_a_split_s_units_left_out_are_named(year: Year) -> None:
    lines = [line for line in year.life.records() if "units_factor" in line]
    told = stocks_on(year.life.source, EVENINGS[-1])
    assert len(lines) > 5 and {line["symbol"] for line in lines} == {"SPLIT.NS", "RAW.NS"}
    raw = [scored(line, round_price(line["actual_price"] / line["units_factor"])) for line in lines]
    assert [found.kind for found in differences(raw, told, ALL[-1], archive(year.life))] == ["price"] * len(raw)
    without = [{key: line[key] for key in line if key != "units_factor"} for line in lines]
    assert {found.kind for found in differences(without, told, ALL[-1], are_fresh=True)} == {"units"}


def test_splits_that_adj_close_tells_of_and_spin_offs_expire_no_line(year: Year) -> None:
    lines = [line for line in year.life.lines.values() if line.symbol in ("RAW.NS", "SPUN.NS")]
    assert len(lines) > 700 and {line.status for line in lines} <= {"verified", "pending"}
    factors = {line.outcome.units_factor for line in lines if line.outcome and line.symbol == "RAW.NS"}
    assert factors == {None, 2.0, 1.5, 0.1, 5.0}
    across = [line for line in lines if line.data_through < ALL[50] <= line.target_date and line.symbol == "SPUN.NS"]
    assert len(across) > 4 and all(line.outcome and line.outcome.naive_error_pct > 14 for line in across)


def test_a_settled_line_that_should_still_wait_is_named(year: Year) -> None:
    made = next(
        line for line in year.life.records() if line["id"].startswith("HOLES.NS") and line["status"] == "verified"
    )
    hole = str(EVENINGS[15])
    moved = {"target_date": hole, "settled_from": ALL[16], "data_through": ALL[10], "verified_at": LATE}
    line = scored(made | moved, 250.0)
    found = differences([line], stocks_on(year.life.source, EVENINGS[18]), ALL[18])
    assert [one.kind for one in found] == ["status"] and "may still come" in found[0].sentence


@pytest.mark.parametrize("holiday", ["2027-01-22", "2027-01-25", "2027-01-27", None])
def test_beyond_the_known_holidays_the_sessions_that_came_count_here_too(holiday: str | None) -> None:
    index = pd.bdate_range("2026-09-01", "2027-02-26", name="Date").drop([pd.Timestamp("2027-01-26")])
    index = index.drop([pd.Timestamp(holiday)]) if holiday else index
    frame = ordinary(5).iloc[: len(index)].set_axis(index)
    calendar = Clock(datetime(2027, 3, 1, tzinfo=UTC)).calendar("A.NS")
    made = Clock(datetime(2027, 1, 21, 13, tzinfo=UTC))
    line = line_from("A.NS", frame["Close"].loc[:"2027-01-21"], 3, made)  # type: ignore[misc]
    found = set()
    for day in index[index >= line.target_date]:
        clock, seen = Clock(datetime.combine(day, time(13), UTC)), frame.loc[:day]
        bars = {"A.NS": source_bars("A.NS", RawBars(seen, None), span_of("A.NS", 300, clock))}
        outcome = settle([line], bars, clock)[0].get(line.id)
        told = replace(
            stock_of(seen, str(day.date())),
            is_session=lambda text: calendar.is_session(date.fromisoformat(text)),
            is_provisional=lambda text: calendar.is_provisional(date.fromisoformat(text)),
            came={str(at.date()) for at in seen.index}.__contains__,
        )
        assert differences([replace(line, outcome=outcome).to_record()], {"A.NS": told}, "2027-12-31") == []
        found |= {outcome.settled_from} if outcome else set()
    assert found == {line.target_date if holiday is None else "2027-01-28"}
