"""One symbol -> Yahoo's raw daily bars, through yfinance's own client; or a FetchError that tells what went wrong.

What is kept, asked again or checked is decided elsewhere.
"""

from __future__ import annotations

import json
import logging
import threading
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from stockml import failures
from stockml.failures import FetchError
from stockml.home import Home
from stockml.sessions import calendar_for

if TYPE_CHECKING:
    import pandas as pd

RAW_COLUMNS = ["Open", "High", "Low", "Close", "Adj Close", "Volume"]
CHART_PATH = "/v8/finance/chart/"
DELISTED_EXCHANGE = "YHD"  # where Yahoo keeps what no exchange lists any more


@dataclass(frozen=True, slots=True)
class Answer:
    """Yahoo's bars of one symbol: the columns of RAW_COLUMNS, days as a naive index; and their currency."""

    frame: pd.DataFrame
    currency: str | None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came over the wire last: the HTTP status, and the chart's own description where it was one."""

    status: int
    meta: dict[str, Any]
    has_bars: bool


class Client:
    """yfinance, made to say what went wrong; use it inside `quiet()`. Threads may share it.

    Attributes
    ----------
    requests : Counter
        Chart requests by symbol, in upper case.
    """

    def __init__(self, home: Home, timeout_s: float) -> None:
        import yfinance
        from curl_cffi.requests import Session

        client = self

        class RecordingSession(Session):
            """yfinance keeps neither an answer's status nor a bound on every request: this does."""

            def request(self, method: Any, url: str, **options: Any) -> Any:  # type: ignore[override]
                options["timeout"] = timeout_s
                client._before(url)
                response = super().request(method, url, **options)
                client._after(url, response)
                return response

        self.requests: Counter[str] = Counter()
        self._replies = threading.local()
        self._counting = threading.Lock()
        self._yfinance = yfinance
        # or yfinance reports time-outs and broken servers as "possibly delisted"
        yfinance.config.debug.hide_exceptions = False
        caches = home.prices / "yfinance"
        caches.mkdir(parents=True, exist_ok=True)
        yfinance.set_tz_cache_location(str(caches))
        self._session = RecordingSession(impersonate="chrome")

    def know_time_zones(self, symbols: list[str]) -> None:
        """Tell yfinance each symbol's time zone, for which it would ask Yahoo once more; call before any thread."""
        from yfinance import cache

        for symbol in symbols:
            cache.get_tz_cache().store(symbol.upper(), str(calendar_for(symbol).timezone))

    def ask(self, symbol: str, start: date, until: date) -> Answer:
        """Daily bars from `start` to `until`, both inclusive; FetchError says why there are none."""
        self._replies.last = None
        try:
            ticker = self._yfinance.Ticker(symbol, session=self._session)
            frame = ticker.history(
                start=start.isoformat(),
                end=(until + timedelta(days=1)).isoformat(),
                interval="1d",
                auto_adjust=False,
                actions=True,
                keepna=True,  # so that the checks see, and count, what was null
            )
        except Exception as error:  # yfinance meets an odd answer with whatever its code trips over
            raise _explain(symbol, error, self._replies.last) from error
        return _read(symbol, frame, self._replies.last)

    def _before(self, url: str) -> None:
        if CHART_PATH in url:
            self._replies.last = None
            with self._counting:
                self.requests[url.rpartition("/")[2]] += 1

    def _after(self, url: str, response: Any) -> None:
        if CHART_PATH in url:
            self._replies.last = _reply(response.status_code, response.text)


@contextmanager
def quiet() -> Iterator[None]:
    """No word of yfinance's own, whose warnings tell of its inside; enter it before any thread starts."""
    logger = logging.getLogger("yfinance")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            logger.setLevel(level)


def _reply(status: int, text: str) -> Reply:
    try:
        chart = json.loads(text)["chart"]["result"][0]
        return Reply(status, dict(chart["meta"]), bool(chart.get("timestamp")))
    except (ValueError, KeyError, TypeError, IndexError):
        return Reply(status, {}, False)


def _explain(symbol: str, error: Exception, reply: Reply | None) -> FetchError:
    """The failure's kind and its sentence, from the HTTP status first: yfinance's own words often mislead."""
    from curl_cffi.requests.exceptions import RequestException
    from yfinance.exceptions import YFPricesMissingError, YFRateLimitError

    reason = " ".join(str(error).split())[:200]
    if isinstance(error, YFRateLimitError) or (reply and reply.status in (401, 403, 429, 999)):
        return FetchError(failures.RATE_LIMITED, f"{symbol}: Yahoo refuses to answer so many requests; try later")
    if isinstance(error, RequestException | OSError):
        return FetchError(failures.NETWORK, f"{symbol}: no answer from Yahoo ({reason}); check the connection")
    if reply is None:
        return FetchError(failures.UNREADABLE, f"{symbol}: yfinance failed ({reason}); see whether a newer one helps")
    if reply.status >= 500:
        return FetchError(failures.SERVER, f"{symbol}: Yahoo is in trouble (HTTP {reply.status}); try later")
    if reply.status == 404 or (not reply.has_bars and reply.meta.get("exchangeName") == DELISTED_EXCHANGE):
        return FetchError(failures.UNKNOWN_SYMBOL, f"{symbol}: Yahoo does not know it: delisted, renamed or misspelt")
    if isinstance(error, YFPricesMissingError) and (reply.meta or reply.status == 400):
        return FetchError(failures.NO_NEW_DATA, f"{symbol}: Yahoo has no prices for the days asked for")
    return FetchError(
        failures.UNREADABLE, f"{symbol}: Yahoo's answer (HTTP {reply.status}) is no price table ({reason}); try later"
    )


def _read(symbol: str, frame: pd.DataFrame, reply: Reply | None) -> Answer:
    """The answer, if it is the one that was asked for."""
    import pandas as pd

    if reply is None or frame.empty:
        raise FetchError(failures.NO_NEW_DATA, f"{symbol}: Yahoo has no prices for the days asked for")
    named, interval = reply.meta.get("symbol"), reply.meta.get("dataGranularity")
    if str(named).upper() != symbol.upper():
        raise FetchError(failures.UNREADABLE, f"{symbol}: Yahoo answered with the prices of {named}; try later")
    if interval != "1d":
        raise FetchError(failures.UNREADABLE, f"{symbol}: Yahoo answered with {interval} bars, not daily; try later")
    frame = frame[RAW_COLUMNS].astype(float)
    frame.index = pd.DatetimeIndex(frame.index).tz_localize(None).normalize().rename("Date")
    return Answer(frame, reply.meta.get("currency") or None)
