"""Symbols whose prices are at hand: CSV files of a folder, whatever the case of their names, and the price cache."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

from stockml.core import failures
from stockml.core.failures import FetchError
from stockml.core.markets import as_yahoo_writes, entered_symbol
from stockml.core.paths import Home

SIDECARS = ("announcements.csv", "exchanges.csv")  # beside the prices, and no stocks of that name

_CSV = ".CSV"


def csv_path(symbol: str, folder: Path) -> Path:
    """The file of a symbol in a folder; one that is not there has the name that it should have.

    Raises
    ------
    FetchError
        Where the names of two files differ in case alone, and their contents too: both would be this one stock's.
    """
    if symbol.lower() + _CSV.lower() in SIDECARS:
        message = f"{symbol}: {symbol.lower()}.csv tells of other stocks and holds no prices; correct the symbol"
        raise FetchError(failures.UNKNOWN_SYMBOL, message)
    names = _files(folder).get(symbol.upper(), ())
    if len(names) > 1 and not _are_equal([folder / name for name in names]):
        message = f"{symbol}: {folder} holds {' and '.join(names)}, one stock's prices that differ; remove one"
        raise FetchError(failures.UNREADABLE, message)
    return folder / (names[0] if names else f"{symbol}.csv")


def symbols_in(folder: Path) -> list[str]:
    """The symbols that have a CSV file in a folder, sorted."""
    return sorted(filter(_is_symbol, _files(folder)))


def sidecar(name: str, folder: Path) -> Path:
    """The file of SIDECARS in a folder, its name in any case; one that is not there has the name in lower case.

    Raises
    ------
    ValueError
        Where there are several.
    """
    names = _sidecars(folder).get(name, ())
    if len(names) > 1:
        raise ValueError(f"{folder} holds {' and '.join(names)}, whose names differ in case alone; remove one")
    return folder / (names[0] if names else name)


def cached_symbols(home: Home) -> list[str]:
    """The symbols that have a file in the price cache, sorted."""
    return sorted(filter(_is_symbol, (path.stem.upper() for path in home.prices.glob("*.parquet"))))


def _are_equal(files: Sequence[Path]) -> bool:
    try:
        return len({path.read_bytes() for path in files}) == 1
    except OSError:
        return False


def _is_symbol(name: str) -> bool:
    try:
        return entered_symbol(name) == name
    except ValueError:
        return False


def _files(folder: Path) -> Mapping[str, tuple[str, ...]]:
    """The names of a folder's CSV files by symbol; none of a folder that cannot be read, which reading a file tells."""
    return _listing(folder)[0]


def _sidecars(folder: Path) -> Mapping[str, tuple[str, ...]]:
    return _listing(folder)[1]


def _listing(folder: Path) -> tuple[Mapping[str, tuple[str, ...]], Mapping[str, tuple[str, ...]]]:
    try:
        return _listed(folder, folder.stat().st_mtime_ns)
    except OSError:
        return {}, {}


@functools.lru_cache(maxsize=8)
def _listed(folder: Path, changed_ns: int) -> tuple[Mapping[str, tuple[str, ...]], Mapping[str, tuple[str, ...]]]:
    """The files as of a change of the folder, by symbol, and its sidecars: it is read once, not once a symbol."""
    found: dict[str, tuple[str, ...]] = {}
    beside: dict[str, tuple[str, ...]] = {}
    for name in sorted(path.name for path in folder.iterdir()):
        if name.lower() in SIDECARS:
            beside[name.lower()] = (*beside.get(name.lower(), ()), name)
        elif name.upper().endswith(_CSV):
            symbol = as_yahoo_writes(name[: -len(_CSV)].upper())  # BRK.B is BRK-B
            found[symbol] = (*found.get(symbol, ()), name)
    return found, beside
