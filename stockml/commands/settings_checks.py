"""Checks of a home's settings: the file's text, the environment's words, and the value of each key.

Standard library only, and `tomllib` only where the file exists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, time
from pathlib import Path
from typing import Any

from stockml.commands.exits import UsageError
from stockml.commands.settings import KEYS, ONE_OF_BOTH, variable
from stockml.core.markets import entered_symbol, market_named
from stockml.core.paths import expanded
from stockml.core.records import FARTHEST_HORIZON
from stockml.core.wording import alternatives, cause
from stockml.data.sources import CSV, Source, parse_source
from stockml.storage.files import StorageError
from stockml.storage.plain_files import open_plain, others_could_write, plain_status

LARGEST_BYTES = 1 << 16  # some thousands of symbols
LONGEST_SHOWN = 40  # characters of a value in a message
CLOSE = 0.6  # difflib's own measure of a close match

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\x00-\x1f\x7f]+")
# A key of so many parts that tomllib would take minutes over it; possessive, so that looking for it takes none.
_KEY_OF_MANY = r"""(?<![\w-])(?:(?:"[^"\n]*+"|'[^'\n]*+'|[\w-]++)[ \t]*+\.[ \t]*+){50}"""
_AT_LINE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")

LISTS = ("symbols", "horizons", "notify")


class _WrongError(ValueError):
    """A value that cannot be taken: why, and which item of a list or table it is."""

    def __init__(self, text: str, item: int | None = None, below: Sequence[str] = ()) -> None:
        super().__init__(_shortened(text))
        self.item, self.below = item, tuple(below)


def _shortened(text: str) -> str:
    """A message without the middle of an endless value that it quotes."""
    return text if len(text) <= 500 else f"{text[:200]} ... {text[-250:]}"


def of_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The keys that STOCKML_SOURCE and its like say, checked; a table has no variable."""
    found: dict[str, Any] = {}
    for key in KEYS:
        text = environment.get(key, "")
        if not text or key == "exchange_of":
            continue
        words: list[Any] = [word for word in re.split(r"[\s,]+", text) if word]
        if key == "horizons":
            words = [int(word) if word.isascii() and word.isdecimal() and len(word) < 10 else word for word in words]
        try:
            found[key] = _CHECKS[key](words if key in LISTS else text, Path())
        except _WrongError as error:
            raise UsageError(f"{variable(key)}: {error}") from None
    if all(key in found for key in ONE_OF_BOTH):
        raise UsageError(f"{' and '.join(map(variable, ONE_OF_BOTH))} both name symbols; leave one out")
    return found


def of_file(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """The file's values, checked, and by each key where it stands, in words."""
    text = _text_of(path)
    if text is None:
        return {}, {}
    values = _parsed(path, text)
    found, places = {}, {}
    for key, value in values.items():
        if key not in KEYS:
            raise UsageError(f"{_place(path, text, [key])}: {_shortened(_unknown(key))}")
        try:
            found[key] = _CHECKS[key](value, path.parent)
        except _WrongError as error:
            raise UsageError(f"{_place(path, text, [key, *error.below], error.item)}: {error}") from None
    if "witness" in found and _is_of_others(path):
        raise UsageError(
            f"{_place(path, text, ['witness'])}: witness: another user could have written the file, and so have any "
            f"command run; make it yours alone (chmod go-w {path})"
        )
    if all(key in found for key in ONE_OF_BOTH):
        raise UsageError(f"{_place(path, text, [list(values)[-1]])}: symbols and symbols_file both name symbols")
    for key in ONE_OF_BOTH:
        if key in found:
            places[key] = f"{_place(path, text, [key])}: {key}"
    return found, places


def _is_of_others(path: Path) -> bool:
    """True where somebody else may write the file."""
    status = plain_status(path)
    return status is not None and others_could_write(status)


def _text_of(path: Path) -> str | None:
    """The text of the file; None where there is none, UsageError where it is no file of settings."""
    try:
        if not path.parent.is_dir() or plain_status(path) is None:
            return None
        with open_plain(path) as file:
            content = file.read(LARGEST_BYTES + 1)
    except (StorageError, OSError) as error:
        text = str(error) if isinstance(error, StorageError) else f"{path}: cannot be read ({cause(error)})"
        raise UsageError(text) from None
    if len(content) > LARGEST_BYTES:
        raise UsageError(
            f"{path}: is larger than {LARGEST_BYTES:,} bytes, which no settings need; put the symbols into a "
            "symbols_file"
        )
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}, line {line}: is not UTF-8; save the file as UTF-8") from None


def _parsed(path: Path, text: str) -> dict[str, Any]:
    import tomllib

    try:
        if re.search(_KEY_OF_MANY, text):
            raise RecursionError
        return tomllib.loads(text)
    except RecursionError:
        raise UsageError(f"{path}: is nested too deeply; no setting needs more than one table") from None
    except ValueError as error:
        told = _AT_LINE.search(str(error))
        line = int(told[1]) if told and told[1] else max(1, len(text.splitlines()))
        why = _AT_LINE.sub("", str(error)) if told else "a number is too long"
        raise UsageError(
            f'{path}, line {line}: is not TOML ({why}); write lines such as symbols = ["AAPL", "MSFT"]'
        ) from None


def _place(path: Path, text: str, key: Sequence[str], item: int | None = None) -> str:
    from stockml.commands.settings_lines import line_of

    return f"{path}, line {line_of(text, key, item)}"


