"""Places of lines in the log, their days and times as numbers, and the ids of all lines kept small."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple, overload

from stockml.prediction_log.line import Facts

LONGEST_LINE = 1 << 20  # bytes; the path of the farthest horizon takes some 20,000
PLACE_BITS = 44  # a settled line's key is one number, its time above its place; logs end below 16 TiB
FINGERPRINTS = 1 << 128


class Span(NamedTuple):
    """The place of a line: its first byte, and its length without the line feed."""

    at: int
    width: int


class Days:
    """The ids of a log, kept small: for each symbol and horizon its days, ascending, as numbers like 20260201."""

    def __init__(self) -> None:
        self._days: dict[tuple[str, int], array[int]] = {}

    def add(self, facts: Facts) -> bool:
        """Add an id; False where it was there already."""
        key = (facts.symbol, facts.horizon)
        days, day = self._days.get(key), day_number(facts.made)
        if days is None:
            days = self._days[key] = array("i")
        if days and day <= days[-1]:
            place = bisect_left(days, day)
            if days[place] == day:
                return False
            days.insert(place, day)
        else:
            days.append(day)  # nearly always: a log is written day by day
        return True

    def has(self, symbol: str, horizon: int, day: str) -> bool:
        """True if the log holds this id."""
        days, number = self._days.get((symbol, horizon), array("i")), day_number(day)
        place = bisect_left(days, number)
        return place < len(days) and days[place] == number

    def lacking(self, other: Days) -> tuple[int, str]:
        """The number of the other's ids that are not here, and the newest day of those."""
        lost = [day for key, days in other._days.items() for day in set(days) - set(self._days.get(key, ()))]
        return len(lost), day_text(max(lost)) if lost else ""

    def latest(self) -> dict[tuple[str, int], str]:
        """The newest day by symbol and horizon."""
        return {key: day_text(days[-1]) for key, days in self._days.items()}


@lru_cache(maxsize=1 << 14)
def day_number(day: str) -> int:
    """A day YYYY-MM-DD as a number like 20260201."""
    return int(day[:4] + day[5:7] + day[8:10])


@lru_cache(maxsize=1 << 14)
def day_text(number: int) -> str:
    """The day of such a number."""
    digits = f"{number:08d}"
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"


@lru_cache(maxsize=1 << 14)
def time_number(time: str) -> int:
    """A time YYYY-MM-DDTHH:MM:SS as a number like 20260201153000."""
    return day_number(time[:10]) * 1_000_000 + int(time[11:13] + time[14:16] + time[17:19])


def key_of(time: int, at: int) -> int:
    """The key of a settled line: a number that sorts as (time, place in the file) does, and holds both."""
    return time << PLACE_BITS | at


def settled_key(ended_at: str, at: int) -> int:
    """The key of a line that was settled at a time."""
    return key_of(time_number(ended_at), at)


def fingerprint(raw: bytes, key: int) -> int:
    """A settled line's part in the fingerprint of all: their sum, whatever their order, modulo FINGERPRINTS."""
    digest = hashlib.sha256(raw.strip()).digest()
    return int.from_bytes(digest[:16], "little") * (2 * key + 1) % FINGERPRINTS


class Keys(Sequence[int]):
    """Keys of many settled lines, in 16 bytes each."""

    def __init__(self, found: Iterable[tuple[int, int]]) -> None:
        self._times, self._places = array("q"), array("q")
        for time, at in found:
            self._times.append(time)
            self._places.append(at)

    def __len__(self) -> int:
        return len(self._times)

    @overload
    def __getitem__(self, which: int) -> int: ...

    @overload
    def __getitem__(self, which: slice) -> list[int]: ...

    def __getitem__(self, which: int | slice) -> int | list[int]:
        if isinstance(which, slice):
            return list(map(key_of, self._times[which], self._places[which]))
        return key_of(self._times[which], self._places[which])


def place(key: int) -> int:
    """The place part of a key: the line's first byte."""
    return key & ((1 << PLACE_BITS) - 1)


def settled_day(key: int) -> str:
    """The date part of a key's time."""
    return day_text((key >> PLACE_BITS) // 1_000_000)
