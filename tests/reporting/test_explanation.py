"""--explain: the five steps as a story, whose figures are those of the line that a run would log."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pytest
from scripts import ESCAPE, predict, watched

from stockml.core.records import Prediction
from stockml.data.simulated_market import sample_bars
from stockml.reporting.formatting import MEANINGS, meaning, money
from stockml.reporting.ranges import price_ranges
from stockml.signals.rules import DRIFT, RULE_WEIGHTS

SIM = ("--source", "sample", "--as-of", "2026-03-09")
STEPS = ("1. ANALYZE", "2. PLAN", "3. PREDICT", "4. ACT", "5. LEARN")


@pytest.fixture
def told(trained_home: Path) -> tuple[str, Prediction]:
    """A story of a home with one verified prediction a stock, and the line it tells of."""
    for day in ("2026-03-02", "2026-03-09"):
        assert predict(*SIM[:3], day, "--home", trained_home).code == 0
    text = predict(*SIM, "--home", trained_home, "--explain", "SIM-ALPHA").out
    lines = (trained_home / "realtime_predictions/predictions.jsonl").read_text().splitlines()
    (line,) = [record for record in map(json.loads, lines) if record["id"] == "SIM-ALPHA:2026-03-09:5"]
    return text, Prediction.from_record(line)


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def test_the_story_tells_the_line_step_by_step(told: tuple[str, Prediction]) -> None:
    text, line = told[0], told[1]
    assert re.findall(r"^\d\. [A-Z]+", text, flags=re.M) == list(STEPS)
    for words in (
        f"to {money(line.predicted_price)} SIM at the close of {line.target_date} (simulated market, no real prices).",
        f"by {abs(line.predicted_change_pct):.2f} %, from {money(line.current_price)} ",
        f"a year: {line.market_regime}.",
        f"by way of {', '.join(map(money, line.path[:-2]))} and {money(line.path[-2])}.",
        f"from {money(line.low)} to {money(line.high)}",
        *(
            f"{found.share * 100:.0f} % interval from {money(found.low)} to {money(found.high)}"
            for found in price_ranges(line)
            if found.share != 0.8
        ),
        f"The confidence is {line.confidence * 100:.1f} %",
        f"logs it as {line.id}, made with the models trained on 2026-03-02",
        "1 prediction of SIM-ALPHA verified",
        "Its last misses: SIM-ALPHA:2026-03-02:5 (6.",
    ):
        assert words in in_one_line(text), words
    assert max(map(len, text.splitlines())) <= 110


def test_what_each_signal_counts_adds_up_to_the_change(told: tuple[str, Prediction]) -> None:
    text, line = told
    row = re.compile(r"^   (\w+) +([+-][\d.]+) % +(-?[\d.]+) +([+-][\d.]+) %   (.*)$", re.M)
    rows = {name: (float(says), float(counts), words) for name, says, _, counts, words in row.findall(text)}
    assert set(rows) == set(line.evidence.opinions)
    weights = {signal.name: signal.weight for signal in line.signals}
    for name, (says, counts, words) in rows.items():
        assert says == pytest.approx(line.evidence.opinions[name], abs=6e-4)
        assert counts == pytest.approx(5 * weights.get(name, 0.0), abs=6e-4)
        assert words == meaning(name) != ""
    strongest = max(weights, key=lambda name: abs(weights[name]))
    says, counts, _ = rows[strongest]
    other_way = ", read the other way round" if says * counts < 0 else ""
    assert f"above all for {strongest}{other_way}." in in_one_line(text)
    (total,) = re.findall(r"^   sum +([+-][\d.]+) %$", text, flags=re.M)
    assert float(total) == pytest.approx(line.predicted_change_pct / line.magnitude, abs=2e-3)
    assert f"makes {line.predicted_change_pct:+.4f} %" in in_one_line(text)


def test_every_signal_has_a_meaning() -> None:
    assert set(MEANINGS) == {*RULE_WEIGHTS, DRIFT, "lstm", "xgb", "pattern"}
    assert meaning("pattern_12") == MEANINGS["pattern"] and meaning("pattern_x") == meaning("nobody") == ""


def test_without_models_and_outcomes_it_says_so(tmp_path: Path) -> None:
    text = in_one_line(predict(*SIM, "--home", tmp_path, "--explain", "SIM-BETA").out)
    assert "without a model, from signals alone" in text and "No prediction of SIM-BETA is verified yet" in text


def test_what_a_short_history_does_not_tell_is_left_out(tmp_path: Path) -> None:
    sample_bars("SIM-ALPHA", date(2026, 1, 1), date(2026, 3, 9)).tail(30).to_csv(tmp_path / "SHORT.XY.csv")
    options = ("--source", f"csv:{tmp_path}", "--as-of", "2026-03-09", "--home", tmp_path / "home")
    text = in_one_line(predict(*options, "--explain", "SHORT.XY").out)
    assert "below its 20-day average (source: csv)" in text
    assert "its history too short for MACD" in text and "nan" not in text


def test_on_a_terminal_it_is_the_same_text_in_bold_and_colour(tmp_path: Path) -> None:
    options = (*SIM, "--home", tmp_path, "--explain", "SIM-ALPHA")
    piped, drawn = predict(*options).out, watched("realtime_predictor.py", *options).out
    assert "\x1b" not in piped
    assert piped in ESCAPE.sub("", drawn)
    assert all(f"\x1b[1m{step}" in drawn for step in STEPS)
    signed = re.findall(r"\x1b\[3([12])m([+-])", drawn)
    assert signed and {colour == "2" for colour, sign in signed if sign == "+"} <= {True}
    assert {colour == "1" for colour, sign in signed if sign == "-"} <= {True}
