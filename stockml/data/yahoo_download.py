"""The symbols' raw bars from the store and, for what is new, from Yahoo: once, patiently, and no longer than welcome.

Each failure has its own treatment here; what the bars are worth is decided at the door, by `prices`.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from stockml.core import failures
from stockml.core.clock import Clock
from stockml.core.failures import Failure, FetchError
from stockml.core.paths import Home
from stockml.core.progress import Progress
from stockml.data import price_cache as store
from stockml.data.price_cache import Stored
from stockml.data.request import DateRange, Feed, FetchSettings, RawBars

if TYPE_CHECKING:
    from tenacity import RetryCallState

    from stockml.data.yahoo_client import Answer, Client


# What may pass on its own is asked for again, so often at most; and so many failures of the kind in a row, whatever
# the symbols, end the asking for all.
ATTEMPTS = {failures.RATE_LIMITED: 4, failures.SERVER: 3, failures.NETWORK: 2, failures.UNREADABLE: 2}
GIVE_UP_AFTER = {failures.RATE_LIMITED: 5, failures.SERVER: 9, failures.NETWORK: 8}
IN_A_ROW = {
    failures.RATE_LIMITED: "refused by Yahoo",
    failures.SERVER: "met by a server in trouble",
    failures.NETWORK: "not answered",
}


def from_store(symbols: Iterable[str], clock: Clock, home: Home) -> Feed:
    """What the store holds, without asking anyone; each symbol's bars say how old they are."""
    bars: dict[str, RawBars] = {}
    failed: dict[str, Failure] = {}
    for symbol in symbols:
        stored = store.read(symbol, home)
        if stored is None:
            message = f"{symbol}: the price store holds nothing of it; run once with a connection"
            failed[symbol] = Failure(symbol, failures.NO_NEW_DATA, message)
            continue
        age = max((clock.now - stored.fetched_at).days, 0)
        text = f"taken from the store, where Yahoo was last asked {age} days ago; its prices end on {stored.through}"
        bars[symbol] = RawBars(stored.frame, stored.currency, (("offline", text),))
    return Feed(bars, failed)


def from_yahoo(spans: Mapping[str, DateRange], clock: Clock, home: Home, settings: FetchSettings) -> Feed:
    """What the store holds, carried on by what it lacks; where it lacks nothing Yahoo's library is not even loaded."""
    dead = store.read_quarantine(home)
    today = clock.now.date()
    failed = {symbol: _skip(symbol, dead[symbol]) for symbol in spans if symbol in dead and _rests(dead[symbol], today)}
    stored = {symbol: store.read(symbol, home) for symbol in spans if symbol not in failed}
    starts = {
        symbol: store.ask_from(kept, spans[symbol].start, spans[symbol].expected) for symbol, kept in stored.items()
    }
    bars = {symbol: RawBars(kept.frame, kept.currency) for symbol, kept in stored.items() if kept}
    tasks = [DownloadTask(symbol, start, spans[symbol], stored[symbol]) for symbol, start in starts.items() if start]
    if not tasks:
        return Feed(bars, failed)
    found, requests = _serve(tasks, clock, home, settings)
    for symbol, answer in found.items():
        if isinstance(answer, RawBars):
            bars[symbol] = answer
        else:
            bars.pop(symbol, None)
            failed[symbol] = answer
    _remember_dead(dead, found, today, home)
    return Feed(bars, failed, requests)


def _rests(asked: date, today: date) -> bool:
    return today - asked < store.ASK_AGAIN_AFTER


def _skip(symbol: str, asked: date) -> Failure:
    again = asked + store.ASK_AGAIN_AFTER
    message = f"{symbol}: skipped, Yahoo did not know it on {asked}; it is asked for again from {again} on"
    return Failure(symbol, failures.UNKNOWN_SYMBOL, message, is_known=True)


def _remember_dead(dead: dict[str, date], found: Mapping[str, RawBars | Failure], today: date, home: Home) -> None:
    """Bring the quarantine up to date with what was answered now."""
    after = dict(dead)
    for symbol, answer in found.items():
        if isinstance(answer, RawBars):
            after.pop(symbol, None)
        elif answer.kind == failures.UNKNOWN_SYMBOL:
            after[symbol] = today
    if after != dead:
        store.write_quarantine(after, home)


@dataclass(frozen=True, slots=True, eq=False)
class DownloadTask:
    """One symbol to ask for, the first day to ask for, and what the store holds already."""

    symbol: str
    start: date
    span: DateRange
    stored: Stored | None


