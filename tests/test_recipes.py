"""The recipes of docs/export.md, run as they stand there over a log with all that a log may have."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import mean

import pytest
from log_helpers import outcome, prediction
from scripts import BARE, PROJECT
from waiting import PATIENCE_SECONDS

from stockml.core.outcomes import EXPIRED, Outcome
from stockml.core.paths import Home
from stockml.prediction_log.log import PredictionLog

PAGE = (PROJECT / "docs/export.md").read_text()
COMMANDS = re.search(r"```sh\n(.*?)```", PAGE, flags=re.S)[1].splitlines()  # type: ignore[index]
RECIPES = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
ENV = BARE | {"COLUMNS": "200", "POLARS_MAX_THREADS": "1", "POLARS_TABLE_WIDTH": "200"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a user stands: beside the scripts, with a log, after the page's commands."""
    folder = tmp_path_factory.mktemp("recipes")
    home = Home(folder)
    with PredictionLog(home.log).locked() as log:
        made = [prediction(symbol, day) for day in range(150) for symbol in ("TCS.NS", "INFY.NS")]
        made[7] = replace(made[7], distribution=None, model_scale_pct=None, currency=None)
        log.append(made)
        known = {line.id: outcome(line, at="2026-06-20T16:00:00") for line in made[:-20]}
        known[made[-30].id] = Outcome(EXPIRED, "2026-07-20T16:00:00", reason="no bar came")  # a key that comes late
        log.settle(known)
        log.reopen({made[3].id: "2026-07-20T16:00:00"})
    lines = home.log.read_bytes().split(b"\n")
    home.log.write_bytes(b"\n".join([*lines[:4], b" " * 900, *lines[4:]]))  # as after a line was set aside
    (folder / "realtime_predictor.py").symlink_to(PROJECT / "realtime_predictor.py")
    for command in COMMANDS:
        done = ran(folder, ["sh", "-c", command], STOCKML_HOME=str(folder))
        assert (done.returncode, done.stderr) == (0, ""), command
        assert bool(done.stdout) != ("--quiet" in command)
    return folder


def ran(folder: Path, command: list[str], **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, env=ENV | env, cwd=folder, check=False, timeout=PATIENCE_SECONDS
    )


def errors(folder: Path) -> dict[str, tuple[float, float]]:
    """The mean error and the naive one of each symbol, from the log's lines."""
    by_symbol = defaultdict(list)
    for line in (folder / "realtime_predictions/predictions.jsonl").read_text().splitlines():
        if line.strip() and (record := json.loads(line))["status"] == "verified":
            by_symbol[record["symbol"]].append((record["error_pct"], record["naive_error_pct"]))
    return {
        symbol: (mean(one for one, _ in pairs), mean(two for _, two in pairs)) for symbol, pairs in by_symbol.items()
    }


def test_the_page_has_recipes_for_each_library_and_of_ten_lines() -> None:
    assert len(COMMANDS) == 5 and all(recipe.count("\n") <= 10 for recipe in RECIPES)
    for library in ("pandas", "polars", "duckdb"):
        uses = [recipe for recipe in RECIPES if f"import {library}" in recipe]
        assert [recipe for recipe in uses if "predictions.jsonl" in recipe], library
        assert [recipe for recipe in uses if "record." in recipe], library


@pytest.mark.parametrize("recipe", RECIPES, ids=[re.sub(r"\W+", "-", recipe[7:70]) for recipe in RECIPES])
def test_each_recipe_runs_and_finds_what_the_log_holds(folder: Path, recipe: str) -> None:
    done = ran(folder, [sys.executable, "-W", "error", "-c", recipe])
    assert (done.returncode, done.stderr) == (0, "")
    if "naive_error_pct" in recipe:
        for symbol, means in errors(folder).items():
            (row,) = (line for line in done.stdout.splitlines() if symbol in line)
            told = re.findall(r"\d+\.\d+", row)
            assert [float(figure) for figure in told] == pytest.approx(means, abs=1e-4)
    elif "sqlite3" in recipe:
        assert re.search(r"^lstm +\d+ +\d+\.\d%$", done.stdout, flags=re.M) and len(done.stdout.splitlines()) == 8
    else:
        assert done.stdout.count("datetime64") == 4
