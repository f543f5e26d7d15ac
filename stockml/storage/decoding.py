"""Decoding of files of ours that are read back: JSON in, typed values within bounds out, or what is wrong with it.

By now somebody else may have written the file, or changed it. A checksum kept beside what it protects, or in the same
file, protects against accident only, so each reader asks here for exactly what it wrote. Which error its caller meets
is left to the file's owner. Importing this module takes 15 ms, so readers do so when there is something to decode.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import cache
from typing import Annotated, Any, TypeVar, cast

import msgspec
from msgspec import Meta, MsgspecError, ValidationError

GREATEST = 1e15  # far beyond any price; below it no sum and no square of ours overflows
MOST_COUNTED = 10**9
DEEPEST = 20  # levels of lists and objects; ours have eight
MOST_BYTES = 1 << 26  # of a file, unless its reader says otherwise
LONGEST_SHOWN = 60  # characters of a value
KNOWN_YEARS = range(1900, 2200)  # no price is older, and days counted from here on stay within a calendar

Count = Annotated[int, Meta(ge=0, le=MOST_COUNTED)]
Number = Annotated[float, Meta(ge=-GREATEST, le=GREATEST)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Text = Annotated[str, Meta(max_length=10_000)]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]

T = TypeVar("T")

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
    "date": "a day like 2026-02-01",
    "datetime": "a time like 2026-02-01T12:30:00",
}
_GOT_ANOTHER = re.compile(r"Expected `([^`]+)`, got `(\w+)`")
_BOUND = re.compile(r"Expected `(\w+)[^`]*` (<=|>=) (\S+)")
_LENGTH = re.compile(r"Expected `(\w+)[^`]*` of length (<= |>= )?(\d+)")
_FIELD = re.compile(r"Object (?:missing required|contains unknown) field `([^`]*)`")
_STEP = re.compile(r"(\[[^\]]*\])|\.([^.\[`]+)")
_TYPES = {"int": int, "float": float, "str": str, "bool": bool, "array": list, "object": dict, "null": type(None)}


class DecodingError(ValueError):
    """Content that its owner cannot have written: which value breaks which rule, in words that follow a file's name."""


def decoded(kind: type[T], content: bytes, most_bytes: int = MOST_BYTES) -> T:
    """The value that JSON holds.

    Parameters
    ----------
    kind : type
        A msgspec Struct, or any type that msgspec knows. Fields that a Struct does not name are left out, unless it
        forbids them.
    content : bytes
    most_bytes : int, default MOST_BYTES

    Raises
    ------
    DecodingError
        For any other content.
    """
    _refuse_long(content, most_bytes)
    try:
        return cast(T, _decoder(cast(Any, kind)).decode(content))
    except (MsgspecError, UnicodeError, RecursionError, OverflowError) as error:
        raise DecodingError(_plainly(error, content)) from None


def converted(kind: type[T], value: object) -> T:
    """A value decoded before, as by `decoded_object`, in the form of a type; DecodingError where it has another."""
    try:
        return msgspec.convert(value, kind)
    except (MsgspecError, RecursionError, OverflowError) as error:
        raise DecodingError(_plainly(error, value)) from None


def decoded_object(content: bytes, most_bytes: int = MOST_BYTES) -> dict[str, Any]:
    """The object that JSON holds, whatever its fields, at most DEEPEST levels deep; DecodingError for anything else."""
    found = decoded(dict[str, Any], content, most_bytes)
    if is_deeper(found, DEEPEST):
        raise DecodingError("is nested too deeply")
    return found


def is_deeper(value: object, levels: int) -> bool:
    """True for lists and objects of more levels than so many, of which what the innermost hold is one."""
    layer = [value]
    for _ in range(levels + 1):
        holders = [one for one in layer if isinstance(one, dict | list)]
        layer = [inner for one in holders for inner in (one.values() if isinstance(one, dict) else one)]
    return bool(layer)


def check_day(key: str, day: date) -> None:
    """ValueError for a day that no calendar may be asked about."""
    if day.year not in KNOWN_YEARS:
        raise ValueError(f"has {day} for {key}, which is not between {KNOWN_YEARS[0]} and {KNOWN_YEARS[-1]}")