def _unknown(key: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(key.lower().replace("-", "_"), KEYS, n=2, cutoff=CLOSE)
    meant = f"did you mean {alternatives(near)}?" if near else f"known are {', '.join(KEYS)}"
    return f"{shown(key)} is no setting; {meant}"


def shown(value: object) -> str:
    """A value in a message: short, and never secret or endless."""
    if isinstance(value, str):
        return repr(value if len(value) <= LONGEST_SHOWN else f"{value[: LONGEST_SHOWN - 3]}...")
    kinds = (
        (bool, ""),
        (int, ""),
        (float, ""),
        (list, "a list"),
        (dict, "a table"),
        (date, "a date"),
        (time, "a time"),
    )
    kind = next((name for of, name in kinds if isinstance(value, of)), "")
    return kind or str(value).lower()[:LONGEST_SHOWN]


# ---- the keys ----


def _source(value: object, base: Path) -> Source:
    text = _text("source", value, "yahoo")
    kind, _, folder = text.partition(":")
    if kind.lower() == CSV and folder:
        text = f"{kind}:{base / expanded(folder)}"
    try:
        return parse_source(text)
    except ValueError as error:
        raise _WrongError(str(error)) from None


def _symbols(value: object, _base: Path) -> tuple[str, ...]:
    found = []
    for number, text in enumerate(_list("symbols", value, '["AAPL", "MSFT"]')):
        try:
            found.append(entered_symbol(_text("symbols", text, "AAPL")))
        except ValueError as error:
            raise _WrongError(str(error), number) from None
    return tuple(dict.fromkeys(found))


def _symbols_file(value: object, base: Path) -> Path:
    text = _text("symbols_file", value, "symbols.txt")
    return base / expanded(text)


def _horizons(value: object, _base: Path) -> tuple[int, ...]:
    found = _list("horizons", value, "[5, 20]")
    for number, horizon in enumerate(found):
        if not isinstance(horizon, int) or isinstance(horizon, bool) or not 1 <= horizon <= FARTHEST_HORIZON:
            text = f"horizons: {shown(horizon)} is not a whole number from 1 to {FARTHEST_HORIZON:,}; write [5, 20]"
            raise _WrongError(text, number)
    return tuple(dict.fromkeys(found))


def _notify(value: object, _base: Path) -> tuple[str, ...]:
    if isinstance(value, str):  # shown by no message either
        raise _WrongError('notify: a text is no list; write ["..."] around it, such as ["ntfy://topic"]')
    found = _list("notify", value, '["ntfy://topic"]')
    for number, url in enumerate(found):
        if not isinstance(url, str) or not _URL.fullmatch(url):  # it may hold a password, and is not shown
            raise _WrongError(f"notify: entry {number + 1} is no URL; write one such as ntfy://topic", number)
    return tuple(dict.fromkeys(found))


def _witness(value: object, _base: Path) -> str:
    return _text("witness", value, "mail -s seal me@example.org")


def _exchange_of(value: object, _base: Path) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _WrongError(f"exchange_of: {shown(value)} is no table; write exchange_of = {{TCS = 'XBOM'}}")
    found = {}
    for path, name in _leaves(value):
        if not isinstance(name, str):
            hint = "; settings stand above the first [table]" if path[0] in KEYS else ""
            raise _WrongError(f"exchange_of: {shown(name)} is no exchange of {'.'.join(path)}{hint}", below=path)
        if path[0] == "notify":  # the exchange's name would be shown
            raise _WrongError("exchange_of: notify is no symbol; settings stand above the first [table]", below=path)
        try:
            found[entered_symbol(".".join(path))] = market_named(name)
        except ValueError as error:
            raise _WrongError(f"exchange_of: {error}", below=path) from None
    return found


def _leaves(table: Mapping[str, Any]) -> list[tuple[tuple[str, ...], Any]]:
    """The values by their keys: TOML takes TCS.NS without quotes for NS in the table TCS."""
    found: list[tuple[tuple[str, ...], Any]] = []
    open_: list[tuple[tuple[str, ...], Any]] = [((key,), value) for key, value in table.items()]
    while open_:
        path, value = open_.pop(0)
        if isinstance(value, dict) and value and len(path) <= 2:  # no symbol has more than two dots
            open_ += [((*path, key), below) for key, below in value.items()]
        else:
            found.append((path, value))
    return found


def _text(key: str, value: object, such: str) -> str:
    if not isinstance(value, str):
        raise _WrongError(f'{key}: {shown(value)} is no text; write one such as "{such}"')
    if not value.strip() or "\0" in value:
        raise _WrongError(f'{key}: there is nothing in it; write one such as "{such}", or remove the line')
    return value


def _list(key: str, value: object, such: str) -> list[Any]:
    if not isinstance(value, list):
        raise _WrongError(f"{key}: {shown(value)} is no list; write one such as {such}")
    if not value:
        raise _WrongError(f"{key}: there is nothing in it; write one such as {such}, or remove the line")
    return value


_CHECKS: Mapping[str, Callable[[object, Path], Any]] = {
    "source": _source,
    "symbols": _symbols,
    "symbols_file": _symbols_file,
    "horizons": _horizons,
    "notify": _notify,
    "witness": _witness,
    "exchange_of": _exchange_of,
}
