"""Daily bars from a plug-in, in the form of every other source; whether they can be trusted is checked behind this.

docs/plugins.md describes such a plug-in and gives an example.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol, cast

from stockml.core import failures
from stockml.core.failures import FetchError
from stockml.core.plugins import FAILURES, Plugin, PluginError, apart, in_words
from stockml.data.request import EARLIEST, DateRange, RawBars
from stockml.data.sources import Source, plugin_sources

if TYPE_CHECKING:
    import pandas as pd

EARLIER = timedelta(days=15)  # bars before the first that is wanted, which a check holds beside it
LONGEST_CURRENCY = 16  # characters
OUTAGES = (ConnectionError, TimeoutError)


class SourcePlugin(Protocol):
    """A source of prices, made of the argument behind its name: `--source name:argument`, "" where there is none."""

    def bars(self, symbol: str, start: date, end: date) -> pd.DataFrame | None:
        """The daily bars of a stock.

        Parameters
        ----------
        symbol : str
            As the command names it.
        start, end : date
            The days wanted, both inclusive; others are left out later, so all there are may be given. Bars after
            `end` are never used.

        Returns
        -------
        DataFrame or None, shape (n_days, 5 or 6)
            Columns Open, High, Low, Close, Volume and perhaps Adj Close, as Yahoo has them: prices adjusted for splits,
            Adj Close for dividends too; the day as index or as a column Date. `attrs["currency"]` may name the
            currency. None where the symbol is not known.

        Raises
        ------
        ConnectionError, TimeoutError
            The source cannot be reached; no fault of the symbol.
        Exception
            Any other: the stock has no prices in this run, and the message names the plug-in.
        """


def check_source(source: Source) -> None:
    """PluginError where the source is a plug-in that cannot be used; nothing for any other."""
    if source.is_plugin:
        opened(source)


def opened(source: Source) -> SourcePlugin:
    """The plug-in of a source, made of its argument once a process; PluginError where it cannot be used."""
    plugin = plugin_sources().get(source.kind)
    if plugin is None:
        raise PluginError(f"the price source {source.kind} is no longer installed; install it or name another --source")
    return _made(plugin, source.argument)


def plugin_bars(symbol: str, source: Source, span: DateRange, *, wants_all: bool = False) -> RawBars:
    """The bars that a plug-in gives of a span, unchecked, as those of a file: they speak of no day after the last.

    Parameters
    ----------
    symbol : str
    source : Source
    span : DateRange
    wants_all : bool, default False
        All older bars that it has, too.

    Raises
    ------
    FetchError
        Where it has none, or fails.
    """
    plugin, start = opened(source), EARLIEST if wants_all else max(EARLIEST, span.start - EARLIER)
    try:
        with apart():
            found = plugin.bars(symbol, start, span.limit)
    except FAILURES as error:
        kind = failures.NETWORK if isinstance(error, OUTAGES) else failures.PLUGIN
        remedy = "try again later" if isinstance(error, OUTAGES) else "repair it or name another --source"
        raise FetchError(
            kind, f"{symbol}: the price source {source.kind} failed ({in_words(error)}); {remedy}"
        ) from None
    if found is None:
        message = f"{symbol}: not known to the price source {source.kind}; correct the symbol"
        raise FetchError(failures.UNKNOWN_SYMBOL, message)
    return RawBars(_plain(symbol, source.kind, found), _currency(found))


def _plain(symbol: str, kind: str, found: object) -> pd.DataFrame:
    """A copy of the table, without what only some tables can have."""
    import pandas as pd

    from stockml.data.findings import PriceError
    from stockml.data.raw_table import tidy

    why = ""
    if not isinstance(found, pd.DataFrame):
        why = f"a {type(found).__name__[:40]}, not a DataFrame or None"
    elif found.columns.nlevels > 1 or found.index.nlevels > 1:
        why = "a table with several rows of headings or several indices"
    else:
        try:
            tidy(found)
        except PriceError:  # told where all tables are checked
            pass
        except FAILURES as error:  # values that no file can hold
            why = f"a table that cannot be read ({in_words(error)})"
    if why:
        raise FetchError(
            failures.PLUGIN, f"{symbol}: the price source {kind} gave {why}; repair it or name another --source"
        )
    frame = cast("pd.DataFrame", found).copy()
    frame.attrs = {}
    return frame


def _currency(found: Any) -> str | None:
    name = found.attrs.get("currency")
    return name if isinstance(name, str) and 0 < len(name) <= LONGEST_CURRENCY and name.isprintable() else None


@lru_cache(maxsize=8)
def _made(plugin: Plugin, argument: str) -> SourcePlugin:
    return cast(SourcePlugin, plugin.made(["bars"], argument))
