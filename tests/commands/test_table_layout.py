"""Tables as text: columns that line up whatever they hold, paragraphs that fit, and no blank at the end of a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stockml.commands.table_layout import Piece, line_width, paragraphs, side_by_side, text_width

CELLS = st.text(alphabet="aZ.%+- ₹日é́", max_size=12)
COLUMNS = ("symbol", "close>", "regime", "80 % interval>")


def plain(lines: list) -> list[str]:
    return ["".join(piece.text for piece in line) for line in lines]


def pieces(*rows: tuple[str, ...]) -> list[list[Piece]]:
    return [[Piece(cell) for cell in row] for row in rows]


def test_names_and_cells_stand_in_columns() -> None:
    rows = pieces(("TCS.NS", "3,100.50", "", "1 .. 2"), ("A", "7.00", "falling", ""))
    assert plain(side_by_side(COLUMNS, rows)) == [
        "symbol     close  regime   80 % interval",
        "TCS.NS  3,100.50                  1 .. 2",
        "A           7.00  falling",
    ]


@pytest.mark.parametrize(("text", "width"), [("", 0), ("₹1", 2), ("日本", 4), ("e\u0301", 1), ("…", 1)])
def test_a_text_is_as_wide_as_a_terminal_shows_it(text: str, width: int) -> None:
    assert text_width(text) == width


@given(st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), max_size=5))
def test_right_columns_end_where_their_names_end(rows: list[tuple[str, ...]]) -> None:
    lines = side_by_side(COLUMNS, pieces(*rows))
    for row, line in zip(rows, lines[1:], strict=True):
        if row[-1]:
            assert line_width(line) == max(map(line_width, lines))
        assert not any(row) or line[-1].text in row  # no blanks after the last cell


@given(st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), max_size=5), st.integers(60, 90))
def test_a_paragraph_holds_each_cell_beside_its_name_and_fits(rows: list[tuple[str, ...]], width: int) -> None:
    lines = plain(paragraphs(COLUMNS, pieces(*rows), width))
    assert all(text_width(line) <= width for line in lines)
    text = "\n".join(lines)
    for row in rows:
        told = zip(COLUMNS[1:], row[1:], strict=True)
        assert all(f"{name.rstrip('>')} {cell}" in text for name, cell in told if cell)


def test_a_table_of_names_alone_is_one_line() -> None:
    assert plain(side_by_side(COLUMNS, [])) == ["symbol  close  regime  80 % interval"]
