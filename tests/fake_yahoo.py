"""A local server that answers as Yahoo's chart endpoint does, knows a market, and fails on request.

yfinance is sent to it at `curl_cffi.requests.Session.request`, where every URL passes: in this process by
`redirected`, in another by the folder that `site_folder` makes, put on its PYTHONPATH.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo

import pandas as pd

CHART = "/v8/finance/chart/"
SUMMARY = "/v10/finance/quoteSummary/"
EARNINGS = "finance.yahoo.com/calendar/earnings"
Chart = dict[str, Any]


@dataclass(frozen=True)
class Wire:
    """An answer as bytes, whatever was asked."""

    status: int
    body: str
    content_type: str = "application/json;charset=utf-8"


NOT_FOUND = (
    '{"chart":{"result":null,"error":{"code":"Not Found","description":"No data found, symbol may be delisted"}}}'
)
INTERNAL = '{"chart":{"result":null,"error":{"code":"Internal Server Error","description":"Internal Server Error"}}}'
BAD_DATES = '{"chart":{"result":null,"error":{"code":"Bad Request","description":"Data doesn\'t exist for startDate"}}}'

TOO_MANY = Wire(429, "Edge: Too Many Requests", "text/plain")
UNKNOWN = Wire(404, NOT_FOUND)
UNKNOWN_SUMMARY = Wire(404, NOT_FOUND.replace("chart", "quoteSummary"))
BROKEN = Wire(500, INTERNAL)
BROKEN_HTML = Wire(502, "<html><body>Bad gateway</body></html>", "text/html")
NO_SUCH_DAYS = Wire(400, BAD_DATES)
HTML = Wire(200, "<!DOCTYPE html><html><body>Consent</body></html>", "text/html")
DOWN = Wire(200, "<html>Will be right back</html>", "text/html")


def cut(chart: Chart) -> Wire:
    """The first half of the JSON text, as if it were all."""
    text = json.dumps(chart)
    return Wire(200, text[: len(text) // 2])


def drop(chart: Chart) -> None:
    """Half the bytes that were announced, then the connection closed."""
    raise ConnectionAbortedError


def hang(chart: Chart) -> None:
    """Not a word."""
    raise TimeoutError


def empty(chart: Chart) -> Chart:
    """A description without a bar, as on days without trade."""
    result = chart["chart"]["result"][0]
    for key in ("timestamp", "events"):
        result.pop(key, None)
    result["indicators"] = {"quote": [{}], "adjclose": [{}]}
    return chart


def null_rows(*rows: int) -> Callable[[Chart], Chart]:
    """Nothing but null in some rows."""

    def edit(chart: Chart) -> Chart:
        indicators = chart["chart"]["result"][0]["indicators"]
        for column in [*indicators["quote"][0].values(), *indicators["adjclose"][0].values()]:
            for row in rows:
                column[row] = None
        return chart

    return edit


def without_rows(*rows: int) -> Callable[[Chart], Chart]:
    """Some bars missing."""

    def edit(chart: Chart) -> Chart:
        result = chart["chart"]["result"][0]
        indicators = result["indicators"]
        for column in [result["timestamp"], *indicators["quote"][0].values(), *indicators["adjclose"][0].values()]:
            for row in sorted(range(len(column))[row] for row in rows)[::-1]:
                del column[row]
        return chart

    return edit


def described(**meta: Any) -> Callable[[Chart], Chart]:
    """Another description of the same bars."""

    def edit(chart: Chart) -> Chart:
        chart["chart"]["result"][0]["meta"] |= meta
        return chart

    return edit


def with_events(events: Any) -> Callable[[Chart], Chart]:
    """The same bars with these dividends and splits, whatever they are."""

    def edit(chart: Chart) -> Chart:
        chart["chart"]["result"][0]["events"] = events
        return chart

    return edit


Fault = Wire | Callable[[Chart], Any]


@dataclass
class Listing:
    """A symbol's bars as they were traded, in the units of their day, and what Yahoo adjusts them for.

    `bars` has Open, High, Low, Close and Volume on a naive DatetimeIndex. `splits` are new shares per old from that
    day on, `dividends` in that day's units.
    """

    bars: pd.DataFrame
    currency: str | None = "INR"
    exchange: str = "NSI"
    timezone: str = "Asia/Kolkata"
    opens: str = "09:15"
    closes: str | None = None  # where given, the answer names the trading period of the server's day
    kind: str = "EQUITY"
    splits: dict[date, float] = field(default_factory=dict)
    dividends: dict[date, float] = field(default_factory=dict)

    def splitting(self, day: date, ratio: float) -> Listing:
        """The same company, had it split that day: worth as much, in more shares."""
        bars, later = self.bars.astype(float), self.bars.index >= pd.Timestamp(day)
        bars.loc[later, ["Open", "High", "Low", "Close"]] /= ratio
        bars.loc[later, "Volume"] *= ratio
        return replace(self, bars=bars, splits=self.splits | {day: ratio})

    def seconds(self, day: date) -> int:
        return int(datetime.fromisoformat(f"{day}T{self.opens}").replace(tzinfo=ZoneInfo(self.timezone)).timestamp())

    def known(self, today: date) -> pd.DataFrame:
        """What Yahoo shows on the evening of a day: all adjusted for the splits and dividends up to then."""
        frame = self.bars.loc[: pd.Timestamp(today)].astype(float)
        for day, ratio in self.splits.items():
            if day <= today:
                before = frame.index < pd.Timestamp(day)
                frame.loc[before, ["Open", "High", "Low", "Close"]] /= ratio
                frame.loc[before, "Volume"] *= ratio
        frame["Adj Close"] = frame["Close"]
        for day, amount in self.dividends.items():
            before = frame.index < pd.Timestamp(day)
            if day <= today and before.any():
                later = [ratio for on, ratio in self.splits.items() if day < on <= today]
                share = amount / pd.Series([1.0, *later]).prod() / frame.loc[before, "Close"].iloc[-1]
                frame.loc[before, "Adj Close"] *= 1 - share
        return frame

    def chart(self, symbol: str, query: dict[str, str], today: date) -> Chart:
        """The body of an answer to a query by period1 and period2 or by range (a day, then)."""
        frame = self.known(today)
        stamps = pd.Series([self.seconds(day) for day in frame.index.date], index=frame.index)
        first, last = int(query.get("period1", 0)), int(query.get("period2", 2**40))
        wanted = (stamps >= first) & (stamps < last)
        if "range" in query:
            wanted &= stamps == stamps.max()
        frame, stamps = frame[wanted], stamps[wanted]
        result: dict[str, Any] = {"meta": self._meta(symbol) | self._period(today), "timestamp": stamps.tolist()}
        if events := self._events(first, last, today):
            result["events"] = events
        quote = {name.lower(): frame[name].tolist() for name in ("Open", "High", "Low", "Close")}
        quote["volume"] = [int(volume) for volume in frame["Volume"]]
        result["indicators"] = {"quote": [quote], "adjclose": [{"adjclose": frame["Adj Close"].tolist()}]}
        chart = {"chart": {"result": [result], "error": None}}
        return chart if len(frame) else empty(chart)

    def _meta(self, symbol: str) -> dict[str, Any]:
        return {
            "currency": self.currency,
            "symbol": symbol,
            "exchangeName": self.exchange,
            "instrumentType": self.kind,
            "firstTradeDate": self.seconds(self.bars.index[0].date()),
            "hasPrePostMarketData": False,
            "gmtoffset": 19800,
            "timezone": "IST",
            "exchangeTimezoneName": self.timezone,
            "priceHint": 2,
            "dataGranularity": "1d",
            "range": "",
            "validRanges": ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"],
        }

    def _period(self, today: date) -> dict[str, Any]:
        if self.closes is None:
            return {}
        end = datetime.fromisoformat(f"{today}T{self.closes}").replace(tzinfo=ZoneInfo(self.timezone))
        offset = end.utcoffset()
        assert offset is not None
        regular = {
            "timezone": "IST",
            "start": self.seconds(today),
            "end": int(end.timestamp()),
            "gmtoffset": int(offset.total_seconds()),
        }
        return {"currentTradingPeriod": {"regular": regular}}

    def _events(self, first: int, last: int, today: date) -> dict[str, Any]:
        events: dict[str, Any] = {}
        for day, amount in self.dividends.items():
            if first <= self.seconds(day) < last and day <= today:
                at = self.seconds(day)
                events.setdefault("dividends", {})[str(at)] = {"amount": amount, "date": at}
        for day, ratio in self.splits.items():
            if first <= self.seconds(day) < last and day <= today:
                at = self.seconds(day)
                events.setdefault("splits", {})[str(at)] = {
                    "date": at,
                    "numerator": ratio,
                    "denominator": 1,
                    "splitRatio": f"{ratio:g}:1",
                }
        return events


@dataclass
class Results:
    """The days on which a company publishes results, as Yahoo's calendar and its page of past ones tell them."""

    coming: tuple[datetime, ...] = ()  # with their zones; several while the company has not named one
    past: tuple[datetime, ...] = ()  # at full hours, in New York
    is_estimate: bool = False

    def summary(self) -> Chart:
        """The answer about one module, calendarEvents."""
        stamps = [int(moment.timestamp()) for moment in self.coming]
        earnings = {"earningsDate": stamps, "earningsCallDate": [], "isEarningsDateEstimate": self.is_estimate}
        events = {"maxAge": 1, "earnings": earnings, "exDividendDate": 1778803200}
        return {"quoteSummary": {"result": [{"calendarEvents": events}], "error": None}}

    def page(self, symbol: str) -> str:
        """The page of a calendar, newest first; without a table where there is nothing to list."""
        zone = ZoneInfo("America/New_York")
        dates = [moment.astimezone(zone) for moment in sorted(self.past, reverse=True)]
        cells = [
            f"<tr><td>{symbol}</td><td>Any Ltd</td><td>{at:%B} {at.day}, {at.year} at {int(at.strftime('%I'))} "
            f"{at:%p} {at.tzname()}</td><td>2.1</td><td>-</td><td>-</td></tr>"
            for at in dates
        ]
        names = ("Symbol", "Company", "Earnings Date", "EPS Estimate", "Reported EPS", "Surprise (%)")
        head = "".join(f"<th>{name}</th>" for name in names)
        table = (
            f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(cells)}</tbody></table>" if cells else "<p>None</p>"
        )
        return f"<!DOCTYPE html><html><body>{table}</body></html>"


