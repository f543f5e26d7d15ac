"""Plain values as the page's script takes them: days as numbers, figures to a few digits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

_EPOCH = date(1970, 1, 1)


def day_number(day: date | str) -> int:
    """Days since 1970: a date in five characters."""
    return ((date.fromisoformat(day) if isinstance(day, str) else day) - _EPOCH).days


def short(value: float | None, digits: int = 5) -> Any:
    """The number to so many significant digits, without a needless `.0`; None stays None."""
    if value is None:
        return None
    near = float(f"{value:.{digits}g}")
    return int(near) if near.is_integer() else near


def rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: short(value) for name, value in values.items()}
