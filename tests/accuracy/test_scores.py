"""Scores: the sum of two groups' scores is the score of both together, and each mean is that of the lines."""

from __future__ import annotations

from dataclasses import astuple, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from log_helpers import outcome, prediction

from stockml.accuracy.scores import Score, ScoreSums, added, by, part_of
from stockml.core.outcomes import Outcome
from stockml.core.records import Prediction
from stockml.core.student_t import StudentT


def line(symbol: str, error_pct: float, change_pct: float) -> Prediction:
    made = replace(prediction(symbol), predicted_change_pct=change_pct)
    found = replace(outcome(made), error_pct=error_pct, was_accurate=error_pct < 5, naive_error_pct=error_pct / 2)
    return replace(made, outcome=found)


def expired(symbol: str, reason: str) -> Prediction:
    return replace(prediction(symbol), outcome=Outcome("expired", "2026-07-01T16:00:00", reason=reason))


SYMBOLS = st.sampled_from("ABC")
VERIFIED = st.builds(line, SYMBOLS, st.floats(0, 50), st.floats(-9, 9))
LINES = st.lists(VERIFIED | st.builds(expired, SYMBOLS, st.sampled_from(["no price", "a split"])), max_size=12)


def alike(one: Score, other: Score) -> bool:
    *sums, reasons = astuple(one)
    *expected, expected_reasons = astuple(other)
    return sums == pytest.approx(expected) and reasons == expected_reasons


@given(LINES, LINES)
def test_scores_add_up(one: list[Prediction], other: list[Prediction]) -> None:
    assert alike(Score.of(one) + Score.of(other), Score.of(one + other))
    assert Score.of(one) + Score() == Score.of(one)


@given(LINES)
def test_groups_add_up_to_all(lines: list[Prediction]) -> None:
    groups = by(lambda line: (line.symbol, bool(line.outcome and line.outcome.was_accurate)), lines)
    symbols = added(groups, lambda group: group[0])
    assert set(symbols) == {line.symbol for line in lines}
    for symbol, score in symbols.items():
        assert alike(score, Score.of(each for each in lines if each.symbol == symbol))


@given(LINES)
def test_what_could_not_be_settled_is_in_no_mean_and_counted_beside_them(lines: list[Prediction]) -> None:
    record = Score.of(lines).to_record()
    verified = [each for each in lines if each.status == "verified"]
    assert record["total_predictions"] == len(verified)
    assert record["expired_predictions"] == sum(record["expired_reasons"].values()) == len(lines) - len(verified)
    assert (record["accuracy"] is None) == (not verified)
    told = Score.of(lines).expired_text()
    assert all(f"{reason} ({number})" in told for reason, number in record["expired_reasons"].items())


def test_means_are_those_of_the_lines() -> None:
    score = Score.of([line("A", 2.0, 1.0), line("A", 7.0, -1.0)])
    assert (score.total, score.accuracy, score.mean_error_pct, score.mean_naive_error_pct) == (2, 0.5, 4.5, 2.25)
    assert score.ratio_to_naive == 2.0
    assert Score.of([line("A", 0.0, 1.0)]).ratio_to_naive is None
    assert score.to_record()["accurate_predictions"] == 1
    with pytest.raises(ZeroDivisionError):
        _ = Score().accuracy


def distributed(change_pct: float, scale_pct: float, actual_pct: float, *, degrees: int = 5) -> Prediction:
    made = replace(
        prediction(current=100.0),
        predicted_change_pct=change_pct,
        distribution=StudentT(change_pct, scale_pct, degrees),
        model_scale_pct=scale_pct,
    )
    return replace(made, outcome=replace(outcome(made), actual_price=100 + actual_pct))


def test_the_distribution_is_scored_beside_one_with_the_same_scale_and_no_change() -> None:
    stats = pytest.importorskip("scipy.stats")
    integrate = pytest.importorskip("scipy.integrate")
    lines = [distributed(1.0, 2.0, 3.5), distributed(-2.0, 4.0, 1.0, degrees=9), distributed(0.5, 1.0, -6.0)]

    def crps(law: Any, actual: float) -> float:
        below, _ = integrate.quad(lambda x: law.cdf(x) ** 2, -500, actual, limit=500)
        above, _ = integrate.quad(lambda x: law.sf(x) ** 2, actual, 500, limit=500)
        return float(below + above)

    laws = [line.distribution for line in lines if line.distribution]
    actuals = [line.actual_change_pct for line in lines]
    named = [stats.t(law.degrees, law.location_pct, law.scale_pct) for law in laws]
    naive = [stats.t(law.degrees, 0.0, law.scale_pct) for law in laws]
    record = Score.of(lines).to_record()
    assert record["mean_crps_pct"] == pytest.approx(sum(map(crps, named, actuals)) / 3, abs=1e-3)
    assert record["mean_naive_crps_pct"] == pytest.approx(sum(map(crps, naive, actuals)) / 3, abs=1e-3)
    for key, told in (("mean_interval_score_pct", named), ("mean_naive_interval_score_pct", naive)):
        scores = [
            high - low + 10 * max(low - actual, actual - high, 0)
            for law, actual in zip(told, actuals, strict=True)
            for low, high in [law.interval(0.8)]
        ]
        assert record[key] == pytest.approx(sum(scores) / 3, abs=1e-4)


@pytest.mark.parametrize(("share", "name"), [(0.5, "inside_50"), (0.95, "inside_95")])
def test_the_other_ranges_hold_what_lies_within_them(share: float, name: str) -> None:
    low, high = StudentT(1.0, 2.0, 5).interval_pct(share)
    inside = [distributed(1.0, 2.0, actual) for actual in (low + 0.01, 1.0, high - 0.01)]
    outside = [distributed(1.0, 2.0, actual) for actual in (low - 0.01, high + 0.01)]
    assert (getattr(Score.of(inside), name), getattr(Score.of(outside), name)) == (3, 0)


def test_lines_without_a_distribution_are_left_out_and_counted() -> None:
    alone = Score.of([distributed(1.0, 2.0, 3.5)])
    without = [replace(distributed(1.0, 2.0, -30.0), distribution=None, model_scale_pct=None) for _ in range(2)]
    record, together = Score.of(without).to_record(), Score.of([distributed(1.0, 2.0, 3.5), *without])
    assert together.distribution_means() == alone.distribution_means()
    assert together.to_record()["without_distribution"] == record["without_distribution"] == 2
    assert record["mean_crps_pct"] is None and Score.of(without).distribution_text() == ""
    assert "2 predictions without a distribution left out" in together.distribution_text()


@given(LINES, LINES)
def test_scores_added_to_line_by_line_are_those_of_all_lines_to_the_bit(
    one: list[Prediction], other: list[Prediction]
) -> None:
    sums = ScoreSums(by(lambda line: line.symbol, one))
    for each in other:
        sums.add(each.symbol, part_of(each))
    assert sums.scores() == by(lambda line: line.symbol, one + other)
