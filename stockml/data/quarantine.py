"""Symbols that Yahoo did not know: which of them rest, which are asked for again, and when it is Yahoo's own fault.

Owner of quarantine.json beside the price cache.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

from stockml.core import failures
from stockml.core.calendars import calendar_for
from stockml.core.failures import Failure
from stockml.core.paths import Home
from stockml.data import price_cache
from stockml.data.request import RawBars
from stockml.storage.files import StorageError, write_whole
from stockml.storage.plain_files import read_plain

ASK_AGAIN_AFTER = timedelta(days=7)  # a dead symbol may come back, but asking for one costs more than for a live one
DAYS_BEFORE_REST = 3  # of a stock that was known once: one evening's answer may be the source's fault
AT_ONCE = 3  # stocks of one exchange that became unknown together; fewer may have been delisted the same day

MOST_BYTES = 1 << 24  # ours have some 50 bytes a symbol

_log = logging.getLogger(__name__)

Dead = Mapping[str, tuple[date, ...]]  # days on which a symbol was unknown, oldest first, since it was known last


def path_of(home: Home) -> Path:
    """The file that lists the symbols the source did not know."""
    return home.prices / "quarantine.json"


def read(home: Home) -> Dead:
    """The symbols the source did not know; none where the list is damaged, which is said."""
    try:
        content = read_plain(path_of(home), MOST_BYTES)
        return {} if content is None else _kept(content)
    except StorageError as error:
        _log.warning("%s; unknown symbols are asked for again", error)
    except ValueError as error:
        _log.warning("%s is damaged and not used, it %s: unknown symbols are asked for again", path_of(home), error)
    return {}


def _kept(content: bytes) -> Dead:
    """The days by symbol; ValueError for a file that holds something else."""
    from stockml.data.kept_files import KeptDead
    from stockml.storage.decoding import check_day, decoded

    kept = decoded(KeptDead, content, MOST_BYTES)
    for symbol, days in kept.items():
        for day in days:
            check_day(symbol, day)
    return {symbol: tuple(sorted(days)) for symbol, days in kept.items()}


def write(dead: Dead, home: Home) -> None:
    """Keep the list, in a form a person may edit."""
    text = json.dumps({symbol: [day.isoformat() for day in dead[symbol]] for symbol in sorted(dead)}, indent=2)
    write_whole(path_of(home), text + "\n")


def resting(symbols: Iterable[str], dead: Dead, today: date, home: Home) -> dict[str, Failure]:
    """A failure for each unknown symbol that is not asked for today."""
    found: dict[str, Failure] = {}
    for symbol in symbols:
        again = _asked_again_on(symbol, dead.get(symbol, ()), home)
        if again is not None and today < again:
            last = dead[symbol][-1]
            text = f"{symbol}: skipped, Yahoo did not know it on {last}; it is asked for again from {again} on"
            found[symbol] = Failure(symbol, failures.UNKNOWN_SYMBOL, text, is_known=True)
    return found


def _asked_again_on(symbol: str, days: Sequence[date], home: Home) -> date | None:
    """The end of an unknown symbol's rest; None where it is asked for at each run, as one known once is."""
    enough = DAYS_BEFORE_REST if price_cache.path_of(symbol, home).exists() else 1
    return days[-1] + ASK_AGAIN_AFTER if len(days) >= enough else None


def remember(dead: Dead, found: Mapping[str, RawBars | Failure], today: date, home: Home) -> None:
    """Update the list with a run's answers."""
    after = dict(dead)
    for symbol, answer in found.items():
        if isinstance(answer, RawBars):
            after.pop(symbol, None)
        elif _is_unknown(answer):
            after[symbol] = tuple(sorted({*after.get(symbol, ()), today})[-DAYS_BEFORE_REST:])
    if after != dead:
        write(after, home)


def unknown_at_once(is_cached: Mapping[str, bool], found: Mapping[str, RawBars | Failure]) -> dict[str, Failure]:
    """Unknown symbols whose exchange Yahoo has lost as a whole: its fault, not theirs, and not to be remembered.

    Parameters
    ----------
    is_cached : mapping of str to bool
        Every symbol wanted, and whether the price cache holds prices of it.
    found : mapping of str to RawBars or Failure
        The answers for those that were asked for.

    Returns
    -------
    dict of Failure by symbol
        Where most of an exchange's stocks that have cached prices are unknown, from three on, a failure of the server
        for each unknown one. Where none has any and all are unknown, the spelling may be wrong as well: their own.
    """
    markets: dict[str, list[str]] = {}
    for symbol in is_cached:
        markets.setdefault(calendar_for(symbol).name, []).append(symbol)
    lost: dict[str, Failure] = {}
    for market, symbols in markets.items():
        unknown = {symbol: answer for symbol in symbols if _is_unknown(answer := found.get(symbol))}
        known_once = [symbol for symbol in symbols if is_cached[symbol]]
        gone = [symbol for symbol in known_once or symbols if symbol in unknown]
        if len(gone) < AT_ONCE:
            continue
        if known_once and 2 * len(gone) > len(known_once):
            text = f"{len(gone)} of {len(known_once)} stocks of {market} at once are unknown to Yahoo"
            lost |= {symbol: _fault(symbol, text) for symbol in unknown}
        elif not known_once and len(gone) == len(symbols):
            lost |= {symbol: answer for symbol, answer in unknown.items() if isinstance(answer, Failure)}
    return lost


def _fault(symbol: str, what: str) -> Failure:
    return Failure(symbol, failures.SERVER, f"{symbol}: {what}, taken for a fault of Yahoo's; run again later")


def _is_unknown(answer: RawBars | Failure | None) -> bool:
    return isinstance(answer, Failure) and answer.kind == failures.UNKNOWN_SYMBOL
