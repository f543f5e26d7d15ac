"""The result of a fetch: checked tables, the source's own bars, failures, and what the answers say beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from stockml.core.failures import Failure
from stockml.data.request import NOWHERE, Feed, Listing

if TYPE_CHECKING:
    from stockml.data.price_table import PriceTable
    from stockml.data.source_bars import SourceBars


@dataclass(frozen=True, slots=True)
class Fetched:
    """The result of a fetch: a table or a failure for every symbol, and the number of requests for each.

    `bars` are the source's own, for settlement; a symbol whose table was refused for a forecast may have them too.
    """

    tables: Mapping[str, PriceTable]
    failures: Mapping[str, Failure]
    bars: Mapping[str, SourceBars] = field(default_factory=dict)
    requests: Mapping[str, int] = field(default_factory=dict)
    listings: Mapping[str, Listing] = field(default_factory=dict)  # where Yahoo says that a symbol is listed
    completed: Mapping[str, date] = field(default_factory=dict)  # the last complete day by Yahoo's answer
    skew: timedelta | None = None  # how much Yahoo's clock is ahead of the machine's; None where it did not tell

    def renewed(self, other: Fetched) -> Fetched:
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


def merged(parts: Sequence[Fetched]) -> Fetched:
    """The results of several fetches, each of other symbols, as one."""
    tables: dict[str, PriceTable] = {}
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
