"""The causes of an outcome: each told where prices or log show it, denied where they do not, else not known."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time

import numpy as np
import pandas as pd
import pytest
from log_helpers import outcome, prediction

from stockml.core.outcomes import Outcome
from stockml.core.records import Prediction
from stockml.data.announcements import Announcement
from stockml.data.findings import NOTED, Finding
from stockml.data.price_table import PriceTable
from stockml.reporting.outcome_causes import Bar, Cause, Moves, causes, moves_of

MADE = prediction(current=100.0)  # on 2026-01-05, for 2026-01-10
CALM = Moves(
    before=tuple((f"2026-01-{day:02}", 100.0, 100.0 + day % 2, 1000.0) for day in range(1, 6)),
    after=(("2026-01-06", 101.0, 100.0, 1000.0), ("2026-01-07", 100.0, 101.0, 1000.0)),
    results=(),
    spun_off=(),
)  # a usual change is 1 %


def ended(line: Prediction, actual: float, **how: object) -> Prediction:
    """The line with an outcome."""
    error = abs(actual - line.predicted_price) / actual * 100
    naive = abs(actual - line.current_price) / actual * 100
    found = replace(outcome(line), actual_price=actual, error_pct=error, was_accurate=error < 5, naive_error_pct=naive)
    return replace(line, outcome=replace(found, **how))


def told(name: str, moves: Moves | str, actual: float = 90.0, peers: tuple[float, ...] = ()) -> Cause:
    others = [ended(replace(MADE, symbol=f"X{at}.NS"), price) for at, price in enumerate(peers)]
    return next(cause for cause in causes(ended(MADE, actual), others, moves) if cause.name == name)


def fallen(opening: float, close: float, volume: float) -> tuple[Bar, ...]:
    return (("2026-01-06", opening, close, volume), ("2026-01-07", close, close, 1000.0))


@pytest.mark.parametrize(
    ("moves", "did_it"),
    [
        (CALM, False),
        (replace(CALM, after=fallen(92.0, 91.0, 5000.0)), True),
        (replace(CALM, after=fallen(92.0, 91.0, 1500.0)), False),  # not loud
        (replace(CALM, after=fallen(100.0, 91.0, 5000.0)), False),  # no gap
        (replace(CALM, after=fallen(110.0, 91.0, 5000.0)), False),  # the other way
        ("why", None),
    ],
)
def test_a_gap_did_it_only_wide_loud_and_the_way_of_the_miss(moves: Moves | str, did_it: bool | None) -> None:
    assert told("gap", moves).did_it is did_it


@pytest.mark.parametrize(
    ("results", "did_it"),
    [
        ((("2026-01-06", False),), True),
        ((("2026-01-05", True),), True),  # after the close of the forecast's own day
        ((("2026-01-06", True),), False),  # moved the calm session after it
        ((("2026-01-07", False),), False),
        ((), False),
        (None, None),
    ],
)
def test_results_did_it_where_their_session_moved_far(
    results: tuple[tuple[str, bool], ...] | None, did_it: bool | None
) -> None:
    moves = replace(CALM, after=fallen(99.0, 91.0, 1000.0), results=results)
    assert told("announcement", moves).did_it is did_it


@pytest.mark.parametrize(
    ("peers", "did_it"),
    [((91.0, 90.0, 92.0), True), ((100.0, 101.0, 99.0), False), ((110.0, 111.0, 109.0), False), ((90.0, 90.0), None)],
)
def test_the_market_did_it_where_it_went_along(peers: tuple[float, ...], did_it: bool | None) -> None:
    assert told("market", CALM, peers=peers).did_it is did_it


def test_a_split_is_named_and_did_nothing_a_spin_off_did_it() -> None:
    split = ended(MADE, 90.0, units_factor=0.25)
    cause = next(cause for cause in causes(split, [], "why") if cause.name == "split")
    assert cause.did_it is False and "0.25" in cause.text
    assert told("split", replace(CALM, spun_off=("a spin-off of 2026-01-06",))).did_it is True
    assert told("split", CALM).did_it is False


def table(*days: Announcement, findings: tuple[Finding, ...] = ()) -> PriceTable:
    """Sixty calm days to the evening of 2026-01-31."""
    index = pd.date_range(end="2026-01-31", periods=60, name="Date")
    close = 100 + np.arange(60) % 2
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "adj_close"), close), index=index)
    return PriceTable("TCS.NS", frame.assign(volume=1000.0), "INR", "csv", findings, announcements=days)


def test_moves_are_those_between_the_forecast_and_its_outcome_and_no_later_ones() -> None:
    line = ended(MADE, 90.0)
    late, early = Announcement(date(2026, 1, 8), time(17)), Announcement(date(2025, 12, 1))
    after = Announcement(date(2026, 1, 20))
    spun = Finding("payout", NOTED, (date(2026, 1, 9),), "fell")
    elsewhere = Finding("payout", NOTED, (date(2026, 1, 25),), "later")
    moves = moves_of(line, table(early, late, after, findings=(spun, elsewhere)))
    assert isinstance(moves, Moves)
    assert [bar[0] for bar in moves.after] == [f"2026-01-{day:02}" for day in range(6, 11)]
    assert moves.before[-1][0] == "2026-01-05" and len(moves.before) == 21
    assert moves.results == (("2026-01-08", True),) and moves.spun_off == ("fell",)
    assert moves_of(line, table()).results is None  # type: ignore[union-attr]


@pytest.mark.parametrize(("made", "target"), [("2026-02-20", "2026-02-27"), ("2025-11-01", "2025-11-07")])
def test_prices_that_do_not_reach_are_not_guessed(made: str, target: str) -> None:
    found = Outcome("verified", f"{target}T16:00:00", 90.0, 1.0, True, 1.0)
    line = replace(MADE, data_through=made, target_date=target, outcome=found)
    assert moves_of(line, table()) == f"the prices at hand do not reach from {made} to {target}"
