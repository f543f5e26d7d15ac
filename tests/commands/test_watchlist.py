"""The watchlist of a home: of its settings, of its models, or the default; and what is said when it changes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from report_helpers import write_metrics

import realtime_predictor
import train_models
from stockml.commands.predict_command import to_predict
from stockml.commands.run import Run, open_run
from stockml.commands.symbols import WATCHLIST
from stockml.commands.train_command import to_train
from stockml.core.paths import Home
from stockml.data.simulated_market import SAMPLE_SYMBOLS

NOW = datetime(2026, 3, 2, 22, tzinfo=UTC)
SCRIPTS = {"train": (train_models.parse_args, to_train), "predict": (realtime_predictor.parse_args, to_predict)}


def listed(script: str, home: Path, *options: str) -> list[str]:
    parse, symbols = SCRIPTS[script]
    return symbols(open_run(parse([*options, "--home", str(home)]), NOW))


@pytest.mark.parametrize("script", SCRIPTS)
def test_both_scripts_have_the_same_watchlist(tmp_path: Path, script: str) -> None:
    assert listed(script, tmp_path) == list(WATCHLIST)
    assert listed(script, tmp_path, "--source", "sample") == list(SAMPLE_SYMBOLS)
    for symbol in ("MSFT", "AAPL"):
        write_metrics(Home(tmp_path), symbol)
    metrics = tmp_path / "ml_training_data/models/AAPL/metrics.json"
    metrics.write_text(json.dumps(json.loads(metrics.read_text()) | {"source": "yahoo"}))
    assert listed(script, tmp_path) == ["AAPL", "MSFT"]
    (tmp_path / "stockml.toml").write_text('symbols_file = "mine.csv"')
    (tmp_path / "mine.csv").write_text("symbol,shares\nNFLX,3\nAAPL,1\n")
    assert listed(script, tmp_path) == ["NFLX", "AAPL"]
    assert listed(script, tmp_path, "--symbols", "TSLA") == ["TSLA"]


@pytest.mark.parametrize(
    ("settings", "text", "words"),
    [
        ('symbols_file = "mine.txt"', None, "line 1: symbols_file: "),
        ('\nsymbols_file = "mine.txt"', "# none\n", "line 2: symbols_file: "),
        ('symbols_file = "mine.txt"', "A B\nC:D\n", "mine.txt, line 2: 'C:D' is not a symbol"),
        ('symbols = ["AB.CD", "AB_CD"]', None, "line 1: symbols: AB.CD and AB_CD would share the folder"),
    ],
)
def test_a_watchlist_that_is_none_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: str, text: str | None, words: str
) -> None:
    (tmp_path / "stockml.toml").write_text(settings)
    if text is not None:
        (tmp_path / "mine.txt").write_text(text)
    before = sorted(tmp_path.rglob("*"))
    for main in (realtime_predictor.main, train_models.main):
        assert main(["--home", str(tmp_path)]) == 2
        (said,) = capsys.readouterr().err.splitlines()[-1:]
        assert said.startswith(f"{tmp_path}/stockml.toml, line ") and words in said
    assert sorted(tmp_path.rglob("*")) == before


def test_a_stock_dropped_or_added_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], in_haste: None
) -> None:
    settings = tmp_path / "stockml.toml"

    def run(*options: str) -> list[str]:
        capsys.readouterr()
        assert realtime_predictor.main(["--home", str(tmp_path), "--as-of", "2026-03-02", *options]) == 0
        return [line for line in capsys.readouterr().err.splitlines() if "watchlist" in line]

    settings.write_text('source = "sample"\nsymbols = ["SIM-ALPHA", "SIM-BETA"]')
    assert run() == run() == run("--symbols", "SIM-GAMMA") == run("--verify-only") == []
    (told,) = run()
    assert told == (
        f"The watchlist ({settings}, line 2: symbols) has changed since the last run: SIM-GAMMA is no longer in it."
    )
    settings.write_text('source = "sample"\nsymbols = ["SIM-BETA", "SIM-ETA", "SIM-ZETA"]')
    (told,) = run("--dry-run")
    assert told.endswith("SIM-ALPHA is no longer in it and SIM-ETA, SIM-ZETA are new.")
    run_of_training = open_run(train_models.parse_args(["--home", str(tmp_path)]), NOW)
    assert to_train(run_of_training) == ["SIM-BETA", "SIM-ETA", "SIM-ZETA"] and run_of_training.notices == [told]
    last = json.loads((tmp_path / "realtime_predictions/last_run.json").read_text())
    assert last["watchlist"] == ["SIM-ALPHA", "SIM-BETA"]
    assert run() == [told] and run() == []


def test_settings_serve_without_any_option(tmp_path: Path, capsys: pytest.CaptureFixture[str], in_haste: None) -> None:
    witness = tmp_path / "seal"
    (tmp_path / "stockml.toml").write_text(
        f"source = 'sample'\nsymbols = ['SIM-BETA']\nhorizons = [1, 3]\nwitness = 'cat > {witness}'"
    )
    assert realtime_predictor.main(["--home", str(tmp_path), "--as-of", "2026-03-02", "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert told["simulated"] and [line["id"] for line in told["predictions"]] == [
        "SIM-BETA:2026-03-02:1",
        "SIM-BETA:2026-03-02:3",
    ]
    assert json.loads(witness.read_text())["count"] == 2


def test_an_option_beats_the_file(tmp_path: Path) -> None:
    (tmp_path / "stockml.toml").write_text("source = 'sample'\nhorizons = [1, 3]\n[exchange_of]\nTCS = 'NSE'")

    def opened(*options: str) -> Run:
        return open_run(realtime_predictor.parse_args([*options, "--home", str(tmp_path)]), NOW)

    assert (str(opened().source), opened().horizons, opened().main_horizon) == ("sample", (1, 3), 1)
    run = opened("--source", "yahoo", "--horizon", "7")
    assert (str(run.source), run.horizons, run.main_horizon) == ("yahoo", (7,), 1)
