"""Kinds of failures of one stock, nearly all of its prices; each kind gets its own treatment."""

from __future__ import annotations

import copyreg
from dataclasses import dataclass
from typing import Any

RATE_LIMITED = "rate_limited"  # asked too often: wait, then stop asking
UNKNOWN_SYMBOL = "unknown_symbol"  # misspelt, delisted or renamed: try again in a week
RENAMED = "renamed"  # answered under another symbol
NETWORK = "network"  # no connection, a broken one, or no answer in time
SERVER = "server"  # the source itself is in trouble (HTTP 5xx)
UNREADABLE = "unreadable"  # an answer, or a file, that is no price table
NO_NEW_DATA = "no_new_data"  # an answer without a single bar
BAD_PRICES = "bad_prices"  # a table that cannot be trusted
TOO_SHORT = "too_short"  # a table with too few bars
STALE = "stale"  # prices that end so early that what would be forecast has happened already
INVALID_SYMBOL = "invalid_symbol"  # no symbol at all
PLUGIN = "plugin"  # a plug-in that raised an error, or gave what is none

OUTAGES = (RATE_LIMITED, NETWORK, SERVER)  # of the source as a whole: all stocks' failures have one cause


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason why a symbol has no prices: one plain sentence that begins with the symbol.

    `is_known` marks an unknown symbol that was skipped without a request: a message, but not a failure of this run.
    """

    symbol: str
    kind: str
    message: str
    is_known: bool = False


class StockError(Exception):
    """A reason why one stock has no forecast; `kind` is one of those above."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle whole, as from a helper process, whatever a subclass is made from."""
        return copyreg.__newobj__, (type(self), str(self)), self.__dict__  # type: ignore[attr-defined]


class FetchError(StockError):
    """Prices that could not be fetched."""


class OpinionError(StockError):
    """A plug-in that failed at a stock."""

    def __init__(self, symbol: str, why: str) -> None:
        super().__init__(PLUGIN, f"{symbol}: {why}")
        self.symbol = symbol
