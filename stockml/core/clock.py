"""The moment a run acts at: the present, or a past day after its close; and the newest bar it may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from stockml.core.calendars import SETTLING, Calendar, in_utc, surely_not_complete
from stockml.core.exchanges import Exchanges

TOLERANCE = timedelta(minutes=2)  # clocks so near to each other are in step


@dataclass(frozen=True, slots=True)
class Clock:
    """The present, or a past day: with `as_of` a run acts as on that day after its close.

    Parameters
    ----------
    now : datetime
        The present moment, with its time zone; ValueError without one.
    as_of : date or None
        The day to act on; None for the present. A day to come, or one not closed yet, acts as the present does.
    exchanges : Exchanges
        Which symbol trades where; by default each symbol's ending tells.
    completed : mapping of str to date
        The last day that is complete by the source's own answer, of symbols of which the calendar may say more.
    skew : timedelta
        How much of `now` is a correction of the machine's clock.
    """

    now: datetime
    as_of: date | None = None
    exchanges: Exchanges = field(default_factory=Exchanges)
    completed: Mapping[str, date] = field(default_factory=dict)
    skew: timedelta = timedelta(0)
    _limits: dict[str, date] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        in_utc(self.now)

    def calendar(self, symbol: str) -> Calendar:
        """The calendar of the exchange on which the symbol trades."""
        return self.exchanges.calendar(symbol)

    def at(self, day: date) -> Clock:
        """The same clock as of another day."""
        return replace(self, as_of=day)

    def corrected(self, skew: timedelta) -> Clock:
        """The clock, had the machine's been set forward by `skew`; the machine's own where that is within TOLERANCE."""
        skew = skew if abs(skew) > TOLERANCE else timedelta(0)
        return replace(self, now=self.now - self.skew + skew, skew=skew)

    def is_ahead(self, moment: datetime) -> bool:
        """True for a moment that this clock has not seen yet, by more than TOLERANCE."""
        return in_utc(moment) > in_utc(self.now) + TOLERANCE

    def limit(self, symbol: str) -> date:
        """The last session of the calendar whose bar should exist and may be used."""
        if symbol not in self._limits:  # it is asked for at every step, and never changes
            self._limits[symbol] = self._limit(symbol)
        return self._limits[symbol]

    def _limit(self, symbol: str) -> date:
        calendar = self.calendar(symbol)
        completed = calendar.last_completed(self.now)
        if symbol in self.completed:
            completed = min(completed, calendar.session_on_or_before(self.completed[symbol]))
        return completed if self.as_of is None else min(completed, calendar.session_on_or_before(self.as_of))

    def cutoff(self, symbol: str) -> date:
        """The last day whose bar may be used if there is one: never before `limit`.

        It lies after `limit` where the exchange rests, so that the bar of a special session, which no calendar
        knows, serves once its day is over (live) or on the day itself (`as_of`).
        """
        calendar = self.calendar(symbol)
        yesterday = (in_utc(self.now) - SETTLING).astimezone(calendar.timezone).date() - timedelta(days=1)
        finished = max(yesterday, calendar.last_completed(self.now))
        finished = min(finished, self.completed.get(symbol, finished))
        return finished if self.as_of is None else min(finished, self.as_of)

    def written_time(self, symbol: str, data_through: date | None = None) -> str:
        """The time to write, YYYY-MM-DDTHH:MM:SS in exchange time: now, or with `as_of` the close of its session.

        `data_through` is the last bar used; where it is later than the calendar's session (a special session),
        its regular close is written.
        """
        calendar = self.calendar(symbol)
        if self.as_of is None:
            moment = self.now.astimezone(calendar.timezone)
        else:
            session = self.limit(symbol)
            moment = calendar.closes_at(session if data_through is None else max(session, data_through))
        return moment.replace(tzinfo=None).isoformat(timespec="seconds")

    def has_closed(self, symbol: str, day: date) -> bool:
        """True if the close of that day lies in the past, though its bar may not be complete yet."""
        if day > self.completed.get(symbol, day) and day == self.now.astimezone(self.calendar(symbol).timezone).date():
            return False  # today's session is still open, whatever the calendar says
        return (self.as_of is None or day <= self.as_of) and self.calendar(symbol).closes_at(day) <= self.now

    def final_at(self, symbol: str, day: date) -> datetime:
        """The moment, in exchange time, from which that session's bar no longer changes."""
        calendar = self.calendar(symbol)
        return (in_utc(calendar.closes_at(day)) + SETTLING).astimezone(calendar.timezone)

    def is_surely_ahead(self, symbol: str, day: date) -> bool:
        """True if the session of that day certainly cannot be used yet; imports nothing heavy."""
        return (self.as_of is not None and day > self.as_of) or surely_not_complete(
            self.calendar(symbol), day, self.now
        )
