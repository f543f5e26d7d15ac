"""The written records of exchanges: the home's own list, and the one beside CSV files."""

from __future__ import annotations

import pytest

from stockml.core.paths import Home
from stockml.data import exchange_book


def test_a_home_keeps_what_it_is_told_beside_what_it_has(tmp_path):
    home = Home(tmp_path)
    assert exchange_book.read(home) == {}
    exchange_book.write({"TCS": "XBOM"}, home)
    exchange_book.write({"infy": "XBOM", "^TA35": "XTAE", "^NEW": "weekdays@Asia/Dili"}, home)
    exchange_book.write({"TCS": "XLON"}, home)
    assert exchange_book.read(home) == {
        "TCS": "XLON", "INFY": "XBOM", "^TA35": "XTAE", "^NEW": "weekdays@Asia/Dili"
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "[]", '{"TCS": 5}', '{"TCS": "MOON"}', '{"TCS": "weekdays@Moon/Land"}', "\0"])
def test_a_damaged_list_is_told_and_not_used(tmp_path, caplog, text):
    home = Home(tmp_path)
    home.exchanges.parent.mkdir(parents=True)
    home.exchanges.write_text(text)
    assert exchange_book.read(home) == {}
    assert f"{home.exchanges} is damaged and not used" in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "symbol,exchange\nTCS,XBOM\nvod,.L\n",
        "TCS,NSE\nVOD,XLON",
        "\ufeffSymbol, Exchange\r\n\r\n# mine\r\nTCS, xbom \r\nVOD,LSE\r\n",
    ],
)
def test_a_folder_may_say_the_exchanges_of_its_files(tmp_path, text):
    (tmp_path / "exchanges.csv").write_bytes(text.encode())
    assert exchange_book.read_sidecar(tmp_path) == {"TCS": "XBOM", "VOD": "XLON"}


def test_without_the_file_no_exchange_is_said(tmp_path):
    assert exchange_book.read_sidecar(tmp_path) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("TCS,XBOM\nINFY\n", "exchanges.csv, line 2: 'INFY' is not symbol,exchange; write TCS,XBOM"),
        ("TCS,MOON\n", "exchanges.csv, line 1: 'MOON' is no exchange that is known"),
        ("TCS,XBOM,2\n", "exchanges.csv, line 1: 'TCS,XBOM,2' is not symbol,exchange"),
    ],
)
def test_a_line_that_cannot_be_followed_is_refused(tmp_path, text, message):
    (tmp_path / "exchanges.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        exchange_book.read_sidecar(tmp_path)
