"""Load cached bars and download only what is missing, with retries, back-off and a circuit breaker.

Each kind of failure has its own treatment here. Bars are checked later, by `price_table`.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, as_completed
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from stockml.core import failures
from stockml.core.calendars import SETTLING
from stockml.core.clock import Clock
from stockml.core.failures import Failure, FetchError
from stockml.core.markets import market_by_yahoo
from stockml.core.paths import Home
from stockml.core.progress import Progress
from stockml.core.wording import count
from stockml.data import price_cache, quarantine, yahoo_announcements
from stockml.data.price_cache import CachedBars
from stockml.data.request import DateRange, Feed, FetchSettings, RawBars
from stockml.data.source_time import AnswerTime
from stockml.storage.threads import Threads

if TYPE_CHECKING:
    from tenacity import RetryCallState

    from stockml.data.yahoo_client import Answer, Client


# A failure that may pass on its own is retried, up to so many attempts. So many failures of a kind in a row,
# whatever the symbols, end the requests for all.
ATTEMPTS = {failures.RATE_LIMITED: 4, failures.SERVER: 3, failures.NETWORK: 2, failures.UNREADABLE: 2}
GIVE_UP_AFTER = {failures.RATE_LIMITED: 5, failures.SERVER: 9, failures.NETWORK: 8}
IN_A_ROW = {
    failures.RATE_LIMITED: "refused by Yahoo",
    failures.SERVER: "met by a server in trouble",
    failures.NETWORK: "not answered",
}


def from_cache(symbols: Iterable[str], clock: Clock, home: Home) -> Feed:
    """The cached bars alone, without any request; a note on each symbol's bars says how old they are."""
    bars: dict[str, RawBars] = {}
    failed: dict[str, Failure] = {}
    for symbol in symbols:
        cached = price_cache.read(symbol, home)
        if cached is None:
            message = f"{symbol}: the price cache holds nothing of it; run once with a connection"
            failed[symbol] = Failure(symbol, failures.NO_NEW_DATA, message)
            continue
        age = max((clock.now - cached.fetched_at).days, 0)
        text = f"from the price cache: Yahoo was last asked {count(age, 'day')} ago; its prices end on {cached.through}"
        bars[symbol] = _answer(cached, ("offline", text))
    return Feed(bars, failed)


def from_yahoo(spans: Mapping[str, DateRange], clock: Clock, home: Home, settings: FetchSettings) -> Feed:
    """Cached bars and the missing ones from Yahoo; where none is missing, Yahoo's library is not even loaded."""
    dead, today = quarantine.read(home), clock.now.date()
    failed = quarantine.resting(spans, dead, today, home)
    cached = {symbol: price_cache.read(symbol, home) for symbol in spans if symbol not in failed}
    starts = {
        symbol: price_cache.ask_from(
            kept,
            spans[symbol].start,
            spans[symbol].expected,
            is_doubtful=kept is not None and clock.is_ahead(kept.fetched_at),  # this clock or that one was wrong
        )
        for symbol, kept in cached.items()
    }
    bars = {symbol: _answer(kept) for symbol, kept in cached.items() if kept}
    tasks = [DownloadTask(symbol, start, spans[symbol], cached[symbol]) for symbol, start in starts.items() if start]
    if not tasks:
        return Feed(bars, failed)
    found, requests, skew = _serve(tasks, clock, home, settings)
    if skew is not None:
        today = clock.corrected(skew).now.date()
    at_once = quarantine.unknown_at_once({symbol: kept is not None for symbol, kept in cached.items()}, found)
    quarantine.remember(dead, {symbol: found[symbol] for symbol in found if symbol not in at_once}, today, home)
    for symbol, answer in found.items():
        if isinstance(answer, RawBars):
            bars[symbol] = answer
        else:
            bars.pop(symbol, None)
            failed[symbol] = at_once.get(symbol, answer)
    return Feed(bars, failed, requests, skew)


def _answer(bars: CachedBars, *notes: tuple[str, str]) -> RawBars:
    """Bars with what they say of the days after the last one: that the source was asked for them."""
    asked_through = bars.fetched_at.date()
    return RawBars(bars.frame, bars.currency, notes, bars.fetched_at, asked_through, bars.listing)


@dataclass(frozen=True, slots=True, eq=False)
class DownloadTask:
    """One symbol to ask for, the first day to ask for, and its cached bars."""

    symbol: str
    start: date
    span: DateRange
    cached: CachedBars | None


def _serve(
    tasks: list[DownloadTask], clock: Clock, home: Home, settings: FetchSettings
) -> tuple[dict[str, RawBars | Failure], dict[str, int], timedelta | None]:
    """Every task's bars or failure, the number of chart requests for each symbol, and the skew of Yahoo's clock."""
    from stockml.data.yahoo_client import Client, quiet

    with quiet():
        client = Client(home, settings.timeout_s)
        client.know_time_zones({task.symbol: str(clock.calendar(task.symbol).timezone) for task in tasks})
        downloader = _Downloader(client, clock, home, settings)
        pool = Threads(settings.threads)
        try:
            found = _all_served([pool.submit(downloader.serve, task) for task in tasks], settings.tell)
            is_calm = not downloader.breaker.is_open.is_set()
        finally:
            downloader.breaker.is_open.set()  # after an interruption no thread goes on waiting for its next attempt
            pool.shutdown(cancel_futures=True)
        symbols = [task.symbol for task in tasks]
        if settings.asks_announcements and is_calm:
            had = [symbol for symbol, answer in zip(symbols, found, strict=True) if isinstance(answer, RawBars)]
            yahoo_announcements.renew(client, had, clock.corrected(client.skew() or timedelta(0)), home, settings)
    requests = {symbol: client.requests[symbol.upper()] for symbol in symbols}
    return dict(zip(symbols, found, strict=True)), requests, client.skew()


