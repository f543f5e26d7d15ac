"""Checks of single fields of a JSON record: the value itself, or a ValueError that names the key and the value.

A record is read through `Fields` and these checks alone, so that reading can end in no other error, whatever the JSON.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

GREATEST = 1e15  # far beyond any price; below it no sum and no square of ours overflows
SMALLEST_PRICE = 1e-15
EARLIEST_DATE = "1900-01-01"  # no price is older; days and sessions counted from here on stay within a calendar
FARTHEST_SESSIONS = 1_000_000  # far beyond any horizon that may be asked for


class Fields(dict[str, Any]):
    """A JSON object's fields by key; a missing one is a ValueError that names it."""

    def __missing__(self, key: str) -> Any:
        raise ValueError(f"the key {key!r} is missing")


def fields(key: str, value: Any) -> Fields:
    """A JSON object."""
    if not isinstance(value, dict):
        raise ValueError(_no_object(key, value))
    return Fields(value)


def _no_object(key: str, value: Any) -> str:
    return f"{key} has the wrong form: it is {value!r}, not an object"


def items(key: str, value: Any) -> list[Any]:
    """A JSON array."""
    if not isinstance(value, list):
        raise ValueError(f"{key} has the wrong form: it is {value!r}, not a list")
    return value


def weight(key: str, value: Any) -> tuple[str, float]:
    """A name and its number, as a list of both."""
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError(f"{key} has the wrong form: it holds {value!r}, not a name and a number")
    return text(key, value[0]), number(key, value[1])


def text(key: str, value: Any) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} is {value!r}, not a text")
    return value


def optional_text(key: str, value: Any) -> str | None:
    """A text that is not empty, or null."""
    return None if value is None else text(key, value)


def time_text(key: str, value: Any) -> str:
    """A time as YYYY-MM-DDTHH:MM:SS."""
    written = text(key, value)
    if len(written) != 19 or written[10] != "T" or written[13] != ":" or written[16] != ":" or not _is_iso(written):
        raise ValueError(f"{key} is {value!r}, not a time like 2026-02-01T12:30:00")
    return written


def day_text(key: str, value: Any) -> str:
    """A day as YYYY-MM-DD, from EARLIEST_DATE on."""
    written = text(key, value)
    if len(written) != 10 or not _is_iso(written):
        raise ValueError(f"{key} is {value!r}, not a date like 2026-02-01")
    if written < EARLIEST_DATE:
        raise ValueError(f"{key} is {value!r}, which is before {EARLIEST_DATE}")
    return written


def _is_iso(written: str) -> bool:
    try:
        datetime.fromisoformat(written)
    except ValueError:
        return False
    return written[4] == written[7] == "-"


def number(key: str, value: Any) -> float:
    """A number within GREATEST; no NaN, and no bool."""
    if type(value) is float and -GREATEST <= value <= GREATEST:  # nearly all of them, and there are many
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key} is {value!r}, not a number")
    if not -GREATEST <= value <= GREATEST:
        raise ValueError(f"{key} is {value!r}, not a number within {GREATEST:g}")
    return float(value)


def numbers(key: str, value: Any) -> dict[str, float]:
    """An object that holds numbers only."""
    if not isinstance(value, dict):
        raise ValueError(_no_object(key, value))
    return {name: number(name, found) for name, found in value.items()}


def flag(key: str, value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{key} is {value!r}, not true or false")
    return value


def price(key: str, value: Any) -> float:
    """A price: a number above 0."""
    found = number(key, value)
    if found < SMALLEST_PRICE:
        raise ValueError(f"{key} is {found!r}, a price is above 0")
    return found


def positive(key: str, value: Any) -> float:
    """A number above 0."""
    found = number(key, value)
    if found < SMALLEST_PRICE:
        raise ValueError(f"{key} is {found!r}, not above 0")
    return found


def positive_int(key: str, value: Any) -> int:
    """A whole number above 0, up to FARTHEST_SESSIONS."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{key} is {value!r}, not a whole number above 0")
    if value > FARTHEST_SESSIONS:
        raise ValueError(f"{key} is {value!r}, which is above {FARTHEST_SESSIONS:,}")
    return value
