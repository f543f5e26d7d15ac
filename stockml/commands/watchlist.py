"""The home's own watchlist, for runs that name no symbols: its settings', else its models', else a default one.

Standard library only, as `run`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stockml.commands.exits import UsageError
from stockml.commands.symbols import WATCHLIST, read_symbols, refuse_shared_folders
from stockml.core.wording import named
from stockml.reporting.last_run import read_last_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stockml.commands.run import Run

SYMBOLS_NAMED = 5  # in a sentence; the rest is counted


def watchlist(run: Run) -> list[str]:
    """The symbols of the settings; else those with trained models; else those that every home begins with."""
    return settings_symbols(run) or trained(run) or default_symbols(run)


def expected_stocks(run: Run, named_ones: Sequence[str] | None = None) -> list[str]:
    """The stocks that a daily run should predict: those named, else of the watchlist, without the default stocks.

    Where nothing names any they are those that the last run knew of and that were ever predicted: no misspelt ones.
    """
    listed = list(named_ones or ()) or settings_symbols(run) or trained(run)
    last = None if listed else read_last_run(run.home)
    if last is None:
        return listed
    predicted = {symbol for symbol, _ in run.log.latest}
    return [symbol for symbol in last.watchlist if symbol in predicted]


def default_symbols(run: Run) -> list[str]:
    """Ten large Indian stocks, or every company of the simulated market."""
    if not run.source.is_simulated:
        return list(WATCHLIST)
    from stockml.data.simulated_market import SAMPLE_SYMBOLS

    return list(SAMPLE_SYMBOLS)


def settings_symbols(run: Run) -> list[str]:
    """The symbols that the settings name; UsageError where these are no watchlist."""
    settings = run.settings
    try:
        symbols = list(settings.symbols)
        if settings.symbols_file is not None:
            symbols = list(dict.fromkeys(read_symbols(settings.symbols_file)))
            if not symbols:
                raise UsageError(f"{settings.symbols_file}: no symbol in it; write one a line")
        refuse_shared_folders(symbols)
    except UsageError as error:
        raise UsageError(f"{settings.symbols_from}: {error}") from None
    return symbols


def trained(run: Run) -> list[str]:
    """The symbols with a trained model, in capitals, as they were when the run first asked."""
    if run.trained is None:
        from stockml.models.bundle_store import trained_symbols

        run.trained = list(dict.fromkeys(symbol.upper() for symbol in trained_symbols(run.home)))
    return list(run.trained)


def tell_changes(run: Run, listed: Sequence[str]) -> None:
    """One line on the stocks that the watchlist has lost or won since the last run; none where symbols were named."""
    last = read_last_run(run.home)
    if last is None or not last.watchlist or run.symbols is not None:
        return
    dropped = [symbol for symbol in last.watchlist if symbol not in listed]
    added = [symbol for symbol in listed if symbol not in last.watchlist]
    told = [
        f"{named(symbols, SYMBOLS_NAMED)} {'is' if len(symbols) == 1 else 'are'} {what}"
        for symbols, what in ((dropped, "no longer in it"), (added, "new"))
        if symbols
    ]
    if told:
        origin = run.settings.symbols_from or ("the home's models" if trained(run) else "the default stocks")
        run.notice(f"The watchlist ({origin}) has changed since the last run: {' and '.join(told)}.")


def remembered(run: Run, worked_on: Sequence[str]) -> list[str]:
    """The watchlist that this run leaves behind: its own, or the last one and the symbols named beside it."""
    last = read_last_run(run.home)
    before = list(last.watchlist) if last else []
    if run.symbols is None:
        return list(worked_on) or before
    return list(dict.fromkeys([*before, *worked_on]))