def encodable(text: str) -> str:
    """The text itself; ValueError for half a surrogate, which no file and no terminal can hold."""
    try:
        text.encode()
    except UnicodeError:
        raise ValueError(f"holds {text[:LONGEST_SHOWN]!r}, which is no text") from None
    return text


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def _refuse_long(content: bytes, most_bytes: int) -> None:
    if len(content) > most_bytes:
        raise DecodingError(f"is longer than {most_bytes:,} bytes, which none of ours is")


def _plainly(error: Exception, source: object) -> str:
    """Words of ours for what is wrong."""
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    if not isinstance(error, ValidationError):
        return "is not JSON" if isinstance(source, bytes) else "is not as it is written"
    rule, _, path = str(error).partition(" - at `")
    if isinstance(error.__cause__, ValueError):
        return rule
    steps = [name or step for step, name in _STEP.findall(path)]
    if path.startswith("key"):
        return f"has a key in {_joined(steps)} that is not {_wanted(rule)}"
    if field := _FIELD.match(rule):
        state = "lacks the key" if "missing" in rule else "has the unknown key"
        return f"{state} {field[1][:LONGEST_SHOWN]!r}" + (f" in {_joined(steps)}" if steps else "")
    if not steps:
        return f"is not {_wanted(rule)}"
    try:
        root = msgspec.json.decode(source) if isinstance(source, bytes) else source
        where, value = next(_met(steps, root, rule), (steps, "another value"))
    except (MsgspecError, UnicodeError, RecursionError):
        where, value = steps, "another value"
    return f"has {value} for {_joined(where)}, not {_wanted(rule)}"


def _joined(steps: Sequence[str]) -> str:
    return ".".join(steps).replace(".[", "[") or "it"


def _met(steps: Sequence[str], value: Any, rule: str) -> Iterator[tuple[list[str], str]]:
    """The places that an error's path may mean whose value breaks its rule, and the value in words.

    The path names fields and numbers items, but says [...] for any key of an object.
    """
    if not steps:
        if _breaks(value, rule):
            yield [], _shown(value)
        return
    step, rest = steps[0], steps[1:]
    if step == "[...]":
        inner: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else ()
    elif step.startswith("["):
        at = int(step[1:-1])
        inner = [(step, value[at])] if isinstance(value, list) and at < len(value) else ()
    else:
        inner = [(step, value[step])] if isinstance(value, dict) and step in value else ()
    for name, one in inner:
        for where, shown in _met(rest, one, rule):
            yield [str(name)[:LONGEST_SHOWN], *where], shown


def _breaks(value: Any, rule: str) -> bool:
    if "out of range" in rule:
        return isinstance(value, int | float) and not -GREATEST <= value <= GREATEST
    if found := _GOT_ANOTHER.match(rule):
        return _TYPES.get(found[2]) is type(value)
    if (found := _BOUND.match(rule)) and isinstance(value, int | float):
        return not (value <= float(found[3]) if found[2] == "<=" else value >= float(found[3]))
    return True


def _wanted(rule: str) -> str:
    if found := _GOT_ANOTHER.match(rule):
        return " or ".join(_KINDS.get(kind, "what it should be") for kind in found[1].split(" | "))
    if found := _LENGTH.match(rule):
        unit = "characters" if found[1] == "str" else "items"
        return f"{_KINDS.get(found[1], 'one')} of {_BOUNDS[(found[2] or '').strip()]}{int(found[3]):,} {unit}"
    if found := _BOUND.match(rule):
        return f"{_KINDS.get(found[1], 'one')} of {_BOUNDS[found[2]]}{float(found[3]):,.15g}"
    if rule.endswith(" date"):
        return _KINDS["date"]
    if "out of range" in rule:
        return "a number that can be"
    return "of the form that it is written in"


_BOUNDS = {"<=": "at most ", ">=": "at least ", "": ""}


def _shown(value: object) -> str:
    """A value in words, cut."""
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "an object"
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**LONGEST_SHOWN else "a number of many digits"
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."
