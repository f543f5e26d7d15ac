"""An exchange's sessions as exchange_calendars knows them, as plain dates; and the rest days that recur beyond them.

exchange_calendars and pandas are imported when an exchange's holidays are first asked for, not before.
"""

from __future__ import annotations

import importlib
import threading
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from types import MappingProxyType
from typing import Any

from stockml.core.markets import market

# Holidays are looked up for these years: a fixed range, so that the answer for a day never depends on the date of
# the run. Where an exchange publishes its holidays year by year, they end sooner (XBOM: with the current year).
KNOWN_FROM, KNOWN_TO = date(2000, 1, 1), date(2040, 12, 31)
# exchange_calendars has sound rules for these, but pandas 3 does not follow them to Orthodox Easter and Hebrew days.
BY_RULES = ("ASEX", "XBSE", "XTAE")
HABIT_YEARS, HABIT_WEEKDAYS = 10, 5  # a date that was never a session for so long, and fell into the week so often
USUAL_YEARS, YEARLY_LIST = range(2010, 2020), 5  # so many single holidays a year then: it announces them year by year
EASTER_HABITS = (-2, 1)  # Good Friday and Easter Monday, in days from Easter

_DAY = timedelta(days=1)
_known: dict[tuple[str, time], KnownSessions] = {}
_building = threading.Lock()  # a few threads may ask at once: build each calendar once


@dataclass(frozen=True, slots=True)
class KnownSessions:
    """One exchange's sessions from `first` to `last`, and what is known beyond."""

    first: date
    last: date
    published_through: date  # beyond, some holidays are still to be announced
    sessions: frozenset[date]
    other_closes: Mapping[date, time]  # local close of each session that did not close at the regular time
    fixed_rests: frozenset[tuple[int, int]]  # month and day of each holiday that keeps its date
    easter_rests: frozenset[int]  # and those that move with Easter, in days from it

    def rests_by_habit(self, day: date) -> bool:
        """True for a day beyond `last` on which it has rested every year: a fixed holiday, or one of Easter's."""
        if (day.month, day.day) in self.fixed_rests:
            return True
        return any(day == easter(day.year) + shift * _DAY for shift in self.easter_rests)


def known_sessions(name: str, regular_close: time) -> KnownSessions:
    """The sessions of an exchange of exchange_calendars, read once."""
    at = (name, regular_close)
    if at not in _known:  # mostly it is: no lock is taken for that
        with _building:
            if at not in _known:
                _known[at] = _read(name, regular_close)
    return _known[at]


def easter(year: int) -> date:
    """Easter Sunday of the western churches."""
    from dateutil.easter import easter as easter_of

    found: date = easter_of(year)
    return found


def _read(name: str, regular_close: time) -> KnownSessions:
    with warnings.catch_warnings():
        # exchange_calendars uses what pandas will drop; the user can do nothing about it
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        warnings.filterwarnings("ignore", "Non-vectorized DateOffset")
        if name in BY_RULES:
            first, last, published = KNOWN_FROM, KNOWN_TO, KNOWN_TO
            closes = _closes_by_rules(name)
        else:
            first, last, published, closes = _closes_by_calendar(name)
    sessions = frozenset(closes)
    others = {day: close for day, close in closes.items() if close != regular_close}
    fixed, at_easter = _habits(name, sessions, published)
    return KnownSessions(first, last, published, sessions, MappingProxyType(others), fixed, at_easter)


def _closes_by_calendar(name: str) -> tuple[date, date, date, dict[date, time]]:
    """First and last day known, the last whose holidays are published, and each session's local close."""
    import exchange_calendars

    first, last = KNOWN_FROM, KNOWN_TO
    try:
        calendar = exchange_calendars.get_calendar(name, start=first.isoformat(), end=last.isoformat())
    except ValueError:  # it is known for fewer years: ask for its bounds
        calendar = exchange_calendars.get_calendar(name)
        if bound := calendar.bound_min():
            first = max(first, bound.date())
        if bound := calendar.bound_max():
            last = min(last, bound.date())
        calendar = exchange_calendars.get_calendar(name, start=first.isoformat(), end=last.isoformat())
    closes = calendar.closes.dt.tz_convert(calendar.tz).dt.time
    published = last if calendar.bound_max() else min(last, _listed_through(calendar.adhoc_holidays, last))
    return first, last, published, dict(zip(calendar.sessions.date, closes, strict=True))


