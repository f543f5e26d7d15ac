"""A line of any bytes is a prediction or a ValueError in plain words; nothing else, whatever is missing or odd."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_helpers import outcome, prediction

from stockml.core.records import EXPIRED, Outcome, Prediction, Reopened
from stockml.prediction_log.line import read_line

PENDING = prediction()
LINES = {
    "pending": PENDING,
    "verified": replace(PENDING, outcome=replace(outcome(PENDING), units_factor=0.5)),
    "reopened": replace(
        PENDING, reopened=Reopened(2, "2026-02-21T10:00:00", EXPIRED, "2026-02-20T16:00:00"), outcome=outcome(PENDING)
    ),
    "expired": replace(PENDING, outcome=Outcome(EXPIRED, "2026-02-20T16:00:00", reason="no bar came")),
}
OPTIONAL = {"units_factor", "format", "reopened"}
ODD = [None, True, -1, 0, 1.5, 10**400, "", "x", [], [[]], [["a"]], [["a", 1, 2]], [[1, 1]], {}, {"a": "b"}, {"a": {}}]
PYTHONS_OWN = ("object", "argument", "unpack", "subscript", "indices", "iterable", "Exceeds", "invalid literal")


def encoded(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode()


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
    evidence = record["evidence"]
    for odd in ODD:
        changed = [{**record, key: odd} for key in record]
        changed += [{**record, "evidence": {**evidence, key: odd}} for key in evidence]
        for reason in (reason for one in changed for reason in reasons(one)):
            words = reason.replace("not an object", "").replace("not a JSON object", "")
            assert len(reason) < 200 and not any(own in words for own in PYTHONS_OWN), reason


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
