"""A list of symbols -> checked price tables, and a failure for each symbol that has none.

One source a run, never another in its place. Downloads from Yahoo are left to `yahoo_download` and `yahoo_client`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from stockml.core import failures
from stockml.core.clock import Clock
from stockml.core.failures import Failure, FetchError
from stockml.core.paths import Home, check_symbol
from stockml.core.progress import no_progress
from stockml.data import announcement_store
from stockml.data.announcements import known_by
from stockml.data.fetched import Fetched, completed_of, listings_of, merged
from stockml.data.history import with_history
from stockml.data.request import DEFAULT_SETTINGS, EARLIEST, DateRange, Feed, FetchSettings, RawBars
from stockml.data.sources import YAHOO, Source
from stockml.data.unread_bars import open_bars
from stockml.data.yahoo_download import from_cache, from_yahoo

if TYPE_CHECKING:
    from stockml.data.findings import Checked
    from stockml.data.price_table import PriceTable
    from stockml.data.source_bars import SourceBars

DAYS_A_SESSION, MARGIN_DAYS = 1.5, 15  # a week has 5 sessions, holidays take some, and a long one must not matter


def span_of(symbol: str, sessions_back: int, clock: Clock) -> DateRange:
    """The days that hold the last `sessions_back` sessions that `clock` allows to see."""
    expected = clock.limit(symbol)
    days = min(round(sessions_back * DAYS_A_SESSION) + MARGIN_DAYS, max(0, (expected - EARLIEST).days))
    start, is_past = expected - timedelta(days=days), clock.as_of is not None
    return DateRange(start, clock.cutoff(symbol), expected, is_past, clock.calendar(symbol))


def spans_of(symbols: Iterable[str], sessions_back: int, clock: Clock) -> dict[str, DateRange]:
    """The days to fetch of each symbol, as `span_of` gives them; each symbol once, in the order given."""
    return {symbol: span_of(symbol, sessions_back, clock) for symbol in symbols}


def fetch_prices(
    spans: Mapping[str, DateRange],
    source: Source,
    *,
    clock: Clock,
    home: Home,
    settings: FetchSettings = DEFAULT_SETTINGS,
) -> Fetched[PriceTable]:
    """Checked prices of each symbol, or the reason why there are none; one symbol never stops the others.

    Parameters
    ----------
    spans : mapping of str to DateRange
        The days wanted of each symbol; see `spans_of`.
    source : Source
    clock : Clock
        Its `now` dates what is cached.
    home : Home
        Root of the price cache.
    settings : FetchSettings
        Retries, time-outs, offline use and the progress callback.

    Returns
    -------
    Fetched
        A table of shape (n_days, 6) or a failure for every symbol; no bar is later than its span's `limit`.
    """
    spans, invalid = valid(spans)
    parts: list[Fetched[PriceTable]] = [Fetched({}, invalid)]
    if is_downloaded(source, settings):  # many requests at a time
        feed = fetch_bars(spans, source, clock=clock, home=home, settings=settings)
        parts.append(check_feed(feed, spans, source.kind, settings))
    else:  # one file at a time, so that no raw bars are held beyond their check
        silent = replace(settings, tell=no_progress)
        for done, (symbol, span) in enumerate(spans.items(), start=1):
            feed = fetch_bars({symbol: span}, source, clock=clock, home=home, settings=silent)
            parts.append(check_feed(feed, spans, source.kind, silent))
            settings.tell("fetch", done, len(spans))
    return merged(parts)


def is_downloaded(source: Source, settings: FetchSettings) -> bool:
    """True where prices are asked for over the network, many at a time."""
    return source.kind == YAHOO and not settings.offline


def check_feed(
    feed: Feed, spans: Mapping[str, DateRange], kind: str, settings: FetchSettings = DEFAULT_SETTINGS
) -> Fetched[PriceTable]:
    """The bars of a feed, checked one symbol after the other.

    Parameters
    ----------
    feed : Feed
    spans : mapping of str to DateRange
        The days wanted of each symbol; of others the feed may have bars that are left out.
    kind : str
        The source's kind.
    settings : FetchSettings

    Returns
    -------
    Fetched
        The failures of the feed first, then those of the checks.
    """
    tables: dict[str, PriceTable] = {}
    bars: dict[str, SourceBars] = {}
    failed = dict(feed.failures)
    found = [symbol for symbol in spans if symbol in feed.bars]
    for done, symbol in enumerate(found, start=1):
        try:
            raw, span = feed.bars[symbol], spans[symbol]
            tidied = _tidied(symbol, raw, span)
            bars[symbol] = source_bars(symbol, raw, span, tidied)
            check = partial(checked, symbol, raw, kind, tidied=tidied)
            tables[symbol] = with_history(check, span, settings.history_bars)
        except FetchError as error:
            failed[symbol] = Failure(symbol, error.kind, str(error))
        settings.tell("check", done, len(found))
    return Fetched(tables, failed, bars, feed.requests, listings_of(feed), completed_of(feed), feed.skew)


def fetch_bars(
    spans: Mapping[str, DateRange],
    source: Source,
    *,
    clock: Clock,
    home: Home,
    settings: FetchSettings = DEFAULT_SETTINGS,
) -> Feed:
    """The raw bars of each symbol over its span, before any check, or the failures."""
    if source.kind != YAHOO:
        return _read_all(spans, source, clock, settings)
    feed = from_cache(spans, clock, home) if settings.offline else from_yahoo(spans, clock, home, settings)
    kept = announcement_store.read(home)
    dated = {
        symbol: replace(raw, announcements=kept[symbol].dates) for symbol, raw in feed.bars.items() if symbol in kept
    }
    return replace(feed, bars={**feed.bars, **dated})


def valid(spans: Mapping[str, DateRange]) -> tuple[dict[str, DateRange], dict[str, Failure]]:
    """The symbols that may name a file, and a failure for each that may not."""
    wanted: dict[str, DateRange] = {}
    failed: dict[str, Failure] = {}
    for symbol, span in spans.items():
        try:
            wanted[check_symbol(symbol)] = span
        except ValueError as error:
            failed[symbol] = Failure(symbol, failures.INVALID_SYMBOL, str(error))
    return wanted, failed


def checked(symbol: str, raw: RawBars, kind: str, span: DateRange, tidied: Checked | None = None) -> PriceTable:
    """The bars that lie in the span, checked.

    Parameters
    ----------
    symbol : str
    raw : RawBars
        All bars that the source gave.
    kind : str
        The source's kind, written into the table.
    span : DateRange
    tidied : DataFrame of shape (n_rows, 6), and its findings, optional
        The bars as `raw_table.tidy` has read them up to the span's limit.

    Returns
    -------
    PriceTable
        Of shape (n_days, 6); its findings include the source's notes.

    Raises
    ------
    FetchError
        Where the prices cannot be used.
    """
    from stockml.data.price_table import Finding, PriceError, check_tidied, note_stale

    tidied = tidied or _tidied(symbol, raw, span)
    try:
        table = check_tidied(symbol, tidied, limit=span.limit, start=span.start, calendar=span.calendar)
    except PriceError as error:
        raise FetchError(_failure_kind(error.kind), str(error)) from None
    if span.is_past:
        table = replace(table, findings=tuple(found for found in table.findings if found.kind != "open_session"))
    for note, text in raw.notes:
        table = table.noting(Finding(note, "noted", (), text))
    announcements = known_by(raw.announcements, table.data_through)
    return note_stale(replace(table, currency=raw.currency, source=kind, announcements=announcements), span.expected)


def source_bars(symbol: str, raw: RawBars, span: DateRange, tidied: Checked | None = None) -> SourceBars:
    """The bars of the span as settlement needs them.

    Parameters
    ----------
    symbol : str
    raw : RawBars
        All bars that the source gave.
    span : DateRange
    tidied : DataFrame of shape (n_rows, 6), and its findings, optional
        As of `checked`.

    Returns
    -------
    SourceBars
        Of n_days days; none is later than the span's `limit`.

    Raises
    ------
    FetchError
        Where the source's table cannot be read.
    """
    import pandas as pd

    from stockml.core.calendars import calendar_for
    from stockml.data.day_checks import is_filled_forward
    from stockml.data.source_bars import SourceBars

    rows = (tidied or _tidied(symbol, raw, span))[0].sort_index(kind="stable")
    rows = rows[~is_filled_forward(rows, span.calendar or calendar_for(symbol))]
    return SourceBars.of(rows.loc[pd.Timestamp(span.start) : pd.Timestamp(span.limit)], raw)


def _tidied(symbol: str, raw: RawBars, span: DateRange) -> Checked:
    from stockml.data.findings import PriceError
    from stockml.data.raw_table import tidy

    try:
        return tidy(raw.frame, span.limit)
    except PriceError as error:
        raise FetchError(_failure_kind(error.kind), f"{symbol}: {error}") from None


def _failure_kind(price_error: str) -> str:
    if price_error in ("columns", "unreadable"):
        return failures.UNREADABLE
    if price_error in ("too_short", "empty"):
        return failures.TOO_SHORT
    return failures.BAD_PRICES


def _read_all(spans: Mapping[str, DateRange], source: Source, clock: Clock, settings: FetchSettings) -> Feed:
    """The bars of a folder's files, of the simulated market, or of a plug-in."""
    bars: dict[str, RawBars] = {}
    failed: dict[str, Failure] = {}
    for done, (symbol, span) in enumerate(spans.items(), start=1):
        try:
            bars[symbol] = _read(symbol, source, span, clock, wants_all=settings.history_bars > 0)
        except FetchError as error:
            failed[symbol] = Failure(symbol, error.kind, str(error))
        settings.tell("fetch", done, len(spans))
    return Feed(bars, failed)


def _read(symbol: str, source: Source, span: DateRange, clock: Clock, *, wants_all: bool) -> RawBars:
    if source.folder is not None:
        return open_bars(symbol, source.folder, clock.calendar(symbol).timezone).read()
    if source.is_simulated:
        return _simulate(symbol, span)
    from stockml.data.plugin_source import plugin_bars

    return plugin_bars(symbol, source, span, wants_all=wants_all)


def _simulate(symbol: str, span: DateRange) -> RawBars:
    from stockml.data.simulated_market import (
        CURRENCY,
        SAMPLE_MARKET,
        SAMPLE_SYMBOLS,
        sample_announcements,
        sample_bars,
    )

    if symbol not in SAMPLE_SYMBOLS:
        names = ", ".join(SAMPLE_SYMBOLS)
        raise FetchError(failures.UNKNOWN_SYMBOL, f"{symbol}: not in the simulated market; it has {names}")
    announcements = known_by(sample_announcements(symbol, span.limit), span.limit)
    bars = sample_bars(symbol, SAMPLE_MARKET.first_day, span.limit)  # as a file: all there are
    return RawBars(bars, CURRENCY, announcements=announcements)
