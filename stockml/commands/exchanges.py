"""The exchanges of a run's symbols: said by an option or a file, kept by the home, inferred, answered by Yahoo.

What is found is put into the run's clock, kept in the home, and told where somebody might expect another one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from stockml.commands.exits import UsageError
from stockml.core import wording
from stockml.core.calendars import calendar_of
from stockml.core.markets import SUNDAY_TO_THURSDAY, assumed_market, market_by_yahoo, market_of, named
from stockml.data import exchange_book

if TYPE_CHECKING:
    from stockml.commands.run import Run
    from stockml.core.records import Prediction
    from stockml.data.request import Listing

SYMBOLS_NAMED = 5  # in a sentence; the rest is counted

log = logging.getLogger("stockml")


def name_exchanges(run: Run, symbols: Iterable[str], through: date) -> None:
    """Find the exchange of each symbol that does not name its own, and put it into the run's clock.

    `through` is the last day of the files that may be looked at. An option wins over the settings, these over
    the folder's files, these over what the home keeps, that over the days of the symbol's file.
    """
    folder = run.source.folder
    try:
        sidecar = exchange_book.read_sidecar(folder) if folder else {}
        listed = sidecar | dict(run.settings.exchange_of)  # by symbol in upper case
        said = {symbol: listed[symbol.upper()] for symbol in symbols if symbol.upper() in listed}
        nameless = [symbol for symbol in dict.fromkeys(symbols) if market_of(symbol) is None]
        if run.args.exchange:
            said |= dict.fromkeys(_meant_by_option(run, nameless), run.args.exchange)
        open_ones = [symbol for symbol in nameless if symbol not in said and run.clock.exchanges.is_assumed(symbol)]
        if folder:
            said |= _of_files(run, open_ones, through)
    except ValueError as error:
        raise UsageError(str(error)) from None
    _tell_moves(run, said)
    _take(run, said)


def _meant_by_option(run: Run, nameless: Sequence[str]) -> list[str]:
    """The symbols that --exchange speaks of: those named by the options, and those of which nothing is known yet."""
    meant = [symbol for symbol in nameless if symbol in (run.symbols or ()) or run.clock.exchanges.is_assumed(symbol)]
    if not meant:
        run.notice(f"--exchange {run.args.exchange}: no symbol of this run needs it; each one's exchange is known.")
    return meant


def _of_files(run: Run, symbols: Sequence[str], through: date) -> dict[str, str]:
    """The markets of the symbols' files; those that are only assumed serve this run and are told."""
    from stockml.data.exchange_inference import ASSUMED, INFERRED, exchange_of_file

    assert run.source.folder is not None
    found: dict[str, str] = {}
    assumed: dict[str, list[str]] = {}
    inferred: dict[str, list[str]] = {}
    for symbol in symbols:
        of_file = exchange_of_file(symbol, run.source.folder, through)
        if of_file is None:
            continue
        if of_file.how == ASSUMED:
            assumed.setdefault(of_file.market, []).append(symbol)
            continue
        found[symbol] = of_file.market
        if of_file.how == INFERRED:
            inferred.setdefault(of_file.market, []).append(symbol)
    for code, members in inferred.items():
        tell = log.info if code == assumed_market(members[0]) else run.notice
        tell(f"{_some(members)}: no exchange is named; by the days in the prices it is {named([code])}.")
    for code, members in assumed.items():
        run.notice(_assumption(members, code))
    serving = {symbol: code for code, members in assumed.items() for symbol in members}
    run.clock = replace(run.clock, exchanges=run.clock.exchanges.naming(serving))
    return found


def _assumption(symbols: Sequence[str], code: str) -> str:
    if code.isupper():
        calendar = f"{named([code])} is assumed"
    else:
        week = "Sunday to Thursday" if code == SUNDAY_TO_THURSDAY else "Monday to Friday"
        calendar = (
            f"by its days it may be any of several exchanges, so {week} without holidays is assumed, "
            "each day closing at 24:00 UTC"
        )
    return (
        f"{_some(symbols)}: no exchange is named; {calendar}; "
        "name the right one with --exchange, such as --exchange XBOM for Mumbai."
    )


def take_yahoos(run: Run, listings: Mapping[str, Listing]) -> None:
    """Put the exchanges that Yahoo names into the run's clock."""
    answered = {
        symbol: code
        for symbol, listing in listings.items()
        if (code := market_by_yahoo(symbol, listing.exchange, listing.timezone)) is not None
    }
    before = run.clock.exchanges
    moved = {symbol: code for symbol, code in answered.items() if code != before.market(symbol)}
    for code in dict.fromkeys(moved.values()):
        members = [symbol for symbol in moved if moved[symbol] == code and not before.is_assumed(symbol)]
        if members:
            other = named(sorted({before.market(symbol) for symbol in members}))
            run.notice(f"{_some(members)}: by Yahoo it trades in {named([code])}, not in {other}; Yahoo's is taken.")
    _take(run, {symbol: code for symbol, code in answered.items() if symbol in moved or before.is_assumed(symbol)})


def _tell_moves(run: Run, said: Mapping[str, str]) -> None:
    """A notice where a symbol that the home keeps under one exchange is now said to trade on another."""
    kept = run.clock.exchanges
    for symbol, code in said.items():
        if not kept.is_assumed(symbol) and kept.market(symbol) != code:
            run.notice(f"{symbol}: counted by {named([code])} from now on, by {named([kept.market(symbol)])} before.")


def _take(run: Run, found: Mapping[str, str]) -> None:
    run.clock = replace(run.clock, exchanges=run.clock.exchanges.naming(found))
    if found and not run.only_looks:
        exchange_book.write(found, run.home)


def tell_provisional(run: Run, predictions: Iterable[Prediction]) -> None:
    """One notice for each market whose holidays are not known yet at some target, or not known at all."""
    lines: dict[str, list[tuple[str, date]]] = {}
    for line in predictions:
        target = date.fromisoformat(line.target_date)
        if run.clock.calendar(line.symbol).is_provisional(target):
            lines.setdefault(run.clock.exchanges.market(line.symbol), []).append((line.symbol, target))
    for code, found in lines.items():
        if not code.isupper():
            continue  # no exchange but its week alone: said where it was assumed
        symbols = [symbol for symbol, _ in found]
        if not calendar_of(code).knows_holidays:
            run.notice(f"{_some(symbols)}: the holidays of {named([code])} are not known, so a target may fall on one.")
            continue
        years = " and ".join(str(year) for year in sorted({target.year for _, target in found}))
        run.notice(
            f"{_some(symbols)}: the holidays of {years} are not known yet for {named([code])}; the target is "
            "provisional, counted by the week and the holidays that keep their date."
        )


def _some(symbols: Sequence[str]) -> str:
    return wording.named(list(dict.fromkeys(symbols)), SYMBOLS_NAMED)