def _listed_through(single_holidays: Iterable[Any], last: date) -> date:
    """The end of the last year whose single holidays are listed; `last` where an exchange has few of them.

    Exchanges that follow the moon announce their holidays year by year, and beyond the last list only a few are known.
    """
    from statistics import median

    counts = Counter(_date(day).year for day in single_holidays)
    usual = median(counts[year] for year in USUAL_YEARS)
    if usual < YEARLY_LIST:
        return last
    return date(max(year for year, count in counts.items() if count >= usual / 2), 12, 31)


def _closes_by_rules(name: str) -> dict[date, time]:
    """Each session's local close, from the rules of a class of exchange_calendars that cannot be built."""
    module = importlib.import_module(f"exchange_calendars.exchange_calendar_{name.lower()}")
    kind = getattr(module, f"{name}ExchangeCalendar")
    rules = kind.__new__(kind)  # its rules are properties without state
    rests = {_date(day) for day in rules.adhoc_holidays}
    for rule in rules.regular_holidays.rules:
        rests |= _days_of(rule)
    early: dict[date, time] = {}
    for close, calendar in reversed(rules.special_closes):  # where two fall on a day, the first listed counts
        own = [day for rule in calendar.rules for day in _days_of(rule)]
        early |= dict.fromkeys(own or map(_date, calendar.holidays()), close)
    closes: dict[date, time] = {}
    for number in range(KNOWN_FROM.toordinal(), KNOWN_TO.toordinal() + 1):
        day = date.fromordinal(number)
        if day not in rests and day.weekday() in market(name).week_on(day):
            regular = [close for since, close in rules.close_times if since is None or since.date() <= day]
            closes[day] = early.get(day, regular[-1])
    return closes


def _date(day: object) -> date:
    """A day that exchange_calendars lists, as a time stamp or as a text."""
    return date.fromisoformat(str(day)[:10])


def _days_of(rule: Any) -> set[date]:
    """The days of one holiday's rule; those that move with Easter or the moon are asked for without pandas."""
    offsets = rule.offset if isinstance(rule.offset, list) else [rule.offset]
    if not any(map(_is_own, offsets)):
        return {_date(day) for day in rule.dates(KNOWN_FROM, KNOWN_TO)}
    first = max(KNOWN_FROM, _date(rule.start_date)) if rule.start_date else KNOWN_FROM
    last = min(KNOWN_TO, _date(rule.end_date)) if rule.end_date else KNOWN_TO
    found = set()
    for year in range(first.year, last.year + 1):
        moment = datetime(year, rule.month, rule.day)
        for offset in offsets:
            moment = offset._apply(moment) if _is_own(offset) else moment + offset
        day = moment.date()
        if first <= day <= last and (rule.days_of_week is None or day.weekday() in rule.days_of_week):
            found.add(day)
    return found


def _is_own(offset: object) -> bool:
    """True for a date offset of exchange_calendars' own; pandas 3 refuses to add it, or adds western Easter instead."""
    return type(offset).__module__.startswith("exchange_calendars")


def _habits(name: str, sessions: frozenset[date], published: date) -> tuple[frozenset[tuple[int, int]], frozenset[int]]:
    """The dates, and the days around Easter, that were in the week but no session in any of the last years."""
    fell, rested = Counter[tuple[int, int]](), Counter[tuple[int, int]]()
    years = range(published.year - HABIT_YEARS + 1, published.year + 1)
    for number in range(date(years[0], 1, 1).toordinal(), date(years[-1], 12, 31).toordinal() + 1):
        day = date.fromordinal(number)
        if day.weekday() in market(name).week_on(day):
            fell[day.month, day.day] += 1
            rested[day.month, day.day] += day not in sessions
    fixed = frozenset(at for at, count in rested.items() if count == fell[at] >= HABIT_WEEKDAYS)
    moving = {shift: [easter(year) + shift * _DAY for year in years] for shift in EASTER_HABITS}
    at_easter = frozenset(
        shift
        for shift, days in moving.items()
        if all(day not in sessions and day.weekday() in market(name).week_on(day) for day in days)
    )
    return fixed, at_easter
