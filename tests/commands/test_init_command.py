"""--init: a file of settings from the options given, read back as the same, and never over another."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from scripts import files_under

import realtime_predictor
import train_models
from stockml.commands.settings import Settings
from stockml.commands.settings_reader import read_settings
from stockml.core.paths import Home
from stockml.data.sources import Source

MAINS = (realtime_predictor.main, train_models.main)


def settings_of(home: Path) -> Settings:
    return read_settings(Home(home), {})


@pytest.mark.parametrize("main", MAINS)
def test_the_options_are_read_back_as_they_were_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], main
) -> None:
    (tmp_path / "prices").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    home = tmp_path / "home"
    options = ["--source", "csv:~/prices", "--symbols", "aapl", "MSFT", "--horizons", "5", "20"]
    assert main(["--init", *options, "--home", str(home)]) == 0
    assert str(home / "stockml.toml") in capsys.readouterr().out
    found = settings_of(home)
    assert found.source == Source("csv", tmp_path / "prices") and 'source = "csv:~/prices"' in files_text(home)
    assert (found.symbols, found.horizons, found.witness) == (("AAPL", "MSFT"), (5, 20), None)
    assert list(files_under(home)) == ["stockml.toml"]


def files_text(home: Path) -> str:
    return (home / "stockml.toml").read_text()


def test_a_folder_is_written_from_the_root_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pri ces").mkdir()
    (tmp_path / "list.txt").write_text("TCS\n")
    monkeypatch.chdir(tmp_path)
    options = ["--source", "csv:pri ces", "--symbols-file", "list.txt", "--exchange", "nse", "--witness", 'say "\\x"']
    assert realtime_predictor.main(["--init", *options, "--home", "home"]) == 0
    found = settings_of(tmp_path / "home")
    assert found.source == Source("csv", tmp_path / "pri ces") and found.symbols_file == tmp_path / "list.txt"
    assert found.exchange_of == {"TCS": "XBOM"} and found.witness == 'say "\\x"'


def test_without_options_every_key_is_a_comment_that_would_be_understood(tmp_path: Path) -> None:
    assert realtime_predictor.main(["--init", "--home", str(tmp_path)]) == 0
    assert settings_of(tmp_path) == Settings()
    text = files_text(tmp_path)
    shown = [line.removeprefix("# ") for line in text.splitlines() if " = " in line and line[2:3].islower()]
    named = tomllib.loads("\n".join(line for line in shown if not line.startswith("environment")))
    assert set(named) == {"source", "symbols", "horizons", "notify", "witness", "exchange_of"}


def test_a_long_watchlist_is_written_in_lines(tmp_path: Path) -> None:
    symbols = [f"STOCK{number}.NS" for number in range(200)]
    assert realtime_predictor.main(["--init", "--symbols", *symbols, "--home", str(tmp_path)]) == 0
    assert list(settings_of(tmp_path).symbols) == symbols
    assert max(map(len, files_text(tmp_path).splitlines())) < 125


@pytest.mark.parametrize("stands", ["file", "link", "folder"])
def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str], stands: str) -> None:
    path = tmp_path / "stockml.toml"
    make = {"file": path.touch, "link": lambda: path.symlink_to("gone"), "folder": path.mkdir}[stands]
    make()
    assert realtime_predictor.main(["--init", "--source", "sample", "--home", str(tmp_path)]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"{path}: is there already")
    assert [child.name for child in tmp_path.iterdir()] == ["stockml.toml"] and not files_under(tmp_path).get(path.name)


@pytest.mark.parametrize(
    "options",
    [
        ("--source", "nowhere"),
        ("--symbols", "A B"),
        ("--symbols-file", "/proc/nonexistent/list"),
        ("--status",),
        ("--explain", "TCS"),
        ("--as-of", "2026-01-05"),
        ("--dry-run",),
        ("--exchange", "XBOM"),
        ("--exchange", "XBOM", "--symbols", "TCS.NS"),
    ],
)
def test_what_cannot_be_settings_is_refused_and_nothing_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    assert realtime_predictor.main(["--init", *options, "--home", str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1 and not list(tmp_path.iterdir())


def test_json_names_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert realtime_predictor.main(["--init", "--json", "--home", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["command"], told["settings"]) == ("init", str(tmp_path / "stockml.toml"))
