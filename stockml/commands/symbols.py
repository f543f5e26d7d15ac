"""Symbols a command works on: those named by its options, or a watchlist."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable
from pathlib import Path

from stockml.commands.exits import UsageError
from stockml.core.markets import entered_symbol
from stockml.core.paths import folder_name
from stockml.core.wording import cause

WATCHLIST = (
    "TCS.NS",
    "RELIANCE.NS",
    "INFY.NS",
    "HDFCBANK.NS",
    "ICICIBANK.NS",
    "HINDUNILVR.NS",
    "ITC.NS",
    "SBIN.NS",
    "BHARTIARTL.NS",
    "LT.NS",
)

# Names of the column that holds the symbols, without case, blanks and underscores.
HEADERS = {"symbol", "symbols", "ticker", "tickers", "tickersymbol", "stocksymbol", "tradingsymbol", "instrument"}
QUOTES = "\"'` "


def named_symbols(args: argparse.Namespace) -> list[str] | None:
    """The symbols given by either option, each once, in capitals and in order; None where neither was given.

    Raises
    ------
    UsageError
        For an unreadable file, an impossible symbol, or two symbols that would share a folder.
    """
    if args.symbols is None and args.symbols_file is None:
        return None
    words = [part for word in args.symbols or [] for part in word.split(",") if part.strip()]
    symbols = list(
        dict.fromkeys(
            [
                *(_entered(word) for word in words),
                *(read_symbols(args.symbols_file) if args.symbols_file is not None else ()),
            ]
        )
    )
    if not symbols:
        where = args.symbols_file or "--symbols"
        raise UsageError(f"{where}: no symbol in it; write one{' a line' if args.symbols_file else ''}")
    refuse_shared_folders(symbols)
    return symbols


def _entered(text: str, where: str = "") -> str:
    try:
        return entered_symbol(text)
    except ValueError as error:
        raise UsageError(f"{where}{error}") from None


def read_symbols(path: Path) -> list[str]:
    """The symbols of a file: of one column where a header names it, else all that stands there.

    UsageError where it cannot be read, or holds what is no symbol.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = cause(error)
        raise UsageError(f"{path}: cannot be read as a list of symbols ({why}); name another file") from None
    try:
        rows = [(number, fields) for number, line in enumerate(lines, start=1) if any(fields := _fields(line))]
    except csv.Error:
        raise UsageError(f"{path}: cannot be read as a list of symbols (it is no CSV); name another file") from None
    rows = _symbols_alone(rows)
    return [_entered(field, f"{path}, line {number}: ") for number, fields in rows for field in fields if field]


def _fields(line: str) -> list[str]:
    """The fields of a line without its comment and quotes, parted by comma, semicolon or tab, else by blanks."""
    text = line.split("#", maxsplit=1)[0].strip(" ")
    delimiter = max(",;\t", key=text.count)
    if delimiter not in text:
        return [word.strip(QUOTES) for word in text.split()]
    (fields,) = csv.reader([text], delimiter=delimiter, skipinitialspace=True)
    return [field.strip(QUOTES) for field in fields]


def _symbols_alone(rows: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """The rows without a header that names the symbols, and without the other columns that it names."""
    header = rows[0][1] if rows else []
    names = [_plain(name) for name in header]
    if len(names) == 1 or "".join(names) in HEADERS:  # one column, which may hold several symbols a line
        return rows[1:] if "".join(names) in HEADERS else rows
    column = next((at for at, name in enumerate(names) if name in HEADERS), None)
    return rows if column is None else [(number, fields[column : column + 1]) for number, fields in rows[1:]]


def _plain(name: str) -> str:
    return name.lower().replace(" ", "").replace("_", "")


def refuse_shared_folders(symbols: Iterable[str]) -> None:
    """UsageError where two symbols would keep their models in one folder."""
    folders: dict[str, str] = {}
    for symbol in symbols:
        other = folders.setdefault(folder_name(symbol), symbol)
        if other != symbol:
            raise UsageError(
                f"{other} and {symbol} would share the folder {folder_name(symbol)}; give one another --home"
            )
