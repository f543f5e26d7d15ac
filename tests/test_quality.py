"""The quality benchmark lives the replay's own life, counts rightly, and runs."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scripts import BARE, PROJECT, log_of

sys.path.insert(0, str(PROJECT / "benchmarks/quality"))

import log_helpers
import quality_baselines
import quality_conditions
import quality_decades
import quality_figures as figures
import quality_report
import quality_targets
import results_days
import scale_again
import walk_forward as lives

from realtime_predictor import main
from stockml.core.clock import Clock
from stockml.core.outcomes import EXPIRED, Outcome
from stockml.core.paths import Home
from stockml.core.records import Prediction
from stockml.core.student_t import StudentT
from stockml.data.announcements import known_by
from stockml.data.point_in_time import PointInTimePrices
from stockml.data.request import RawBars
from stockml.data.simulated_market import CURRENCY, sample_announcements, sample_bars
from stockml.replay.batch_analysis import PastStock
from stockml.replay.model_schedule import ModelSchedule, Period, When
from stockml.replay.walk_forward import ReplaySettings
from stockml.signals.learner import Learner
from stockml.trainers.pipeline import TrainingSettings

SYMBOLS = ("SIM-BETA", "SIM-ALPHA", "SIM-DELTA")
START, END = date(2026, 1, 15), date(2026, 4, 10)
SEALS = ("seal", "outcome_checksum")  # of a line by its place in a log


def sample_market() -> lives.Market:
    stocks = []
    for symbol in SYMBOLS:
        days = known_by(sample_announcements(symbol, END), END)
        raw = RawBars(sample_bars(symbol, date(2020, 1, 1), date(2026, 12, 31)), CURRENCY, announcements=days)
        stocks.append(PastStock(PointInTimePrices(symbol, raw, "sample"), CURRENCY, "sample"))
    return lives.Market("sample", stocks, ReplaySettings(START, END, SYMBOLS, "sample"))


def test_a_life_in_memory_leaves_the_lines_of_a_replay_on_disk(tmp_path: Path) -> None:
    options = ("--replay", START, END, "--symbols", *SYMBOLS, "--source", "sample", "--home", tmp_path, "--quiet")
    assert main([str(option) for option in options]) == 0
    lived = lives.live(lives.see(sample_market()), lives.VARIANTS[lives.COLD])
    in_memory, on_disk = (
        [{key: value for key, value in record.items() if key not in SEALS} for record in records]
        for records in ([line.to_record() for line in lived], log_of(tmp_path))
    )
    assert in_memory == on_disk
    assert {line.status for line in lived} == {"verified", "pending"}


def test_an_expired_line_is_settled_among_verified_ones_and_teaches_nothing() -> None:
    seen: list[str] = []

    class Notes(Learner):
        def learn(self, prediction: Prediction) -> None:
            seen.append(prediction.id)

    book = lives.MemoryBook(Notes())
    first, second, third = book.append([log_helpers.prediction(symbol) for symbol in ("A", "B", "C")])
    gone = Outcome(EXPIRED, "2026-01-12T16:00:00", reason="no price")
    verified = log_helpers.outcome(third, at="2026-01-12T16:00:00")
    book.settle({third.id: replace(verified, settled_at="2026-01-12T16:00:00"), first.id: gone})
    assert seen == [third.id] and list(book.pending) == [second.id]
    assert book.lines[first.id].outcome == gone


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
    target = (pd.to_datetime(table["made_on"]) + pd.offsets.BDay(5)).dt.strftime("%Y-%m-%d")
    scores = [figures.scores_of(StudentT(0.5, *law), to) for law, to in zip(laws(scale), actual, strict=True)]
    table = table.assign(confidence=0.7, low=0.5 - 1.2816 * scale, high=0.5 + 1.2816 * scale, target=target)
    return table.assign(a_year_known=table["made_on"] >= "2023-05", **pd.DataFrame(scores))


def laws(scale: np.ndarray) -> list[tuple[float, int]]:
    return [(float(one), 100) for one in scale]


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


def test_a_distribution_is_scored_beside_the_same_scale_without_a_change() -> None:
    table = made_up_table(1500)
    found = figures.distribution_figures(table)
    assert found["coverage_50"] == pytest.approx(0.5, abs=0.02) and found["coverage_95"] == pytest.approx(
        0.95, abs=0.02
    )
    assert 0 < found["naive_crps"] < found["crps"] < found["interval_score"]  # 0.5 off, where nothing drifts
    assert found["naive_interval_score"] < found["interval_score"]
    assert figures.scores_of(None, 1.0) == {}


def made_up_days(table: pd.DataFrame) -> dict[str, list[date]]:
    """Results of A in the middle of each month; B's days are not known."""
    days = sorted(set(pd.to_datetime(table["target"]).dt.date))
    return {"A": [day for day in days if day.day == 15], "C": [days[0], days[-1]]}


