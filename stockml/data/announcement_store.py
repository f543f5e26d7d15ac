"""Store of the announcements of results that Yahoo has told: which days, when each was first known, when it was asked.

Owner of announcements.jsonl beside the price cache, one line a symbol. On which day a date was first known cannot be
asked for again, so that a damaged line is set aside and costs no other.
"""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from stockml.core.paths import Home
from stockml.core.wording import count
from stockml.data.announcements import Announcement
from stockml.storage.files import StorageError, write_whole
from stockml.storage.plain_files import plain_status, read_plain

ASK_AGAIN_AFTER = timedelta(days=7)
MOVED_WITHIN = timedelta(days=20)  # a date so near to one that came true was a forecast of it, whatever became of it

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KnownDates:
    """One symbol's known dates, by day, and when Yahoo was last asked for the next and for past ones."""

    dates: tuple[Announcement, ...]
    asked_on: date
    past_asked_on: date | None = None


@dataclass(frozen=True, slots=True)
class ToldDates:
    """Yahoo's answer about one symbol: its next results, and its past ones where it was asked for them."""

    coming: Announcement | None
    past: tuple[Announcement, ...] | None = None


Store = Mapping[str, KnownDates]


def read(home: Home) -> Store:
    """All that is kept, by symbol; a damaged file or line is told and does without."""
    try:
        status = plain_status(home.announcements)
        return {} if status is None else _read(home, status.st_mtime_ns, status.st_size)[0]
    except StorageError as error:
        _log.warning("%s; without it no results are expected", error)
        return {}


def write(answers: Mapping[str, KnownDates], home: Home) -> None:
    """Keep the symbols' dates beside those that another run has written meanwhile; damaged lines move elsewhere."""
    status = plain_status(home.announcements)
    kept, damaged = _read(home, status.st_mtime_ns, status.st_size) if status else ({}, ())
    if damaged:
        aside = home.announcements.with_suffix(".rejected.jsonl")
        write_whole(aside, (read_plain(aside) or b"") + b"".join(line + b"\n" for line in damaged))
    lines = [json.dumps(_to_record(symbol, known)) for symbol, known in sorted({**kept, **answers}.items())]
    write_whole(home.announcements, "".join(f"{line}\n" for line in lines))


def updated(kept: KnownDates | None, told: ToldDates, today: date) -> KnownDates:
    """A symbol's known dates after Yahoo's answer of a day.

    A date to come that moved is only kept as it is now, first known today. A past one that was not kept before has no
    day on which it was first known; one that was expected near it, and never came, is dropped.

    Parameters
    ----------
    kept : KnownDates, optional
        What was known before.
    told : ToldDates
    today : date
        At the exchange.
    """
    dates = {one.day: one for one in kept.dates} if kept else {}
    if told.coming is not None and told.coming.day >= today:
        before = dates.get(told.coming.day)
        dates = {day: one for day, one in dates.items() if day <= today}
        known_on = before.first_known_on if before else today
        dates[told.coming.day] = Announcement(told.coming.day, told.coming.at, known_on)
    past = {one.day: one for one in told.past or () if one.day <= today}
    for day in [day for day in dates if day < today and day not in past]:
        if any(abs(day - came) <= MOVED_WITHIN for came in past):
            del dates[day]
    for day, one in past.items():
        before = dates.get(day)
        dates[day] = Announcement(
            day, one.at or (before.at if before else None), before.first_known_on if before else None
        )
    asked_past = today if told.past is not None else kept.past_asked_on if kept else None
    return KnownDates(tuple(dates[day] for day in sorted(dates)), today, asked_past)


# ---- the file ----


@functools.lru_cache(maxsize=4)
def _read(home: Home, changed_ns: int, size: int) -> tuple[Store, tuple[bytes, ...]]:
    """The file as of a change, its damaged lines beside: it is read, and these are told, once and not once a symbol."""
    kept: dict[str, KnownDates] = {}
    damaged: list[bytes] = []
    for line in (read_plain(home.announcements) or b"").split(b"\n"):
        if not line.strip():
            continue
        try:
            symbol, known = _read_line(line)
        except ValueError:
            damaged.append(line)
            continue
        kept[symbol] = known
    if damaged:
        text = "%s: %s cannot be read, so the days on which these stocks publish results are asked for again"
        _log.warning(text, home.announcements, count(len(damaged), "line"))
    return kept, tuple(damaged)


def _to_record(symbol: str, known: KnownDates) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "asked_on": known.asked_on.isoformat(),
        "past_asked_on": known.past_asked_on.isoformat() if known.past_asked_on else None,
        "dates": [
            {
                "date": one.day.isoformat(),
                "time": one.at.isoformat("minutes") if one.at else None,
                "first_known_on": one.first_known_on.isoformat() if one.first_known_on else None,
            }
            for one in known.dates
        ],
    }


def _read_line(line: bytes) -> tuple[str, KnownDates]:
    """A symbol and its dates; ValueError for a line that holds something else."""
    from stockml.data.kept_files import LONGEST_LINE, KeptDates
    from stockml.storage.decoding import decoded

    kept = decoded(KeptDates, line, LONGEST_LINE)
    dates = {one.day: Announcement(one.day, one.at(), one.first_known_on) for one in kept.dates}
    return kept.symbol, KnownDates(tuple(dates[day] for day in sorted(dates)), kept.asked_on, kept.past_asked_on)


def symbols_to_ask(symbols: Iterable[str], store: Store, days: Mapping[str, date], most: int) -> list[str]:
    """The symbols whose turn it is, at most `most` of them a day: those never asked for first, then the oldest.

    Parameters
    ----------
    symbols : iterable of str
    store : Store
    days : mapping of str to date
        Today at each symbol's exchange.
    most : int
        Those asked for earlier today count.
    """
    asked = {symbol: store[symbol].asked_on if symbol in store else date.min for symbol in symbols}
    done = sum(on == days[symbol] for symbol, on in asked.items())
    due = [symbol for symbol, on in asked.items() if on > days[symbol] or days[symbol] - on >= ASK_AGAIN_AFTER]
    return sorted(due, key=lambda symbol: asked[symbol])[: max(0, most - done)]