def _serve(
    tasks: list[DownloadTask], clock: Clock, home: Home, settings: FetchSettings
) -> tuple[dict[str, RawBars | Failure], dict[str, int]]:
    """Every order's bars or failure, a few at a time, and the chart requests each took."""
    from stockml.data.yahoo_client import Client, quiet

    with quiet():
        client = Client(home, settings.timeout_s)
        client.know_time_zones([task.symbol for task in tasks])
        downloader = _Downloader(client, clock, home, settings)
        pool = ThreadPoolExecutor(settings.threads)
        try:
            found = _all_served([pool.submit(downloader.serve, task) for task in tasks], settings.tell)
        finally:
            downloader.closed.set()  # where it was interrupted: nobody goes on waiting to ask again
            pool.shutdown(cancel_futures=True)
    symbols = [task.symbol for task in tasks]
    return dict(zip(symbols, found, strict=True)), {symbol: client.requests[symbol.upper()] for symbol in symbols}


def _all_served(futures: list[Future[RawBars | Failure]], tell: Progress) -> list[RawBars | Failure]:
    """What each order came to, in their order; told as they come."""
    tell("fetch", 0, len(futures))
    for done, future in enumerate(as_completed(futures), start=1):
        future.result()  # what broke stops all the others
        tell("fetch", done, len(futures))
    return [future.result() for future in futures]


class _Downloader:
    """Where all threads ask; it knows how welcome they are."""

    def __init__(self, client: Client, clock: Clock, home: Home, settings: FetchSettings) -> None:
        self.closed = threading.Event()
        self._client, self._clock, self._home, self._settings = client, clock, home, settings
        self._why_closed: str | None = None
        self._in_a_row: Counter[str] = Counter()
        self._counting = threading.Lock()

    def serve(self, task: DownloadTask) -> RawBars | Failure:
        try:
            return self._fetch(task)
        except FetchError as error:
            return Failure(task.symbol, error.kind, str(error))

    def _fetch(self, task: DownloadTask) -> RawBars:
        stored = task.stored
        if stored is None or task.start <= stored.asked_from:
            return self._keep(task, self._ask(task.symbol, task.start), task.start)
        try:
            answer = self._ask(task.symbol, task.start)
        except FetchError as error:
            if error.kind != failures.NO_NEW_DATA:
                raise
            return RawBars(
                stored.frame, stored.currency, ((error.kind, "Yahoo has no price since the last that is stored"),)
            )
        merged = store.merge(stored.frame, answer.frame)
        if merged is not None:
            return self._keep(task, replace(answer, frame=merged), stored.asked_from)
        text = "the stored prices disagree with Yahoo's by a split, a dividend or a correction: all fetched anew"
        start = min(task.span.start, stored.asked_from)
        return self._keep(task, self._ask(task.symbol, start), start, ("refetched", text))

    def _keep(self, task: DownloadTask, answer: Answer, asked_from: date, *notes: tuple[str, str]) -> RawBars:
        """Put the complete bars into the store; the answer may hold one of a session still open."""
        import pandas as pd

        complete = pd.Timestamp(Clock(self._clock.now).cutoff(task.symbol))
        kept = Stored(answer.frame.loc[:complete], answer.currency, asked_from, self._clock.now)
        store.write(task.symbol, kept, self._home)
        return RawBars(answer.frame, answer.currency, notes)

    def _ask(self, symbol: str, start: date) -> Answer:
        from tenacity import Retrying, retry_if_exception, sleep_using_event, wait_exponential_jitter

        first, longest = self._settings.first_wait_s, self._settings.longest_wait_s
        patiently = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, FetchError) and not self.closed.is_set()),
            stop=_is_last,
            wait=wait_exponential_jitter(initial=first, max=longest, jitter=first),
            sleep=sleep_using_event(self.closed),
            reraise=True,
        )
        return patiently(self._ask_once, symbol, start)

    def _ask_once(self, symbol: str, start: date) -> Answer:
        if self._why_closed:
            count, what = GIVE_UP_AFTER[self._why_closed], IN_A_ROW[self._why_closed]
            message = f"{symbol}: not asked for, since {count} requests in a row were {what}; run again later"
            raise FetchError(self._why_closed, message)
        try:
            answer = self._client.ask(symbol, start)
        except FetchError as error:
            self._count(error.kind)
            raise
        self._count(None)
        return answer

    def _count(self, failure: str | None) -> None:
        """A failure more in a row, or the end of a row: what Yahoo says of one symbol is an answer as well."""
        with self._counting:
            if failure is None or failure not in GIVE_UP_AFTER:
                self._in_a_row.clear()
                return
            self._in_a_row[failure] += 1
            if self._in_a_row[failure] >= GIVE_UP_AFTER[failure]:
                self._why_closed = failure
                self.closed.set()


def _is_last(state: RetryCallState) -> bool:
    """Whether a failure was the last one its kind is forgiven."""
    error = state.outcome.exception() if state.outcome else None
    return state.attempt_number >= ATTEMPTS.get(getattr(error, "kind", ""), 1)
