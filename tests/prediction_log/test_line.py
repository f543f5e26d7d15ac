"""A line of any bytes is a prediction or a ValueError in plain words; nothing else, whatever is missing or odd."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_helpers import outcome, prediction

from stockml.core.outcome_checksum import OUTCOME_KEYS
from stockml.core.outcomes import EXPIRED, Outcome, Reopened, completed, made_pending
from stockml.core.records import Prediction, record_line
from stockml.core.results_expected import ResultsExpected
from stockml.core.student_t import StudentT
from stockml.prediction_log.line import _LONGEST, _LONGEST_NOTE, new_line, padding_for, read_line

PENDING = prediction()
WITHOUT_DISTRIBUTION = replace(PENDING, distribution=None, model_scale_pct=None)
RESULTS = ResultsExpected("2026-02-04", is_known=False, moves_times=2.1)
LINES = {
    "pending": PENDING,
    "verified": replace(PENDING, outcome=replace(outcome(PENDING), units_factor=0.5)),
    "reopened": replace(
        PENDING, reopened=Reopened(2, "2026-02-21T10:00:00", EXPIRED, "2026-02-20T16:00:00"), outcome=outcome(PENDING)
    ),
    "without a distribution": replace(WITHOUT_DISTRIBUTION, outcome=outcome(PENDING)),
    "ahead of results": replace(PENDING, evidence=replace(PENDING.evidence, results=RESULTS)),
    "expired": replace(PENDING, outcome=Outcome(EXPIRED, "2026-02-20T16:00:00", reason="no bar came")),
}
OPTIONAL = {"units_factor", "format", "reopened", "distribution"}
ODD = [None, True, -1, 0, 1.5, 10**400, "", "x", [], [[]], [["a"]], [["a", 1, 2]], [[1, 1]], {}, {"a": "b"}, {"a": {}}]
PYTHONS_OWN = ("object", "argument", "unpack", "subscript", "indices", "iterable", "Exceeds", "invalid literal")


@pytest.mark.parametrize("name", ["pending", "without a distribution", "ahead of results", "reopened"])
def test_a_new_line_is_as_long_as_its_longest_outcome_makes_it(name: str) -> None:
    made = replace(LINES[name], outcome=None, market_regime="तेज")
    noted = made_pending(made.to_record(), _LONGEST_NOTE)
    longest = max(len(record_line(completed(noted, one)).encode()) for one in _LONGEST)
    line = new_line(made)
    assert len(line) == longest + 1
    assert line.rstrip() + padding_for(line.rstrip()) + b"\n" == line


def encoded(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode()


def with_results(record: dict[str, Any], results: Any) -> dict[str, Any]:
    return {**record, "evidence": {**record["evidence"], "results_expected": results}}


def reasons(record: dict[str, Any]) -> Iterator[str]:
    """Why the record's line is refused, if it is."""
    try:
        assert isinstance(read_line(encoded(record)), Prediction)
    except ValueError as error:
        yield str(error)


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_any_missing_key_is_named(line: Prediction) -> None:
    record = line.to_record()
    for key in record:
        told = list(reasons({name: value for name, value in record.items() if name != key}))
        if told and key in OPTIONAL & OUTCOME_KEYS:
            assert "its outcome is not as it was written" in told[0], key
        else:
            assert told == ([] if key in OPTIONAL else [f"the key {key!r} is missing"]), key


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_any_misspelt_key_is_named(line: Prediction) -> None:
    record = line.to_record()
    for key in record.keys() - OPTIONAL:
        misspelt = {(f"{name[0]}e{name[2:]}x" if name == key else name): value for name, value in record.items()}
        assert list(reasons(misspelt)) == [f"the key {key!r} is missing"]


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_any_odd_value_is_read_or_refused_in_words_of_our_own(line: Prediction) -> None:
    record = line.to_record()
    objects = [(name, record[name]) for name in ("evidence", "distribution") if name in record]
    told = record["evidence"].get("results_expected", {})
    for odd in ODD:
        changed = [{**record, key: odd} for key in record]
        changed += [{**record, name: {**value, key: odd}} for name, value in objects for key in value]
        changed += [with_results(record, {**told, key: odd}) for key in told]
        for reason in (reason for one in changed for reason in reasons(one)):
            words = reason.replace("not an object", "").replace("not a JSON object", "")
            assert len(reason) < 200 and not any(own in words for own in PYTHONS_OWN), reason


@pytest.mark.parametrize(
    ("results", "reason"),
    [
        ({"date": "soon", "known": True, "moves_times": 2.0}, "date is 'soon', not a date like 2026-02-01"),
        ({"date": "2026-02-04", "known": 1, "moves_times": 2.0}, "known is 1, not true or false"),
        ({"date": "2026-02-04", "known": True, "moves_times": 0}, "moves_times is 0.0, not a number above 0"),
        ({"date": "2026-02-04", "known": True}, "the key 'moves_times' is missing"),
        ([], "results_expected has the wrong form: it is [], not an object"),
    ],
)
def test_odd_results_are_told(results: Any, reason: str) -> None:
    assert list(reasons(with_results(PENDING.to_record(), results))) == [reason]


