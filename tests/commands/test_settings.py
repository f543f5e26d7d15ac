"""The home's settings: what each key may say, which voice wins, and what is refused with its line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stockml.commands.exits import UsageError
from stockml.commands.settings import KEYS, Settings
from stockml.commands.settings_reader import read_settings
from stockml.core.paths import Home
from stockml.data.sources import Source


def told(home: Path, text: str | bytes, **environment: str) -> Settings:
    content = text.encode() if isinstance(text, str) else text
    (home / "stockml.toml").write_bytes(content)
    return read_settings(Home(home), environment)


def refusal(home: Path, text: str | bytes, **environment: str) -> str:
    with pytest.raises(UsageError) as found:
        told(home, text, **environment)
    said = str(found.value)
    assert "\n" not in said and "Traceback" not in said and len(said) < 700
    return said


def test_without_a_file_nothing_is_said(tmp_path: Path) -> None:
    assert read_settings(Home(tmp_path), {}) == Settings()
    assert told(tmp_path, "") == told(tmp_path, "# mine\n\n") == Settings()


def test_every_key_is_read(tmp_path: Path) -> None:
    (tmp_path / "prices").mkdir()
    found = told(
        tmp_path,
        f"""
source = "csv:{tmp_path}/prices"
symbols = ["aapl", "BRK.B", "AAPL"]  # twice, and as people write them
horizons = [5, 20, 5]
notify = ["ntfy://topic", "mailto://me:secret@example.org"]
witness = "cat > /dev/null"
[exchange_of]
TCS = "NSE"
"INFY" = "XBOM"
ABC.DE = "XETR"
""",
    )
    assert found.source == Source("csv", tmp_path / "prices")
    assert (found.symbols, found.horizons) == (("AAPL", "BRK-B"), (5, 20))
    assert found.notify == ("ntfy://topic", "mailto://me:secret@example.org") and found.witness == "cat > /dev/null"
    assert found.exchange_of == {"TCS": "XBOM", "INFY": "XBOM", "ABC.DE": "XETR"}
    assert found.symbols_from == f"{tmp_path}/stockml.toml, line 3: symbols"


@pytest.mark.parametrize("text", ['source = "csv:prices"\nsymbols_file = "mine.txt"', "source='csv:./prices'"])
def test_a_folder_or_file_without_a_slash_lies_in_the_home(tmp_path: Path, text: str) -> None:
    (tmp_path / "prices").mkdir()
    found = told(tmp_path, text)
    assert found.source is not None and found.source.folder is not None
    assert found.source.folder.resolve() == tmp_path / "prices"
    assert found.symbols_file in (None, tmp_path / "mine.txt")


@pytest.mark.parametrize(
    "content", [b"\xef\xbb\xbfhorizons = [1]\r\n", b"horizons = [1]", b"\r\n'horizons' = [\n1,\n]\n"]
)
def test_a_file_is_read_as_editors_save_it(tmp_path: Path, content: bytes) -> None:
    assert told(tmp_path, content).horizons == (1,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('symbol = ["AAPL"]', "line 1: 'symbol' is no setting; did you mean symbols"),
        ('source = "sample"\n\nhorizon = 5', "line 3: 'horizon' is no setting; did you mean horizons?"),
        ('Notify = ["ntfy://a"]', "line 1: 'Notify' is no setting; did you mean notify?"),
        (
            'source="sample"\n[exchange-of]\nTCS="XBOM"',
            "line 2: 'exchange-of' is no setting; did you mean exchange_of?",
        ),
        ("# a\ncolour = 1", "line 2: 'colour' is no setting; known are source, symbols,"),
        ("a.b.c = 1", "line 1: 'a' is no setting"),
        ("[[horizonss]]", "line 1: 'horizonss' is no setting; did you mean horizons?"),
    ],
)
def test_an_unknown_key_is_answered_with_the_one_meant(tmp_path: Path, text: str, words: str) -> None:
    assert words in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("source = 5", "line 1: source: 5 is no text"),
        ('\nsource = "nowhere"', "line 2: the source 'nowhere' is none of yahoo, csv:DIR and sample"),
        ('source = "csv:gone"', "names no folder"),
        ('source = " "', "line 1: source: there is nothing in it"),
        ("source = [1]", "source: a list is no text"),
        ('symbols = "AAPL"', "line 1: symbols: 'AAPL' is no list"),
        ("symbols = []", "symbols: there is nothing in it"),
        ('symbols = [\n  "AAPL", # one, two\n  "A B",\n]', "line 3: 'A B' is not a symbol"),
        ('symbols = ["AAPL",\n["MSFT"]]', "line 2: symbols: a list is no text"),
        ('x = "]"\nsymbols = 1', "line 1: 'x' is no setting"),
        ('symbols_file = ["a"]', "symbols_file: a list is no text"),
        ('symbols = ["A"]\nsymbols_file = "a"', "line 2: symbols and symbols_file both name symbols"),
        ("horizons = 5", "line 1: horizons: 5 is no list; write one such as [5, 20]"),
        ("horizons = [\n1,\n0]", "line 3: horizons: 0 is not a whole number from 1 to 1,000"),
        ("horizons = [5, 1001]", "1001 is not a whole number"),
        ("horizons = [5.0]", "5.0 is not a whole number"),
        ("horizons = [true]", "true is not a whole number"),
        ('horizons = ["5"]', "'5' is not a whole number"),
        ("horizons = [2026-01-02]", "a date is not a whole number"),
        ("horizons = [nan]", "nan is not a whole number"),
        ("notify = ['me:secret']", "line 1: notify: entry 1 is no URL"),
        ("notify = [\n'ntfy://a',\n'http://a b']", "line 3: notify: entry 2 is no URL"),
        ("notify = [{a = 1}]", "notify: entry 1 is no URL"),
        ("notify = 'ntfy://me:secret@h'", "line 1: notify: a text is no list"),
        ("[exchange_of]\nnotify = 'ntfy://me:secret@h'", "line 2: exchange_of: notify is no symbol"),
        ("witness = ''", "witness: there is nothing in it"),
        ("witness = true", "witness: true is no text"),
        ('witness = "a\\u0000b"', "witness: there is nothing in it"),
        ("exchange_of = 1", "exchange_of: 1 is no table"),
        ("[exchange_of]\nTCS = 'NOWHERE'", "line 2: exchange_of: 'NOWHERE' is no exchange"),
        ("exchange_of = {TCS = 1}", "line 1: exchange_of: 1 is no exchange of TCS"),
        ("exchange_of.'A B' = 'XBOM'", "line 1: exchange_of: 'A B' is not a symbol"),
        (
            "[exchange_of]\nTCS='XBOM'\nhorizons = [5]",
            "line 3: exchange_of: a list is no exchange of horizons; settings",
        ),
        ("exchange_of" + ".a" * 40 + " = 'XBOM'", "exchange_of: a table is no exchange of a.a.a"),
    ],
)
def test_a_value_is_refused_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    said = refusal(tmp_path, text)
    assert words in said and said.startswith(f"{tmp_path}/stockml.toml, line ") and "secret" not in said


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"horizons = [1]\nsource = yahoo\n", "line 2: is not TOML (Invalid value)"),
        (b"source", "line 1: is not TOML"),
        (b"\n\nsymbols = ['A'", "line 3: is not TOML (Unclosed array)"),
        (b"source = 'a'\nsource = 'b'", "line 2: is not TOML (Cannot overwrite a value)"),
        (b"horizons = [" + b"9" * 5000 + b"]", "is not TOML (a number is too long)"),
        (b"source = 'sample'\n# caf\xe9\n", "line 2: is not UTF-8; save the file as UTF-8"),
        (b"\x00\x00", "line 1: is not TOML"),
        (b"a = " + b"[" * 30_000, "is nested too deeply"),
        (b"a = " + b"{a=" * 15_000, "is nested too deeply"),
        (b"a" + b".a" * 30_000 + b" = 1", "is nested too deeply"),
        (b"['a'" + b" . 'a'" * 10_000 + b"]", "is nested too deeply"),
        (b"#" * 70_000, "is larger than 65,536 bytes"),
    ],
)
def test_what_is_no_file_of_settings_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    assert words in refusal(tmp_path, content)


ENDLESS = "9" * 5000


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (f"[exchange_of]\n{ENDLESS} = 'XNAS'", "correct the spelling"),
        (f"source = '{ENDLESS}csv:prices'", "name another folder"),
        (f"witness_{ENDLESS} = 'cat'", "exchange_of"),
    ],
)
def test_an_endless_value_is_not_quoted_whole(tmp_path: Path, text: str, end: str) -> None:
    assert "..." in refusal(tmp_path, text) and refusal(tmp_path, text).endswith(end)


def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "stockml.toml"
    for make, words in (
        (path.mkdir, "is a folder"),
        (lambda: os.mkfifo(path), "is a FIFO"),
        (lambda: path.symlink_to("/dev/zero"), "is a device"),
        (lambda: path.symlink_to("gone"), "is a link to gone"),
    ):
        make()
        with pytest.raises(UsageError, match=words):
            read_settings(Home(tmp_path), {})
        path.rmdir() if path.is_dir() else path.unlink()


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_command_is_not_taken_from_a_file_that_others_may_write(tmp_path: Path, mode: int) -> None:
    assert told(tmp_path, "horizons = [1]\nwitness = 'true'").witness == "true"
    (tmp_path / "stockml.toml").chmod(mode)
    assert "line 2: witness: another user could have written the file" in refusal(
        tmp_path, "horizons = [1]\nwitness = 'true'"
    )
    assert told(tmp_path, "horizons = [1]").horizons == (1,)


def test_the_environment_beats_the_file_key_by_key(tmp_path: Path) -> None:
    text = 'source = "sample"\nsymbols_file = "mine.txt"\nhorizons = [5]\nwitness = "a"'
    found = told(tmp_path, text, STOCKML_SYMBOLS="tcs.ns, INFY.NS", STOCKML_HORIZONS="1 20", STOCKML_WITNESS="")
    assert (found.symbols, found.symbols_file, found.horizons) == (("TCS.NS", "INFY.NS"), None, (1, 20))
    assert found.source == Source("sample") and found.witness == "a" and found.symbols_from == "STOCKML_SYMBOLS"
    assert told(tmp_path, text, STOCKML_SOURCE="yahoo", STOCKML_NOTIFY="ntfy://a").notify == ("ntfy://a",)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"STOCKML_SOURCE": "nowhere"}, "STOCKML_SOURCE: the source 'nowhere'"),
        ({"STOCKML_HORIZONS": "5 many"}, "STOCKML_HORIZONS: horizons: 'many' is not a whole number"),
        ({"STOCKML_HORIZONS": "0"}, "STOCKML_HORIZONS: horizons: 0 is not"),
        ({"STOCKML_SYMBOLS": "A:B"}, "STOCKML_SYMBOLS: 'A:B' is not a symbol"),
        ({"STOCKML_NOTIFY": "me:secret"}, "STOCKML_NOTIFY: notify: entry 1 is no URL"),
        ({"STOCKML_SYMBOLS": "A", "STOCKML_SYMBOLS_FILE": "b"}, "STOCKML_SYMBOLS and STOCKML_SYMBOLS_FILE both name"),
    ],
)
def test_the_environment_is_checked_as_the_file(tmp_path: Path, environment: dict[str, str], words: str) -> None:
    assert words in refusal(tmp_path, "", **environment)


def test_the_documentation_describes_every_key() -> None:
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    assert not [key for key in KEYS if f"| `{key}`" not in page]
