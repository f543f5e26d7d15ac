"""Arguments of the Python face as options of the scripts, so that each is checked once, where the commands check it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, NoReturn, Protocol

from stockml.commands.exits import UsageError
from stockml.commands.options import ParserClass, default_home
from stockml.core.paths import Home, expanded

Symbols = Iterable[str] | str
Place = Home | Path | str
Day = date | str  # a text is YYYY-MM-DD


class Script(Protocol):
    """A module of the two scripts."""

    def parse_args(self, argv: list[str], kind: ParserClass) -> argparse.Namespace:
        """The options."""
        ...


class _Strict(argparse.ArgumentParser):
    """A parser whose errors are exceptions."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(
            re.sub(r"^argument (-\w, )?--([\w-]+)\S*: ", lambda found: f"{found[2].replace('-', '_')}: ", message)
        )


def options_of(script: Script, arguments: Mapping[str, Any]) -> argparse.Namespace:
    """The options of a script that say what the arguments say, by name.

    None and False are left out. UsageError where an argument cannot be followed.
    """
    words = ["--quiet"]  # no bar is drawn
    for name, value in arguments.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif isinstance(value, Iterable) and not isinstance(value, str):
            words += [option, *(_item(name, item) for item in value)]
        elif value is not None and value is not False:
            words.append(f"{option}={value}")
    return script.parse_args(words, _Strict)


def _item(name: str, value: Any) -> str:
    if str(value).startswith("-"):  # the parser would take it for an option
        raise UsageError(f"{name}: {value} begins with a hyphen; correct the spelling")
    return str(value)


def home_of(place: Place | None) -> Home:
    """The home at a place, by default that of the commands."""
    if isinstance(place, Home):
        return place
    return Home(default_home() if place is None else expanded(str(place)))


def listed(symbols: Symbols | None) -> Iterable[str] | None:
    """Symbols of which one alone may stand without a list."""
    return [symbols] if isinstance(symbols, str) else symbols
