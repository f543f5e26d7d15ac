"""The layout of a table of text: columns side by side, or a paragraph for each row; widths in a terminal's columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from unicodedata import combining, east_asian_width

BOLD = "bold"
BETWEEN_COLUMNS = "  "
BETWEEN_PAIRS = "   "
INDENT = "  "


class Piece(NamedTuple):
    """A text and its style, "" for none."""

    text: str
    style: str = ""


Line = Sequence[Piece]


def text_width(text: str) -> int:
    """The columns that a text takes: two for each wide character of East Asia, none for a combining mark."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1 for one in text)


def line_width(line: Line) -> int:
    """The columns that a line takes."""
    return sum(text_width(piece.text) for piece in line)


def side_by_side(columns: Sequence[str], rows: Iterable[Line]) -> list[Line]:
    """A line of names, and one for each row; columns named with a final ">" are aligned right; no trailing blanks."""
    lines = [[Piece(name.rstrip(">"), BOLD) for name in columns], *rows]
    widths = [max(text_width(cell.text) for cell in column) for column in zip(*lines, strict=True)]
    return [_spaced(line, columns, widths) for line in lines]


def _spaced(line: Line, columns: Sequence[str], widths: Sequence[int]) -> Line:
    spaced: list[Piece] = []
    owed = ""  # blanks that are written once something follows them
    for cell, name, width in zip(line, columns, widths, strict=True):
        lacking = " " * (width - text_width(cell.text))
        before, after = (lacking, "") if name.endswith(">") else ("", lacking)
        owed += before
        if cell.text:
            spaced += [Piece(owed), cell] if owed else [cell]
            owed = ""
        owed += after + BETWEEN_COLUMNS
    return spaced


def paragraphs(columns: Sequence[str], rows: Iterable[Line], width: int) -> list[Line]:
    """Of each row its first cell on a line, and below it the others with their names, in as few lines as hold them."""
    lines: list[Line] = []
    for first, *cells in rows:
        lines.append([Piece(first.text, BOLD)])
        named = zip((name.rstrip(">") for name in columns[1:]), cells, strict=True)
        pairs = [[*([Piece(f"{name} ")] if name else []), cell] for name, cell in named if cell.text]
        lines += [[Piece(INDENT), *line] for line in _flowing(pairs, width - len(INDENT))]
    return lines


def _flowing(pairs: Iterable[Line], width: int) -> list[Line]:
    """The pairs side by side in as few lines as hold them."""
    lines: list[Line] = []
    for pair in pairs:
        if lines and line_width(lines[-1]) + len(BETWEEN_PAIRS) + line_width(pair) <= width:
            lines[-1] = [*lines[-1], Piece(BETWEEN_PAIRS), *pair]
        else:
            lines.append(pair)
    return lines
