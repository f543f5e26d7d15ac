"""Settings of a home: its file stockml.toml, and before it the environment; every key is optional.

Standard library only, and little of it: where neither says anything, a run must not wait for what reads them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from stockml.core.paths import Home
from stockml.data.fetch import Source

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


def read_settings(home: Home, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a home; UsageError, with the line or the variable, where one cannot be followed."""
    said = {key: text for key in KEYS if (text := environment.get(variable(key), "")).strip()}
    if not said and not os.path.lexists(home.settings):
        return Settings()
    from stockml.commands.settings_checks import of_environment, of_file

    found, places = of_file(home.settings)
    answered = of_environment(said)
    if any(key in answered for key in ONE_OF_BOTH):
        found = {key: value for key, value in found.items() if key not in ONE_OF_BOTH}
    values = found | answered
    named = [variable(key) if key in answered else places[key] for key in ONE_OF_BOTH if key in values]
    return Settings(**values, symbols_from=named[0] if named else "")


def variable(key: str) -> str:
    """The environment's name of a key."""
    return f"STOCKML_{key.upper()}"
