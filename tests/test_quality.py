"""The quality benchmark lives the replay's own life, counts rightly, and runs."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scripts import BARE, PROJECT, log_of

sys.path.insert(0, str(PROJECT / "benchmarks/quality"))

import quality_figures as figures
import quality_report
import walk_forward as lives

from realtime_predictor import main
from stockml.data.point_in_time import PointInTimePrices
from stockml.data.request import RawBars
from stockml.data.simulated_market import CURRENCY, sample_bars
from stockml.replay.batch_analysis import PastStock
from stockml.replay.walk_forward import ReplaySettings

SYMBOLS = ("SIM-BETA", "SIM-ALPHA", "SIM-DELTA")
START, END = date(2026, 1, 15), date(2026, 4, 10)


def sample_market() -> lives.Market:
    stocks = []
    for symbol in SYMBOLS:
        raw = RawBars(sample_bars(symbol, date(2020, 1, 1), date(2026, 12, 31)), CURRENCY)
        stocks.append(PastStock(PointInTimePrices(symbol, raw, "sample"), CURRENCY, "sample"))
    return lives.Market("sample", stocks, ReplaySettings(START, END, SYMBOLS, "sample"))


def test_a_life_in_memory_leaves_the_lines_of_a_replay_on_disk(tmp_path: Path) -> None:
    options = ("--replay", START, END, "--symbols", *SYMBOLS, "--source", "sample", "--home", tmp_path, "--quiet")
    assert main([str(option) for option in options]) == 0
    lived = lives.live(lives.see(sample_market()), lives.VARIANTS[lives.COLD])
    assert [line.to_record() for line in lived] == log_of(tmp_path)
    assert {line.status for line in lived} == {"verified", "pending"}


@pytest.mark.parametrize("name", lives.ABLATIONS)
def test_each_life_that_lacks_a_part_is_another_one(name: str) -> None:
    seen = lives.see(sample_market()).part(0, 25)
    whole = lives.live(seen, lives.VARIANTS[lives.FULL])
    lacking = lives.live(seen, lives.ABLATIONS[name])
    assert [line.id for line in lacking] == [line.id for line in whole]
    heard = {signal.name for line in lacking for signal in line.signals}
    if name == "without regimes":
        assert "regime_bullish" not in heard
    if name in ("without learning", "without pooling"):
        assert lacking[-1].confidence != whole[-1].confidence


def made_up_table(n_days: int = 200, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    days = np.repeat(pd.bdate_range("2023-01-02", periods=n_days).strftime("%Y-%m-%d"), 3)
    scale = rng.uniform(1, 6, len(days))
    actual = rng.normal(0, scale)
    table = pd.DataFrame({"made_on": days, "symbol": ["A", "B", "C"] * n_days, "actual": actual, "change": 0.5})
    return table.assign(confidence=0.7, low=0.5 - 1.2816 * scale, high=0.5 + 1.2816 * scale)


def test_figures_are_those_worked_out_by_hand() -> None:
    table = pd.DataFrame({"made_on": ["2023-01-02", "2023-01-03"], "symbol": ["A", "B"], "actual": [10.0, -2.0]})
    found = figures.price_figures(table, np.array([6.0, 1.0]))
    assert found["mean_error_pct"] == pytest.approx((4 / 1.1 + 3 / 0.98) / 2)
    assert found["ratio"] == pytest.approx((4 / 1.1 + 3 / 0.98) / (10 / 1.1 + 2 / 0.98))
    assert (found["accuracy"], found["direction"], found["up_share"], found["mean_size_pct"]) == (1.0, 0.5, 0.5, 3.5)
    assert found["worst_stock"] == ["B", pytest.approx(1.5)]
    told = figures.confidence_figures(np.array([0.9, 0.6, 0.6, 0.1]), np.array([1, 1, 0, 0]))
    assert told["brier_skill"] == pytest.approx(1 - (0.01 + 0.16 + 0.36 + 0.01) / 4 / 0.25)


def test_intervals_are_counted_by_third_of_their_width() -> None:
    found = figures.interval_figures(made_up_table(3000))
    assert found["coverage"] == pytest.approx(0.8, abs=0.02)
    assert found["coverage_by_third"][0] < found["coverage_by_third"][2]  # 0.5 off matters more where little moves


def test_the_ratio_s_interval_holds_the_ratio() -> None:
    table = made_up_table()
    found = figures.price_figures(table, table["change"].to_numpy())
    low, high = found["ratio_interval"]
    assert low < found["ratio"] < high


def test_weeks_are_counted_from_the_first_session() -> None:
    weeks = figures.weekly(made_up_table(12))
    assert list(weeks.index) == [1, 2, 3]
    assert figures.between(made_up_table(12), 6, 7)["made_on"].nunique() == 2


def test_a_target_that_is_missed_is_printed_as_missed() -> None:
    found = {"real": {}, "planted": {}, "cold": {"NSE": {"starts": ["2023-01-02"] * 14, "lead_weeks_4_to_6": -0.006}}}
    found["cold"]["NSE"]["curve"] = [{"week": 1, "accuracy": 0.8, "no_change": 0.81, "ratio": 1.01, "confidence": 0.8}]
    (target,) = quality_report.targets(found)
    assert not target["met"]
    found |= {"targets": [target], "seconds": 1}
    assert "| -0.60% | MISSED |" in quality_report.markdown(found)
    found["cold"]["NSE"]["lead_weeks_4_to_6"] = -0.004
    assert quality_report.targets(found)[0]["met"]


@pytest.mark.parametrize(("ratio", "is_met"), [(0.998, True), (1.005, True), (1.0051, False), (1.07, False)])
def test_a_second_week_that_is_worse_than_naive_is_printed_as_missed(ratio: float, is_met: bool) -> None:
    weeks = {"second_week": {"ratio": ratio, "worst": 1.1}, "after": {"ratio": 0.999, "worst": 1.0}}
    found = {"real": {}, "planted": {}, "cold": {}, "fresh": {"US": {"starts": 12, **weeks}}}
    (target,) = quality_report.targets(found)
    assert target["met"] == is_met
    assert target["found"] == f"{ratio:.4f}, worst start 1.100; sessions 12-30 0.9990"


def test_a_quick_run_prints_all_tables(nse_folder: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        PROJECT / "benchmarks/quality/quality.py",
        "--quick",
        "--output",
        tmp_path / "quality.json",
    ]
    env = BARE | {"STOCKML_SHARED": str(nse_folder.parents[1])}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "quality.json").read_text())
    assert set(found["real"]["NSE"]["rows"]) >= {"naive", "SPEC's fixed rule", lives.COLD, lives.FULL}
    assert found["fresh"]["NSE"]["starts"] == 1
    assert {target["met"] for target in found["targets"]} <= {True, False} and len(found["targets"]) > 15
    for title in ("## NSE, 2 stocks", "with parts left out", "cold start", "Where the truth is known", "## Targets"):
        assert title in done.stdout
