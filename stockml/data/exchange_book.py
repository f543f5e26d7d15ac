"""Written records of exchanges: a home's own list of symbols and markets, and a CSV folder's `exchanges.csv`.

A home keeps each exchange that was said or found out, so that a line is settled by the calendar it was made with,
whatever the options of a later run. A person may edit both files.
"""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Mapping
from pathlib import Path

from stockml.core.markets import is_market, market_named
from stockml.core.paths import Home
from stockml.core.wording import cause
from stockml.storage.files import StorageError, write_whole
from stockml.storage.plain_files import read_plain

SIDECAR = "exchanges.csv"
MOST_BYTES = 1 << 24  # ours have some 20 bytes a stock

_log = logging.getLogger(__name__)


def read(home: Home) -> dict[str, str]:
    """The markets of the symbols that the home keeps, by symbol in upper case."""
    try:
        content = read_plain(home.exchanges, MOST_BYTES)
        return {} if content is None else _kept(content)
    except StorageError as error:
        _log.warning("%s; exchanges are looked for again", error)
    except ValueError as error:
        _log.warning("%s is damaged and not used, it %s: exchanges are looked for again", home.exchanges, error)
    return {}


def _kept(content: bytes) -> dict[str, str]:
    """The markets that the file names; ValueError for one that names others."""
    from stockml.storage.decoding import decoded

    kept = decoded(dict[str, str], content, MOST_BYTES)
    for symbol, code in kept.items():
        if not is_market(code):
            raise ValueError(f"has {code[:60]!r} for {symbol[:60]!r}, which is no exchange")
    return {symbol.upper(): code for symbol, code in kept.items()}


def write(named: Mapping[str, str], home: Home) -> None:
    """Keep the markets, beside those that another run has written meanwhile."""
    kept = read(home)
    wanted = kept | {symbol.upper(): code for symbol, code in named.items()}
    if wanted != kept:
        write_whole(home.exchanges, json.dumps(dict(sorted(wanted.items())), indent=2) + "\n")


def read_sidecar(folder: Path) -> dict[str, str]:
    """The markets that a folder's `exchanges.csv` names, by symbol in upper case; none without the file.

    Raises
    ------
    ValueError
        Where a line names no exchange, or an unknown one; the message names the file and the line.
    """
    path = folder / SIDECAR
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f"{path}: cannot be read ({cause(error, 'it is no CSV')}); write lines of symbol,exchange there"
        ) from None
    found: dict[str, str] = {}
    for number, row in enumerate(rows, start=1):
        cells = [cell.strip() for cell in row if cell.strip()]
        if not cells or cells[0].startswith("#") or (number == 1 and cells[0].lower() == "symbol"):
            continue
        if len(cells) != 2:
            raise ValueError(f"{path}, line {number}: {','.join(row)!r} is not symbol,exchange; write TCS,XBOM")
        try:
            found[cells[0].upper()] = market_named(cells[1])
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
    return found
