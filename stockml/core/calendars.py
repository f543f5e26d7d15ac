"""Exchange calendars: a symbol's calendar, its last completed session and the sessions that follow.

The price checks decide which bars are real: a bar with volume is a session whatever the calendar says.
Standard library only until an exchange's holidays are asked for.
"""

from __future__ import annotations

import functools
import re
import threading
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

SETTLING = timedelta(minutes=20)  # after its close a session's last bar may still change for so long
# Holidays are looked up for these years: a fixed range, so that the answer for a day never depends on the date of
# the run. Where an exchange publishes its holidays year by year, they end sooner (XBOM: with the current year).
KNOWN_FROM, KNOWN_TO = date(2000, 1, 1), date(2040, 12, 31)
WEEKDAYS, EVERY_DAY = "weekdays", "24/7"

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """One exchange's sessions as dates in its own time zone.

    `name` is the calendar's name in exchange_calendars, or "weekdays" or "24/7". `close` is the regular close,
    `earliest_close` that of the shortest session known since 2000, both local.
    """

    name: str
    timezone: ZoneInfo
    close: time
    earliest_close: time

    def is_session(self, day: date) -> bool:
        """True for a scheduled trading day; for any weekday where the exchange's holidays are not known."""
        if self.name == EVERY_DAY:
            return True
        if self.name != WEEKDAYS:
            known = _known_sessions(self.name, self.close)
            if known.first <= day <= known.last:
                return day in known.sessions
        return day.weekday() < 5

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
        close = self.close
        if self.name not in (WEEKDAYS, EVERY_DAY):
            close = _known_sessions(self.name, self.close).other_closes.get(day, close)
        return datetime.combine(day, close, self.timezone)

    def last_completed(self, now_utc: datetime) -> date:
        """The last session that closed at least 20 minutes before `now_utc`; ValueError for a time without zone."""
        settled = in_utc(now_utc) - SETTLING
        day = self.session_on_or_before(settled.astimezone(self.timezone).date())
        return day if self.closes_at(day) <= settled else self.session_on_or_before(day - _DAY)

    def _sessions_from(self, day: date) -> Iterator[date]:
        while True:
            if self.is_session(day):
                yield day
            day += _DAY


@functools.lru_cache(maxsize=4096)
def calendar_for(symbol: str) -> Calendar:
    """The calendar of a symbol in Yahoo's spelling: by known names, then by suffix, else weekdays.

    Weekdays in UTC serve a suffix of an exchange whose holidays are not known; their close is the day's end there,
    when every exchange has closed.
    """
    return _calendar(_market(symbol.upper()))


def surely_not_complete(symbol: str, day: date, now: datetime) -> bool:
    """True if the session of `day` cannot have completed by `now`; no holiday is looked up.

    That is so where the day is still to come at the exchange, or is today there and even its shortest session would
    have closed less than 20 minutes ago. False says nothing: ask `last_completed`.
    """
    calendar = calendar_for(symbol)
    return in_utc(now) - SETTLING < datetime.combine(day, calendar.earliest_close, calendar.timezone)


def in_utc(moment: datetime) -> datetime:
    """The moment in UTC; ValueError for a time without zone."""
    # before any arithmetic: in a zone of its own it would be done on wall clocks, an hour off around a change
    if moment.utcoffset() is None:
        raise ValueError(f"{moment!r} has no time zone; use datetime.now(UTC)")
    return moment.astimezone(UTC)


def _market(symbol: str) -> str:
    """The symbol's row in the table below."""
    if symbol.startswith("SIM-"):
        return "simulated"
    if symbol in _MARKET_OF:
        return _MARKET_OF[symbol]
    if _CRYPTO_PAIR.fullmatch(symbol):
        return EVERY_DAY
    ending = re.search(r"[.=][^.=]*$", symbol)
    return _MARKET_OF.get(ending[0], WEEKDAYS) if ending else "XNYS"  # other indices (^GSPC, ^VIX) are New York's


@functools.cache
def _calendar(market: str) -> Calendar:
    name = WEEKDAYS if market in ("simulated", "currencies") else market
    zone, close, earliest_close = _MARKETS[market]
    return Calendar(name, ZoneInfo(zone), time.fromisoformat(close), time.fromisoformat(earliest_close))


