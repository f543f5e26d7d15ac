"""Settings of a home as a value; every key is optional, and read and checked elsewhere.

Standard library only, and little of it, as in `settings_reader`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from stockml.data.sources import Source

NOTHING: Mapping[str, str] = MappingProxyType({})


class Settings(NamedTuple):
    """The keys as the environment or the file says; one that neither knows is empty or None."""

    source: Source | None = None
    symbols: tuple[str, ...] = ()
    symbols_file: Path | None = None  # checked where it is used
    horizons: tuple[int, ...] = ()  # the first is the main one
    notify: tuple[str, ...] = ()  # URLs
    witness: str | None = None
    exchange_of: Mapping[str, str] = NOTHING  # market by symbol
    symbols_from: str = ""  # what names the symbols, in words


KEYS = tuple(key for key in Settings._fields if key != "symbols_from")
ONE_OF_BOTH = ("symbols", "symbols_file")


def variable(key: str) -> str:
    """The environment's name of a key."""
    return f"STOCKML_{key.upper()}"