def _all_served(futures: list[Future[RawBars | Failure]], tell: Progress) -> list[RawBars | Failure]:
    """The results in the order of the tasks; progress is reported as they come."""
    tell("fetch", 0, len(futures))
    for done, future in enumerate(as_completed(futures), start=1):
        future.result()  # a bug in one task stops all the others
        tell("fetch", done, len(futures))
    return [future.result() for future in futures]


class _CircuitBreaker:
    """Ends all requests after too many failures of a kind in a row; `is_open` is set then. Threads may share it."""

    def __init__(self) -> None:
        self.is_open = threading.Event()
        self._reason: str | None = None
        self._in_a_row: Counter[str] = Counter()
        self._counting = threading.Lock()

    def check(self, symbol: str) -> None:
        """Raise a FetchError where requests have ended."""
        if self._reason:
            most, what = GIVE_UP_AFTER[self._reason], IN_A_ROW[self._reason]
            message = f"{symbol}: not asked for, since {most} requests in a row were {what}; run again later"
            raise FetchError(self._reason, message)

    def count(self, failure: str | None) -> None:
        """Count a failure, or end a row of them: what Yahoo says of one symbol alone is an answer as well."""
        with self._counting:
            if failure is None or failure not in GIVE_UP_AFTER:
                self._in_a_row.clear()
                return
            self._in_a_row[failure] += 1
            if self._in_a_row[failure] >= GIVE_UP_AFTER[failure]:
                self._reason = failure
                self.is_open.set()


class _Downloader:
    """Downloads of all threads, over one client and one circuit breaker."""

    def __init__(self, client: Client, clock: Clock, home: Home, settings: FetchSettings) -> None:
        self.breaker = _CircuitBreaker()
        self._client, self._clock, self._home, self._settings = client, clock, home, settings

    def serve(self, task: DownloadTask) -> RawBars | Failure:
        """The task's bars, or its failure."""
        try:
            return self._fetch(task)
        except FetchError as error:
            return Failure(task.symbol, error.kind, str(error))

    def _fetch(self, task: DownloadTask) -> RawBars:
        cached = task.cached
        if cached is None or task.start <= cached.asked_from:
            return self._keep(task, self._ask(task.symbol, task.start), task.start)
        try:
            answer = self._ask(task.symbol, task.start)
        except FetchError as error:
            if error.kind != failures.NO_NEW_DATA:
                raise
            note = (error.kind, "Yahoo has no price after the last cached one")
            return _answer(replace(cached, fetched_at=self._clock_at(AnswerTime(self._client.skew())).now), note)
        merged = price_cache.merge(cached.frame, answer.frame)
        if merged is not None:
            return self._keep(task, replace(answer, frame=merged), cached.asked_from)
        text = "the cached prices disagree with Yahoo's by a split, a dividend or a correction: all downloaded again"
        start = min(task.span.start, cached.asked_from)
        return self._keep(task, self._ask(task.symbol, start), start, ("refetched", text))

    def _keep(self, task: DownloadTask, answer: Answer, asked_from: date, *notes: tuple[str, str]) -> RawBars:
        """Cache the complete bars; the answer may hold one of a session still open."""
        import pandas as pd

        clock = self._clock_at(answer.time)
        complete = _complete_through(task.symbol, answer, clock)
        frame = answer.frame.loc[: pd.Timestamp(complete)]
        kept = CachedBars(frame, answer.currency, asked_from, clock.now, answer.listing)
        price_cache.write(task.symbol, kept, self._home)
        whole = _answer(replace(kept, frame=answer.frame), *answer.notes, *notes)
        return replace(whole, complete_through=complete)

    def _clock_at(self, time: AnswerTime) -> Clock:
        """The present as of an answer, by Yahoo's clock where that is not the machine's."""
        clock = self._clock if time.skew is None else self._clock.corrected(time.skew)
        return replace(clock, now=clock.now - time.age, as_of=None)

    def _ask(self, symbol: str, start: date) -> Answer:
        from tenacity import Retrying, retry_if_exception, sleep_using_event, wait_exponential_jitter

        first, longest = self._settings.first_wait_s, self._settings.longest_wait_s
        retrying = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, FetchError) and not self.breaker.is_open.is_set()),
            stop=_is_last,
            wait=wait_exponential_jitter(initial=first, max=longest, jitter=first),
            sleep=sleep_using_event(self.breaker.is_open),
            reraise=True,
        )
        return retrying(self._ask_once, symbol, start)

    def _ask_once(self, symbol: str, start: date) -> Answer:
        self.breaker.check(symbol)
        try:
            answer = self._client.ask(symbol, start)
        except FetchError as error:
            self.breaker.count(error.kind)
            raise
        self.breaker.count(None)
        return answer


def _complete_through(symbol: str, answer: Answer, clock: Clock) -> date:
    """The last day whose bar is complete, by the answer's own time and the session that Yahoo calls the current one."""
    found = market_by_yahoo(symbol, answer.listing.exchange, answer.listing.timezone)
    through = replace(clock, exchanges=clock.exchanges.naming({symbol: found} if found else {})).cutoff(symbol)
    if answer.period is None or clock.now >= answer.period.end + SETTLING:
        return through
    return min(through, answer.period.day - timedelta(days=1))


def _is_last(state: RetryCallState) -> bool:
    """True where a failure has used up the attempts of its kind."""
    error = state.outcome.exception() if state.outcome else None
    return state.attempt_number >= ATTEMPTS.get(getattr(error, "kind", ""), 1)
