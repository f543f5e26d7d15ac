"""The example package is installed as any other, and its three plug-ins serve a run from training to a learned line."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from made_up_bars import market
from scripts import BARE, PROJECT, log_of, predict

from stockml.data.simulated_market import sample_bars
from stockml.replay.plugin_check import assert_no_future


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the example is built and installed, without a network."""
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(PROJECT / "examples/plugin", folder / "plugin")  # a build leaves files beside the source
    uv = [Path(sys.executable).with_name("uv"), "pip", "install", "--quiet", "--offline", "--no-cache", "--no-deps"]
    where = ["--no-build-isolation", "--python", sys.executable, "--target", folder / "packages", folder / "plugin"]
    subprocess.run([*uv, *where], check=True, env=BARE | {"PATH": os.environ["PATH"]}, cwd=folder)
    return folder / "packages"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Prices as the example's source reads them."""
    path = tmp_path / "prices.db"
    with closing(sqlite3.connect(path)) as opened, opened:
        opened.execute("CREATE TABLE bars (symbol, date, open, high, low, close, volume)")
        for symbol, of in (("AAPL", "SIM-ALPHA"), ("MSFT", "SIM-BETA")):
            bars = sample_bars(of, date(2023, 1, 1), date(2026, 3, 31)).drop(columns="Adj Close")
            rows = [(symbol, str(at.date()), *values) for at, *values in bars.itertuples()]
            opened.executemany("INSERT INTO bars VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    return path


def test_its_signal_forecaster_and_source_serve_a_run(packages: Path, database: Path, tmp_path: Path) -> None:
    options = ("--source", f"sqlite:{database}", "--symbols", "AAPL", "MSFT", "--home", tmp_path / "home")
    ran = predict(*options, "--as-of", "2026-03-02", env={"PYTHONPATH": str(packages)})
    assert ran.code == 0 and "Traceback" not in ran.err, ran.err
    lines = log_of(tmp_path / "home")
    assert [(line["symbol"], line["source"], line["currency"]) for line in lines] == [
        ("AAPL", "sqlite", "USD"),
        ("MSFT", "sqlite", "USD"),
    ]
    assert all({"plugin_echo", "plugin_momentum"} <= set(line["evidence"]["opinions"]) for line in lines)
    refused = predict(*options, "--as-of", "2026-03-02")  # where it is not installed
    assert refused.code == 2 and "is none of yahoo, csv:DIR and sample" in refused.err


@pytest.mark.parametrize("name", ["Momentum", "Echo"])
def test_neither_sees_the_future(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(PROJECT / "examples/plugin")
    example = __import__("stockml_example")
    assert_no_future(getattr(example, name)(), market(500))
