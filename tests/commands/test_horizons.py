"""Several horizons in one run: one fetch, a line each, and nothing learned at one that counts at another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from scripts import files_under, log_of

import realtime_predictor
from stockml.commands.run import Run

DAYS = ("2026-03-02", "2026-03-03", "2026-03-04")
TWO = ("--source", "sample", "--symbols", "SIM-ALPHA", "SIM-BETA")


def run(home: Path, *options: object) -> int:
    return realtime_predictor.main([*TWO, "--home", str(home), *map(str, options)])


def lines_of(home: Path, horizon: int) -> list[dict[str, Any]]:
    """The log's lines of one horizon; a seal, and the checksum over it, depend on the lines between."""
    return [
        line | {"seal": None, "outcome_checksum": None}
        for line in log_of(home)
        if line["prediction_horizon_days"] == horizon
    ]


def scores_of(home: Path) -> dict[str, Any]:
    return json.loads((home / "realtime_predictions/feedback/accuracy_scores.json").read_text())


@pytest.fixture(autouse=True)
def quick(in_haste: None) -> None:
    """No run here waits for readers or for the disk."""


@pytest.mark.parametrize(
    ("words", "horizons"),
    [
        (("--horizons", 1, 5, 20), (1, 5, 20)),
        (("--horizon", 5), (5,)),
        (("--horizon", 5, "--horizons", 20, 5), (5, 20)),
        ((), (5,)),
    ],
)
def test_each_horizon_has_its_line_of_one_fetch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[object, ...], horizons: tuple[int, ...]
) -> None:
    asked = []
    fetch = Run.fetch_by
    monkeypatch.setattr(Run, "fetch_by", lambda *given, **how: (asked.append(1), fetch(*given, **how))[1])
    assert run(tmp_path, *words, "--as-of", DAYS[0]) == 0
    made = [(line["symbol"], line["prediction_horizon_days"]) for line in log_of(tmp_path)]
    assert made == [(symbol, horizon) for symbol in TWO[3:] for horizon in horizons]
    assert len(asked) == 1


def test_a_horizon_learns_as_if_it_were_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for day in DAYS:
        assert run(tmp_path / "all", "--horizons", 2, 1, "--as-of", day) == 0
        for horizon in (1, 2):
            assert run(tmp_path / str(horizon), "--horizons", horizon, "--as-of", day) == 0
    for horizon in (1, 2):
        assert lines_of(tmp_path / "all", horizon) == lines_of(tmp_path / str(horizon), horizon)
        each = {symbol: score["by_horizon"] for symbol, score in scores_of(tmp_path / "all").items()}
        alone = scores_of(tmp_path / str(horizon))
        assert {symbol: scores[str(horizon)] for symbol, scores in each.items()} == {
            symbol: score["by_horizon"][str(horizon)] for symbol, score in alone.items()
        }
    assert [score["total_predictions"] for score in scores_of(tmp_path / "all").values()] == [2, 2]  # the shortest
    capsys.readouterr()
    assert run(tmp_path / "all", "--horizons", 2, 1, "--as-of", "2026-03-05") == 0
    record = capsys.readouterr().out.partition("Record so far")[2].partition("Predictions")[0]
    assert [line.split()[:3] for line in record.splitlines()[2:]] == [
        *(["SIM-ALPHA", "1", "3"], ["SIM-BETA", "1", "3"]),
        *(["SIM-ALPHA", "2", "2"], ["SIM-BETA", "2", "2"]),
    ]


def test_the_scores_count_the_main_horizon_of_the_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings, folder = tmp_path / "stockml.toml", tmp_path / "realtime_predictions/feedback"
    for main, other in (("2", "1"), ("1", "2")):
        settings.write_text(f"horizons = [{main}, {other}]")
        for day in DAYS:
            assert run(tmp_path, "--as-of", day) == 0  # the second time it has nothing to settle
        for score in scores_of(tmp_path).values():
            assert {name: value for name, value in score.items() if name != "by_horizon"} == score["by_horizon"][main]
        before = files_under(folder)
        for name in before:
            (folder / name).unlink()
        assert run(tmp_path, "--as-of", DAYS[-1], "--verify-only") == 0
        assert files_under(folder) == before
        capsys.readouterr()
        realtime_predictor.main(["--source", "sample", "--home", str(tmp_path), "--status", "--json"])
        told = json.loads(capsys.readouterr().out)
        assert told["horizon"] == int(main) and told["record"] == told["by_horizon"][main]
        assert told["verified"] == sum(score["total_predictions"] for score in told["by_horizon"].values()) == 6
        realtime_predictor.main(["--source", "sample", "--home", str(tmp_path), "--status"])
        accuracy = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Accuracy")]
        assert [line.split()[1] for line in accuracy] == [main, other]


def test_explain_tells_the_first_horizon_unless_told_which(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "stockml.toml").write_text("horizons = [2, 1]")
    explain = ("--explain", "SIM-ALPHA", "--as-of", DAYS[0])
    run(tmp_path, *explain)
    told = capsys.readouterr().out
    assert told.count("1. ANALYZE") == 1 and "SIM-ALPHA:2026-03-02:2" in told and "(simulated" in told
    assert "no model, from signals alone" in " ".join(told.split("1. ANALYZE")[0].split())
    run(tmp_path, *explain, "--horizons", 1, 2)
    told = capsys.readouterr().out
    assert "SIM-ALPHA:2026-03-02:1" in told and "SIM-ALPHA:2026-03-02:2" in told


@pytest.mark.parametrize("words", [("0",), ("five",), ("5", "1001"), ("1.5",), ("-3",), ()])
@pytest.mark.parametrize("option", ["--horizons", "--horizon"])
def test_what_is_no_horizon_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, words: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(tmp_path, option, *words)
    assert ended.value.code == 2 and "argument --horizons/--horizon: " in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_stock_whose_nearest_close_has_passed_is_predicted_farther_ahead(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from datetime import date

    from stockml.data.simulated_market import sample_bars

    (tmp_path / "csv").mkdir()
    sample_bars("SIM-ALPHA", date(2024, 1, 1), date(2026, 3, 3)).to_csv(tmp_path / "csv/AAPL.csv")
    options = [
        "--source",
        f"csv:{tmp_path}/csv",
        "--symbols",
        "AAPL",
        "--exchange",
        "XNYS",
        "--home",
        str(tmp_path / "home"),
    ]
    code = realtime_predictor.main([*options, "--horizons", "1", "5", "--as-of", "2026-03-05"])
    assert code == 1 and "not predicted, for the close of 2026-03-04 has passed" in capsys.readouterr().err
    assert [line["id"] for line in log_of(tmp_path / "home")] == ["AAPL:2026-03-03:5"]
