"""One symbol -> Yahoo's raw daily bars, through yfinance's own client; or a FetchError that says what went wrong.

Caching and retries are left to `yahoo_download`, checks to `price_table`.
"""

from __future__ import annotations

import functools
import logging
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from stockml.core import failures, library_warnings
from stockml.core.failures import FetchError
from stockml.core.paths import Home
from stockml.data.request import NOWHERE, SPLITS, Listing
from stockml.data.source_time import UNTOLD, AnswerTime, TradingPeriod, time_of, trading_period
from stockml.data.yahoo_reply import LONGEST_SHOWN, Reply, explain, other_name, renamed, without_malformed_events
from stockml.storage.files import make_folder

if TYPE_CHECKING:
    import pandas as pd

RAW_COLUMNS = ["Open", "High", "Low", "Close", "Adj Close", "Volume", SPLITS]
NO_END = "2100-01-01"
CHART_PATH = "/v8/finance/chart/"
MORE_PATHS = ("/v10/finance/quoteSummary/", "/calendar/earnings")  # what `ask_more` may ask for


@dataclass(frozen=True, slots=True)
class Answer:
    """Yahoo's bars of one symbol, shape (n_days, 7), RAW_COLUMNS on a naive index; and what it says beside them."""

    frame: pd.DataFrame
    currency: str | None
    listing: Listing = NOWHERE
    notes: tuple[tuple[str, str], ...] = ()  # findings as (kind, text)
    time: AnswerTime = UNTOLD
    period: TradingPeriod | None = None