def test_results_count_from_the_day_after_to_the_target_where_the_days_are_known() -> None:
    table = made_up_table(120)
    found = results_days.with_results(table, made_up_days(table))
    assert found[found["symbol"] == "B"]["results"].isna().all()
    a = found[found["symbol"] == "A"]
    known = [str(day) for day in made_up_days(table)["A"]]
    for row in a[a["results"].notna()].itertuples():
        assert row.results == any(row.made_on < day <= row.target for day in known)
    outside = (a["made_on"] < known[0]) | (a["target"] > known[-1])
    assert a[outside]["results"].isna().all() and not a[~outside]["results"].isna().any()


@pytest.mark.parametrize(
    ("known", "first_known_on"),
    [(results_days.FORETOLD, None), (results_days.ASSUMED, date(2024, 4, 16))],
)
def test_announcements_are_known_as_far_ahead_as_said(known: str, first_known_on: date | None) -> None:
    (told,) = results_days.announcements([date(2024, 4, 30)], known)
    assert (told.day, told.at, told.first_known_on) == (date(2024, 4, 30), None, first_known_on)
    assert results_days.announcements([date(2024, 4, 30)], results_days.NONE) == ()


@pytest.mark.parametrize(("name", "head"), [("us", "symbol,date"), ("nse", "symbol,published_at")])
def test_days_of_results_are_read_from_either_form(name: str, head: str, tmp_path: Path) -> None:
    later = "2024-04-30" if name == "us" else "2024-04-30T11:51:00"
    folder = tmp_path / "announcements"
    folder.mkdir()
    (folder / f"{name}.csv").write_text(f"{head}\nA,{later}\nA,2023-01-31\nB,2023-02-01\n")
    assert results_days.days_of(tmp_path, name.upper()) == {
        "A": [date(2023, 1, 31), date(2024, 4, 30)],
        "B": [date(2023, 2, 1)],
    }
    assert results_days.days_of(tmp_path / "none", name.upper()) == {}


def test_each_family_of_conditions_divides_the_predictions() -> None:
    table = made_up_table(780)  # three calendar years, all but whole
    rows = quality_conditions.by_condition(results_days.with_results(table, made_up_days(table)))
    by_family: dict[str, int] = {}
    for row in rows:
        by_family[row["family"]] = by_family.get(row["family"], 0) + row["n"]
    assert by_family["volatility"] == by_family["year"] == by_family["age"] == by_family["all"] == len(table)
    assert by_family["results"] <= 2 * 780
    wild = next(row for row in rows if row["value"] == "wild")
    calm = next(row for row in rows if row["value"] == "calm")
    assert calm["crps"] < wild["crps"] and calm["accuracy"] > wild["accuracy"]
    years = quality_conditions.by_year(table)
    assert sum(row["n"] for row in years) == len(table) and years[0]["year"] == "2023"
    assert all(0.95 < row["ratio"] < 1.1 for row in years)


def test_the_calibration_error_stands_beside_what_chance_leaves_of_it() -> None:
    rng = np.random.default_rng(1)
    days = np.repeat(pd.bdate_range("2023-01-02", periods=400).strftime("%Y-%m-%d"), 10)
    confidence = rng.uniform(0.5, 0.9, len(days))
    right = rng.random(len(days)) < confidence
    low, high = quality_conditions.calibration_interval(confidence, right, days)
    assert 0 < low < high < 0.06
    boastful = rng.random(len(days)) < confidence - 0.2
    low, high = quality_conditions.calibration_interval(confidence, boastful, days)
    assert 0.15 < low < 0.2 < high < 0.25


def test_the_fixed_scale_is_the_documented_one_whatever_training_finds() -> None:
    calm = {f"volatility_{window}": 1.0 for window in (1, 5, 20, 60, 250)}
    calm |= {"market_volatility_5": 1.0, "market_volatility_20": 1.0}
    assert quality_baselines._fixed_scale(calm) == pytest.approx(0.96 * 5**0.5)
    assert quality_baselines._fixed_scale(calm | {"volatility_20": 2.0}) == pytest.approx(0.96 * 5**0.5 * 2**0.33)


def test_markets_that_differ_in_announcements_share_models_and_bars() -> None:
    tables = {symbol: sample_bars(symbol, date(2020, 1, 1), date(2026, 12, 31)).reset_index() for symbol in SYMBOLS}
    market = lives.market_of("sample", tables, START, END)
    days = {SYMBOLS[0]: [date(2026, 1, 20), date(2026, 2, 10)]}
    known = lives.announced(market, days, results_days.ASSUMED)
    assert known.raw[SYMBOLS[0]].announcements == results_days.announcements(days[SYMBOLS[0]], results_days.ASSUMED)
    assert known.raw[SYMBOLS[1]].announcements == ()
    assert lives.digest(known) == lives.digest(market)
    first, other = lives.see_alike([market, known])
    assert first.history.keys() == other.history.keys()
    assert [a.current_price for a in first.history[END].analyses] == [
        a.current_price for a in other.history[END].analyses
    ]


