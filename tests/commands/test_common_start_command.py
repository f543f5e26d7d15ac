"""train_models.py goes on from the common network that is there, says so, and does without one that is damaged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stockml.core.exchanges import BY_SYMBOL
from stockml.core.paths import Home
from stockml.models.lstm import INPUTS
from stockml.trainers.common_start import CommonStart, Origin
from stockml.trainers.lstm_trainer import fresh_network
from stockml.trainers.start_store import write_start
from stockml.trainers.training_settings import TrainingSettings
from train_models import main

SYMBOL = "SIM-ALPHA"
OPTIONS = ("--source", "sample", "--symbols", SYMBOL, "--as-of", "2026-03-02", "--jobs", "1", "--home")
BEFORE = "2025-05-15"  # some weeks before the first day that this training holds out


def left_earlier(home: Path, symbols: tuple[str, ...] = (SYMBOL,), day: str = BEFORE) -> tuple[CommonStart, Path]:
    """A network as an earlier training may have left it, and its file."""
    kind = TrainingSettings().kind([BY_SYMBOL.calendar(SYMBOL).name])
    start = CommonStart(Origin(kind, np.datetime64(day), symbols), fresh_network(len(INPUTS), 5, 3))
    write_start(Home(home), start)
    return start, Home(home).common_models / f"{day}-{kind}.bin"


def started_from(home: Path) -> object:
    metrics = home / f"ml_training_data/models/{SYMBOL}/metrics.json"
    return json.loads(metrics.read_text())["started_from"]


def test_it_goes_on_from_the_common_network_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start, path = left_earlier(tmp_path, (SYMBOL, "SIM-BETA", "SIM-GAMMA"))
    assert main([*OPTIONS, str(tmp_path)]) == 0
    told = capsys.readouterr()
    assert f"The common model went on from that of 3 stocks fitted on days before {BEFORE}; --fresh trains" in told.out
    assert told.err == ""
    assert started_from(tmp_path) == start.to_record()
    (session,) = (tmp_path / "ml_training_data/metrics").iterdir()
    kept = json.loads(session.read_text())
    assert kept["models"][0]["started_from"] == start.to_record() and kept["settings"]["fresh"] is False
    assert list(Home(tmp_path).common_models.iterdir()) == [path]  # one stock of three takes no other's place


@pytest.mark.parametrize("case", ["--fresh", "damaged", "of later days"])
def test_it_begins_from_nothing_where_it_is_told_to_or_must(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, path = left_earlier(tmp_path, day="2025-07-15" if case == "of later days" else BEFORE)
    if case == "damaged":
        path.write_bytes(path.read_bytes()[:-1])
    assert main([*OPTIONS, str(tmp_path), *(["--fresh"] if case == "--fresh" else [])]) == 0
    told = capsys.readouterr()
    assert started_from(tmp_path) is None and "went on from" not in told.out
    problem = f"{path}: is damaged; the common model is trained from nothing; delete it"
    assert (problem in told.err) == (case == "damaged") and told.err.count("\n") == (case == "damaged")
    others = [other for other in Home(tmp_path).common_models.iterdir() if other != path]
    assert len(others) == 1  # what it left for the next training
