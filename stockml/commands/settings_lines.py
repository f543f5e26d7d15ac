"""Line of a key, or of an item of its list, in a TOML text: `tomllib` gives the values and no lines.

Only for a text that `tomllib` has read: what is wrong in it is wrong in its meaning alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

# Strings of the four kinds, comments, marks, line ends, and all else in one piece.
_PIECE = re.compile(
    r"""\"{3}(?:\\.|[^\\])*?\"{3,5}|'{3}.*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|\#[^\n]*|[\[\]{},=\n]|[^\s\[\]{},=#"']+""",
    re.DOTALL,
)


def line_of(text: str, path: Sequence[str], item: int | None = None) -> int:
    """The line of a key, or of an item of its list, counted from 1.

    Parameters
    ----------
    text : str
        TOML with line feeds alone as line ends.
    path : sequence of str
        The key below those of the tables that it stands in.
    item : int, optional
        The place in the key's list, counted from 0.
    """
    header: list[str] = []
    for start, end in _statements(text):
        piece = text[start:end].strip()
        if not piece or piece.startswith("#"):
            continue
        values = _parsed(piece)
        if piece.startswith("["):
            header = _keys_of(values)
        if _holds(header, {} if piece.startswith("[") else values, path):
            at = start if item is None else _item(text, start, end, item)
            return _line_at(text, at)
    return 1


def _statements(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each statement: it ends with a line outside strings and brackets."""
    depth, start = 0, 0
    for piece in _PIECE.finditer(text):
        depth += _step(piece[0])
        if piece[0] == "\n" and depth == 0:
            yield start, piece.end()
            start = piece.end()
    yield start, len(text)


def _step(piece: str) -> int:
    return 1 if piece in ("[", "{") else -1 if piece in ("]", "}") else 0


def _parsed(statement: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(statement)
    except ValueError:
        return {}


def _keys_of(values: Any) -> list[str]:
    """The keys of a table's header, outermost first."""
    keys = []
    while values:
        if isinstance(values, list):  # [[table]]
            values = values[0]
            continue
        ((key, values),) = values.items()
        keys.append(key)
    return keys


def _holds(header: Sequence[str], values: Any, path: Sequence[str]) -> bool:
    """True where a statement below that header sets the key, or is the header of its table."""
    if list(path[: len(header)]) != list(header[: len(path)]):
        return False
    for key in path[len(header) :]:
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True


def _item(text: str, start: int, end: int, item: int) -> int:
    """The place of an item of a statement's list; the statement's own where it has none such."""
    depth, number, may_begin = 0, -1, False
    for piece in _PIECE.finditer(text, start, end):
        mark = piece[0]
        if mark == "\n" or mark.startswith("#"):
            continue
        if may_begin and mark not in ("]", "}"):
            number, may_begin = number + 1, False
            if number == item:
                return piece.start()
        depth += _step(mark)
        may_begin = may_begin or (depth == 1 and mark in ("[", ","))
    return start


def _line_at(text: str, at: int) -> int:
    """The line of the first thing that stands at a place or behind it."""
    blank = len(text[at:]) - len(text[at:].lstrip())
    return text.count("\n", 0, at + blank) + 1
