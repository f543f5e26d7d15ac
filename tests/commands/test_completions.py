"""The shells complete every option of both parsers, the sources, and the stocks that have models."""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
from collections.abc import Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest
from report_helpers import write_metrics
from scripts import BARE, PROJECT
from tools import need
from waiting import PATIENCE_SECONDS

from stockml.commands.ranking import SORTS
from stockml.core.paths import Home
from stockml.trainers.engine_choice import ENGINES

SCRIPTS = ("train_models.py", "realtime_predictor.py")
SHELLS = ("bash", "zsh")

# Both run the completion as its shell does, without one: bash is given the words, zsh beside them what it offers with.
BASH = """source {project}/completions/stockml.bash
COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_stockml "${{COMP_WORDS[0]}}"; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
ZSH = """
_describe() {{ printf '%s\\n' "${{(@P)2}}" }}
compadd() {{ while [[ $1 != -- ]]; do shift; done; shift; printf '%s\\n' "$@" }}
_files() {{ print FILES "$@" }}
compset() {{ [[ $words[CURRENT] == ${{~2}}* ]] }}
words=({words}); CURRENT=$#words
source {project}/completions/_stockml
"""


def offered(shell: str, *words: str, env: Mapping[str, str] = BARE) -> list[str]:
    """What a shell offers for the last of the words."""
    need(shell)
    quoted = " ".join(f"'{word}'" for word in words)
    text = (BASH if shell == "bash" else ZSH).format(project=PROJECT, words=quoted)
    plain = ["--norc"] if shell == "bash" else ["-f"]
    done = subprocess.run(
        [shell, *plain, "-c", text],
        capture_output=True,
        text=True,
        env=env,
        cwd="/",
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line]


def options_of(script: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Each option of a script's parser, with its help as far as it is words without figures."""
    found: dict[str, str] = {}

    def note(parser: argparse.ArgumentParser, *_given: object) -> argparse.Namespace:
        for action in parser._actions:
            found.update(dict.fromkeys(action.option_strings, str(action.help).split("%")[0].split(":")[0]))
        raise SystemExit

    spec = importlib.util.spec_from_file_location(script[:-3], PROJECT / script)
    assert spec is not None and isinstance(spec.loader, SourceFileLoader)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, spec.name, module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", note)
    with pytest.raises(SystemExit):
        module.parse_args([])
    assert "--source" in found
    return found


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("shell", SHELLS)
def test_every_option_of_the_parser_is_offered(shell: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = offered(shell, str(PROJECT / script), "-")
    assert {line.split(":")[0] for line in told} == set(options_of(script, monkeypatch))


@pytest.mark.parametrize("script", SCRIPTS)
def test_zsh_says_what_an_option_means(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = dict(line.split(":", maxsplit=1) for line in offered("zsh", str(PROJECT / script), "-"))
    for option, meaning in options_of(script, monkeypatch).items():
        assert told[option] and meaning.startswith(told[option][:15].replace("\\:", ":").split(":")[0].rstrip()), option


def test_bash_offers_what_begins_like_the_word() -> None:
    assert offered("bash", str(PROJECT / "realtime_predictor.py"), "--verify-o") == ["--verify-only"]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_sources_are_offered(shell: str) -> None:
    assert set(offered(shell, str(PROJECT / SCRIPTS[0]), "--source", "")) == {"yahoo", "csv:", "sample"}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_words_of_an_option_are_offered(shell: str) -> None:
    assert tuple(offered(shell, str(PROJECT / SCRIPTS[1]), "--sort", "")) == SORTS
    assert tuple(offered(shell, str(PROJECT / SCRIPTS[0]), "--engine", "")) == ENGINES


@pytest.mark.parametrize("words", [("csv", ":"), ("csv", ":", "/us")])
def test_bash_completes_the_folder_of_a_csv_source(words: tuple[str, ...]) -> None:
    found = offered("bash", str(PROJECT / SCRIPTS[0]), "--source", *words)
    assert "/usr" in found if words[-1] == "/us" else found


def test_zsh_completes_the_folder_of_a_csv_source() -> None:
    assert offered("zsh", str(PROJECT / SCRIPTS[0]), "--source", "csv:/us") == ["FILES -/"]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("option", ["--symbols", "--explain"])
def test_the_stocks_with_models_are_offered(shell: str, option: str, tmp_path: Path) -> None:
    for symbol in ("TCS.NS", "INFY.NS"):
        write_metrics(Home(tmp_path), symbol)
    script = str(PROJECT / "realtime_predictor.py")
    assert set(offered(shell, script, "--home", str(tmp_path), option, "")) == {"TCS.NS", "INFY.NS"}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("env", "place"),
    [
        ({"HOME": "{tmp}"}, ".local/share/stockml"),
        ({"HOME": "/proc/nonexistent", "XDG_DATA_HOME": "{tmp}/data"}, "data/stockml"),
        ({"HOME": "/proc/nonexistent", "STOCKML_HOME": "{tmp}/mine"}, "mine"),
    ],
)
def test_so_are_those_of_an_installed_command(shell: str, env: dict[str, str], place: str, tmp_path: Path) -> None:
    write_metrics(Home(tmp_path / place), "TCS.NS")
    named = {name: value.format(tmp=tmp_path) for name, value in env.items()}
    assert offered(shell, "/usr/bin/stockml-predict", "--symbols", "", env=BARE | named) == ["TCS.NS"]


def test_several_symbols_are_completed_one_after_the_other(tmp_path: Path) -> None:
    write_metrics(Home(tmp_path), "TCS.NS")
    words = (str(PROJECT / SCRIPTS[0]), "--home", str(tmp_path), "--symbols", "INFY.NS", "")
    assert offered("bash", *words) == offered("zsh", *words) == ["TCS.NS"]


def test_a_command_that_does_not_work_offers_nothing(tmp_path: Path) -> None:
    assert offered("bash", str(tmp_path / "nothing.py"), "-") == []
