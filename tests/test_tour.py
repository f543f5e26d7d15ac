"""The README's tour, its files and its symptoms are those of this program; the daily commands work as written."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from commands import BARE, PROJECT, log_of
from fake_yahoo import FakeYahoo, site_folder
from test_help import yahoo  # noqa: F401 - a fixture
from tools import needs
from waiting import wait_until

from stockml.commands.run import WATCHLIST

README = (PROJECT / "README.md").read_text()


def shape(text: str) -> list[str]:
    """The words without what differs from machine to machine, day to day or as learning goes: figures and verdicts."""
    plain = re.sub(r"[-+]?\d[\d,]*(\.\d+)?", "#", " ".join(text.split()))
    plain = re.sub(r"\b(hit|miss)\b", "verdict", re.sub(r"\b(rise|fall)\b", "move", plain))
    return sorted(re.sub(r"above all for \w+(, read the other way round)?", "", plain).split())


def test_the_tour_shows_what_is_printed(nse_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every console block of the README is run again, in its order, in one home."""
    monkeypatch.syspath_prepend(PROJECT / "examples")
    import refresh_readme

    blocks = refresh_readme.BLOCK.findall(README)
    assert len(blocks) == 7
    for block in blocks:
        again = refresh_readme.refreshed(block, prices=str(nse_folder), home=str(tmp_path))
        assert shape(again) == shape(block)


def test_every_file_of_the_tree_has_a_true_line_or_a_word_on_how_to_open_it() -> None:
    (tree,) = re.findall(r"```\n(ml_training_data/\n.*?)```", README, flags=re.S)
    shown = README[README.index("## The files") + len(tree) : README.index("## Options")]
    for name in re.findall(r"([\w.]+\.(?:json|jsonl|csv))\b", tree):
        stem = name.replace("YYYYMMDD_HHMMSS", "*")
        assert stem in shown, name
    for name in ("lstm_model.h5", "xgb_model.pkl", "report.html"):
        (line,) = [line for line in tree.splitlines() if name in line]
        assert re.search(r"opens with|page", line)


def test_every_quoted_symptom_is_a_message_of_the_program() -> None:
    sources = [*(PROJECT / "stockml").rglob("*.py"), PROJECT / "train_models.py", PROJECT / "realtime_predictor.py"]
    program = " ".join("".join(re.sub(r'"\s+f?"', "", path.read_text()) for path in sources).split())
    symptoms = re.findall(r'^\| "([^|]*)" \|', README, flags=re.M)
    assert len(symptoms) >= 6
    for symptom in symptoms:
        assert all(part.strip(" ,") in program for part in symptom.split("...")), symptom


def test_the_daily_commands_work_as_written(yahoo: FakeYahoo, tmp_path: Path) -> None:  # noqa: F811 - the fixture
    """With a `python` that has none of the libraries, as in a shell where no environment is activated."""
    found = shutil.which("python3.11", path="/usr/bin:/usr/local/bin")
    if found is None:
        pytest.skip("needs a Python beside the environment's: apt-get install python3.11")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").symlink_to(found)
    home = tmp_path / "home"
    env = {
        "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin",
        "STOCKML_HOME": str(home),
        "PYTHONPATH": str(site_folder(yahoo, tmp_path / "site")),
    }
    for command in (
        "python train_models.py",
        "python realtime_predictor.py",
        "python realtime_predictor.py --verify-only",
    ):
        done = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, env=BARE | env, cwd=PROJECT, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), command
    assert {line["symbol"] for line in log_of(home)} == set(WATCHLIST)
    assert {path.name for path in (home / "ml_training_data/models").iterdir()} == {
        symbol.replace(".", "_") for symbol in WATCHLIST
    }


@needs("tail", "jq")
def test_predictions_are_watched_with_tail_and_jq(trained_home: Path) -> None:
    from commands import predict

    log = trained_home / "realtime_predictions/predictions.jsonl"
    log.parent.mkdir()
    log.touch()
    command = "tail -f realtime_predictions/predictions.jsonl | jq --unbuffered"
    shown = trained_home / "shown"
    with shown.open("w") as out:
        watching = subprocess.Popen(["bash", "-c", command], stdout=out, cwd=trained_home, start_new_session=True)
    try:
        assert predict("--source", "sample", "--home", trained_home, "--as-of", "2026-03-02").code == 0
        wait_until(lambda: len(log_of(trained_home)) == shown.read_text().count('"prediction_date"') == 3, "the third")
    finally:
        os.killpg(watching.pid, signal.SIGTERM)
        watching.wait()
