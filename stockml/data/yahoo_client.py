"""One symbol -> Yahoo's raw daily bars, through yfinance's own client; or a FetchError that says what went wrong.

Caching and retries are left to `yahoo_download`, checks to `price_table`.
"""

from __future__ import annotations

import functools
import json
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
from stockml.data.yahoo_events import drop_malformed
from stockml.storage.files import make_folder

if TYPE_CHECKING:
    import pandas as pd

RAW_COLUMNS = ["Open", "High", "Low", "Close", "Adj Close", "Volume", SPLITS]
NO_END = "2100-01-01"
CHART_PATH = "/v8/finance/chart/"
REFUSALS = (401, 403, 429, 999)  # 429 says so, the others mean the same
DELISTED_EXCHANGE = "YHD"  # Yahoo's name for stocks that no exchange lists any more


@dataclass(frozen=True, slots=True)
class Answer:
    """Yahoo's bars of one symbol, shape (n_days, 7), RAW_COLUMNS on a naive index; and what it says beside them."""

    frame: pd.DataFrame
    currency: str | None
    listing: Listing = NOWHERE
    notes: tuple[tuple[str, str], ...] = ()  # findings as (kind, text)
    time: AnswerTime = UNTOLD
    period: TradingPeriod | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The last HTTP response: its status, and the chart's metadata where it was a chart."""

    status: int
    meta: dict[str, Any]
    has_bars: bool
    note: str | None = None  # on events that were left out
    is_chart: bool = False  # False for what may not even be Yahoo's
    time: AnswerTime = UNTOLD


class Client:
    """A yfinance client that says what went wrong; use it inside `quiet()`. Threads may share it.

    Attributes
    ----------
    requests : Counter
        Chart requests by symbol, in upper case.
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
                return client._chart(url, send) if CHART_PATH in url else client._once(method, url, send)

        self.requests: Counter[str] = Counter()
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
            raise _explain(symbol, error, self._replies.last) from error
        return _read(symbol, frame, self._replies.last)

    def _chart(self, url: str, send: Callable[[], Any]) -> Any:
        self._replies.last = None
        with self._counting:
            self.requests[unquote(url.rpartition("/")[2])] += 1
        asked = datetime.now(UTC)
        response = send()
        reply = _without_malformed_events(response)
        if reply.is_chart:
            time = time_of(response.headers, reply.meta, asked, datetime.now(UTC))
            reply = replace(reply, time=time)
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


def _without_malformed_events(response: Any) -> Reply:
    """The reply; its response loses the events that yfinance would lose all prices over."""
    is_chart = False
    try:
        body = json.loads(response.text)
        is_chart = "chart" in body
        chart = body["chart"]["result"][0]
        reply = Reply(response.status_code, dict(chart["meta"]), bool(chart.get("timestamp")), is_chart=True)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return Reply(response.status_code, {}, False, is_chart=is_chart)
    is_changed, note = drop_malformed(chart)
    if is_changed:
        response.content = json.dumps(body).encode()
    return replace(reply, note=note)


def _explain(symbol: str, error: Exception, reply: Reply | None) -> FetchError:
    """The failure's kind and its sentence, from the HTTP status first: yfinance's own words often mislead."""
    from curl_cffi.requests.exceptions import RequestException
    from yfinance.exceptions import YFDataException, YFRateLimitError

    logging.getLogger("stockml").debug("%s: %s: %s", symbol, type(error).__name__, error)
    reason = _reason(error)
    status = reply.status if reply else 0
    if isinstance(error, YFRateLimitError) or status in REFUSALS:
        return FetchError(failures.RATE_LIMITED, f"{symbol}: Yahoo refuses to answer so many requests; try later")
    if status >= 500 or isinstance(error, YFDataException):
        cause = f"HTTP {status}" if status >= 500 else reason
        return FetchError(failures.SERVER, f"{symbol}: Yahoo is in trouble ({cause}); try later")
    if isinstance(error, RequestException | OSError) and status < 400:
        return FetchError(failures.NETWORK, f"{symbol}: no answer from Yahoo ({reason}); check the connection")
    if reply is not None and (new_name := _other_name(symbol, reply)):
        return _renamed(symbol, new_name)
    if reply is None:
        return FetchError(failures.UNREADABLE, f"{symbol}: yfinance failed; see whether a newer one helps")
    if status == 404 or (not reply.has_bars and reply.meta.get("exchangeName") == DELISTED_EXCHANGE):
        return FetchError(failures.UNKNOWN_SYMBOL, f"{symbol}: Yahoo does not know it: delisted, renamed or misspelt")
    if status == 400 or (reply.meta and not reply.has_bars):
        return FetchError(failures.NO_NEW_DATA, f"{symbol}: Yahoo has no prices for the days asked for")
    return FetchError(failures.UNREADABLE, f"{symbol}: Yahoo's answer (HTTP {status}) is no price table; try later")


def _other_name(symbol: str, reply: Reply) -> str | None:
    """The symbol that the answer is about, where it is not the one asked for."""
    named = str(reply.meta.get("symbol") or symbol)
    return named if named.upper() != symbol.upper() else None


def _renamed(symbol: str, new_name: str) -> FetchError:
    return FetchError(failures.RENAMED, f"{symbol}: Yahoo answers with {new_name}; use {new_name} from now on")


def _reason(error: Exception) -> str:
    """A library's message, without its name and its advice."""
    text = " ".join(str(error).split()).partition(". See http")[0]
    return text.removeprefix("Failed to perform, ")[:200]


def _read(symbol: str, frame: pd.DataFrame, reply: Reply | None) -> Answer:
    """The answer, if it is the one asked for; FetchError otherwise."""
    import pandas as pd

    if reply is None or frame.empty:
        raise FetchError(failures.NO_NEW_DATA, f"{symbol}: Yahoo has no prices for the days asked for")
    if new_name := _other_name(symbol, reply):
        raise _renamed(symbol, new_name)
    interval = reply.meta.get("dataGranularity")
    if interval and interval != "1d":
        raise FetchError(failures.UNREADABLE, f"{symbol}: Yahoo answered with {interval} bars, not daily; try later")
    frame = frame[RAW_COLUMNS].astype(float)
    frame.index = pd.DatetimeIndex(frame.index).tz_localize(None).normalize().rename("Date")
    where = Listing(reply.meta.get("exchangeName"), reply.meta.get("exchangeTimezoneName"))
    notes = (("malformed_event", reply.note),) if reply.note else ()
    currency = reply.meta.get("currency") or None
    return Answer(frame, currency, where, notes, reply.time, trading_period(reply.meta))