class FakeYahoo:
    """The server's market and memory.

    Attributes
    ----------
    listings : dict of Listing by symbol
    results : dict of Results by symbol
    results_fault : Wire or fault
        What is answered to all questions about results.
    bodies : dict of Wire by symbol, given as they are where there is no listing
    today : date
        The day whose evening it is at Yahoo.
    skew : timedelta
        How much the clock that the HTTP Date header tells is ahead of this machine's.
    headers : dict of str by str
        More HTTP headers of every answer.
    asked : list of str
        Every URL asked for, oldest first, without its scheme.
    gate : Wire or fault
        What is answered to all that is no chart: cookies, crumbs, consent.
    """

    def __init__(self, today: date) -> None:
        self.listings: dict[str, Listing] = {}
        self.results: dict[str, Results] = {}
        self.results_fault: Fault | None = None
        self.bodies: dict[str, Wire] = {}
        self.today = today
        self.skew = timedelta(0)
        self.headers: dict[str, str] = {}
        self.asked: list[str] = []
        self.gate: Wire | Callable[[Chart], Any] | None = None
        self._faults: defaultdict[str, list[tuple[Fault, int]]] = defaultdict(list)
        self._lock = threading.Lock()
        self.closing = threading.Event()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def fail(self, symbol: str, fault: Fault, times: int = 1_000_000) -> None:
        """Answer the next chart requests for a symbol, or for every symbol with "*", with a fault."""
        self._faults[symbol].append((fault, times))

    def mend(self) -> None:
        """Forget every fault."""
        self._faults.clear()

    def charts(self, symbol: str = "") -> int:
        """How many charts were asked for: of one symbol, or of all."""
        with self._lock:
            return sum(CHART + symbol in url.partition("?")[0] for url in self.asked)

    def answer(self, url: str) -> Wire:
        """What a URL, without its scheme, is answered with; an OSError is a broken connection."""
        with self._lock:
            self.asked.append(url)
        parts = urlsplit(f"//{url}")
        if parts.path.startswith(CHART):
            query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
            return self._chart(unquote(parts.path.removeprefix(CHART)), query)
        if SUMMARY in url or EARNINGS in url:
            return self._results(url)
        if self.gate is not None:
            return self.gate if isinstance(self.gate, Wire) else self.gate({})
        if parts.path.endswith("getcrumb"):
            return Wire(200, "crumb", "text/plain")
        return Wire(404, "", "text/html")

    def results_asked(self) -> list[str]:
        """The symbols whose next results were asked for, oldest first."""
        with self._lock:
            asked = [unquote(url.partition("?")[0].partition(SUMMARY)[2]) for url in self.asked if SUMMARY in url]
        return list(dict.fromkeys(asked))

    def _results(self, url: str) -> Wire:
        if self.results_fault is not None:
            return self.results_fault if isinstance(self.results_fault, Wire) else self.results_fault({})
        parts = urlsplit(f"//{url}")
        if SUMMARY in url:
            found = self.results.get(unquote(parts.path.removeprefix(SUMMARY)))
            return UNKNOWN_SUMMARY if found is None else Wire(200, json.dumps(found.summary()))
        symbol = parse_qs(parts.query)["symbol"][0]
        return Wire(200, self.results.get(symbol, Results()).page(symbol), "text/html")

    def _chart(self, symbol: str, query: dict[str, str]) -> Wire:
        fault = self._next_fault(symbol)
        if isinstance(fault, Wire):
            return fault
        if symbol in self.bodies:
            return self.bodies[symbol]
        if symbol not in self.listings:
            listed: Any = UNKNOWN
        else:
            listed = self.listings[symbol].chart(symbol, query, self.today)
        edited = fault(listed) if fault else listed
        return edited if isinstance(edited, Wire) else Wire(200, json.dumps(edited))

    def _next_fault(self, symbol: str) -> Fault | None:
        with self._lock:
            for name in (symbol, "*"):
                if self._faults[name]:
                    fault, times = self._faults[name].pop(0)
                    if times > 1:
                        self._faults[name].insert(0, (fault, times - 1))
                    return fault
        return None

    def __enter__(self) -> FakeYahoo:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128  # of five, a busy machine drops some, and their clients ask again a second later

    def __init__(self, yahoo: FakeYahoo) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.yahoo = yahoo

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        yahoo = self.server.yahoo
        try:
            wire = yahoo.answer(self.path.removeprefix("/"))
        except TimeoutError:
            yahoo.closing.wait()
            return
        except ConnectionAbortedError:
            self._send(Wire(200, '{"chart": {"result": ['), announced=4096)
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._send(wire)

    def do_POST(self) -> None:
        self.do_GET()

    def _send(self, wire: Wire, announced: int | None = None) -> None:
        body = wire.body.encode()
        self.send_response(wire.status)
        self.send_header("Content-Type", wire.content_type)
        self.send_header("Content-Length", str(announced or len(body)))
        for name, value in self.server.yahoo.headers.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The HTTP Date header."""
        now = time.time() if timestamp is None else timestamp
        return super().date_time_string(now + self.server.yahoo.skew.total_seconds())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the market remembers what was asked."""


@contextmanager
def redirected(yahoo: FakeYahoo) -> Iterator[FakeYahoo]:
    """yfinance asks the server, whatever URL it means, as long as this lasts."""
    from curl_cffi.requests import Session
    from yfinance.data import SingletonMeta

    SingletonMeta._instances.clear()  # it remembers which cookies worked, and another test's server is another world
    real = Session.request

    def request(self: Any, method: str, url: str, **options: Any) -> Any:
        return real(self, method, f"{yahoo.url}/{url.partition('://')[2]}", **options)

    Session.request = request
    try:
        yield yahoo
    finally:
        Session.request = real


_SITECUSTOMIZE = """
try:
    from curl_cffi.requests import Session
except ImportError:  # a Python without the libraries, which hands over to one that has them
    pass
else:
    real = Session.request

    def request(self, method, url, **options):
        return real(self, method, "{base}/" + url.partition("://")[2], **options)

    Session.request = request
"""


def site_folder(yahoo: FakeYahoo, folder: Path) -> Path:
    """A folder that, put on another process's PYTHONPATH, sends its yfinance to the server."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(_SITECUSTOMIZE.format(base=yahoo.url))
    return folder
