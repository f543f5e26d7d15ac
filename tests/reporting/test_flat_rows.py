"""A flat row a line: every key of the log has its column, and the choice is of lines as they were."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime

import pytest
from log_helpers import outcome, prediction

from stockml.core.outcomes import EXPIRED, Outcome, Reopened, completed
from stockml.core.records import Evidence, Prediction, Signal
from stockml.reporting import flat_rows
from stockml.reporting.flat_rows import COLUMNS, Choice, contents_of, row_of, wide

FULL = replace(
    prediction(),
    outcome=replace(
        outcome(prediction()),
        units_factor=0.5,
        current_price_corrected=3840.0,
        settled_from="2026-01-12",
        settled_at="2026-01-12T19:30:00",
    ),
    reopened=Reopened(2, "2026-03-01T10:00:00", "verified", "2026-01-10T16:00:00", 3900.0),
)
GONE = replace(prediction(day=1), outcome=Outcome(EXPIRED, "2026-02-20T10:00:00", reason="no bar came"))


def test_every_key_of_a_line_has_its_column_in_the_logs_order() -> None:
    keys: list[str] = []
    for line in (FULL, GONE):
        for key, value in line.to_record().items():
            inner = [f"{key}_{name}" for name in value] if isinstance(value, dict) else [key]
            keys += [name for name in inner if key not in flat_rows.APART and name not in keys]
    assert {*keys, "seal"} == set(COLUMNS)  # a seal is given when the line is logged
    first = list(completed(FULL.to_record(), FULL.outcome))[:9]
    assert list(COLUMNS)[:9] == first  # SPEC's, but for the signals
    assert [name for name in COLUMNS if name in FULL.to_record()] == [key for key in FULL.to_record() if key in COLUMNS]


def test_values_keep_their_types_and_days_are_days() -> None:
    values = row_of(FULL).values
    assert values["target_date"] == date(2026, 1, 10) and values["settled_from"] == date(2026, 1, 12)
    assert values["prediction_date"] == datetime(2026, 1, 5, 16) and values["settled_at"] == datetime(
        2026, 1, 12, 19, 30
    )
    assert values["current_price"] == 3845.5 and values["was_accurate"] is FULL.outcome.was_accurate
    assert values["path"] == list(FULL.path) and values["distribution_scale_pct"] == 2.0
    assert values["reopened_times"] == 2 and values["reopened_ended_at"] == datetime(2026, 1, 10, 16)
    assert row_of(GONE).values["reason"] == "no bar came" and "actual_price" not in row_of(GONE).values


@pytest.mark.parametrize("text", ["soon", "2026-13-01T10:00:00", "2026-01-01T10:00:00+05:30"])
def test_a_training_time_that_is_none_is_left_empty_and_counted(text: str) -> None:
    line = replace(prediction(), model_trained_at=text)
    assert row_of(line).values["model_trained_at"] is None
    assert contents_of([line, prediction(day=1)], most_names=99).without_time == 1


def test_signals_and_evidence_have_a_column_for_each_name() -> None:
    one = replace(
        prediction(), signals=(Signal("a", 0.2), Signal("b", -0.1)), evidence=Evidence({"b": 1.0}, {"v": 2.0})
    )
    two = replace(prediction(day=1), signals=(), evidence=Evidence({"a": 0.5, "c": 3.0}, {}))
    contents = contents_of([one, two], most_names=99)
    names = list(contents.columns())
    assert names[: len(COLUMNS)] == list(COLUMNS) and names[len(COLUMNS) :] == [
        *("signal_a_weight", "signal_a_opinion_pct", "signal_b_weight", "signal_b_opinion_pct"),
        *("signal_c_opinion_pct", "confidence_v"),
    ]
    assert wide(row_of(one), names)[len(COLUMNS) :] == [0.2, None, -0.1, 1.0, None, 2.0]
    assert wide(row_of(two), names)[len(COLUMNS) :] == [None, 0.5, None, None, 3.0, None]


def test_a_signal_written_twice_counts_twice() -> None:
    line = replace(prediction(), signals=(Signal("a", 0.25), Signal("a", 0.5)))
    assert row_of(line).weights == {"a": 0.75}


def test_names_without_end_are_not_collected() -> None:
    lines = [replace(prediction(day=at), signals=(Signal(f"s{at}", 0.1),)) for at in range(90)]
    assert 20 < contents_of(lines, most_names=20).names < 40


LINES = [
    prediction(symbol, day, horizon=horizon) for day in (0, 1, 2) for symbol in ("A.NS", "B.NS") for horizon in (5, 20)
]


@pytest.mark.parametrize(
    ("choice", "number"),
    [
        (Choice(), 12),
        (Choice(symbols=frozenset({"A.NS"})), 6),
        (Choice(symbols=frozenset({"A.NS", "B.NS", "C.NS"})), 12),
        (Choice(since="2026-01-06"), 8),
        (Choice(since="2026-01-08"), 0),
        (Choice(horizons=frozenset({20})), 6),
        (Choice(horizons=frozenset({5, 20})), 12),
        (Choice(as_of="2026-01-06"), 8),
        (Choice(frozenset({"B.NS"}), since="2026-01-06", horizons=frozenset({5}), as_of="2026-01-06"), 1),
    ],
)
def test_a_choice_takes_the_lines_of_all_that_it_names(choice: Choice, number: int) -> None:
    chosen = list(choice.of(LINES))
    assert len(chosen) == number and chosen == [line for line in LINES if line in chosen]


def test_an_outcome_after_the_day_looked_at_is_as_if_not_there() -> None:
    line = replace(prediction(), outcome=outcome(prediction()))
    (before,) = Choice(as_of="2026-01-09").of([line])
    (after,) = Choice(as_of="2026-01-10").of([line])
    assert before == prediction() and after == line


def test_the_first_and_the_last_day_are_those_of_the_lines() -> None:
    contents = contents_of(reversed(LINES), most_names=99)
    assert (contents.rows, contents.first, contents.last) == (12, "2026-01-05", "2026-01-07")
    assert Prediction.from_record(json.loads(LINES[0].to_json())) == LINES[0]
