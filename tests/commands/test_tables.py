"""What a terminal shows: colour beside a sign or a word, and tables that a narrow window does not cut."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scripts import ESCAPE, predict, watched

SCRIPT = "realtime_predictor.py"
SIM = ("--source", "sample", "--symbols", "SIM-ALPHA", "SIM-BETA")
DAY, TARGET = "2026-03-02", "2026-03-09"


def shown(drawn: str) -> str:
    """What stays on the terminal, from the first result on, without its colours."""
    plain = ESCAPE.sub("", drawn)
    return plain[plain.index("Verified") :]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a prediction that is due on TARGET."""
    predict(*SIM, "--home", tmp_path, "--as-of", DAY)
    return tmp_path


def test_a_wide_terminal_shows_the_tables_that_a_pipe_gets(home: Path, tmp_path: Path) -> None:
    options = (*SIM, "--home", home, "--as-of", TARGET)
    dry = predict(*options, "--dry-run").out
    drawn = watched(SCRIPT, *options, columns=160).out
    lines = [line.rstrip() for line in dry[dry.index("Verified") :].splitlines()]
    told = [line.rstrip() for line in shown(drawn).splitlines()]
    assert told[:-2] == lines[:-1]  # but for what was logged, and sealed


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_a_narrow_terminal_cuts_no_value(home: Path, columns: int) -> None:
    told = predict(*SIM, "--home", home, "--as-of", TARGET, "--dry-run", "--json").json
    text = shown(watched(SCRIPT, *SIM, "--home", home, "--as-of", TARGET, columns=columns).out)
    assert "…" not in text
    tables = text[: text.index("2 logged")].splitlines()
    assert max(map(len, tables)) <= columns
    for line in told["predictions"]:
        assert f"80 % interval {line['low']:,.2f} .. {line['high']:,.2f}" in text
        assert f"change {line['predicted_change_pct']:+.2f} %" in text
        assert f"for the close of {line['target_date']}" in text
    for line in told["settled"]:
        assert f"{line['actual_price']:,.2f}" in text


def test_colour_stands_beside_a_sign_or_a_word_that_says_the_same(home: Path) -> None:
    drawn = watched(SCRIPT, *SIM, "--home", home, "--as-of", TARGET, columns=160).out
    results = drawn[drawn.index("Verified") :]
    coloured = re.findall(r"\x1b\[(?:\d;)?3(\d)m *([^\x1b]+)\x1b", results)
    assert coloured
    for colour, text in coloured:
        assert (colour == "2") == bool(re.match(r"\+|hit", text)), text
        assert (colour == "1") == bool(re.match(r"-|miss", text)), text


def test_an_alarm_is_red_and_called_one(home: Path) -> None:
    options = ("--source", "sample", "--home", home, "--as-of", "2026-05-04", "--status")
    piped, drawn = predict(*options), watched(SCRIPT, *options, columns=200)
    assert (piped.code, drawn.code) == (1, 1)
    assert "\x1b" not in piped.out and ESCAPE.sub("", drawn.out) == piped.out
    red = re.findall(r"\x1b\[1;31m([^\x1b]+)\x1b", drawn.out)
    assert red and all(text.startswith("ALARM  ") for text in red)
    assert len(red) == piped.out.count("ALARM")
