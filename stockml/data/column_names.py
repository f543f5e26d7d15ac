"""The names that exchanges, brokers and libraries give to the columns of daily bars."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping

from stockml.data.findings import PriceError

# Each column, then its names in the order in which they are preferred; compared as `plain_name` writes them. A file
# has "Last" or "Price" beside "Close" too, so that the surer name comes first.
_TABLE = """
date:      date, datetime, date time, timestamp, trade date, trading date, trading day, day, dtyyyymmdd, dt, time,
           datum, unnamed 0, index,
open:      open, open price, opening price, openprice, opnpric, opening, eröffnung, erster
high:      high, high price, highprice, hghpric, hoch, tageshoch
low:       low, low price, lowprice, lwpric, tief, tagestief
close:     close, close price, closing price, closeprice, close last, clspric, closing, schlusskurs, schluss,
           price, last, last price, latest
adj_close: adj close, adjusted close, adjclose, adj close price, close adjusted
volume:    volume, vol, no of shares, shares traded, traded volume, total traded quantity, total trade quantity,
           traded quantity, quantity traded, tottrdqty, ttl trd qnty, ttltradgvol, traded qty, volumen, stücke, stuecke
"""
_ROWS = (row.partition(":") for row in re.sub(r",\n +", ", ", _TABLE.strip()).splitlines())
NAMES_OF = {column: [name.strip() for name in names.split(",")] for column, _, names in _ROWS}
NEEDED = ("date", "open", "high", "low", "close", "volume")
TICKER_NAMES = ("ticker", "symbol", "name", "tckrsymb", "security")
SERIES_NAMES = ("series", "sctysrs")
LINE = "line"  # the name of a table's index that holds the lines of its file
NEEDED_WORDS = "needed are Date,Open,High,Low,Close,Volume"


@functools.lru_cache(maxsize=1024)
def plain_name(name: object) -> str:
    """A column's name in lower case, without its unit in brackets, numbering, punctuation and padding."""
    text = re.sub(r"[(\[].*?[)\]]", " ", str(name)).lower()
    text = re.sub(r"[\W_]+", " ", text).strip()
    return re.sub(r"^\d+ (?=\D)", "", text)


def find_columns(names: Iterable[object]) -> dict[str, int]:
    """The position of each column of a daily bar among these names; a missing adjusted close is the close.

    Parameters
    ----------
    names : iterable
        The names as the source writes them.

    Returns
    -------
    dict of str to int
        Keys date, open, high, low, close, adj_close and volume.

    Raises
    ------
    PriceError
        columns, where one is missing; mixed_tickers, where one is given twice.
    """
    names = list(names)
    at = known_columns(names)
    missing = [name for name in NEEDED if name not in at]
    if missing:
        there = ", ".join(str(name).strip() for name in names if str(name).strip())
        raise PriceError("columns", f"no column {', '.join(missing)} (there are {there[:200]}); {NEEDED_WORDS}")
    at.setdefault("adj_close", at["close"])
    return at


def known_columns(names: Iterable[object]) -> dict[str, int]:
    """The position of each column that is there; PriceError mixed_tickers, where one is given twice."""
    return dict(_positions(tuple(map(str, names))))


@functools.lru_cache(maxsize=64)
def _positions(names: tuple[str, ...]) -> Mapping[str, int]:
    plain = [plain_name(name) for name in names]
    again = [re.sub(r" \d+$", "", name) for name in plain]  # pandas reads a second "Open" as "Open.1"
    at: dict[str, int] = {}
    twice = []
    for column, known in NAMES_OF.items():
        name = next((name for name in known if name in plain), None)
        if name is None:
            continue
        at[column] = plain.index(name)
        if column != "date" and again.count(name) > 1:
            twice.append(column)
    if twice:
        raise PriceError("mixed_tickers", f"the columns {', '.join(twice)} are given twice: it mixes two companies")
    return at
