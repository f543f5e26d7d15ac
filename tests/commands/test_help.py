"""`--help` of both scripts: its examples work as pasted, and each option says its unit and its default."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from fake_yahoo import FakeYahoo, site_folder
from scripts import BARE, PROJECT, run

from stockml.commands.symbols import WATCHLIST

SCRIPTS = ("train_models.py", "realtime_predictor.py")
TOLD = {"--only-stale": "12 of 12 stocks have models younger", "--replay": "No stock has a trained model yet"}
UNITS = re.compile(r"sessions|years|days|seconds|processes|seed of|forecasts")


def help_of(script: str) -> str:
    return run(script, "--help").out


def examples(script: str) -> list[str]:
    """The command lines below "examples:"."""
    return re.findall(r"^    (\./.*)$", help_of(script).partition("\nexamples:\n")[2], flags=re.M)


def options_told(script: str) -> dict[str, str]:
    """What stands beside each option that takes a value, by the option with its value."""
    lines = help_of(script).partition("\noptions:\n")[2].partition("\nexamples:\n")[0]
    parts = re.split(r"\n  (?=-)", lines)
    pairs = (re.match(r"\s*(-.*?)(?:  +|\n +)(.*)", part, flags=re.S) for part in parts)
    told = {pair[1].strip(): " ".join(pair[2].split()) for pair in pairs if pair}
    return {names: text for names, text in told.items() if " " in re.sub(r",? --?[a-z-]+", "", names)}


def test_the_examples_work_as_pasted(yahoo: FakeYahoo, tmp_path: Path) -> None:
    """One after the other in a shell that stands beside the scripts, Yahoo's part played by the local server."""
    for script in SCRIPTS:
        (tmp_path / script).symlink_to(PROJECT / script)
    env = BARE | {
        "HOME": str(tmp_path),
        "STOCKML_HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(site_folder(yahoo, tmp_path / "site")),
    }
    lines = [line for script in SCRIPTS for line in examples(script)]
    assert len(lines) == 11
    printed = {}
    for line in lines:
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=env, cwd=tmp_path, check=False)
        expected = next((words for part, words in TOLD.items() if part in line), "")
        assert done.returncode == 0 and done.stderr.startswith(expected) and bool(done.stderr) == bool(expected), line
        printed[line] = done.stdout
    assert printed["./train_models.py"].count(".NS ") == len(WATCHLIST)
    assert "5. LEARN" in printed["./realtime_predictor.py --explain TCS.NS"]
    written = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*.jsonl")}
    assert written == {"home", "stock-trial", "stock-replay"}


@pytest.mark.parametrize("script", SCRIPTS)
def test_options_stand_in_groups_with_units_and_defaults(script: str) -> None:
    own = {"train_models.py": "how to train", "realtime_predictor.py": "what to do"}[script]
    groups = re.findall(r"^([a-z][a-z ]*):$", help_of(script), flags=re.M)
    assert groups == ["options", own, "what to work on", "what to print", "examples"]
    told = options_told(script)
    assert {"--home DIR", "--horizons N [N ...], --horizon N [N ...]"} <= set(told)
    actions = {
        "--explain SYMBOL|ID",
        "--replay START END",
        "--reopen ID [ID ...]",
        "--backup FILE",
        "--restore FILE",
        "--export FILE",
    }
    assert not {names for names, text in told.items() if "default: " not in text} - actions
    numbers = {names: text for names, text in told.items() if re.search(r" (N|DAYS|SECONDS|\[N ...\])$", names)}
    assert len(numbers) == {"train_models.py": 6, "realtime_predictor.py": 4}[script]
    assert not {names for names, text in numbers.items() if not UNITS.search(text)}
