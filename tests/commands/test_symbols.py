"""Symbols as people write them: in any case, in one word with commas, in lists and tables of many forms."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from stockml.commands.exits import UsageError
from stockml.commands.symbols import named_symbols

TWO = ["TCS.NS", "M&M.NS"]


def named(*words: str, file: Path | None = None) -> list[str] | None:
    return named_symbols(Namespace(symbols=list(words) or None, symbols_file=file))


@pytest.mark.parametrize(
    "words",
    [
        ("TCS.NS", "M&M.NS"),
        ("tcs.ns", "m&m.Ns"),
        ("TCS.NS,M&M.NS",),
        ("tcs.ns, m&m.ns",),
        ("TCS.NS,", ",M&M.NS"),
        ("tcs.ns", "TCS.NS", "M&M.NS"),
    ],
)
def test_any_case_and_commas_name_the_same_stocks(words):
    assert named(*words) == TWO


@pytest.mark.parametrize(
    "text",
    [
        "TCS.NS\nM&M.NS\n",
        "tcs.ns\r\nm&m.ns",
        "\ufeff# mine\n\nTCS.NS  # large\n  M&M.NS\n",
        "TCS.NS,M&M.NS\n",
        "TCS.NS, M&M.NS,\n",
        "TCS.NS;M&M.NS\n",
        "TCS.NS\tM&M.NS\n",
        "TCS.NS M&M.NS\n",
        '"TCS.NS"\n"M&M.NS"\n',
        "'TCS.NS', 'M&M.NS'\n",
        "symbol\nTCS.NS\nM&M.NS\n",
        "Tickers\nTCS.NS M&M.NS\n",
        "Trading Symbol\nTCS.NS\nM&M.NS\n",
        "Symbol,Shares,Since\nTCS.NS,10,2024-01-02\nM&M.NS,5,\n",
        'Company Name;Symbol\n"Tata, Consultancy; Ltd";TCS.NS\nMahindra;M&M.NS\n',
        "name\tTICKER\nTata Consultancy\ttcs.ns\nMahindra\tm&m.ns\n\t\n",
    ],
)
def test_a_list_may_have_any_common_form(tmp_path, text):
    file = tmp_path / "list.txt"
    file.write_bytes(text.encode())
    assert named(file=file) == TWO
    assert named("infy.ns", file=file) == ["INFY.NS", *TWO]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no symbol in it; write one a line"),
        ("symbol\n", "no symbol in it"),
        ("TCS.NS\nTCS:NS\n", "line 2: 'TCS:NS' is not a symbol"),
        ("TCS.NS,Tata Consultancy\n", "line 1: 'Tata Consultancy' is not a symbol"),
        ("TCS.NS," + "x" * 200_000, "cannot be read as a list of symbols"),
        ("AB.CD\nAB_CD\n", "would share the folder AB_CD"),
    ],
)
def test_what_is_no_list_of_symbols_is_refused_with_its_line(tmp_path, text, words):
    file = tmp_path / "list.txt"
    file.write_text(text)
    with pytest.raises(UsageError) as refusal:
        named(file=file)
    assert words in str(refusal.value)


@pytest.mark.parametrize("word", ["A B", "../x", ",", ""])
def test_what_is_no_symbol_is_refused(word):
    with pytest.raises(UsageError):
        named(word)


def test_without_either_option_none_is_named():
    assert named() is None
