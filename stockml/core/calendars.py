"""Exchange calendars: an exchange's last completed session, the sessions that follow, and which are provisional.

The price checks decide which bars are real: a bar with volume is a session whatever the calendar says.
Standard library only until an exchange's holidays are asked for.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from stockml.core.known_sessions import KnownSessions, known_sessions
from stockml.core.markets import EVERY_DAY, WEEKDAYS, Market, assumed_market, market, market_of

SETTLING = timedelta(minutes=20)  # after its close a session's last bar may still change for so long

_CERTAIN = (EVERY_DAY, "simulated", "currencies")  # markets that have no holidays of their own
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """One exchange's sessions as dates in its own time zone.

    `name` is the calendar's name in exchange_calendars, or that of its week: "weekdays", "sunday-thursday" or "24/7".
    `close` is the regular close, `earliest_close` that of the shortest session known since 2000, both local.
    """

    name: str
    market: Market
    timezone: ZoneInfo
    close: time
    earliest_close: time

    def is_session(self, day: date) -> bool:
        """True for a scheduled trading day; beyond the holidays that are known, for its week but its fixed holidays."""
        if (known := self._known()) is not None:
            if known.first <= day <= known.last:
                return day in known.sessions
            if day > known.last and known.rests_by_habit(day):
                return False
        return day.weekday() in self.market.week_on(day)

    def is_provisional(self, day: date) -> bool:
        """True where `is_session(day)` may turn out wrong: that day's holidays are not known yet, or never are."""
        if self.market.code in _CERTAIN:
            return False
        known = self._known()
        return known is None or day > known.published_through

    @property
    def knows_holidays(self) -> bool:
        """False where the week alone counts, and holidays are sessions like any other weekday."""
        return self.market.has_holidays or self.market.code in _CERTAIN

    def session_on_or_before(self, day: date) -> date:
        """The last session up to and including that day."""
        while not self.is_session(day):
            day -= _DAY
        return day

    def sessions_after(self, day: date, n: int) -> list[date]:
        """The next `n` sessions, that day not among them, oldest first; ValueError for a negative `n`."""
        if n < 0:
            raise ValueError(f"{n} sessions after {day}: ask for 0 or more")
        following = self._sessions_from(day + _DAY)
        return [next(following) for _ in range(n)]

    def sessions_between(self, first: date, last: date) -> list[date]:
        """Every session from `first` to `last`, both inclusive; empty where `last` is earlier."""
        days = (date.fromordinal(number) for number in range(first.toordinal(), last.toordinal() + 1))
        return [day for day in days if self.is_session(day)]

    def closes_at(self, day: date) -> datetime:
        """That day's close in exchange time: an early one where it is known, else (no session either) the regular."""
        known = self._known()
        close = self.close if known is None else known.other_closes.get(day, self.close)
        return datetime.combine(day, close, self.timezone)

    def last_completed(self, now_utc: datetime) -> date:
        """The last session that closed at least 20 minutes before `now_utc`; ValueError for a time without zone."""
        settled = in_utc(now_utc) - SETTLING
        day = self.session_on_or_before(settled.astimezone(self.timezone).date())
        return day if self.closes_at(day) <= settled else self.session_on_or_before(day - _DAY)

    def _known(self) -> KnownSessions | None:
        return known_sessions(self.name, self.close) if self.market.has_holidays else None

    def _sessions_from(self, day: date) -> Iterator[date]:
        while True:
            if self.is_session(day):
                yield day
            day += _DAY


def calendar_for(symbol: str) -> Calendar:
    """The calendar by a symbol in Yahoo's spelling alone; `Exchanges` has those of a run, where another may be named.

    New York's is assumed where the symbol names no exchange, and weekdays in UTC where its ending is unknown.
    """
    return calendar_of(market_of(symbol) or assumed_market(symbol))


@functools.cache
def calendar_of(code: str) -> Calendar:
    """The calendar of a market by its code in the table of markets."""
    found = market(code)
    name = WEEKDAYS if code in ("simulated", "currencies") else code
    return Calendar(name, found, found.timezone, found.close, found.earliest_close)


def surely_not_complete(calendar: Calendar, day: date, now: datetime) -> bool:
    """True if the session of `day` cannot have completed by `now`; no holiday is looked up.

    That is so where the day is still to come at the exchange, or is today there and even its shortest session would
    have closed less than 20 minutes ago. False says nothing: ask `last_completed`.
    """
    return in_utc(now) - SETTLING < datetime.combine(day, calendar.earliest_close, calendar.timezone)


def in_utc(moment: datetime) -> datetime:
    """The moment in UTC; ValueError for a time without zone."""
    # before any arithmetic: in a zone of its own it would be done on wall clocks, an hour off around a change
    if moment.utcoffset() is None:
        raise ValueError(f"{moment!r} has no time zone; use datetime.now(UTC)")
    return moment.astimezone(UTC)
