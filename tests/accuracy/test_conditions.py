"""Scores by condition: each family divides the same predictions, and the headline is the sum of any of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest
from log_helpers import outcome, prediction

from stockml.accuracy.conditions import (
    LEAST_TOLD,
    ConditionScore,
    by_condition,
    by_condition_of,
    by_month,
    by_regime,
    coverage_text,
    least_covered,
)
from stockml.accuracy.scores import Score, by
from stockml.core.records import Evidence, Prediction
from stockml.core.student_t import StudentT


def line(symbol: str, day: int, *, scale_pct: float = 2.0, inside: bool = True, year_known: bool = True) -> Prediction:
    made = prediction(symbol, day)
    inputs = {"volatility_250": 1.5} if year_known else {"volatility_20": 1.5}
    made = replace(
        made,
        evidence=Evidence({}, inputs),
        distribution=StudentT(made.predicted_change_pct, scale_pct, 5),
        model_scale_pct=scale_pct,
    )
    actual = made.predicted_price if inside else made.high * 1.2
    return replace(made, outcome=replace(outcome(made), actual_price=actual, was_accurate=inside))


def rows_of(lines: Sequence[Prediction]) -> list[ConditionScore]:
    scores = by(lambda line: line.symbol, lines)
    return by_condition(by_condition_of(lines), scores, lambda symbol: "NSE" if symbol.endswith(".NS") else "NYSE")


def values(rows: Sequence[ConditionScore], family: str) -> dict[str, int]:
    return {row.value: row.score.total for row in rows if row.family == family}


LINES = [
    line(symbol, day, scale_pct=1 + day / 40, year_known=day > 100, inside=day % 5 > 0)
    for symbol in ("TCS.NS", "KO", "MSFT")
    for day in range(0, 600, 4)
]


def test_every_family_divides_all_predictions() -> None:
    rows, total = rows_of(LINES), Score.of(LINES)
    for family in {row.family for row in rows}:
        together = sum((row.score for row in rows if row.family == family), Score())
        assert (together.total, together.inside, together.accurate) == (total.total, total.inside, total.accurate)
        assert together.crps_pct_sum == pytest.approx(total.crps_pct_sum)
    assert values(rows, "market") == {"NSE": 150, "NYSE": 300}
    assert list(values(rows, "year")) == ["2026", "2027"]
    assert values(rows, "age") == {"old": 3 * 124, "young": 3 * 26}


def test_thirds_of_volatility_are_thirds_whatever_the_horizon() -> None:
    rows = rows_of(LINES)
    thirds = values(rows, "volatility")
    assert list(thirds) == ["calm", "middle", "wild"]
    assert all(0.28 < number / len(LINES) < 0.39 for number in thirds.values())
    month = [replace(line("KO", day, scale_pct=4.0), prediction_horizon_days=20) for day in range(3)]
    week = [line("KO", day, scale_pct=2.0) for day in range(3)]
    assert "volatility" not in {row.family for row in rows_of([*month, *week])}  # as wild a session: one band


def test_a_family_that_divides_nothing_is_left_out() -> None:
    rows = rows_of([line("KO", day) for day in range(3)])
    assert rows == []


def test_lines_without_a_distribution_have_every_condition_but_the_volatility() -> None:
    bare = [replace(each, distribution=None, model_scale_pct=None) for each in LINES]
    assert {row.family for row in rows_of(bare)} == {"market", "year", "age"}


def test_the_condition_in_which_intervals_hold_least_is_told_with_its_number() -> None:
    good = [line("KO", day) for day in range(LEAST_TOLD)]
    bad = [line("TCS.NS", day, inside=day % 2 > 0) for day in range(LEAST_TOLD)]
    told = coverage_text(Score.of([*good, *bad]), rows_of([*good, *bad]))
    assert told == f"80 % intervals hold 75.0 %, least on NSE: 50.0 % of {LEAST_TOLD}"
    few = [*good, *bad[: LEAST_TOLD - 1]]
    least = least_covered(rows_of(few))
    assert least is not None and least.value == "NYSE"
    assert coverage_text(Score(), []) == ""


def test_a_condition_tells_calibration_and_skill() -> None:
    made = [line("KO", day, inside=day % 4 > 0) for day in range(8)] + [line("TCS.NS", 0)]
    (row, other) = (row for row in rows_of(made) if row.family == "market")
    assert (row.value, other.value) == ("NSE", "NYSE")
    record = other.to_record()
    assert (record["predictions"], record["accuracy"], record["mean_confidence"]) == (8, 0.75, 0.75)
    assert record["brier_skill"] == 0.0  # always stating the share that came true has none
    assert row.to_record()["brier_skill"] is None


def test_years_are_those_of_the_days_predictions_were_made_from() -> None:
    last = line("KO", (date(2026, 12, 31) - date(2026, 1, 5)).days)
    assert last.target_date > "2027" and last.data_through == "2026-12-31"
    first = line("KO", (date(2026, 12, 31) - date(2026, 1, 5) + timedelta(days=1)).days)
    assert values(rows_of([last, first]), "year") == {"2026": 1, "2027": 1}


def test_months_and_regimes_divide_all_predictions() -> None:
    regimes = ("bullish", "bearish", "sideways", "")  # a log may have come from anywhere
    made = [replace(line("KO", day), market_regime=regimes[day % 4]) for day in range(80)]
    told, total = by_condition_of(made), Score.of(made)
    months, regime = by_month(told), by_regime(told)
    assert {month: score.total for month, score in months.items()} == {"2026-01": 27, "2026-02": 28, "2026-03": 25}
    assert {name: score.total for name, score in regime.items()} == {
        "": 20,
        "bearish": 20,
        "bullish": 20,
        "sideways": 20,
    }
    for parts in (months, regime):
        assert sum(parts.values(), Score()).accurate == total.accurate
    assert values(rows_of(made), "regime") == {"": 20, "bearish": 20, "bullish": 20, "sideways": 20}
    named = next(row for row in rows_of(made) if row.value == "bearish")
    assert (named.name, named.phrase) == ("bearish", "in the bearish regime")
    long = [replace(one, market_regime="x" * 5_000) for one in made]  # what is kept of it has bounds
    assert all(len(value) < 100 for _, value in by_condition_of(long))


@pytest.mark.parametrize(("ahead", "is_expected"), [(-2, True), (0, True), (5, True), (6, False), (21, False)])
def test_results_count_where_they_are_expected_up_to_the_target(ahead: float, is_expected: bool) -> None:
    made = line("KO", 0)  # five calendar days to its target
    inputs = {**made.evidence.confidence_inputs, "results_days_ahead": ahead}
    made = replace(made, evidence=Evidence({}, inputs))
    expected = {"expected": 1, "none": 1} if is_expected else {}
    assert values(rows_of([made, line("KO", 1)]), "results") == expected
    assert [row.value for row in rows_of([line("KO", 1), made]) if row.family == "results"] == list(expected)
