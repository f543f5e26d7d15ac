"""The example reads the log as pandas users would, and draws it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from report_helpers import HORIZON, made_up_home, stock_lines, write_log
from scripts import BARE, PROJECT
from waiting import PATIENCE_SECONDS

from stockml.core.paths import Home

SCRIPT = PROJECT / "examples" / "read_log.py"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", str(SCRIPT), *map(str, arguments)]
    env = BARE | {"MPLCONFIGDIR": str(Path(str(arguments[0])).parent)}  # where matplotlib keeps its list of fonts
    return subprocess.run(
        command, capture_output=True, text=True, env=env, cwd="/", check=False, timeout=PATIENCE_SECONDS
    )


def test_it_tells_each_stocks_errors_and_draws_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib, with which the example draws, is not installed")
    home, _ = made_up_home(tmp_path, 3, 60)
    picture = tmp_path / "log.png"
    run(home.log, picture)  # matplotlib lists the machine's fonts once, and says so where that takes it long
    done = run(home.log, picture)
    assert (done.returncode, done.stderr) == (0, "")
    frame = pd.DataFrame([json.loads(line) for line in home.log.read_text().splitlines()])
    mean = frame.groupby("symbol")["error_pct"].mean().round(2)
    assert f"{3 * 60} predictions of 3 stocks, {3 * (60 - HORIZON)} verified" in done.stdout
    for symbol, error in mean.items():
        assert f"{symbol}" in done.stdout and f"{error:.2f}" in done.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_before_the_first_outcome_there_is_nothing_to_draw(tmp_path: Path) -> None:
    home = Home(tmp_path)
    write_log(home, stock_lines("A.XY", 2, seed=1))
    done = run(home.log, tmp_path / "log.png")
    assert (done.returncode, done.stdout) == (0, "2 predictions of 1 stocks, 0 verified\n")
    assert not (tmp_path / "log.png").exists()


def test_without_a_log_it_says_what_to_do(tmp_path: Path) -> None:
    done = run(tmp_path / "none.jsonl")
    assert done.returncode == 2 and "run realtime_predictor.py first" in done.stderr
