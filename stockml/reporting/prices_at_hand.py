"""Prices kept from earlier runs, or in the folder named: what moved a logged forecast, and closes for a chart.

Nothing is asked of a network; where no prices of a line's source are at hand, that is told or left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from stockml.core.clock import Clock
from stockml.core.failures import FetchError
from stockml.core.outcomes import VERIFIED
from stockml.core.paths import Home
from stockml.core.records import Prediction
from stockml.data.request import DateRange, FetchSettings

if TYPE_CHECKING:
    from stockml.data.sources import Source
    from stockml.reporting.outcome_causes import Moves

BEFORE = timedelta(days=90)  # of the forecast: prices that are checked, and tell what is usual
AFTER = timedelta(days=30)  # bars by which those of the outcome are checked

NONE_AT_HAND = "no prices are at hand"


@dataclass(frozen=True, slots=True)
class PricesAtHand:
    """The prices of one source that can be had without a network.

    Attributes
    ----------
    source : Source
    clock : Clock
        No bar later than it allows is looked at.
    home : Home
        Root of the price cache.
    """

    source: Source
    clock: Clock
    home: Home

    def moves(self, line: Prediction) -> Moves | str:
        """The prices around a forecast and its outcome; in words, why there are none."""
        from stockml.data.fetch import fetch_prices
        from stockml.reporting.outcome_causes import last_day, moves_of

        kind = line.source
        if self.source.kind != kind:
            return f"no prices of its source are at hand; name it by --source {kind}{':DIR' * (kind == 'csv')}"
        if self.source.is_plugin:
            return f"no prices of the plug-in {kind} are kept, and a run alone asks it"
        last = date.fromisoformat(last_day(line)) + AFTER
        span = self._span(line.symbol, date.fromisoformat(line.data_through) - BEFORE, last)
        settings = FetchSettings(offline=True)
        found = fetch_prices({line.symbol: span}, self.source, clock=self.clock, home=self.home, settings=settings)
        if line.symbol in found.failures:
            why = found.failures[line.symbol].message.removeprefix(f"{line.symbol}: ")
            return f"its prices are not at hand ({why})"
        return moves_of(line, found.tables[line.symbol])

    def closes(self, wanted: Mapping[str, tuple[date, date]]) -> dict[str, dict[date, float]]:
        """The closes that count of each symbol, by day, from a first day to a last, in the units of that day.

        A symbol of which none are at hand is left out.
        """
        from stockml.data.fetch import fetch_bars, source_bars

        if self.source.is_plugin:
            return {}
        spans = {symbol: self._span(symbol, *days) for symbol, days in wanted.items()}
        settings = FetchSettings(offline=True)
        feed = fetch_bars(spans, self.source, clock=self.clock, home=self.home, settings=settings)
        found = {}
        for symbol, raw in feed.bars.items():
            with suppress(FetchError):
                bars = source_bars(symbol, raw, spans[symbol])
                days, closes = bars.days[bars.counts].tolist(), bars.close[bars.counts].tolist()
                found[symbol] = dict(zip(days, closes, strict=True))
        return found

    def _span(self, symbol: str, first: date, last: date) -> DateRange:
        last = min(self.clock.cutoff(symbol), last)
        return DateRange(first, last, expected=last, is_past=True, calendar=self.clock.calendar(symbol))


def peers_of(line: Prediction, others: Iterable[Prediction], clock: Clock) -> list[Prediction]:
    """The verified lines of other stocks of its exchange, made from the same day at the same horizon, among others."""
    market = clock.exchanges.market
    return [
        other
        for other in others
        if other.status == VERIFIED
        and (other.data_through, other.prediction_horizon_days) == (line.data_through, line.prediction_horizon_days)
        and other.symbol != line.symbol
        and market(other.symbol) == market(line.symbol)
    ]
