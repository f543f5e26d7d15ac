"""News among the concerns of a home, by the days on which each was told: a lasting one at its beginning and weekly.

Owner of realtime_predictions/notified.json, which only homes with `notify` in their settings have.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from stockml.core.paths import Home
from stockml.reporting.concerns import Concern
from stockml.storage.decoding import check_day, decoded
from stockml.storage.files import StorageError, write_whole
from stockml.storage.plain_files import read_plain

AGAIN_AFTER = timedelta(days=7)
LONGEST_KEY = 200  # characters
MOST_BYTES = 1 << 24  # ours have some 50 bytes a concern

Told = dict[str, date]  # the day on which each lasting concern was last told, by its key

_Key = Annotated[str, Meta(max_length=LONGEST_KEY)]


class KeptTold(Struct, forbid_unknown_fields=True):
    """The fields of the file, each by its name there."""

    told: dict[_Key, date]

    def __post_init__(self) -> None:
        for key, day in self.told.items():
            check_day(key, day)


def told_path(home: Home) -> Path:
    return home.log.with_name("notified.json")


def news(concerns: Sequence[Concern], told: Mapping[str, date], today: date) -> list[Concern]:
    """The concerns to tell: those with anything that was not told yet, and the lasting ones once a week."""
    return [concern for concern in concerns if any(_is_due(key, concern, told, today) for key in concern.keys)]


def _is_due(key: str, concern: Concern, told: Mapping[str, date], today: date) -> bool:
    last = told.get(key[:LONGEST_KEY])
    if last is None or last > today:  # a clock that has been set back since
        return True
    return not concern.is_event and today - last >= AGAIN_AFTER


def remembered(concerns: Iterable[Concern], told: Mapping[str, date], sent: Sequence[Concern], today: date) -> Told:
    """Days to keep after some of the concerns were sent: one that is over is forgotten, and is news when it returns."""
    new = {key[:LONGEST_KEY] for concern in sent for key in concern.keys}
    current = {key[:LONGEST_KEY] for concern in concerns for key in concern.keys}
    kept = {key: today if key in new else told.get(key) for key in sorted(current)}
    return {key: day for key, day in kept.items() if day is not None}


def read_told(home: Home) -> Told:
    """Days by what was told; none where the file is not there, or damaged."""
    try:
        content = read_plain(told_path(home), MOST_BYTES)
        return decoded(KeptTold, content, MOST_BYTES).told if content is not None else {}
    except (StorageError, ValueError):
        return {}  # told once more, and rewritten


def write_told(home: Home, told: Mapping[str, date]) -> None:
    """Keep what was told; StorageError where it cannot be written."""
    days = {key: day.isoformat() for key, day in sorted(told.items())}
    write_whole(told_path(home), json.dumps({"told": days}, ensure_ascii=False, indent=2) + "\n")
