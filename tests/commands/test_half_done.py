"""A run that has done a part says which, and ends with 1: "nothing could be done" would be untrue."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from scripts import BARE, PROJECT, log_of, predict, train
from trained import TRAINED_AS_OF

SIM = ("--source", "sample", "--symbols", "SIM-ALPHA", "SIM-BETA")
DAY, TARGET = "2026-03-02", "2026-03-09"


def predictions(home: Path) -> Path:
    return home / "realtime_predictions"


def blocked(name: str) -> Callable[[Path], None]:
    """A folder where a file is to be written."""
    return lambda home: (predictions(home) / name / "kept").mkdir(parents=True)


def last_run(home: Path) -> dict:
    return json.loads((predictions(home) / "last_run.json").read_text())


def test_where_the_report_cannot_be_written_it_says_that_the_predictions_are_logged(tmp_path: Path) -> None:
    blocked("report.html")(tmp_path)
    ran = predict(*SIM, "--home", tmp_path, "--as-of", DAY)
    assert ran.code == 1 and "a folder stands where a file is needed" in ran.err
    assert ran.err.splitlines()[-1].endswith("; 2 predictions are logged") and "Traceback" not in ran.err
    assert "2 logged" in ran.out and len(log_of(tmp_path)) == 2
    told = last_run(tmp_path)
    assert (told["exit_code"], told["logged"]) == (1, 2)
    assert "2 predictions are logged" in told["failures"][0]["message"]
    state = predict(*SIM, "--home", tmp_path, "--as-of", DAY, "--status")
    assert state.code == 1 and "a part of it failed: 2 logged, 0 settled" in state.out
    later = predict(*SIM, "--home", tmp_path, "--as-of", TARGET, "--json")
    assert (later.code, later.json["exit_code"]) == (1, 1)
    assert later.json["failures"][0]["message"].endswith("2 outcomes are in the log and 2 predictions are logged")


def test_a_disk_too_full_for_the_report_is_told_as_that(tmp_path: Path) -> None:
    command = f"ulimit -f 24; {PROJECT}/realtime_predictor.py {' '.join(SIM)} --home {tmp_path} --as-of {DAY}"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=BARE, check=False)
    assert ran.returncode == 1 and ran.stderr.splitlines()[-1].endswith("; 2 predictions are logged"), ran.stderr
    assert len(log_of(tmp_path)) == 2 and not (predictions(tmp_path) / "report.html").exists()


@pytest.mark.parametrize("name", ["feedback", "feedback/accuracy_scores.json", "feedback/learned.json"])
def test_where_the_feedback_cannot_be_written_outcomes_and_predictions_are(tmp_path: Path, name: str) -> None:
    assert predict(*SIM, "--home", tmp_path, "--as-of", DAY).code == 0
    path = predictions(tmp_path) / name
    aside = path.parent.rename(tmp_path / "aside") if "/" in name else path.rename(tmp_path / "aside")
    assert aside.exists()
    path.mkdir(parents=True) if "/" in name else path.write_text("in the way")
    (path / "kept").mkdir() if "/" in name else None
    ran = predict(*SIM, "--home", tmp_path, "--as-of", TARGET)
    assert ran.code == 1 and "2 outcomes are in the log" in ran.err and "Traceback" not in ran.err
    assert [line["status"] for line in log_of(tmp_path)][:2] == ["verified", "verified"]
    path.rename(tmp_path / "moved")
    mended = predict(*SIM, "--home", tmp_path, "--as-of", TARGET)
    assert mended.code == 0, mended.err
    assert json.loads((predictions(tmp_path) / "feedback/accuracy_scores.json").read_text())["SIM-ALPHA"]


def test_nothing_done_is_still_told_as_that(tmp_path: Path) -> None:
    blocked("predictions.jsonl")(tmp_path)
    assert predict(*SIM, "--home", tmp_path, "--as-of", DAY).code == 3


def test_one_stock_that_cannot_be_saved_costs_no_other(tmp_path: Path) -> None:
    models = tmp_path / "ml_training_data/models"
    models.mkdir(parents=True)
    (models / "SIM-ALPHA").write_text("in the way")
    ran = train(*SIM, "--home", tmp_path, "--as-of", TRAINED_AS_OF, "--json")
    assert ran.code == 1 and [model["symbol"] for model in ran.json["models"]] == ["SIM-BETA"]
    assert [(failure["symbol"], failure["kind"]) for failure in ran.json["failures"]] == [("SIM-ALPHA", "not_saved")]


def test_models_without_a_session_file_are_saved(tmp_path: Path) -> None:
    (tmp_path / "ml_training_data").mkdir()
    (tmp_path / "ml_training_data/metrics").write_text("in the way")
    ran = train(*SIM, "--home", tmp_path, "--as-of", TRAINED_AS_OF)
    assert ran.code == 1 and ran.err.splitlines()[-1].endswith("; 2 stocks are trained and saved"), ran.err
    assert sorted(path.name for path in (tmp_path / "ml_training_data/models").iterdir()) == ["SIM-ALPHA", "SIM-BETA"]


def test_a_replay_that_breaks_off_says_that_it_can_go_on(tmp_path: Path) -> None:
    command = (
        f"ulimit -f 24; {PROJECT}/realtime_predictor.py --replay {DAY} 2026-03-31 {' '.join(SIM)} --home {tmp_path}"
    )
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=BARE, check=False)
    assert ran.returncode == 1 and "the sessions before are logged" in ran.stderr and "Traceback" not in ran.stderr
