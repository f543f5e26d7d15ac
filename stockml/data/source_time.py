"""Time by Yahoo's answers: how far the machine's clock is from theirs, and which session is open.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

LONGEST_SESSION = timedelta(hours=26)  # of markets that never rest, with an hour for a change of the clocks
NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True)
class TradingPeriod:
    """A regular session as Yahoo announces it: its day at the exchange, and the moment it ends."""

    day: date
    end: datetime


@dataclass(frozen=True, slots=True)
class AnswerTime:
    """The time of one answer.

    Attributes
    ----------
    skew : timedelta or None
        How much Yahoo's clock is ahead of the machine's, as far as the time on the way does not explain it.
    age : timedelta
        For how long something between Yahoo and us has kept the answer.
    """

    skew: timedelta | None = None
    age: timedelta = NO_TIME


UNTOLD = AnswerTime()


def time_of(headers: Mapping[str, Any], meta: Mapping[str, Any], asked: datetime, answered: datetime) -> AnswerTime:
    """The time of an answer, by its HTTP `Date` and `Age`; without a Date, it is at least its newest price's.

    Parameters
    ----------
    headers : mapping
        Of the HTTP response.
    meta : mapping
        Of the chart.
    asked, answered : datetime
        By the machine's clock, before and after the request.

    Returns
    -------
    AnswerTime
        Its skew is None where the answer says nothing of the time.
    """
    sent = _date(headers.get("Date"))
    if sent is None:
        traded = _moment(meta.get("regularMarketTime"))
        return AnswerTime(None if traded is None or traded <= answered else traded - answered)
    age = timedelta(seconds=_seconds(headers.get("Age")))
    now = sent + age
    if now > answered:
        return AnswerTime(now - answered, age)
    return AnswerTime(min(now - asked + timedelta(seconds=1), NO_TIME), age)  # a Date is cut to whole seconds


def trading_period(meta: Mapping[str, Any]) -> TradingPeriod | None:
    """The chart's current regular session; None where it names none that can be one."""
    try:
        regular = meta["currentTradingPeriod"]["regular"]
        start, end = _moment(regular["start"]), _moment(regular["end"])
        offset = timedelta(seconds=int(regular["gmtoffset"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    if start is None or end is None or not NO_TIME < end - start <= LONGEST_SESSION:
        return None
    return TradingPeriod((start + offset).date(), end)


def _date(text: Any) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _moment(seconds: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _seconds(text: Any) -> int:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 9 else 0
