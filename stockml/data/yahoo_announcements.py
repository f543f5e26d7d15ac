"""The days on which companies publish results, asked of Yahoo: a few stocks a run, each once a week, after the prices.

No failure here is a stock's failure, nor worth a message of the run: what is not told today is asked for another day.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, tzinfo
from datetime import time as time_of_day
from typing import TYPE_CHECKING, TypeVar

from stockml.core.clock import Clock
from stockml.core.failures import OUTAGES, UNREADABLE, FetchError
from stockml.core.markets import EVERY_DAY, market_of
from stockml.core.paths import Home
from stockml.core.wording import count
from stockml.data import announcement_store
from stockml.data.announcement_store import KnownDates, ToldDates, symbols_to_ask, updated
from stockml.data.announcements import Announcement
from stockml.data.request import FetchSettings
from stockml.storage.files import StorageError
from stockml.storage.threads import Threads

if TYPE_CHECKING:
    from stockml.data.yahoo_client import Client

RUNS_A_WEEK = 7  # a share of the stocks each, so that no evening's run asks for many
LEAST_A_RUN, MOST_A_RUN = 5, 100  # stocks
LONGEST_S = 20.0  # no request begins later: the prices are what a run is for
GIVE_UP_AFTER = 3  # answers that cannot be read
PAST_DATES = 100  # as many as a page holds, some 25 years
COMPANY = "EQUITY"  # Yahoo's word; indices, funds, currencies and crypto publish nothing

_log = logging.getLogger(__name__)

T = TypeVar("T")


def renew(client: Client, symbols: Iterable[str], clock: Clock, home: Home, settings: FetchSettings) -> None:
    """Ask for the dates of those companies among the symbols whose turn it is, and keep the answers.

    Parameters
    ----------
    client : Client
        The run's own, that had the prices of these symbols; call it inside `quiet()`.
    symbols : iterable of str
    clock : Clock
        Its `now` tells the day on which a date is first known.
    home : Home
    settings : FetchSettings
        The number of threads.
    """
    zones = {symbol: clock.calendar(symbol).timezone for symbol in symbols if _is_company(symbol, client)}
    days = {symbol: clock.now.astimezone(zone).date() for symbol, zone in zones.items()}
    store = announcement_store.read(home)
    most = min(MOST_A_RUN, max(LEAST_A_RUN, -(-len(zones) // RUNS_A_WEEK)))
    turn = symbols_to_ask(zones, store, days, most)
    if not turn:
        return
    inquiry = _Inquiry(client, store)
    pool = Threads(settings.threads)
    try:
        answers = list(pool.map(lambda symbol: inquiry.ask(symbol, zones[symbol], days[symbol]), turn))
    finally:
        inquiry.is_over.set()
        pool.shutdown(cancel_futures=True)
    told = {symbol: answer for symbol, answer in zip(turn, answers, strict=True) if answer is not None}
    try:
        if told:
            announcement_store.write(
                {symbol: updated(store.get(symbol), answer, days[symbol]) for symbol, answer in told.items()}, home
            )
    except StorageError as error:
        _log.warning("%s; the days on which results are published are asked for again", error)
    reason = f"; {inquiry.failure}" if inquiry.failure else ""
    _log.info("Days of results: Yahoo asked for %s, %d answered%s.", count(len(turn), "stock"), len(told), reason)


def _is_company(symbol: str, client: Client) -> bool:
    kind = client.kinds.get(symbol.upper())
    if kind is not None:
        return kind == COMPANY
    return symbol[0] != "^" and "=" not in symbol and market_of(symbol) != EVERY_DAY


class _Inquiry:
    """The requests of all threads; they end at the first outage, after unreadable answers, and when time is up."""

    def __init__(self, client: Client, store: Mapping[str, KnownDates]) -> None:
        self.is_over = threading.Event()
        self.failure: FetchError | None = None
        self._client, self._store = client, store
        self._until = time.monotonic() + LONGEST_S
        self._unreadable = 0
        self._counting = threading.Lock()

    def ask(self, symbol: str, zone: tzinfo, today: date) -> ToldDates | None:
        """Yahoo's answer about a symbol; None where none was asked for, or none came."""
        try:
            coming = self._one(lambda: next_date(self._client, symbol, zone))
            past = None
            if _may_have_past(self._store.get(symbol), today):
                past = self._one(lambda: past_dates(self._client, symbol, zone))
        except FetchError as error:
            self.failure = self.failure or error
            return None
        return ToldDates(coming, past)

    def _one(self, ask: Callable[[], T]) -> T | None:
        """One request's answer; None where it is none of use. FetchError ends the inquiry about a symbol."""
        if self.is_over.is_set() or time.monotonic() > self._until:
            raise FetchError(UNREADABLE, "the others are asked for another day")
        try:
            return ask()
        except FetchError as error:
            if error.kind in OUTAGES:
                self.is_over.set()
                raise
            with self._counting:
                self._unreadable += error.kind == UNREADABLE
                if self._unreadable >= GIVE_UP_AFTER:
                    self.is_over.set()
            self.failure = self.failure or error
            return None


def _may_have_past(kept: KnownDates | None, today: date) -> bool:
    """True where past dates were never told, or one that was expected has passed since."""
    if kept is None or kept.past_asked_on is None:
        return True
    return any(kept.past_asked_on <= one.day < today for one in kept.dates)


def next_date(client: Client, symbol: str, zone: tzinfo) -> Announcement | None:
    """A company's next results, by `Ticker.calendar`; None where their day is not fixed yet.

    Yahoo calls a date an estimate, or gives two, until the company has named one: no better than last year's.

    Parameters
    ----------
    client : Client
    symbol : str
    zone : tzinfo
        The exchange's.

    Raises
    ------
    FetchError
    """
    # not yfinance's value: it takes the moment for the day at this machine, not at the exchange
    _, response = client.ask_more(symbol, lambda ticker: ticker.calendar)
    try:
        events = response.json()["quoteSummary"]["result"][0]["calendarEvents"]
        earnings = events.get("earnings") or {}
        moments = [datetime.fromtimestamp(stamp, UTC) for stamp in earnings.get("earningsDate") or ()]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, OSError):
        raise FetchError(UNREADABLE, f"{symbol}: Yahoo's answer is no calendar of events") from None
    dates = {_announcement(moment, zone).day: _announcement(moment, zone) for moment in moments}
    is_fixed = len(dates) == 1 and not earnings.get("isEarningsDateEstimate")
    return dates.popitem()[1] if is_fixed else None


def past_dates(client: Client, symbol: str, zone: tzinfo) -> tuple[Announcement, ...] | None:
    """A company's past results, by `Ticker.get_earnings_dates`; some to come are among them. None without a list.

    Parameters
    ----------
    client : Client
    symbol : str
    zone : tzinfo
        The exchange's.

    Raises
    ------
    FetchError
    """
    frame, _ = client.ask_more(symbol, lambda ticker: ticker.get_earnings_dates(limit=PAST_DATES))
    return None if frame is None else tuple(_announcement(moment.to_pydatetime(), zone) for moment in frame.index)


def _announcement(moment: datetime, zone: tzinfo) -> Announcement:
    """Day and time at the exchange; midnight, as Yahoo writes it, stands for a day without a time."""
    if moment.time() == time_of_day(0):
        return Announcement(moment.date())
    local = moment.astimezone(zone)
    return Announcement(local.date(), local.time().replace(second=0, microsecond=0))
