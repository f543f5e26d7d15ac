"""The exchanges of a run: which symbol trades where, as named by the user, the prices or Yahoo, else by its ending."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stockml.core.calendars import Calendar, calendar_of
from stockml.core.markets import assumed_market, market_of


@dataclass(frozen=True, slots=True)
class Exchanges:
    """An assignment of symbols to markets; a plain value, so that every process and worker sees the same one.

    `named` has the markets of symbols that do not name their own, or that name one which Yahoo contradicts.
    """

    named: Mapping[str, str] = field(default_factory=dict)

    def market(self, symbol: str) -> str:
        """The code of the symbol's market."""
        return self.named.get(symbol.upper()) or market_of(symbol) or assumed_market(symbol)

    def calendar(self, symbol: str) -> Calendar:
        """The calendar of the symbol's market."""
        return calendar_of(self.market(symbol))

    def is_assumed(self, symbol: str) -> bool:
        """True where nobody named the symbol's market, nor does its ending."""
        return symbol.upper() not in self.named and market_of(symbol) is None

    def naming(self, more: Mapping[str, str]) -> Exchanges:
        """The assignment with more symbols named, or named anew."""
        return Exchanges({**self.named, **{symbol.upper(): code for symbol, code in more.items()}})


BY_SYMBOL = Exchanges()  # nobody named any: each symbol's ending tells
