"""The result of a fetch: checked tables, the source's own bars, failures, and what the answers say beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from stockml.core.failures import Failure
from stockml.data.request import NOWHERE, Feed, Listing

if TYPE_CHECKING:
    from stockml.core.clock import Clock
    from stockml.core.paths import Home
    from stockml.data.findings import Finding
    from stockml.data.request import DateRange, FetchSettings
    from stockml.data.source_bars import SourceBars
    from stockml.data.sources import Source


class ReportedTable(Protocol):
    """A checked table, or what is kept of one that was analysed at once: all that a run tells of it."""

    @property
    def symbol(self) -> str:
        """The stock's symbol."""
        ...

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that was found in the table."""
        ...

    def summary(self) -> dict[str, object]:
        """The table in a few plain values, for a report."""
        ...


Table = TypeVar("Table", bound=ReportedTable)
Other = TypeVar("Other", bound=ReportedTable)


@dataclass(frozen=True, slots=True)
class Fetched(Generic[Table]):
    """The result of a fetch: a table or a failure for every symbol, and the number of requests for each.

    `bars` are the source's own, for settlement; a symbol whose table was refused for a forecast may have them too.
    """

    tables: Mapping[str, Table]
    failures: Mapping[str, Failure]
    bars: Mapping[str, SourceBars] = field(default_factory=dict)
    requests: Mapping[str, int] = field(default_factory=dict)
    listings: Mapping[str, Listing] = field(default_factory=dict)  # where Yahoo says that a symbol is listed
    completed: Mapping[str, date] = field(default_factory=dict)  # the last complete day by Yahoo's answer
    skew: timedelta | None = None  # how much Yahoo's clock is ahead of the machine's; None where it did not tell

    def holding(self, tables: Mapping[str, Other]) -> Fetched[Other]:
        """This result with what is kept of each of its tables."""
        return Fetched(tables, self.failures, self.bars, self.requests, self.listings, self.completed, self.skew)

    def renewed(self, other: Fetched[Table]) -> Fetched[Table]:
        """This result with that of a second fetch of some of the symbols in place of the first."""
        failures = {symbol: failure for symbol, failure in self.failures.items() if symbol not in other.tables}
        tables = {symbol: table for symbol, table in self.tables.items() if symbol not in other.failures}
        requests = {
            symbol: self.requests.get(symbol, 0) + other.requests.get(symbol, 0)
            for symbol in {**self.requests, **other.requests}
        }
        return Fetched(
            tables={**tables, **other.tables},
            failures={**failures, **other.failures},
            bars={**self.bars, **other.bars},
            requests=requests,
            listings={**other.listings, **self.listings},
            completed={**self.completed, **other.completed},
            skew=self.skew if other.skew is None else other.skew,
        )

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


class FetchTables(Protocol[Table]):
    """`fetch.fetch_prices`, or what asks for the same and keeps something else of each table."""

    def __call__(
        self, spans: Mapping[str, DateRange], source: Source, *, clock: Clock, home: Home, settings: FetchSettings
    ) -> Fetched[Table]:
        """A table or a failure for every symbol."""
        ...


def merged(parts: Sequence[Fetched[Table]]) -> Fetched[Table]:
    """The results of several fetches, each of other symbols, as one."""
    tables: dict[str, Table] = {}
    failed: dict[str, Failure] = {}
    bars: dict[str, SourceBars] = {}
    requests: dict[str, int] = {}
    listings: dict[str, Listing] = {}
    completed: dict[str, date] = {}
    skew = None
    for part in parts:
        tables |= part.tables
        failed |= part.failures
        bars |= part.bars
        requests |= part.requests
        listings |= part.listings
        completed |= part.completed
        skew = part.skew if skew is None else skew
    return Fetched(tables, failed, bars, requests, listings, completed, skew)


def listings_of(feed: Feed) -> dict[str, Listing]:
    """The listing of each symbol of which Yahoo says where it is listed."""
    return {symbol: raw.listing for symbol, raw in feed.bars.items() if raw.listing != NOWHERE}


def completed_of(feed: Feed) -> dict[str, date]:
    """The last day whose bar is complete by the answer's own time, of each symbol that was asked for."""
    return {symbol: raw.complete_through for symbol, raw in feed.bars.items() if raw.complete_through is not None}
