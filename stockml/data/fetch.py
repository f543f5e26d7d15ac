"""A list of symbols -> checked price tables, and a failure for each symbol that has none.

One source a run, never another in its place. How Yahoo is asked is the business of `feed` and `yahoo`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from stockml.core import failures
from stockml.core.clock import Clock
from stockml.core.failures import Failure, FetchError
from stockml.core.paths import Home, check_symbol
from stockml.core.progress import Progress, no_progress
from stockml.core.records import EARLIEST_DATE
from stockml.data.csv_files import read_csv
from stockml.data.request import PATIENT, DateRange, Feed, FetchSettings, RawBars
from stockml.data.yahoo_download import from_store, from_yahoo

if TYPE_CHECKING:
    from stockml.data.price_table import PriceTable

__all__ = ["Failure", "Fetched", "Source", "fetch_prices", "parse_source"]

YAHOO, CSV, SAMPLE = "yahoo", "csv", "sample"
EARLIEST = date.fromisoformat(EARLIEST_DATE)
DAYS_A_SESSION, MARGIN_DAYS = 1.5, 15  # a week has 5 sessions, holidays take some, and a long one must not matter


@dataclass(frozen=True, slots=True)
class Source:
    """Where prices come from: yahoo, the CSV files of a folder, or the simulated market."""

    kind: str
    folder: Path | None = None

    @property
    def is_simulated(self) -> bool:
        return self.kind == SAMPLE

    def __str__(self) -> str:
        return self.kind if self.folder is None else f"{self.kind}:{self.folder}"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of a fetch: a table or a failure for every symbol asked for, and how often the source was asked."""

    tables: Mapping[str, PriceTable]
    failures: Mapping[str, Failure]
    requests: Mapping[str, int] = field(default_factory=dict)

    def summary(self) -> dict[str, dict[str, object]]:
        """A few plain values a symbol, for a report."""
        out: dict[str, dict[str, object]] = {}
        for symbol, table in self.tables.items():
            out[symbol] = table.summary() | {"requests": self.requests.get(symbol, 0)}
        for symbol, failure in self.failures.items():
            out[symbol] = {
                "failure": failure.kind,
                "message": failure.message,
                "skipped": failure.is_known,
                "requests": self.requests.get(symbol, 0),
            }
        return out


def parse_source(text: str) -> Source:
    """The source a `--source` names; ValueError in plain words for any other text."""
    kind, colon, folder = text.partition(":")
    if text in (YAHOO, SAMPLE):
        return Source(text)
    if kind != CSV or not colon or not folder:
        raise ValueError(f"the source {text!r} is none of yahoo, csv:DIR and sample; write one of them")
    try:
        is_folder = Path(folder).is_dir()
    except OSError as error:  # it lies where nobody lets us look
        raise ValueError(f"the source {text!r} cannot be looked at ({error.strerror}); name another folder") from None
    if not is_folder:
        raise ValueError(f"the source {text!r} names no folder; give the one that holds SYMBOL.csv files")
    return Source(CSV, Path(folder))


def span_of(symbol: str, sessions_back: int, clock: Clock) -> DateRange:
    """The days that hold the last `sessions_back` sessions the clock lets see."""
    expected = clock.limit(symbol)
    days = min(round(sessions_back * DAYS_A_SESSION) + MARGIN_DAYS, max(0, (expected - EARLIEST).days))
    return DateRange(expected - timedelta(days=days), clock.cutoff(symbol), expected, clock.as_of is not None)