class Client:
    """A yfinance client that says what went wrong; use it inside `quiet()`. Threads may share it.

    Attributes
    ----------
    requests : Counter
        Chart requests by symbol, in upper case.
    kinds : dict of str
        Yahoo's word for what each symbol is, such as EQUITY, by symbol in upper case, where a chart told it.
    """

    def __init__(self, home: Home, timeout_s: float) -> None:
        import yfinance
        from curl_cffi.requests import Session

        client = self

        class RecordingSession(Session[Any]):
            """A session that keeps each answer's status and bounds each request's time, which yfinance does not."""

            def request(self, method: Any, url: str, **options: Any) -> Any:  # type: ignore[override]
                options["timeout"] = timeout_s
                send = functools.partial(super().request, method, url, **options)
                if CHART_PATH in url:
                    return client._chart(url, send)
                return (
                    client._more(send) if any(path in url for path in MORE_PATHS) else client._once(method, url, send)
                )

        self.requests: Counter[str] = Counter()
        self.kinds: dict[str, str] = {}
        self._replies = threading.local()
        self._answered: dict[tuple[str, str], Any] = {}
        self._skews: list[timedelta] = []
        self._counting = threading.Lock()
        self._yfinance = yfinance
        # or yfinance reports time-outs and broken servers as "possibly delisted"
        yfinance.config.debug.hide_exceptions = False
        caches = home.prices / "yfinance"
        make_folder(caches)
        _drop_damaged(caches)
        yfinance.set_tz_cache_location(str(caches))
        # its cookies are kept as a pickle, which could be anybody's by now and would be executed
        yfinance.cache._CookieCacheManager._Cookie_cache = yfinance.cache._CookieCacheDummy()
        self._session = RecordingSession(impersonate="chrome")

    def know_time_zones(self, zones: Mapping[str, str]) -> None:
        """Tell yfinance each symbol's time zone, for which it would ask Yahoo once more; call before any thread."""
        from yfinance import cache

        known = cache.get_tz_cache()
        for symbol, zone in zones.items():
            if known.lookup(symbol.upper()) != zone:
                known.store(symbol.upper(), zone)

    def ask(self, symbol: str, start: date) -> Answer:
        """Daily bars of a symbol from `start` to this moment by Yahoo's clock.

        Parameters
        ----------
        symbol : str
            In Yahoo's spelling.
        start : date
            The first day.

        Returns
        -------
        Answer
            Its frame has shape (n_days, 6), with NaN where Yahoo sent null.

        Raises
        ------
        FetchError
            Says why there are no bars.
        """
        self._replies.last = None
        try:
            ticker = self._yfinance.Ticker(symbol, session=self._session)
            frame = ticker.history(
                start=start.isoformat(),
                # yfinance would end at this moment by the machine's clock, and answer a past end from its memory
                end=NO_END,
                interval="1d",
                auto_adjust=False,
                actions=True,
                keepna=True,  # so that the checks see, and count, what was null
            )
        except Exception as error:  # yfinance meets an odd answer with whatever its code trips over
            raise explain(symbol, error, self._replies.last) from error
        return _read(symbol, frame, self._replies.last)

    def ask_more(self, symbol: str, what: Callable[[Any], Any]) -> tuple[Any, Any]:
        """An answer of yfinance's ticker of a symbol, and the HTTP response behind it; FetchError as in `ask`."""
        self._replies.last = self._replies.response = None
        try:
            value = what(self._yfinance.Ticker(symbol, session=self._session))
        except Exception as error:  # as in `ask`
            raise explain(symbol, error, self._replies.last) from error
        response = self._replies.response
        if response is None or response.status_code >= 400:  # yfinance takes an error's page for one without dates
            raise explain(symbol, ValueError("no answer"), self._replies.last)
        return value, response

    def _more(self, send: Callable[[], Any]) -> Any:
        self._replies.last = self._replies.response = None
        response = send()
        self._replies.last, self._replies.response = Reply(response.status_code, {}, False), response
        return response

    def _chart(self, url: str, send: Callable[[], Any]) -> Any:
        self._replies.last, symbol = None, unquote(url.rpartition("/")[2])
        with self._counting:
            self.requests[symbol] += 1
        asked = datetime.now(UTC)
        response = send()
        reply = without_malformed_events(response)
        if reply.is_chart:
            time = time_of(response.headers, reply.meta, asked, datetime.now(UTC))
            reply = replace(reply, time=time)
            if reply.meta.get("instrumentType"):
                self.kinds[symbol.upper()] = str(reply.meta["instrumentType"])
            if time.skew is not None:
                with self._counting:
                    self._skews.append(time.skew)
        self._replies.last = reply
        return response

    def skew(self) -> timedelta | None:
        """Skew of Yahoo's clock against the machine's, positive where it is ahead; the middle one of its answers."""
        with self._counting:
            return sorted(self._skews)[len(self._skews) // 2] if self._skews else None

    def _once(self, method: str, url: str, send: Callable[[], Any]) -> Any:
        """Requests for cookies and their like, which charts do without: sent once a run, whatever the answer."""
        key = (method, url)
        if key not in self._answered:
            try:
                self._answered[key] = send()
            except Exception as error:
                self._answered[key] = error
        if isinstance(self._answered[key], Exception):
            raise self._answered[key]
        return self._answered[key]


def _drop_damaged(caches: Path) -> None:
    """Delete caches of yfinance that a power cut damaged: they would fail every request from then on."""
    for path in caches.glob("*.db"):
        try:
            with closing(sqlite3.connect(path)) as database:
                database.execute("PRAGMA quick_check")
        except sqlite3.OperationalError:
            continue  # in use by another run: sound
        except sqlite3.DatabaseError:
            for part in caches.glob(f"{path.name}*"):  # its journal too
                part.unlink()


@contextmanager
def quiet() -> Iterator[None]:
    """Silence yfinance, whose messages are about its internals; enter it before any thread starts."""
    import yfinance  # noqa: F401 - its import asks for its own warnings again

    loggers = [logging.getLogger(name) for name in ("yfinance", "bs4")]
    levels = [logger.level for logger in loggers]
    with library_warnings.taken():
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _read(symbol: str, frame: pd.DataFrame, reply: Reply | None) -> Answer:
    """The answer, if it is the one asked for; FetchError otherwise."""
    import pandas as pd

    if reply is None or frame.empty:
        raise FetchError(failures.NO_NEW_DATA, f"{symbol}: Yahoo has no prices for the days asked for")
    if new_name := other_name(symbol, reply):
        raise renamed(symbol, new_name)
    interval = reply.meta.get("dataGranularity")
    if interval and interval != "1d":
        bars = f"{str(interval)[:LONGEST_SHOWN]} bars"
        raise FetchError(failures.UNREADABLE, f"{symbol}: Yahoo answered with {bars}, not daily; try later")
    frame = frame[RAW_COLUMNS].astype(float)
    frame.index = pd.DatetimeIndex(frame.index).tz_localize(None).normalize().rename("Date")
    where = Listing(reply.meta.get("exchangeName"), reply.meta.get("exchangeTimezoneName"))
    notes = (("malformed_event", reply.note),) if reply.note else ()
    currency = reply.meta.get("currency") or None
    return Answer(frame, currency, where, notes, reply.time, trading_period(reply.meta))
