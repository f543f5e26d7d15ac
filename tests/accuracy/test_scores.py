"""Scores: the sum of two groups' scores is the score of both together, and each mean is that of the lines."""

from __future__ import annotations

from dataclasses import astuple, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from log_helpers import outcome, prediction

from stockml.accuracy.scores import Score, added, by
from stockml.core.outcomes import Outcome
from stockml.core.records import Prediction


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
