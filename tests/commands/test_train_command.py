"""The training command as a process: its files, its scores, its refusals; and the predictor with its models."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from scripts import files_under, log_of, predict, train
from trained import TRAINED, TRAINED_AS_OF

import train_models
from stockml.commands.run import open_run
from stockml.trainers import engine_choice

SIM = ("--source", "sample")
SESSION_KEYS = {"command", "version", "source", "simulated", "as_of", "exit_code", "settings", "models", "prices"}
METRICS = (
    *("symbol", "trained_at", "train_samples", "val_samples", "lstm_mae", "xgb_mae", "ensemble_mae", "naive_mae"),
    *("horizon_days", "data_through", "scaler", "priors", "days", "features", "seed", "libraries", "sha256"),
)


def metrics_of(home: Path, symbol: str) -> dict:
    return json.loads((home / f"ml_training_data/models/{symbol}/metrics.json").read_text())


def test_every_documented_file_is_there_and_complete(trained_home: Path) -> None:
    for symbol in TRAINED:
        folder = trained_home / "ml_training_data/models" / symbol
        metrics = metrics_of(trained_home, symbol)
        assert set(METRICS) <= set(metrics)
        assert metrics["symbol"] == symbol and metrics["trained_at"] == f"{TRAINED_AS_OF}T16:00:00"
        for name, digest in metrics["sha256"].items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
        assert {"lstm_model.h5", "xgb_model.pkl"} < set(metrics["sha256"])
        rows = (trained_home / f"ml_training_data/predictions/{symbol}.csv").read_text().splitlines()
        assert len(rows) == metrics["val_samples"] + 1
    (session,) = (trained_home / "ml_training_data/metrics").iterdir()
    assert session.name.startswith("training_session_") and session.suffix == ".json"
    told = json.loads(session.read_text())
    assert set(told) >= SESSION_KEYS
    assert [model["symbol"] for model in told["models"]] == list(TRAINED)


def test_validation_is_later_than_training_with_a_gap_and_ends_where_answers_do(trained_home: Path) -> None:
    for symbol in TRAINED:
        metrics = metrics_of(trained_home, symbol)
        days = metrics["days"]
        assert days["fit"]["last"] < days["select"]["first"] <= days["select"]["last"] < days["validation"]["first"]
        assert metrics["data_through"] == TRAINED_AS_OF
        assert days["validation"]["last"] == "2026-02-23"  # five sessions earlier
        assert metrics["train_samples"] == days["fit"]["samples"] + days["select"]["samples"]
        assert metrics["val_samples"] == days["validation"]["samples"]


def test_the_scores_are_those_of_the_validation_file(trained_home: Path) -> None:
    import pandas as pd

    for symbol in TRAINED:
        metrics = metrics_of(trained_home, symbol)
        table = pd.read_csv(trained_home / f"ml_training_data/predictions/{symbol}.csv")
        for column, key in (("lstm_5_pct", "lstm_mae"), ("xgb_pct", "xgb_mae"), ("naive_pct", "naive_mae")):
            assert (table["actual_pct"] - table[column]).abs().mean() == pytest.approx(metrics[key], abs=1e-5)


def test_the_same_inputs_and_seed_give_the_same_models_scores_and_lines(trained_home: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    options = ("--symbols", *TRAINED, "--as-of", TRAINED_AS_OF, "--home", again)
    assert train(*SIM, *options, "--jobs", 1).code == 0
    for folder in ("models", "predictions"):
        ours = files_under(trained_home / "ml_training_data" / folder)
        theirs = files_under(again / "ml_training_data" / folder)
        assert ours.keys() == theirs.keys()
        assert not [name for name in ours if ours[name] != theirs[name]]
    for home in (trained_home, again):
        assert predict(*SIM, "--home", home, "--as-of", "2026-03-04").code == 0
    assert log_of(trained_home) == log_of(again)


def test_another_seed_gives_other_models(trained_home: Path, tmp_path: Path) -> None:
    options = ("--symbols", *TRAINED, "--as-of", TRAINED_AS_OF, "--home", tmp_path / "other", "--seed", 2)
    assert train(*SIM, *options).code == 0
    assert metrics_of(tmp_path / "other", "SIM-BETA")["lstm_mae"] != metrics_of(trained_home, "SIM-BETA")["lstm_mae"]


def test_predictions_name_the_models_and_hear_each_of_them(trained_home: Path) -> None:
    assert predict(*SIM, "--home", trained_home, "--as-of", TRAINED_AS_OF).code == 0
    lines = log_of(trained_home)
    assert [line["symbol"] for line in lines] == list(TRAINED)  # those with models
    for line in lines:
        assert line["model_trained_at"] == f"{TRAINED_AS_OF}T16:00:00"
        opinions = line["evidence"]["opinions"]
        assert {"lstm", "xgb", "drift"} < set(opinions)
        assert any(name.startswith("pattern_") for name in opinions)


def test_a_model_that_has_seen_a_later_day_is_not_used(trained_home: Path) -> None:
    ran = predict(*SIM, "--home", trained_home, "--as-of", "2026-02-27")
    assert ran.code == 0 and "its model has seen 2026-03-02, after 2026-02-27, and is not used" in ran.err
    assert {line["model_trained_at"] for line in log_of(trained_home)} == {None}


def test_an_old_model_is_used_and_called_stale(trained_home: Path) -> None:
    ran = predict(*SIM, "--home", trained_home, "--as-of", "2026-05-29")
    assert ran.code == 0 and "stale, 88 days old" in ran.err
    assert {line["model_trained_at"] for line in log_of(trained_home)} == {f"{TRAINED_AS_OF}T16:00:00"}


def test_training_learns_the_longest_horizon_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stockml.trainers import pipeline

    learned: list[pipeline.TrainingSettings] = []
    monkeypatch.setattr(pipeline, "train", lambda _tables, settings, *_given: (learned.append(settings), [])[1])
    options = [*SIM, "--symbols", "SIM-ALPHA", "--as-of", TRAINED_AS_OF, "--home", str(tmp_path)]
    for words in ((), ("--horizons", "1", "20", "5"), ("--horizon", "3")):
        assert train_models.main([*options, *words]) == 0
    (tmp_path / "stockml.toml").write_text("horizons = [5, 10]")
    assert train_models.main(options) == 0
    assert [settings.horizon for settings in learned] == [5, 20, 3, 10]


def test_models_serve_shorter_horizons_and_not_longer_ones(trained_home: Path) -> None:
    assert predict(*SIM, "--home", trained_home, "--as-of", TRAINED_AS_OF, "--horizon", 3).err == ""
    longer = predict(*SIM, "--home", trained_home, "--as-of", TRAINED_AS_OF, "--horizon", 8)
    told = "SIM-ALPHA, SIM-BETA, SIM-GAMMA: their models look 5 sessions ahead, so no model serves 8; train with "
    assert longer.code == 0 and longer.err == f"{told}--horizons 8.\n" and longer.out.count("no model") == 3
    lines = log_of(trained_home)
    heard = [set(line["evidence"]["opinions"]) for line in lines]
    assert all("lstm" in names for names in heard[:3]) and not any("lstm" in names for names in heard[3:])
    assert {line["model_trained_at"] for line in lines[3:]} == {None}
    assert {line["predicted_change_pct"] for line in lines[3:]} == {0.0}  # beside models the rules start at no weight


@pytest.mark.parametrize("name", ["fast.bin", "lstm_model.h5", "xgb_model.pkl", "metrics.json"])
def test_a_damaged_model_file_is_named_and_signals_serve_alone(trained_home: Path, name: str) -> None:
    path = trained_home / "ml_training_data/models/SIM-BETA" / name
    path.write_bytes(path.read_bytes()[:-7])
    ran = predict(*SIM, "--symbols", *TRAINED, "--home", trained_home, "--as-of", TRAINED_AS_OF)
    assert ran.code == 1 and "SIM-BETA" in ran.err and name in ran.err and "Traceback" not in ran.err
    assert [line["model_trained_at"] is None for line in log_of(trained_home)] == [False, True, False]


def test_the_engine_and_the_reason_for_it_are_told(trained_home: Path) -> None:
    (path,) = (trained_home / "ml_training_data/metrics").iterdir()
    session = json.loads(path.read_text())
    assert session["settings"]["engine"] == "auto"
    assert {"name", "device", "why", "versions"} == set(session["engine"])
    assert set(session["engine"]["versions"]) <= set(metrics_of(trained_home, TRAINED[0])["libraries"])
    assert metrics_of(trained_home, TRAINED[0])["engine"]["name"] == session["engine"]["name"]


@pytest.mark.parametrize("option", [("--engine", "torch"), ("--engine",), ("--engine", "")])
def test_an_engine_that_is_none_is_refused(
    option: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        train_models.main([*SIM, "--home", str(tmp_path / "home"), *option])
    assert "--engine" in capsys.readouterr().err and not (tmp_path / "home").exists()


def test_an_engine_that_is_not_installed_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_choice, "find_spec", lambda name: None)
    engine_choice.choose.cache_clear()
    assert train_models.main([*SIM, "--home", str(tmp_path / "home"), "--engine", "tensorflow"]) == 2
    told = capsys.readouterr()
    assert told.out == "" and len(told.err.splitlines()) == 1
    assert "--engine tensorflow: TensorFlow is not installed here; install it with" in told.err
    assert not (tmp_path / "home").exists()


def test_only_stale_leaves_young_models_alone(trained_home: Path) -> None:
    before = files_under(trained_home / "ml_training_data/models")
    options = ("--symbols", *TRAINED, "--home", trained_home, "--only-stale", 10)
    young = train(*SIM, *options, "--as-of", "2026-03-09")
    assert young.code == 0 and "No stock was trained" in young.out
    assert files_under(trained_home / "ml_training_data/models") == before
    assert train(*SIM, *options, "--as-of", "2026-03-12", "--only-stale", 10**12).code == 0
    assert files_under(trained_home / "ml_training_data/models") == before
    assert train(*SIM, *options, "--as-of", "2026-03-12").code == 0
    assert metrics_of(trained_home, "SIM-ALPHA")["trained_at"] == "2026-03-12T16:00:00"


def test_only_stale_renews_a_model_whose_age_cannot_be_read(trained_home: Path) -> None:
    path = trained_home / "ml_training_data/models/SIM-ALPHA/metrics.json"
    metrics = metrics_of(trained_home, "SIM-ALPHA")
    options = ("--symbols", "SIM-ALPHA", "--home", trained_home, "--only-stale", 10, "--as-of", "2026-03-09")
    for spoilt in ({**metrics, "trained_at": "long ago"}, {k: v for k, v in metrics.items() if k != "horizon_days"}):
        path.write_text(json.dumps(spoilt))
        ran = train(*SIM, *options)
        assert ran.code == 0 and "1 trained" in ran.out and "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("now", "as_of", "stale"),
    [
        ("2026-03-03T00:30", None, False),  # still the evening of the 2nd in New York
        ("2026-03-03T05:30", None, True),
        ("2026-03-08T12:00", "2026-03-02", False),
        ("2026-03-08T12:00", "2026-03-01", False),  # a Sunday, on which it acts as on the Friday before
        ("2026-03-08T12:00", "2026-03-03", True),
        ("2026-03-02T15:00", "2026-03-02", False),  # today, before its close, acts as the present
    ],
)
def test_a_model_is_as_old_as_its_exchange_s_days_tell(
    trained_home: Path, now: str, as_of: str | None, stale: bool
) -> None:
    folder = (trained_home / "ml_training_data/models/SIM-ALPHA").rename(trained_home / "ml_training_data/models/AAPL")
    metrics = json.loads((folder / "metrics.json").read_text()) | {"symbol": "AAPL"}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    options = ["--only-stale", "1", *SIM, "--symbols", "AAPL", "--home", str(trained_home)]
    args = train_models.parse_args([*options, *(["--as-of", as_of] if as_of else [])])
    run = open_run(args, datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert train_models.to_train(run) == (["AAPL"] if stale else [])


@pytest.mark.parametrize("name", ["fast.bin", "lstm_model.h5", "xgb_model.pkl"])
def test_only_stale_trains_a_stock_that_lost_a_file_of_its_models(trained_home: Path, name: str) -> None:
    (trained_home / "ml_training_data/models/SIM-BETA" / name).unlink()
    options = ("--symbols", *TRAINED, "--home", trained_home, "--only-stale", 10, "--json")
    ran = train(*SIM, *options, "--as-of", "2026-03-09")
    assert [model["symbol"] for model in ran.json["models"]] == ["SIM-BETA"]


def test_one_failing_stock_stops_no_other(tmp_path: Path) -> None:
    ran = train(*SIM, "--symbols", "SIM-NOBODY", "SIM-ALPHA", "--as-of", TRAINED_AS_OF, "--home", tmp_path, "--json")
    assert ran.code == 1
    told = ran.json
    assert [model["symbol"] for model in told["models"]] == ["SIM-ALPHA"]
    assert [(failure["symbol"], failure["kind"]) for failure in told["failures"]] == [("SIM-NOBODY", "unknown_symbol")]
    session = json.loads(Path(told["session_file"]).read_text())
    assert session["failures"] == told["failures"]


def test_verbose_tells_the_seconds_of_every_stage(tmp_path: Path) -> None:
    ran = train(*SIM, "--symbols", "SIM-ALPHA", "--home", tmp_path, "--as-of", TRAINED_AS_OF, "--verbose")
    (told,) = [line for line in ran.err.splitlines() if line.startswith("Seconds")]
    (session,) = (tmp_path / "ml_training_data/metrics").iterdir()
    kept = json.loads(session.read_text())
    said = {stage: float(seconds) for stage, seconds in re.findall(r"(\w+) (\d+\.\d\d)", told)}
    assert said == pytest.approx({**kept["seconds"], **kept["models"][0]["seconds"]}, abs=0.011)  # both are rounded


@pytest.mark.parametrize("seed", ["-1", str(2**63), "1.5", "one"])
def test_a_seed_that_a_library_would_refuse_is_wrong_usage(tmp_path: Path, seed: str) -> None:
    ran = train(*SIM, "--symbols", "SIM-ALPHA", "--home", tmp_path, "--seed", seed)
    assert ran.code == 2 and "is not a whole number from 0 to" in ran.err


def test_symbols_come_from_files_as_editors_save_them(tmp_path: Path) -> None:
    """With a byte-order mark, other line ends, comments, blank lines, and a stock named twice."""
    listed = tmp_path / "symbols.txt"
    listed.write_bytes(b"\xef\xbb\xbfONE.NS # the first\r\n\r\n# no stock\r\n  TWO.NS\r\nONE.NS\r\n")
    ran = train("--source", f"csv:{tmp_path}", "--symbols-file", listed, "--home", tmp_path / "home", "--json")
    assert [failure["symbol"] for failure in ran.json["failures"]] == ["ONE.NS", "TWO.NS"]


def test_a_log_file_that_cannot_be_written_any_more_costs_one_plain_message(tmp_path: Path) -> None:
    nobody = ("--symbols", "SIM-NOBODY", "SIM-NOONE", "--home", tmp_path, "--as-of", TRAINED_AS_OF)
    ran = train(*SIM, *nobody, "--log-file", "/dev/full")
    assert ran.code == 3
    assert "/dev/full: cannot be written (No space left on device)" in ran.err
    assert [line.partition(":")[0] for line in ran.err.splitlines()] == ["/dev/full", "SIM-NOBODY", "SIM-NOONE"]


def test_a_history_too_short_is_refused_with_the_numbers(tmp_path: Path) -> None:
    from datetime import date

    from stockml.data.simulated_market import sample_bars

    folder = tmp_path / "csv"
    folder.mkdir()
    sample_bars("SIM-ALPHA", date(2025, 12, 1), date(2026, 3, 2)).to_csv(folder / "NEW.csv")
    options = ("--source", f"csv:{folder}", "--symbols", "NEW", "--as-of", TRAINED_AS_OF, "--exchange", "XNSE")
    ran = train(*options, "--home", tmp_path / "home")
    (session,) = (tmp_path / "home/ml_training_data/metrics").iterdir()
    assert ran.code == json.loads(session.read_text())["exit_code"] == 3
    assert "NEW: " in ran.err and "need" in ran.err and "Traceback" not in ran.err
    assert not (tmp_path / "home/ml_training_data/models").exists()


@pytest.mark.parametrize("seen", [260, 330, 420])
def test_a_young_stock_trains_on_what_it_has(tmp_path: Path, seen: int) -> None:
    from datetime import date

    from stockml.data.simulated_market import sample_bars

    folder = tmp_path / "csv"
    folder.mkdir()
    sample_bars("SIM-ALPHA", date(2024, 1, 1), date(2026, 3, 2)).tail(seen).to_csv(folder / "YOUNG.csv")
    options = ("--source", f"csv:{folder}", "--symbols", "YOUNG", "--as-of", TRAINED_AS_OF, "--home", tmp_path / "home")
    options += ("--exchange", "XNSE")
    assert train(*options).code == 0
    assert 0 < metrics_of(tmp_path / "home", "YOUNG")["train_samples"] < 400
    assert predict(*options).code == 0


@pytest.mark.parametrize("script", [train, predict])
def test_the_scripts_answer_without_anything_but_a_path(script) -> None:
    assert script("--version").out.split()[1] == "0.1.0"
    told = script("--help")
    assert told.code == 0 and "no financial advice" in told.out


def test_a_python_without_the_libraries_sends_the_script_to_its_environment(tmp_path: Path) -> None:
    """As `python train_models.py` does where nothing is activated."""
    import subprocess
    import sys

    from scripts import BARE, PROJECT

    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    for script in ("train_models.py", "realtime_predictor.py"):
        command = [str(bare / "bin/python"), script, "--version"]
        done = subprocess.run(command, capture_output=True, text=True, env=BARE, cwd=PROJECT, check=False)
        assert (done.returncode, done.stdout) == (0, f"{script} 0.1.0\n")


def test_without_an_environment_the_scripts_say_what_to_do(tmp_path: Path) -> None:
    import shutil
    import subprocess
    import sys

    from scripts import BARE, PROJECT

    copy = tmp_path / "copy"
    shutil.copytree(PROJECT / "stockml", copy / "stockml")
    shutil.copy(PROJECT / "train_models.py", copy)
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    command = [str(bare / "bin/python"), str(copy / "train_models.py"), "--version"]
    done = subprocess.run(command, capture_output=True, text=True, env=BARE, check=False)
    assert done.returncode == 3 and "run `make install`" in done.stderr


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (lambda metrics: metrics | {"features": metrics["features"][1:]}, "made for other features"),
        (lambda metrics: metrics | {"priors": {"trusts": {}}}, "its priors are not as training writes them"),
        (lambda metrics: metrics | {"data_through": "June"}, "metrics.json is damaged"),
    ],
    ids=["features", "priors", "day"],
)
def test_models_that_cannot_be_asked_are_named_and_signals_serve_alone(
    trained_home: Path, damage: Callable[[dict[str, Any]], dict[str, Any]], word: str
) -> None:
    path = trained_home / "ml_training_data/models/SIM-BETA/metrics.json"
    path.write_text(json.dumps(damage(json.loads(path.read_text()))))
    ran = predict(*SIM, "--symbols", *TRAINED, "--home", trained_home, "--as-of", TRAINED_AS_OF)
    assert ran.code == 1 and word in ran.err and "Traceback" not in ran.err
    assert [line["model_trained_at"] is None for line in log_of(trained_home)] == [False, True, False]
