"""Choice and order of the forecasts shown, the edge beside the watchlist's mean, output as short as the question."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from log_helpers import outcome, prediction
from scripts import PROJECT, log_of

import realtime_predictor
from stockml.accuracy.scores import Score
from stockml.commands.forecast_tables import predictions
from stockml.commands.outcome_tables import is_catch_up, print_catch_up
from stockml.commands.ranking import chosen
from stockml.core.records import Prediction

SIM = ("--source", "sample")
DAY, TARGET = "2026-03-02", "2026-03-09"
EDGE = {"A:2026-01-05:5": 0.3, "B:2026-01-05:5": -0.5, "C:2026-01-05:5": 0.2}


def made(symbol: str, confidence: float, change: float, width: float, horizon: int = 5) -> Prediction:
    line = prediction(symbol, current=100.0, horizon=horizon)
    return replace(line, confidence=confidence, predicted_change_pct=change, low=100 - width, high=100 + width)


THREE = [made("A", 0.7, 1.0, 9.0), made("B", 0.9, 2.0, 3.0), made("C", 0.8, -3.0, 1.0)]


@pytest.mark.parametrize(
    ("options", "order"),
    [
        ({}, "ABC"),
        ({"sort": "confidence"}, "BCA"),
        ({"sort": "change"}, "BAC"),
        ({"sort": "interval"}, "CBA"),
        ({"sort": "edge"}, "ACB"),
        ({"top": 2}, "BC"),
        ({"sort": "edge", "top": 1}, "A"),
        ({"min_confidence": 0.8}, "BC"),
        ({"min_confidence": 0.95}, ""),
        ({"min_confidence": 0.75, "sort": "interval", "top": 1}, "C"),
    ],
)
def test_the_options_choose_and_order(options: dict[str, Any], order: str) -> None:
    args = Namespace(**{"sort": None, "top": None, "min_confidence": None} | options)
    assert "".join(line.symbol for line in chosen(args, THREE, EDGE)) == order


def test_each_horizon_has_its_own_first_ones() -> None:
    far = [made("A", 0.5, 0.0, 1.0, 20), made("B", 0.4, 0.0, 1.0, 20), made("C", 0.6, 0.0, 1.0, 20)]
    args = Namespace(sort=None, top=2, min_confidence=None)
    both = [line for pair in zip(far, THREE, strict=True) for line in pair]
    found = [(line.prediction_horizon_days, line.symbol) for line in chosen(args, both, {})]
    assert found == [(20, "C"), (20, "A"), (5, "B"), (5, "C")]


# ---- whole runs ----


@pytest.fixture(autouse=True)
def quick(in_haste: None) -> None:
    """No run here waits for readers or for the disk."""


def run(home: Path, *options: object) -> int:
    return realtime_predictor.main([*SIM, "--home", str(home), *map(str, options)])


def test_all_is_logged_and_the_edge_is_that_among_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--as-of", DAY, "--top", 2, "--sort", "edge", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    schema = json.loads((PROJECT / "docs/json-schema.json").read_text())
    jsonschema.validate(told, schema, cls=jsonschema.Draft202012Validator)
    changes = {line["id"]: line["predicted_change_pct"] for line in log_of(tmp_path)}
    mean = sum(changes.values()) / len(changes)
    assert len(changes) == len(told["logged"]) == 10 and len(told["predictions"]) == 2
    assert list(told["edge_pct"]) == [line["id"] for line in told["predictions"]]
    for id_, edge in told["edge_pct"].items():
        assert edge == pytest.approx(changes[id_] - mean, abs=1e-3)
    (one,) = list(told["edge_pct"])[:1]
    run(tmp_path, "--as-of", DAY, "--symbols", one.split(":")[0], "--json")
    assert json.loads(capsys.readouterr().out)["edge_pct"] == {one: told["edge_pct"][one]}


def test_a_single_forecast_is_beside_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, "--as-of", DAY, "--symbols", "SIM-ALPHA")
    assert "edge" not in capsys.readouterr().out
    run(tmp_path, "--as-of", DAY, "--symbols", "SIM-ALPHA", "SIM-BETA", "--min-confidence", "99.9%")
    assert "None of 2 forecasts has a confidence of 100% or more." in capsys.readouterr().out


def test_three_stocks_asked_are_three_rows_of_the_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, "--as-of", DAY)
    run(tmp_path, "--as-of", TARGET, "--verify-only")
    assert "\nall " in capsys.readouterr().out
    run(tmp_path, "--as-of", "2026-03-03")
    capsys.readouterr()
    run(tmp_path, "--as-of", "2026-03-10", "--symbols", "SIM-BETA", "SIM-ALPHA", "SIM-IOTA")
    text = capsys.readouterr().out
    rows = text[text.index("Record so far") :].split("\nPredictions")[0].splitlines()[2:]
    assert [row.split()[0] for row in rows] == ["SIM-ALPHA", "SIM-BETA", "SIM-IOTA"]
    assert "naive  direction  rose\n" in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--min-confidence", "75"), "'75' is not a share from 0 to 1; write one such as 0.75, or 75%"),
        (("--min-confidence", "nan"), "'nan' is not a share from 0 to 1"),
        (("--min-confidence", "-1%"), "expected one argument"),
        (("--min-confidence", "high"), "'high' is not a share"),
        (("--top", "0"), "'0' is not a whole number above 0"),
        (("--top", "2.5"), "'2.5' is not a whole number above 0"),
        (("--sort", "size"), "invalid choice: 'size' (choose from"),
        (("--sort", "edge", "--verify-only"), "--sort and --verify-only do not go together; leave one out"),
        (("--top", "3", "--status"), "--top and --status do not go together; leave one out"),
        (("--min-confidence", "0.5", "--explain", "TCS"), "--min-confidence and --explain do not go together"),
    ],
)
def test_wrong_choices_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], words: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(tmp_path, *options)
    assert ended.value.code == 2 and words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# ---- a catch-up ----


def settled(stocks: int, days: int) -> list[Prediction]:
    lines = [prediction(f"S{at}.NS", day, current=100.0) for day in range(days) for at in range(stocks)]
    return [replace(line, outcome=outcome(line)) for line in lines]


@pytest.mark.parametrize(("stocks", "days", "is_one"), [(30, 5, True), (31, 2, True), (60, 1, False), (3, 10, False)])
def test_many_of_several_days_are_a_catch_up(stocks: int, days: int, is_one: bool) -> None:
    assert is_catch_up(settled(stocks, days)) is is_one


def test_a_catch_up_is_told_in_a_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    lines = settled(30, 5)
    print_catch_up("Verified", lines)
    text, score = capsys.readouterr().out, Score.of(lines)
    assert text.startswith("Verified: 150 predictions of 30 stocks, due from 2026-01-10 to 2026-01-14.\n")
    assert f"{score.accurate} hits, {150 - score.accurate} misses;" in text and "-v lists them." in text
    worst = max(line.outcome.error_pct or 0 for line in lines if line.outcome)
    assert len(text.splitlines()) == 7 and f"{worst:.2f} %" in text.splitlines()[4]


def test_who_always_says_up_is_right_as_often_as_it_rose() -> None:
    lines = [replace(line, predicted_change_pct=1.0) for line in settled(3, 20)]
    score = Score.of(lines)
    assert 0 < score.rose < 1 and score.direction == score.rose


def test_a_change_that_rounds_to_nothing_has_no_minus(capsys: pytest.CaptureFixture[str]) -> None:
    predictions("Predictions", [made("A", 0.7, -0.004, 9.0)], {"A:2026-01-05:5": -0.0049})
    told = capsys.readouterr().out
    assert told.count("+0.00 %") == 2 and "-0.00" not in told
