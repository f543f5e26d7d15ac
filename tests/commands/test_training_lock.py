"""A training that another one keeps from writing waits as long as it may, says for whom, and ends in one sentence."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import train_models
from stockml.core.paths import Home
from stockml.models.bundle_store import MODEL_FILES
from stockml.storage import file_lock
from stockml.trainers import pipeline
from stockml.trainers.fine_tuning import TrainedStock

SCORES = ("train_samples", "val_samples", "lstm_mae", "xgb_mae", "ensemble_mae", "naive_mae")


def trained(symbol: str) -> TrainedStock:
    told = {"data_through": "2026-03-02", "engine": {"name": "numpy", "device": "cpu"}, "started_from": None}
    metrics: dict[str, Any] = dict.fromkeys(SCORES, 1.0) | told
    return TrainedStock(symbol, metrics, dict.fromkeys(MODEL_FILES, b""), "", {"fit": 0.0})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home for a training in which the fitting takes no time."""
    monkeypatch.setattr(pipeline, "train", lambda tables, *_: map(trained, sorted(tables)))
    monkeypatch.setattr(file_lock, "POLL_SECONDS", 0.2)
    return Home(tmp_path)


def run(home: Home, *options: str) -> int:
    words = ["--source", "sample", "--symbols", "SIM-ALPHA", "SIM-BETA", "--as-of", "2026-03-02", "--quiet"]
    return train_models.main([*words, "--home", str(home.root), *options])


def lock(home: Home) -> int:
    home.training_lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(home.training_lock, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def test_it_gives_up_with_the_predictors_exit_code_and_says_for_whom_it_waited(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    descriptor = lock(home)
    assert run(home, "--lock-timeout", "1") == 3
    os.close(descriptor)
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert f"another run still holds the lock after 1 s (process {os.getpid()}: " in said.err
    assert not list(home.models.glob("*"))


def test_what_was_saved_before_is_said(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []

    def first_then_locked(tables: Any, *_: object) -> Iterator[TrainedStock]:
        yield trained("SIM-ALPHA")
        held.append(lock(home))
        yield trained("SIM-BETA")

    monkeypatch.setattr(pipeline, "train", first_then_locked)
    assert run(home, "--lock-timeout", "1") == 1
    os.close(held[0])
    assert "1 stock is trained and saved" in capsys.readouterr().err
    assert [path.name for path in home.models.iterdir()] == ["SIM-ALPHA"]


def test_a_lock_that_is_free_again_in_time_stops_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    held = [lock(home)]
    monkeypatch.setattr(file_lock, "pause", lambda _: os.close(held.pop()) if held else None)
    assert run(home) == 0 and not held
    assert {path.name for path in home.models.iterdir()} == {"SIM-ALPHA", "SIM-BETA"}