def test_a_scale_model_fitted_again_without_announcements_is_the_one_of_training(tmp_path: Path) -> None:
    market, clock, settings = sample_market(), Clock(lives.NOW, START), TrainingSettings(jobs=1)
    schedule = ModelSchedule([Home(tmp_path / "none")], 1)
    period = Period((START,), START, tmp_path / "models")
    schedule.train([period], market.stocks, settings, When(lambda _day: clock, lambda *stage: None))
    schedule.use(period)
    list(schedule.give_opinions(market.stocks, [START], lambda *stage: None))
    again = scale_again.fits(market.stocks, clock, settings)
    assert set(again) == set(SYMBOLS)
    for stock in market.stocks:
        (view,) = scale_again.with_fit(stock.opinions, again[stock.symbol]).views.values()
        (own,) = stock.opinions.views.values()
        assert view.priors.scale_model == own.priors.scale_model
        assert view.priors.stock_prior.shift == pytest.approx(own.priors.stock_prior.shift, abs=1e-6)
        assert (view.forecast, view.priors.weights) == (own.forecast, own.priors.weights)
    assert scale_again.with_fit(None, again[SYMBOLS[0]]) is None


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
    (target,) = quality_targets.targets(found)
    assert not target["met"]
    found |= {"targets": [target], "seconds": 1}
    assert "| -0.60% | MISSED |" in quality_report.markdown(found)
    found["cold"]["NSE"]["lead_weeks_4_to_6"] = -0.004
    assert quality_targets.targets(found)[0]["met"]


@pytest.mark.parametrize(("ratio", "is_met"), [(0.998, True), (1.005, True), (1.0051, False), (1.07, False)])
def test_a_second_week_that_is_worse_than_naive_is_printed_as_missed(ratio: float, is_met: bool) -> None:
    weeks = {"second_week": {"ratio": ratio, "worst": 1.1}, "after": {"ratio": 0.999, "worst": 1.0}}
    found = {"real": {}, "planted": {}, "cold": {}, "fresh": {"US": {"starts": 12, **weeks}}}
    (target,) = quality_targets.targets(found)
    assert target["met"] == is_met
    assert target["found"] == f"{ratio:.4f}, worst start 1.100; sessions 12-30 0.9990"


def decade(ratio: float, n: int = 100) -> dict[str, object]:
    return {"n": n, "error_pct_sum": 300 * ratio, "naive_error_pct_sum": 300.0, "mean_size_pct": 0.06, "years": []}


@pytest.mark.parametrize(("worst", "is_met"), [(1.0039, True), (1.0041, False), (1.2, False)])
def test_a_market_year_over_the_limit_is_printed_as_missed_with_its_number(worst: float, is_met: bool) -> None:
    years = [{"year": "2008", "n": 1200, "ratio": worst}, {"year": "2009", "n": 800, "ratio": 0.97}]
    found = {"real": {}, "planted": {}, "cold": {}, "decades": {"NSE 2006-2022": decade(0.998) | {"years": years}}}
    pooled, size, no_year = quality_targets.targets(found)
    assert pooled["met"] and size["met"] and no_year["met"] == is_met
    assert no_year["found"] == f"NSE 2006-2022 2008: {worst:.4f} of 1,200"
    found["decades"]["US 2012-2018"] = decade(1.004)
    assert quality_targets.targets(found)[0]["found"] == "1.0010" and not quality_targets.targets(found)[0]["met"]


def test_decades_take_stocks_that_nothing_was_chosen_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    days = pd.bdate_range("2003-01-01", "2006-06-30").strftime("%Y-%m-%d")
    for number in range(9):
        close = 100 + np.arange(len(days)) % 7
        table = pd.DataFrame({"Date": days, "Open": close, "High": close + 1, "Low": close - 1, "Close": close})
        table.assign(Volume=1000 * (np.arange(len(days)) % 50 > 0)).to_csv(folder / f"S{number}.csv", index=False)
    monkeypatch.setattr(lives, "DATA", tmp_path)
    panel = quality_decades.Panel("US", "made", date(2006, 1, 2), date(2006, 6, 30))
    market, _ = quality_decades.shortened(panel, None, None)
    assert [stock.symbol for stock in market.stocks] == ["S1", "S5"]
    assert (market.raw["S1"].frame["Volume"] > 0).all()
    short, shorter = quality_decades.shortened(panel, 1, 10)
    assert len(short.stocks) == 1 and len(short.days) <= 10 and shorter.first == short.settings.start


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
    assert set(found["real"]["NSE"]["announced"]) == {results_days.NONE, results_days.FORETOLD, results_days.ASSUMED}
    assert found["decades"]["NSE 2006-2022"]["stocks"] == 2
    titles = ("## NSE, 2 stocks", "with parts left out", "NSE, by condition", "NSE, with what is known of results")
    for title in (*titles, "cold start", "## Price, by market and year", "Where the truth is known", "## Targets"):
        assert title in done.stdout
