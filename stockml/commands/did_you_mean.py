"""Known symbols that somebody may have meant who wrote another: TCS.NS for TCS, tcs or TCS.BO, AAPL for apple.

Standard library only, as `run`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from stockml.commands.symbols import WATCHLIST
from stockml.core.failures import UNKNOWN_SYMBOL, Failure
from stockml.core.wording import alternatives
from stockml.data.known_symbols import cached_symbols, symbols_in
from stockml.data.sources import YAHOO

if TYPE_CHECKING:
    from stockml.commands.run import Run

CLOSE = 0.6  # difflib's own measure of a close match
PREFIX = 0.9  # hdfc for HDFCBANK.NS: closer than any misspelling of another
SHORTEST_PREFIX = 2
MOST = 3


def with_suggestions(run: Run, failed: Iterable[Failure]) -> Iterator[Failure]:
    """The failures; an unknown symbol's names those that may have been meant."""
    failed = list(failed)
    unknown = {failure.symbol for failure in failed if failure.kind == UNKNOWN_SYMBOL}
    known = known_symbols(run) if unknown else set()
    for failure in failed:
        names = meant(failure.symbol, known - unknown) if failure.symbol in unknown - known else []
        yield replace(failure, message=f"{failure.message}; did you mean {alternatives(names)}?") if names else failure


def known_namesakes(run: Run, symbols: Iterable[str]) -> dict[str, str]:
    """A notice for each symbol new to this home that Yahoo may know, where a known one is it with a suffix.

    TCS is a stock of New York at Yahoo, and TCS.NS another.
    """
    if run.source.kind != YAHOO:
        return {}
    new = {symbol for symbol in symbols if "." not in symbol}
    new -= set(cached_symbols(run.home)) if new else set()
    known = known_symbols(run) if new else set()
    found = {symbol: sorted(name for name in known if name.startswith(f"{symbol}.")) for symbol in new - known}
    return {
        symbol: f"{symbol}: taken for the stock that Yahoo calls {symbol}; did you mean {alternatives(names)}?"
        for symbol, names in found.items()
        if names
    }


def known_symbols(run: Run) -> set[str]:
    """The symbols that the source or the home knows: a folder's files, or models, log, cached prices and watchlist."""
    from stockml.models.bundle_store import trained_symbols

    if run.source.folder is not None:
        return set(symbols_in(run.source.folder))
    if run.is_simulated:
        from stockml.data.simulated_market import SAMPLE_SYMBOLS

        return set(SAMPLE_SYMBOLS)
    logged = (prediction.symbol for prediction in run.log.pending())
    return {symbol.upper() for symbol in (*WATCHLIST, *trained_symbols(run.home), *cached_symbols(run.home), *logged)}


def meant(symbol: str, known: Iterable[str]) -> list[str]:
    """The known symbols closest to one that is none of them; several where they are equally close.

    Parameters
    ----------
    symbol : str
    known : iterable of str
        Symbols in capitals.

    Returns
    -------
    list of str
        At most three, sorted; empty where nothing is close or the symbol itself is known.
    """
    wanted = symbol.upper()
    scores = {name: _closeness(wanted, name) for name in known}
    best = max(scores.values(), default=0.0)
    if wanted in scores or best < CLOSE:
        return []
    return sorted(name for name, score in scores.items() if score == best)[:MOST]


def _closeness(wanted: str, name: str) -> float:
    """From 0 to 1: the same name at another exchange, one name the start of the other, or letters in common."""
    short, known = wanted.partition(".")[0], name.partition(".")[0]
    if short == known:
        return 1.0
    if len(short) >= SHORTEST_PREFIX and known.startswith(short):
        return PREFIX
    return max(_common(short, known), _common(wanted, name) if "." in wanted else 0.0)


def _common(left: str, right: str) -> float:
    from difflib import SequenceMatcher

    return SequenceMatcher(None, left, right, autojunk=False).ratio()
