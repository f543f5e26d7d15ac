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

from stockml.core.markets import market, market_named
from stockml.core.paths import Home
from stockml.core.wording import cause
from stockml.storage.files import write_whole

SIDECAR = "exchanges.csv"

_log = logging.getLogger(__name__)


def read(home: Home) -> dict[str, str]:
    """The markets of the symbols that the home keeps, by symbol in upper case."""
    try:
        kept = json.loads(home.exchanges.read_text(encoding="utf-8"))
        for code in kept.values():
            market(code)
        return {symbol.upper(): code for symbol, code in kept.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        _log.warning("%s is damaged and not used: exchanges are looked for again", home.exchanges)
        return {}


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