def test_a_line_tells_the_results_ahead_or_nothing_of_them() -> None:
    line = LINES["ahead of results"]
    assert line.to_record()["evidence"]["results_expected"] == {
        "date": "2026-02-04", "known": False, "moves_times": 2.1
    }  # fmt: skip
    assert read_line(line.to_json().encode()) == line
    assert "results_expected" not in PENDING.to_record()["evidence"] and PENDING.results_text is None


@pytest.mark.parametrize(
    ("day", "known", "text"),
    [
        ("2026-01-09", True, "results expected on 2026-01-09, moves then 2.1 times the usual"),
        ("2026-01-09", False,
         "results expected on 2026-01-09 (foretold from last year's), moves then 2.1 times the usual"),
        ("2026-01-12", True,
         "results expected on 2026-01-12, moves then 2.1 times the usual, after the close that is predicted"),
        ("2026-01-05", True, "results published on 2026-01-05, moves then 2.1 times the usual"),
        ("2026-01-02", False,
         "results overdue since 2026-01-02 (foretold from last year's), moves then 2.1 times the usual"),
    ],
)  # fmt: skip
def test_the_results_ahead_are_told_in_words(day: str, known: bool, text: str) -> None:
    results = ResultsExpected(day, is_known=known, moves_times=2.1)
    line = replace(PENDING, evidence=replace(PENDING.evidence, results=results))
    assert (line.data_through, line.target_date) == ("2026-01-05", "2026-01-10")
    assert line.results_text == text


def test_a_line_comes_back_with_its_distribution_or_without() -> None:
    assert read_line(PENDING.to_json().encode()).distribution == StudentT(PENDING.predicted_change_pct, 2.0, 5)
    without = WITHOUT_DISTRIBUTION.to_record()
    assert "distribution" not in without
    read = read_line(encoded(without))
    assert (read.distribution, read.model_scale_pct) == (None, None)
    assert read.to_record() == without


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("scale_pct", 0, "scale_pct is 0.0, not above 0"),
        ("scale_pct", -1.5, "scale_pct is -1.5, not above 0"),
        ("scale_pct", "wide", "scale_pct is 'wide', not a number"),
        ("scale_pct", math.nan, "NaN is not JSON"),
        ("model_scale_pct", 0, "model_scale_pct is 0.0, not above 0"),
        ("model_scale_pct", None, "model_scale_pct is None, not a number"),
        ("location_pct", True, "location_pct is True, not a number"),
        ("location_pct", math.inf, "Infinity is not JSON"),
        ("location_pct", 1e99, "location_pct is 1e+99, not a number within"),
        ("degrees", 1, "degrees is 1, not 2 to 100"),
        ("degrees", 101, "degrees is 101, not 2 to 100"),
        ("degrees", 4.5, "degrees is 4.5, not a whole number"),
        ("law", "normal", "law is 'normal', not 'student_t'"),
        ("law", None, "law is None, not 'student_t'"),
    ],
)
def test_a_damaged_distribution_is_named(key: str, value: Any, reason: str) -> None:
    record = PENDING.to_record()
    told = list(reasons({**record, "distribution": {**record["distribution"], key: value}}))
    assert len(told) == 1 and reason in told[0], told


def test_a_key_missing_from_a_distribution_is_named() -> None:
    record = PENDING.to_record()
    for key in record["distribution"]:
        kept = {name: value for name, value in record["distribution"].items() if name != key}
        assert list(reasons({**record, "distribution": kept})) == [f"the key {key!r} is missing"]
    for value in (None, [], "student_t", 5):
        assert "distribution has the wrong form" in next(reasons({**record, "distribution": value}))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("9" * 5000, "a number that is too long"),
        ("[" * 200 + "]" * 200, "nested too deeply"),
        ('{"a": ' * 60 + "[" * 60 + "]" * 60 + "}" * 60, "nested too deeply"),
        ("[" * 100_000, "nested too deeply"),
        ("-Infinity", "-Infinity is not JSON"),
        (r'"\ud800"', "not UTF-8"),
    ],
    ids=["digits", "lists", "both", "without end", "infinity", "surrogate"],
)
def test_a_value_that_could_not_be_written_again_is_refused_in_a_key_that_nobody_knows(value: str, reason: str) -> None:
    text = PENDING.to_json().replace('"magnitude"', f'"note": {value}, "magnitude"')
    with pytest.raises(ValueError, match=reason):
        read_line(text.encode())


@pytest.mark.parametrize(
    "time", ["2026-01-01T10+05:30", "2026-01-01 10:00:00", "2026-W01-1T10:00:00", "20260101T100000"]
)
def test_a_time_in_another_form_is_refused(time: str) -> None:
    record = {**LINES["verified"].to_record(), "verified_at": time}
    assert [reason for reason in reasons(record) if "not a time like" in reason]


@settings(max_examples=300)
@given(raw=st.binary(max_size=300))
def test_any_bytes_are_refused_with_a_reason(raw: bytes) -> None:
    with pytest.raises(ValueError):
        read_line(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300)
@given(
    line=st.sampled_from(list(LINES.values())),
    changes=st.dictionaries(st.sampled_from(list(LINES["verified"].to_record())), JSON),
)
def test_any_values_are_a_line_or_a_reason(line: Prediction, changes: dict[str, Any]) -> None:
    for reason in reasons({**line.to_record(), **changes}):
        assert reason
