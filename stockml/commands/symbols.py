"""Symbols a command works on: those named by its options, or a watchlist."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from stockml.commands.exits import UsageError
from stockml.commands.logging_setup import cause
from stockml.core.markets import as_yahoo_writes
from stockml.core.paths import check_symbol, folder_name

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


def named_symbols(args: argparse.Namespace) -> list[str] | None:
    """The symbols given by either option, each once and in order; None where neither was given.

    Raises
    ------
    UsageError
        For an unreadable file, an impossible symbol, or two symbols that would share a folder.
    """
    if args.symbols is None and args.symbols_file is None:
        return None
    symbols = [*(args.symbols or []), *_read_symbols(args.symbols_file)]
    try:
        checked = list(dict.fromkeys(as_yahoo_writes(check_symbol(symbol)) for symbol in symbols))
    except ValueError as error:
        raise UsageError(str(error)) from None
    if not checked:
        raise UsageError(f"{args.symbols_file}: no symbol in it; write one a line")
    refuse_shared_folders(checked)
    return checked


def _read_symbols(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = cause(error)
        raise UsageError(f"{path}: cannot be read as a list of symbols ({why}); name another file") from None
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


def refuse_shared_folders(symbols: Iterable[str]) -> None:
    """UsageError where two symbols would keep their models in one folder."""
    folders: dict[str, str] = {}
    for symbol in symbols:
        other = folders.setdefault(folder_name(symbol), symbol)
        if other != symbol:
            raise UsageError(
                f"{other} and {symbol} would share the folder {folder_name(symbol)}; give one another --home"
            )
