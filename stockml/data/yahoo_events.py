"""Dividends, splits and capital gains in Yahoo's chart: malformed ones are taken out, so that the prices can be read.

Standard library only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from stockml.core.wording import count

KINDS = {"dividends": "dividend", "splits": "split", "capitalGains": "capital gain"}
LATEST = 2**33  # seconds, in the year 2242: what lies beyond is no moment of a chart


def drop_malformed(chart: dict[str, Any]) -> tuple[bool, str | None]:
    """Take the malformed events out of one result of a chart, in place.

    Parameters
    ----------
    chart : dict
        An object of `chart.result`, as parsed from JSON.

    Returns
    -------
    is_changed : bool
        True also where an empty list came as null, which loses nothing.
    note : str or None
        What was lost; None where nothing was.
    """
    given = chart.get("events", {})
    lists = given if isinstance(given, Mapping) else {}
    lost = [] if given is lists or not given else ["a list of dividends and splits"]
    whole: dict[str, dict[str, Any]] = {}
    for kind, noun in KINDS.items():
        events = _items(lists.get(kind))
        kept = {key: event for key, event in events if _is_whole(event, kind)}
        if len(kept) < len(events):
            lost.append(count(len(events) - len(kept), noun))
        if kept:
            whole[kind] = kept
    if not lost and given == {**lists, **whole} and all(lists.get(kind, whole) is not None for kind in KINDS):
        return False, None
    chart["events"] = whole
    if not lost:
        return True, None
    return True, f"Yahoo's answer holds {' and '.join(lost)} that cannot be read; left out, the prices are used"


def _items(events: Any) -> list[tuple[str, Any]]:
    """The events with their keys; a list's by number, and what is no list at all as one event."""
    if isinstance(events, Mapping):
        return [(str(key), event) for key, event in events.items()]
    if isinstance(events, list):
        return [(str(at), event) for at, event in enumerate(events)]
    return [] if events is None else [("", events)]


def _is_whole(event: Any, kind: str) -> bool:
    """True where its moment and figures are numbers that an event of this kind can have."""
    if not isinstance(event, Mapping) or not _is_number(event.get("date")) or abs(event["date"]) > LATEST:
        return False
    if kind == "splits":
        return all(_is_number(event.get(name)) and event[name] > 0 for name in ("numerator", "denominator"))
    return _is_number(event.get("amount")) and event["amount"] >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