def fetch_prices(  # noqa: PLR0913 - the last has a default that nearly everybody wants
    symbols: Iterable[str],
    source: Source,
    *,
    sessions_back: int,
    clock: Clock,
    home: Home,
    settings: FetchSettings = PATIENT,
) -> Fetched:
    """Checked prices of each symbol, or why there are none; one symbol never stops the others.

    Parameters
    ----------
    symbols : iterable of str
        Each is asked for once, in this order.
    source : Source
    sessions_back : int
        How many sessions the tables should reach back from the last one that may be used, at least.
    clock : Clock
        With `as_of` no later bar is in any table.
    home : Home
        Where the price store lies.
    settings : FetchSettings
        How hard Yahoo is asked, if at all, and who is told how far it is.
    """
    wanted, failed = _valid(symbols)
    spans = {symbol: span_of(symbol, sessions_back, clock) for symbol in wanted}
    # Yahoo is asked for all at once; what lies here is read one by one, so that no raw bars are held beyond their check
    at_once = source.kind == YAHOO and not settings.offline
    portions = [spans] if at_once else [{symbol: spans[symbol]} for symbol in wanted]
    tables: dict[str, PriceTable] = {}
    requests: dict[str, int] = {}
    asking = settings if at_once else replace(settings, tell=no_progress)
    for number, portion in enumerate(portions, start=1):
        feed = fetch_bars(portion, source, clock=clock, home=home, settings=asking)
        failed |= feed.failures
        requests |= feed.requests
        for done, symbol in enumerate(found := [symbol for symbol in portion if symbol in feed.bars], start=1):
            try:
                tables[symbol] = checked(symbol, feed.bars[symbol], source.kind, spans[symbol])
            except FetchError as error:
                failed[symbol] = Failure(symbol, error.kind, str(error))
            if at_once:
                settings.tell("check", done, len(found))
        if not at_once:
            settings.tell("fetch", number, len(portions))
    return Fetched(tables, failed, requests)


def fetch_bars(
    spans: Mapping[str, DateRange], source: Source, *, clock: Clock, home: Home, settings: FetchSettings = PATIENT
) -> Feed:
    """The raw bars of each symbol over its span, before any check; or why there are none."""
    if source.kind != YAHOO:
        return _read_all(spans, source, settings.tell)
    return from_store(spans, clock, home) if settings.offline else from_yahoo(spans, clock, home, settings)


def _valid(symbols: Iterable[str]) -> tuple[list[str], dict[str, Failure]]:
    """The symbols that may name a file, each once, and a failure for each that may not."""
    wanted: list[str] = []
    failed: dict[str, Failure] = {}
    for symbol in dict.fromkeys(symbols):
        try:
            wanted.append(check_symbol(symbol))
        except ValueError as error:
            failed[symbol] = Failure(symbol, failures.INVALID_SYMBOL, str(error))
    return wanted, failed


def checked(symbol: str, raw: RawBars, kind: str, span: DateRange) -> PriceTable:
    """The part of the bars that lies in the span, checked; FetchError where it cannot be used."""
    from stockml.data.price_table import Finding, PriceError, check_prices, note_stale

    try:
        table = check_prices(symbol, raw.frame, source=kind, currency=raw.currency, limit=span.limit, start=span.start)
    except PriceError as error:
        raise FetchError(_failure_kind(error.kind), str(error)) from None
    if span.is_past:
        table = replace(table, findings=tuple(found for found in table.findings if found.kind != "open_session"))
    for note, text in raw.notes:
        table = table.noting(Finding(note, "noted", (), text))
    return note_stale(table, span.expected)


def _failure_kind(price_error: str) -> str:
    if price_error in ("columns", "unreadable"):
        return failures.UNREADABLE
    if price_error in ("too_short", "empty"):
        return failures.TOO_SHORT
    return failures.BAD_PRICES


def _read_all(spans: Mapping[str, DateRange], source: Source, tell: Progress) -> Feed:
    """The bars of a folder's files, or of the simulated market."""
    bars: dict[str, RawBars] = {}
    failed: dict[str, Failure] = {}
    for done, (symbol, span) in enumerate(spans.items(), start=1):
        try:
            bars[symbol] = read_csv(symbol, source.folder) if source.folder else _simulate(symbol, span)
        except FetchError as error:
            failed[symbol] = Failure(symbol, error.kind, str(error))
        tell("fetch", done, len(spans))
    return Feed(bars, failed)


def _simulate(symbol: str, span: DateRange) -> RawBars:
    from stockml.data.simulated_market import CURRENCY, SAMPLE_SYMBOLS, sample_bars

    if symbol not in SAMPLE_SYMBOLS:
        names = ", ".join(SAMPLE_SYMBOLS)
        raise FetchError(failures.UNKNOWN_SYMBOL, f"{symbol}: not in the simulated market; it has {names}")
    return RawBars(sample_bars(symbol, span.start, span.limit), CURRENCY)
