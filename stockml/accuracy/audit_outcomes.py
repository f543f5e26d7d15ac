"""Every outcome of a log worked out anew from the source's bars, by code that shares nothing with settlement."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from stockml.accuracy.audit import Check
from stockml.accuracy.counting_bars import Bar, judge
from stockml.accuracy.resettlement import Stock, differences
from stockml.core.exchanges import Exchanges
from stockml.core.wording import count, named
from stockml.data.plain_bars import PlainBars
from stockml.prediction_log.chain import chain_lines

SYMBOLS_AT_ONCE = 100  # whose bars are held as plain values while the log is read through
REASONS_TOLD = 5

_PENDING = re.compile(rb'"status"\s*:\s*"pending"')


@dataclass(slots=True)
class Wanted:
    """The settled lines of one symbol: how many, and the days that their outcomes depend on."""

    lines: int
    first: str
    last: str


@dataclass(slots=True)
class Settled:
    """The settled lines of a log by symbol, and those that this source does not speak of."""

    source: str
    symbols: dict[str, Wanted] = field(default_factory=dict)
    other_sources: Counter[str] = field(default_factory=Counter)
    left_out: int = 0  # of symbols that are not asked for
    refused: list[str] = field(default_factory=list)  # sentences about lines that do not add up

    @property
    def total(self) -> int:
        """The number of lines to be worked out anew."""
        return sum(wanted.lines for wanted in self.symbols.values())


def settled_of(log: Path, source: str, chosen: Sequence[str] | None) -> Settled:
    """The settled lines of a log that were made from a kind of source, of the symbols chosen or of all."""
    found = Settled(source)
    for line in _settled_lines(log, found.refused):
        symbol = str(line["symbol"])
        if chosen is not None and symbol.upper() not in chosen:
            found.left_out += 1
        elif line["source"] != source:
            found.other_sources[str(line["source"])] += 1
        else:
            last = str(line.get("verified_at") or line.get("expired_at") or line["target_date"])[:10]
            wanted = found.symbols.setdefault(symbol, Wanted(0, str(line["data_through"]), last))
            wanted.lines += 1
            wanted.first, wanted.last = min(wanted.first, str(line["data_through"])), max(wanted.last, last)
    return found


def check_outcomes(
    log: Path, settled: Settled, bars: Mapping[str, PlainBars], missing: Mapping[str, str], exchanges: Exchanges
) -> Check:
    """Work out every settled line of the log again.

    Parameters
    ----------
    log : Path
    settled : Settled
        As `settled_of` gives it.
    bars : mapping of str to PlainBars
        The source's, by symbol.
    missing : mapping of str to str
        Why a symbol has none.
    exchanges : Exchanges
    """
    check, right = Check("outcomes"), 0
    for text in settled.refused:
        check.disagree(text)
    market = _Market(bars, exchanges)
    symbols = [symbol for symbol in settled.symbols if symbol in bars]
    for start in range(0, len(symbols), SYMBOLS_AT_ONCE):
        some = symbols[start : start + SYMBOLS_AT_ONCE]
        stocks = {symbol: market.stock(symbol) for symbol in some}
        lines = (line for line in _settled_lines(log) if line["symbol"] in stocks and line["source"] == settled.source)
        counted = _Counted(lines)
        wrong = differences(counted, stocks, "9999-12-31")
        right += counted.number - len(wrong)
        for difference in wrong:
            doubt = " Or the source has changed its prices since." if difference.is_by_prices else ""
            check.disagree(f"{difference.sentence}{doubt}")
    check.proved = f"{count(right, 'outcome')} worked out anew from the prices, as logged" if right else ""
    check.unproved += _unproved(settled, missing)
    return check


def _unproved(settled: Settled, missing: Mapping[str, str]) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for symbol, why in missing.items():
        reasons.setdefault(why.removeprefix(f"{symbol}: "), []).append(symbol)
    for why, symbols in list(reasons.items())[:REASONS_TOLD]:
        lines = sum(settled.symbols[symbol].lines for symbol in symbols if symbol in settled.symbols)
        yield f"{count(lines, 'outcome')} of {named(symbols)}: {why.rstrip('.')}."
    if more := sum(map(len, list(reasons.values())[REASONS_TOLD:])):
        yield f"the outcomes of {count(more, 'other stock')}, for other reasons."
    for source, lines in settled.other_sources.items():
        yield f"{count(lines, 'outcome')} from another source: name it with --source {source}."
    if settled.left_out:
        yield f"{count(settled.left_out, 'outcome')} of stocks that --symbols leaves out."


@dataclass(slots=True)
class _Market:
    """The bars of all stocks, as the independent code takes them."""

    bars: Mapping[str, PlainBars]
    exchanges: Exchanges
    _reach: dict[str, str] = field(default_factory=dict)
    _came: dict[str, frozenset[str]] = field(default_factory=dict)

    def stock(self, symbol: str) -> Stock:
        """One stock beside the others of its market."""
        own, market = self.bars[symbol], self.exchanges.market(symbol)
        calendar = self.exchanges.calendar(symbol)
        return Stock(
            tuple(Bar(*row) for row in own.rows),
            self.reach(market),
            own.currency,
            is_session=lru_cache(maxsize=None)(lambda day: calendar.is_session(date.fromisoformat(day))),
            is_provisional=lru_cache(maxsize=None)(lambda day: calendar.is_provisional(date.fromisoformat(day))),
            came=lambda day: day in self.came(market),
        )

    def reach(self, market: str) -> str:
        """The last day that the source speaks of for any stock of the market."""
        if market not in self._reach:
            self._reach[market] = max(found.reach for found in self._of(market))
        return self._reach[market]

    def came(self, market: str) -> frozenset[str]:
        """The days of which any stock of the market has a bar that counts."""
        if market not in self._came:
            days = {bar.day for found in self._of(market) for bar in judge(Bar(*row) for row in found.rows).certain}
            self._came[market] = frozenset(days)
        return self._came[market]

    def _of(self, market: str) -> Iterable[PlainBars]:
        return [found for symbol, found in self.bars.items() if self.exchanges.market(symbol) == market]


@dataclass(slots=True)
class _Counted:
    """Lines that are counted as they are taken."""

    lines: Iterable[dict[str, Any]]
    number: int = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for line in self.lines:
            self.number += 1
            yield line


def _settled_lines(log: Path, refused: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """The objects of the lines that are settled, each id once; of those that do not read, why is put into `refused`."""
    seen: set[int] = set()
    for line in chain_lines(log):
        if _PENDING.search(line.raw):
            continue
        try:
            key = hash(line.read().id)
        except ValueError as error:
            with suppress(ValueError, RecursionError):  # what is no JSON any more is named as a break of the chain
                if refused is not None and isinstance(json.loads(line.raw), dict):
                    refused.append(f"line {line.number}: {error}.")
            continue
        if key not in seen:
            seen.add(key)
            yield json.loads(line.raw)
