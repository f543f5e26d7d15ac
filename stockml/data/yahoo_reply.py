"""Yahoo's HTTP responses: their metadata, and the failure that one of yfinance's errors means by them."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from typing import Any

from stockml.core import failures
from stockml.core.failures import FetchError
from stockml.core.paths import is_symbol
from stockml.data.source_time import UNTOLD, AnswerTime
from stockml.data.yahoo_events import drop_malformed

REFUSALS = (401, 403, 429, 999)  # 429 says so, the others mean the same
LONGEST_SHOWN = 40  # characters of what an answer says
DELISTED_EXCHANGE = "YHD"  # Yahoo's name for stocks that no exchange lists any more


@dataclass(frozen=True, slots=True)
class Reply:
    """The last HTTP response: its status, and the chart's metadata where it was a chart."""

    status: int
    meta: dict[str, Any]
    has_bars: bool
    note: str | None = None  # on events that were left out
    is_chart: bool = False  # False for what may not even be Yahoo's
    time: AnswerTime = UNTOLD


def without_malformed_events(response: Any) -> Reply:
    """The reply; its response loses the events that yfinance would lose all prices over."""
    is_chart = False
    try:
        body = json.loads(response.text)
        is_chart = "chart" in body
        chart = body["chart"]["result"][0]
        reply = Reply(response.status_code, dict(chart["meta"]), bool(chart.get("timestamp")), is_chart=True)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return Reply(response.status_code, {}, False, is_chart=is_chart)
    is_changed, note = drop_malformed(chart)
    if is_changed:
        response.content = json.dumps(body).encode()
    return replace(reply, note=note)


def explain(symbol: str, error: Exception, reply: Reply | None) -> FetchError:
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
    if reply is not None and (new_name := other_name(symbol, reply)):
        return renamed(symbol, new_name)
    if reply is None:
        return FetchError(failures.UNREADABLE, f"{symbol}: yfinance failed; see whether a newer one helps")
    if status == 404 or (not reply.has_bars and reply.meta.get("exchangeName") == DELISTED_EXCHANGE):
        return FetchError(failures.UNKNOWN_SYMBOL, f"{symbol}: Yahoo does not know it: delisted, renamed or misspelt")
    if status == 400 or (reply.meta and not reply.has_bars):
        return FetchError(failures.NO_NEW_DATA, f"{symbol}: Yahoo has no prices for the days asked for")
    return FetchError(failures.UNREADABLE, f"{symbol}: Yahoo's answer (HTTP {status}) is no price table; try later")


def other_name(symbol: str, reply: Reply) -> str | None:
    """The symbol that the answer is about, where it is not the one asked for."""
    named = str(reply.meta.get("symbol") or symbol)
    return named if named.upper() != symbol.upper() else None


def renamed(symbol: str, new_name: str) -> FetchError:
    """The failure of a stock that goes by another symbol now, as far as the answer names one."""
    if not is_symbol(new_name.upper()):
        text = f"{symbol}: Yahoo's answer is about {new_name[:LONGEST_SHOWN]!r}, which is no symbol; try later"
        return FetchError(failures.UNREADABLE, text)
    return FetchError(failures.RENAMED, f"{symbol}: Yahoo answers with {new_name}; use {new_name} from now on")


def _reason(error: Exception) -> str:
    """A library's message, without its name and its advice."""
    text = " ".join(str(error).split()).partition(". See http")[0]
    return text.removeprefix("Failed to perform, ")[:200]
