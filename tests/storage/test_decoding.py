"""Decoding of files: what is taken, and how the value, the place and the rule are told where it is refused."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import pytest
from msgspec import Meta, Struct

from stockml.storage.decoding import DEEPEST, Count, DecodingError, Name, Number, converted, decoded, decoded_object

DEEP = b"[" * 100_000 + b"]" * 100_000


class Part(Struct, forbid_unknown_fields=True):
    weights: dict[Name, Number]
    day: date | None = None


class Whole(Struct):
    count: Count
    parts: Annotated[list[Part], Meta(max_length=2)]


def test_what_was_written_comes_back() -> None:
    found = decoded(Whole, b'{"count": 3, "parts": [{"weights": {"lstm": 1}, "day": "2026-02-01"}], "more": null}')
    assert (found.count, found.parts[0].weights, found.parts[0].day) == (3, {"lstm": 1.0}, date(2026, 2, 1))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b'{"count": NaN, "parts": []}', "is not JSON"),
        (b'"\\ud800"', "is not JSON"),
        (b"[]", "is not an object"),
        (b"{}", "lacks the key 'count'"),
        (DEEP, "is not an object"),
        (b'{"more": ' + DEEP + b"}", "is nested too deeply"),
        (b'{"count": -1}', "has -1 for count, not a whole number of at least 0"),
        (b'{"count": 1e308}', "has 1e+308 for count, not a whole number"),
        (b'{"count": true}', "has True for count, not a whole number"),
        (b'{"count": ' + b"9" * 5000 + b"}", "has another value for count, not a number that can be"),
        (b'{"count": 1, "parts": [0]}', "has 0 for parts[0], not an object"),
        (b'{"count": 1, "parts": [{}, {}, {}]}', "lacks the key 'weights' in parts[0]"),
        (
            b'{"count": 1, "parts": [{"weights": {"a": 1, "b": 1e16}}]}',
            "has 1e+16 for parts[0].weights.b, not",
        ),
        (b'{"count": 1, "parts": [{"weights": {"a": "x"}}]}', "has 'x' for parts[0].weights.a, not a number"),
        (b'{"count": 1, "parts": [{"weights": {"": 1}}]}', "has a key in parts[0].weights that is not a text"),
        (b'{"count": 1, "parts": [{"weights": {}, "day": "June"}]}', "has 'June' for parts[0].day, not a day like"),
        (b'{"count": 1, "parts": [{"weights": {}, "moon": 1}]}', "has the unknown key 'moon' in parts[0]"),
    ],
)
def test_anything_else_is_refused_by_place_value_and_rule(content: bytes, text: str) -> None:
    with pytest.raises(DecodingError) as refused:
        decoded(Whole, content)
    assert str(refused.value).startswith(text) and "\n" not in str(refused.value)


def test_what_is_longer_than_it_can_be_is_not_looked_at() -> None:
    with pytest.raises(DecodingError, match=r"longer than 1,000 bytes"):
        decoded(Whole, b" " * 1001, 1000)


def test_an_object_of_any_fields_is_bounded_in_depth() -> None:
    def nested(levels: int) -> bytes:
        return b'{"a": ' * levels + b"1" + b"}" * levels

    assert decoded_object(nested(DEEPEST))["a"]
    for content in (nested(DEEPEST + 2), b'{"a": ' + DEEP + b"}"):
        with pytest.raises(DecodingError, match="nested too deeply"):
            decoded_object(content)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e308, -1e308, 10**400, "1", None, True])
def test_a_value_that_is_no_number_within_bounds_is_refused_wherever_it_comes_from(value: object) -> None:
    with pytest.raises(DecodingError, match=r"for weights\.lstm, not a number"):
        converted(Part, {"weights": {"drift": 1.0, "lstm": value}})
