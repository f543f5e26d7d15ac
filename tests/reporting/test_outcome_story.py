"""What came of a logged forecast: its distance in interval widths, signals right and wrong, what was learned."""

from __future__ import annotations

from dataclasses import replace

import pytest
from log_helpers import outcome, prediction

from stockml.core.outcomes import EXPIRED, Outcome
from stockml.core.records import Evidence, Prediction, Signal
from stockml.reporting.outcome_causes import Cause
from stockml.reporting.outcome_story import Aftermath, misses_text

CAUSES = (Cause("gap", None, "no prices"),)


def made(day: int, *, lstm: float = 0.1, actual: float | None = None, at: str | None = None) -> Prediction:
    """A forecast of a day, 97 to 103 about 100, with the outcome that a close gives it."""
    line = replace(
        prediction(day=day, current=100.0),
        predicted_price=100.0,
        predicted_change_pct=0.0,
        low=97.0,
        high=103.0,
        signals=(Signal("lstm", lstm),),
        evidence=Evidence({"lstm": 1.0, "xgb": -1.0, "drift": 0.0}, {}),
    )
    if actual is None:
        return line
    error = abs(actual - 100) / actual * 100
    told = replace(outcome(line, at=at), actual_price=actual, error_pct=error, naive_error_pct=error)
    return replace(line, outcome=replace(told, was_accurate=error < 5))


def text_of(line: Prediction, *series: Prediction) -> str:
    return " ".join(Aftermath(line, CAUSES, series or (line,)).paragraphs())


@pytest.mark.parametrize(
    ("actual", "widths", "words"),
    [
        (103.0, 0.5, "0.50 widths of the 80 % interval above the forecast, inside it"),
        (106.0, 1.0, "1.00 widths of the 80 % interval above the forecast, outside it"),
        (94.0, -1.0, "1.00 widths of the 80 % interval below the forecast, outside it"),
    ],
)
def test_the_distance_is_in_widths_of_the_interval(actual: float, widths: float, words: str) -> None:
    line = made(0, actual=actual)
    assert Aftermath(line, (), (line,)).widths_away == pytest.approx(widths)
    assert words in text_of(line)


@pytest.mark.parametrize(
    ("actual", "right", "wrong"), [(110.0, "lstm", "xgb"), (90.0, "xgb", "lstm"), (100.0, None, None)]
)
def test_a_signal_is_right_by_the_direction_it_gave(actual: float, right: str | None, wrong: str | None) -> None:
    line = made(0, actual=actual)
    found = Aftermath(line, (), (line,)).verdicts()
    assert found["drift"] == "-"
    expected = f"right: {right}; wrong: {wrong}" if right else "none gave any"
    assert f"Signals by the direction they gave: {expected}." in text_of(line)


def test_what_was_learned_stands_between_the_last_forecast_before_and_the_first_after() -> None:
    line = made(0, actual=110.0, at="2026-01-12T16:00:00")
    first = made(-9, actual=101.0, at="2026-01-04T16:00:00")
    before, same_evening, later = made(6, lstm=0.1), made(7, lstm=0.2), made(8, lstm=0.4)
    text = text_of(line, first, line, before, same_evening, later)
    assert "1 of 2 forecasts were accurate with it, 50.0 % after 100.0 %" in text
    assert f"From {before.id} to {same_evening.id}" in text and "lstm went from 0.500 to 1.000" in text
    assert "No forecast has been made since it was known." in text_of(line, line, before)
    assert "no weight changed" in text_of(line, line, before, replace(same_evening, signals=before.signals))
    assert "it is the first outcome of TCS.NS" in text_of(line)


def test_without_an_outcome_nothing_is_made_up() -> None:
    assert "pending" in text_of(made(0)) and Aftermath(made(0), (), ()).to_record() is None
    expired = replace(made(0), outcome=Outcome(EXPIRED, "2026-03-01T16:00:00", reason="no bar ever came"))
    assert "no bar ever came (2026-03-01)" in text_of(expired)
    assert Aftermath(expired, (), ()).to_record() is None


def test_misses_are_named_by_their_ids() -> None:
    lines = [made(day, actual=90.0) for day in (3, 2, 1)]
    assert misses_text([]) == ""
    assert all(f"{line.id} (11.11 %)" in misses_text(lines) for line in lines)