# Market, time zone, regular close, earliest close since 2000 (a test compares them with exchange_calendars), then
# the endings and symbols that trade there. A market that never stops closes with the last second of the day: on the
# session's own date, as every other market does. Missing are Athens, Bucharest and Tel Aviv, whose calendars
# exchange_calendars cannot build with pandas 3. Berlin, Munich and Hanover rest as Frankfurt does.
_TABLE = """
weekdays   UTC                            23:59:59 23:59:59
24/7       UTC                            23:59:59 23:59:59
simulated  UTC                            16:00    16:00
currencies Europe/London                  23:59:59 23:59:59 =X
BVMF       America/Sao_Paulo              18:00    17:00    .SA ^BVSP
CMES       America/Chicago                17:00    12:00    =F
XAMS       Europe/Amsterdam               17:30    14:05    .AS ^AEX
XASX       Australia/Sydney               16:00    14:10    .AX .XA ^AXJO ^AORD
XBKK       Asia/Bangkok                   16:30    16:30    .BK
XBOG       America/New_York               16:00    16:00    .CL
XBOM       Asia/Kolkata                   15:30    15:30    .NS .BO ^NSEI ^BSESN ^NSEBANK ^INDIAVIX ^CNXIT
XBRU       Europe/Brussels                17:30    14:05    .BR ^BFX
XBUD       Europe/Budapest                17:00    17:00    .BD
XBUE       America/Argentina/Buenos_Aires 17:00    13:00    .BA ^MERV
XCSE       Europe/Copenhagen              17:00    17:00    .CO
XDUB       Europe/Dublin                  16:28    12:28    .IR
XDUS       Europe/Brussels                22:00    14:00    .DU
XETR       Europe/Berlin                  17:30    14:00    .DE ^GDAXI ^MDAXI ^STOXX50E
XFRA       Europe/Berlin                  17:30    14:00    .F .BE .MU .HA
XHAM       Europe/Brussels                22:00    14:00    .HM
XHEL       Europe/Helsinki                18:30    18:30    .HE
XHKG       Asia/Hong_Kong                 16:00    12:00    .HK ^HSI ^HSCE
XICE       Atlantic/Reykjavik             15:30    15:30    .IC
XIDX       Asia/Jakarta                   15:50    15:50    .JK ^JKSE
XIST       Europe/Istanbul                18:00    12:30    .IS
XJSE       Africa/Johannesburg            17:00    17:00    .JO
XKLS       Asia/Kuala_Lumpur              17:00    12:30    .KL ^KLSE
XKRX       Asia/Seoul                     15:30    15:00    .KS .KQ ^KS11 ^KQ11
XLIS       Europe/Lisbon                  16:30    13:05    .LS
XLIT       Europe/Vilnius                 16:00    16:00    .VS
XLON       Europe/London                  16:30    12:30    .L .IL ^FTSE ^FTMC ^FTAS
XMAD       Europe/Madrid                  17:30    14:00    .MC ^IBEX
XMEX       America/Mexico_City            15:00    15:00    .MX ^MXX
XMIL       Europe/Rome                    17:30    17:30    .MI
XNYS       America/New_York               16:00    13:00
XNZE       Pacific/Auckland               16:45    12:45    .NZ ^NZ50
XOSL       Europe/Oslo                    16:20    13:00    .OL
XPAR       Europe/Paris                   17:30    14:05    .PA ^FCHI
XPHS       Asia/Manila                    15:30    15:30    .PS
XPRA       Europe/Prague                  16:20    16:20    .PR
XRIS       Europe/Riga                    16:00    16:00    .RG
XSAU       Asia/Riyadh                    15:00    15:00    .SR
XSES       Asia/Singapore                 17:00    17:00    .SI ^STI
XSGO       America/Santiago               17:00    12:30    .SN ^IPSA
XSHG       Asia/Shanghai                  15:00    15:00    .SS .SZ
XSTO       Europe/Stockholm               17:30    13:00    .ST ^OMX
XSTU       Europe/Berlin                  22:00    22:00    .SG
XSWX       Europe/Zurich                  17:30    17:30    .SW ^SSMI
XTAI       Asia/Taipei                    13:30    13:30    .TW .TWO ^TWII
XTAL       Europe/Tallinn                 16:00    16:00    .TL
XTKS       Asia/Tokyo                     15:30    15:00    .T ^N225
XTSE       America/Toronto                16:00    13:00    .TO .V .CN .NE ^GSPTSE
XWAR       Europe/Warsaw                  17:00    17:00    .WA
XWBO       Europe/Vienna                  17:30    14:15    .VI ^ATX
"""
_ROWS = [row.split() for row in _TABLE.strip().splitlines()]
_MARKETS = {row[0]: row[1:4] for row in _ROWS}
_MARKET_OF = {listed: row[0] for row in _ROWS for listed in row[4:]}
_CRYPTO_PAIR = re.compile(r"[A-Z0-9]+-(USD|USDT|EUR|GBP|INR|JPY|CAD|AUD|BTC|ETH)")


@dataclass(frozen=True, slots=True)
class _Known:
    """One exchange's sessions in exchange_calendars, as plain dates."""

    first: date
    last: date
    sessions: frozenset[date]
    other_closes: Mapping[date, time]  # local close of each session that did not close at the regular time


_building = threading.Lock()  # a few threads may ask at once: build each calendar once


def _known_sessions(name: str, regular_close: time) -> _Known:
    with _building:
        return _read_exchange_calendar(name, regular_close)


@functools.cache
def _read_exchange_calendar(name: str, regular_close: time) -> _Known:
    import exchange_calendars

    with warnings.catch_warnings():
        # exchange_calendars uses what pandas will drop; the user can do nothing about it
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        try:
            first, last = KNOWN_FROM, KNOWN_TO
            calendar = exchange_calendars.get_calendar(name, start=first.isoformat(), end=last.isoformat())
        except ValueError:  # it is known for fewer years: ask for its bounds
            calendar = exchange_calendars.get_calendar(name)
            if bound := calendar.bound_min():
                first = max(first, bound.date())
            if bound := calendar.bound_max():
                last = min(last, bound.date())
            calendar = exchange_calendars.get_calendar(name, start=first.isoformat(), end=last.isoformat())
        closes = calendar.closes.dt.tz_convert(calendar.tz).dt.time
    days = calendar.sessions.date
    others = {day: close for day, close in zip(days, closes, strict=True) if close != regular_close}
    return _Known(first, last, frozenset(days), MappingProxyType(others))
