"""Training whole: the files, honest days, the same results for any number of processes, and what goes wrong."""

from __future__ import annotations

import csv
import io
import json
import pickle
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import made_up_prices
from h5_reader import read_h5

from stockml.core.calendars import calendar_for
from stockml.core.paths import Home
from stockml.data.price_table import PriceTable
from stockml.indicators.volatility import market_inputs
from stockml.models.bundle_store import (
    FAST_FILE,
    LSTM_FILE,
    METRICS_FILE,
    XGB_FILE,
    load_bundle,
    trained_symbols,
)
from stockml.models.lstm import Network
from stockml.signals.priors import Priors
from stockml.signals.rules import RULE_WEIGHTS
from stockml.signals.scale_model import DEFAULT
from stockml.trainers.dataset import TooShortError, join_market, prepare
from stockml.trainers.engine import NetworkTask
from stockml.trainers.engine_choice import EngineChoice
from stockml.trainers.engines import Workers
from stockml.trainers.fine_tuning import FineTuningSettings, tune
from stockml.trainers.global_model import GlobalModelSettings, Learning, global_model_steps, training_stocks
from stockml.trainers.groups import divide
from stockml.trainers.lstm_trainer import OptimizerSettings
from stockml.trainers.numpy_engine import NumPyEngine
from stockml.trainers.pipeline import TrainedStock, TrainingContext, TrainingFailure, TrainingSettings, save, train
from stockml.trainers.shrinkage import DRIFT_PCT, drift_posterior, weighted_median
from stockml.trainers.steps import Step, call, run_alone

# One quick round each: what is tested here does not depend on how long is learned.
QUICK = TrainingSettings(
    jobs=2, pool=GlobalModelSettings(rounds=(1e-3,), shards=2), own=FineTuningSettings(rates=(3e-4,))
)


def tables(*symbols: str, n_days: int = 420) -> dict[str, PriceTable]:
    return {s: made_up_prices(n_days, seed=number, symbol=s) for number, s in enumerate(symbols)}


@pytest.fixture(scope="module")
def stocks() -> dict[str, PriceTable]:
    return tables("AAA.NS", "BBB.NS", "CCC.NS")


@pytest.fixture(scope="module")
def trained(stocks: dict[str, PriceTable]) -> dict[str, TrainedStock]:
    return by_symbol(train(stocks, QUICK))


def by_symbol(results) -> dict[str, TrainedStock]:
    return {result.symbol: result for result in results}


def test_every_stock_is_trained_and_saved(
    stocks: dict[str, PriceTable], trained: dict[str, TrainedStock], tmp_path
) -> None:
    home = Home(tmp_path)
    for result in trained.values():
        save(home, result, trained_at="2026-07-01T16:00:00")
    assert trained_symbols(home) == sorted(stocks)
    folder = home.models / "AAA_NS"
    assert sorted(path.name for path in folder.iterdir()) == sorted([LSTM_FILE, XGB_FILE, FAST_FILE, METRICS_FILE])
    metrics = json.loads((folder / METRICS_FILE).read_text(), parse_constant=pytest.fail)
    spec = ["symbol", "trained_at", "train_samples", "val_samples", "lstm_mae", "xgb_mae"]
    assert list(metrics)[:6] == spec
    wanted = {
        "horizon_days",
        "naive_mae",
        "ensemble_mae",
        "data_through",
        "scaler",
        "priors",
        "days",
        "features",
        "seed",
    }
    assert wanted | {"settings", "libraries", "sha256", "source", "findings"} <= set(metrics)
    assert set(trained["AAA.NS"].seconds) == {"prepare", "learn_together", "tune", "finish"}


def test_all_three_forms_of_the_models_forecast_the_validation_days_that_were_scored(
    stocks: dict[str, PriceTable], trained: dict[str, TrainedStock], tmp_path
) -> None:
    result, table = trained["BBB.NS"], stocks["BBB.NS"]
    save(Home(tmp_path), result, trained_at="2026-07-01T16:00:00")
    bundle = load_bundle(Home(tmp_path), "BBB.NS")
    rows = list(csv.DictReader(io.StringIO(result.validation)))
    forecast = bundle.forecast(table, [date.fromisoformat(row["date"]) for row in rows])
    lstm_pct = np.array([float(row["lstm_5_pct"]) for row in rows])
    xgb_pct = np.array([float(row["xgb_pct"]) for row in rows])
    np.testing.assert_allclose(forecast.lstm_path_pct[:, -1], lstm_pct, atol=1e-6)
    np.testing.assert_allclose(forecast.xgb_pct, xgb_pct, atol=1e-6)
    assert joblib.load(io.BytesIO(result.files[XGB_FILE])).n_estimators == 100
    slow = read_h5(result.files[LSTM_FILE])
    if slow.is_constant:
        assert bundle.network.is_constant and np.array_equal(slow.weights[-1], bundle.network.weights[-1])
    else:
        assert all(np.array_equal(a, b) for a, b in zip(slow.weights, bundle.network.weights, strict=True))
    actual = np.array([float(row["actual_pct"]) for row in rows])
    assert result.metrics["val_samples"] == len(rows)
    assert result.metrics["naive_mae"] == pytest.approx(np.abs(actual).mean(), abs=1e-5)
    assert result.metrics["lstm_mae"] == pytest.approx(np.abs(actual - lstm_pct).mean(), abs=1e-5)
    assert result.metrics["xgb_mae"] == pytest.approx(np.abs(actual - xgb_pct).mean(), abs=1e-5)
    assert result.metrics["ensemble_mae"] == pytest.approx(np.abs(actual - (lstm_pct + xgb_pct) / 2).mean(), abs=1e-5)


def test_one_process_gives_the_same_bytes_as_several(
    stocks: dict[str, PriceTable], trained: dict[str, TrainedStock]
) -> None:
    alone = by_symbol(train(dict(reversed(stocks.items())), replace(QUICK, jobs=1)))
    for symbol, result in trained.items():
        assert alone[symbol].files == result.files
        assert alone[symbol].metrics == result.metrics
        assert alone[symbol].validation == result.validation


def test_another_seed_gives_other_models(stocks: dict[str, PriceTable], trained: dict[str, TrainedStock]) -> None:
    other = by_symbol(train({"AAA.NS": stocks["AAA.NS"]}, replace(QUICK, seed=2)))["AAA.NS"]
    assert other.files[LSTM_FILE] != trained["AAA.NS"].files[LSTM_FILE]


def test_a_round_passes_over_so_many_windows_at_most_drawn_anew_each_time(stocks: dict[str, PriceTable]) -> None:
    sets = {symbol: prepare(table, horizon=5, years=2, seed=1) for symbol, table in stocks.items()}
    [(days, symbols)] = divide(sets)
    rounds = {}
    for most in (100, 1 << 16):
        pool = GlobalModelSettings(rounds=(1e-3, 1e-3), shards=2, most_windows=most)
        steps = global_model_steps(days, [sets[name] for name in symbols], Learning(pool, 1), lambda _: None)
        first = next(steps)
        second = steps.send([call(task) for task in first.tasks])
        rounds[most] = [_rows_of(step) for step in (first, second)]
    assert [len(windows) for windows in rounds[100]] == [100, 100] and rounds[100][0] != rounds[100][1]
    assert rounds[1 << 16][0] == rounds[1 << 16][1] > rounds[100][0]


def _rows_of(step: Step) -> set[int]:
    """The windows that a step's tasks pass over, by their last rows."""
    return {row for _, (_, group, _) in step.tasks for task in group for row in task.samples.rows.tolist()}


def test_a_stock_is_tuned_on_days_that_the_common_network_has_not_seen(
    stocks: dict[str, PriceTable], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = prepare(stocks["AAA.NS"], horizon=5, years=2, seed=1)
    [(days, _)] = divide({"AAA.NS": own})
    here = Workers(lambda function, tasks: enumerate(map(function, tasks)))
    model = run_alone(global_model_steps(days, [own], Learning(QUICK.pool, 1), lambda _: None), here)
    model = replace(model, lstm_slope=replace(model.lstm_slope, value=0.5))
    seen: list[NetworkTask] = []

    class Engine(NumPyEngine):
        def train(self, tasks: Sequence[NetworkTask], settings: OptimizerSettings) -> list[Network]:
            seen.extend(tasks)
            return super().train(tasks, settings)

    monkeypatch.setattr("stockml.trainers.fine_tuning.engine_of", lambda _: Engine())
    tune(model, FineTuningSettings(days=20), 1, EngineChoice(), [own])
    [task] = seen
    assert task.samples.rows.tolist() == own.split.select[-20:].tolist() and task.network is model.network


def with_other_days_from(table: PriceTable, day: date) -> PriceTable:
    """The table with a different market from that day on."""
    frame = table.frame.copy()
    later = frame.index >= pd.Timestamp(day)
    frame.loc[later] = frame.loc[later, :] * np.linspace(1.5, 4.0, later.sum())[:, None]
    return replace(table, frame=frame)


def test_nothing_is_fitted_on_validation_days(stocks: dict[str, PriceTable], trained: dict[str, TrainedStock]) -> None:
    """Another future for every stock from the first validation day on changes scores and no model."""
    first = date.fromisoformat(trained["AAA.NS"].metrics["days"]["validation"]["first"])
    changed = {symbol: with_other_days_from(table, first) for symbol, table in stocks.items()}
    for symbol, result in by_symbol(train(changed, QUICK)).items():
        assert result.files == trained[symbol].files
        assert result.metrics["priors"] == trained[symbol].metrics["priors"]
        assert result.metrics["naive_mae"] != trained[symbol].metrics["naive_mae"]


def test_no_stock_learns_from_days_another_is_validated_on(stocks: dict[str, PriceTable]) -> None:
    """A younger stock, whose own fit days reach into the others' validation, changes nothing of theirs."""
    young = made_up_prices(160, seed=9, symbol="YOUNG.NS")
    alone = by_symbol(train(stocks, QUICK))
    beside = by_symbol(train({**stocks, "YOUNG.NS": with_other_days_from(young, date(2026, 5, 1))}, QUICK))
    assert beside["AAA.NS"].files == alone["AAA.NS"].files
    assert set(beside) == {*alone, "YOUNG.NS"}


def test_priors_are_known_before_validation(trained: dict[str, TrainedStock]) -> None:
    for stock in trained.values():
        priors, days = Priors.from_dict(stock.metrics["priors"]), stock.metrics["days"]
        assert {priors.weights[name] for name in RULE_WEIGHTS} == {0.0}
        assert priors.stock_prior.outcomes == days["fit"]["samples"] + days["select"]["samples"]  # there are no older
        assert abs(priors.stock_prior.shift) < 2
        assert priors.scale_model != DEFAULT


def test_a_market_s_volatility_is_that_of_a_daily_run(stocks: dict[str, PriceTable]) -> None:
    training_sets = {symbol: prepare(prices, horizon=5, years=2, seed=1) for symbol, prices in stocks.items()}
    assert len({calendar_for(symbol).name for symbol in stocks}) == 1
    day = max(training_set.dates[-1] for training_set in training_sets.values())
    there = [
        training_sets[symbol].confidence_inputs.loc[day].to_dict()
        for symbol in training_sets
        if training_sets[symbol].dates[-1] == day
    ]
    assert len(there) > 1
    for training_set in join_market(training_sets).values():
        if training_set.dates[-1] == day:
            found = training_set.confidence_inputs.loc[day]
            assert {name: found[name] for name in market_inputs(there)} == pytest.approx(market_inputs(there), abs=1e-4)


@pytest.mark.parametrize(
    ("weights", "expected"), [([1, 1, 1, 1, 1], 3.0), ([9, 1, 1, 1, 1], 1.0), ([1, 1, 1, 1, 9], 5.0)]
)
def test_the_weighted_median_has_half_of_the_weight_on_either_side(weights: list[float], expected: float) -> None:
    values = np.array([3.0, 1.0, 2.0, 5.0, 4.0])
    assert weighted_median(values, np.array(weights, float)[values.astype(int) - 1]) == expected


def test_a_drift_is_what_misses_least_where_errors_are_shares_of_the_price_that_came() -> None:
    rng = np.random.default_rng(3)
    grown = np.exp(rng.standard_t(5, 40_000) * 0.06)
    days = np.repeat(np.arange(4000), 10)
    found = drift_posterior((grown - 1) / 0.07, grown, days, 5).estimate * 0.07
    guesses = np.linspace(-0.02, 0.02, 401)
    errors = [np.mean(np.abs(grown - 1 - guess) / grown) for guess in guesses]
    assert found == pytest.approx(guesses[int(np.argmin(errors))], abs=3e-4)


@pytest.mark.parametrize("daily_pct", [-0.3, 0.3])
def test_two_years_of_rise_or_fall_are_not_extrapolated(
    stocks: dict[str, PriceTable], daily_pct: float, tmp_path
) -> None:
    """A year of 0.3 % a day more than doubles a price; the models forecast about as much as in any other market."""
    prices = ["open", "high", "low", "close", "adj_close"]
    trending = {}
    for symbol, table in stocks.items():
        frame = table.frame.copy()
        frame[prices] = frame[prices].mul((1 + daily_pct / 100) ** np.arange(len(frame)), axis=0)
        trending[symbol] = replace(table, frame=frame)
    for symbol, result in by_symbol(train(trending, QUICK)).items():
        drift = result.metrics["priors"]["drift"]
        assert abs(drift["estimate"]) > 0.5  # what the two years show, in % at five sessions
        assert drift["value"] == pytest.approx(DRIFT_PCT, abs=0.1)
        save(Home(tmp_path), result, trained_at="2026-07-01T16:00:00")
        bundle = load_bundle(Home(tmp_path), symbol)
        rows = list(csv.DictReader(io.StringIO(result.validation)))
        forecast = bundle.forecast(trending[symbol], [date.fromisoformat(row["date"]) for row in rows])
        for column in (forecast.lstm_path_pct[:, -1], forecast.xgb_pct):
            assert abs(column.mean()) < 0.3
        patterns = bundle.patterns.outcome_pct
        assert set(np.round(forecast.pattern_pct, 9)) <= set(np.round(patterns - patterns.mean(), 9))


def test_a_stock_whose_prices_end_early_is_trained_apart(stocks: dict[str, PriceTable]) -> None:
    old = made_up_prices(420, seed=7, symbol="OLD.NS", last_day=date(2024, 6, 28))
    training_sets = {s: prepare(t, horizon=5, years=2, seed=1) for s, t in {**stocks, "OLD.NS": old}.items()}
    (_, together), (days, alone) = divide(training_sets)
    assert together == sorted(stocks)
    assert alone == ["OLD.NS"]
    assert days.validation == training_sets["OLD.NS"].dates[training_sets["OLD.NS"].split.validation[0]]


@pytest.mark.parametrize(("n_days", "early"), [(300, 90), (340, 60), (360, 150)])
def test_stocks_trained_together_are_validated_on_later_days_alone(
    stocks: dict[str, PriceTable], n_days: int, early: int
) -> None:
    """A young stock that was suspended early has its validation before the others', though not its other days."""
    last = date(2026, 6, 30) - timedelta(days=early)
    young = made_up_prices(n_days, seed=9, symbol="YOUNG.NS", last_day=last)
    everyone = tables(*stocks, n_days=800) | {"YOUNG.NS": young}
    training_sets = {s: prepare(t, horizon=5, years=2, seed=1) for s, t in everyone.items()}
    for days, symbols in divide(training_sets):
        for training_set in (training_sets[symbol] for symbol in symbols):
            assert days.validation <= training_set.dates[training_set.split.validation[0]]
            assert days.select <= training_set.dates[training_set.split.select[0]]


@pytest.mark.parametrize(("n_days", "early"), [(390, 80), (300, 100), (200, 140), (150, 180)])
def test_a_young_stock_that_ended_early_takes_no_day_from_the_others(
    stocks: dict[str, PriceTable], n_days: int, early: int
) -> None:
    usual = {s: prepare(t, horizon=5, years=2, seed=1) for s, t in tables(*stocks, n_days=800).items()}
    young = made_up_prices(n_days, seed=9, symbol="YOUNG.NS", last_day=date(2026, 6, 30) - timedelta(days=early))
    training_sets = usual | {"YOUNG.NS": prepare(young, horizon=5, years=2, seed=1)}
    assert divide(training_sets)[0] == divide(usual)[0]
    assert divide(training_sets)[1][1] == ["YOUNG.NS"]


def test_on_a_fit_day_a_pattern_says_what_was_known_of_it_then() -> None:
    """With its own target in a feature of a fit day, noise would look like skill."""
    together = []
    for seed in range(6):
        training_set = prepare(made_up_prices(250, seed=seed), horizon=5, years=2, seed=1)
        rows = training_set.split.fit
        together.append(np.corrcoef(training_set.pattern_pct[rows], training_set.paths_pct[rows, -1])[0, 1])
    assert np.mean(together) < 0.1  # 0.3 where each mean holds the day's own target


def test_parts_follow_each_other_with_a_gap_of_the_horizon(stocks: dict[str, PriceTable]) -> None:
    for horizon in (1, 5, 10):
        split = prepare(stocks["AAA.NS"], horizon=horizon, years=2, seed=1).split
        assert split.select[0] - split.fit[-1] > horizon
        assert split.validation[0] - split.select[-1] > horizon


def test_a_short_history_is_refused_with_its_numbers_and_stops_no_other() -> None:
    results = by_symbol(train({**tables("LONG.NS"), "SHORT.NS": made_up_prices(120, symbol="SHORT.NS")}, QUICK))
    failure = results["SHORT.NS"]
    assert isinstance(failure, TrainingFailure)
    assert failure.kind == "too_short"
    assert failure.message.startswith("SHORT.NS: 120 daily bars leave 77 days to learn from, need 100 ")
    assert isinstance(results["LONG.NS"], TrainedStock)


def test_the_least_history_is_enough() -> None:
    table = made_up_prices(143, symbol="LEAST.NS")
    assert isinstance(next(train({"LEAST.NS": table}, QUICK)), TrainedStock)
    with pytest.raises(TooShortError):
        prepare(table.last(142), horizon=5, years=2, seed=1)


def test_no_tables_give_no_results() -> None:
    assert list(train({}, QUICK)) == []


@pytest.mark.parametrize("name", ["horizon", "years", "jobs"])
def test_settings_below_one_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is 0"):
        TrainingSettings(**{name: 0})


def test_progress_is_told_stage_by_stage(stocks: dict[str, PriceTable]) -> None:
    told: list[tuple[str, int, int]] = []
    list(train({"AAA.NS": stocks["AAA.NS"]}, QUICK, TrainingContext(lambda *step: told.append(step))))
    task_count = QUICK.pool.task_count()
    assert told == [
        ("prepare", 1, 1),
        *(("learn together", done, task_count) for done in range(task_count + 1)),
        ("finish", 1, 1),
    ]


# ---- very many stocks ----

AT_MOST_TWO = replace(QUICK, pool=replace(QUICK.pool, most_teachers=2))


def test_of_too_many_stocks_some_are_trained_on_and_the_others_change_nothing(stocks: dict[str, PriceTable]) -> None:
    few = by_symbol(train(stocks, AT_MOST_TWO))
    assert [result.metrics["pool"]["stocks"] for result in few.values()] == [2] * 3
    undrawn = {symbol for symbol in stocks if symbol not in drawn_of(stocks)}
    assert len(undrawn) == 1
    others = {
        s: with_other_days_from(table, date(2025, 1, 1)) if s in undrawn else table for s, table in stocks.items()
    }
    for symbol, result in by_symbol(train(others, AT_MOST_TWO)).items():
        assert (result.files == few[symbol].files) == (symbol not in undrawn)


def drawn_of(stocks: dict[str, PriceTable], seed: int = 1, most: int = 2) -> list[str]:
    training_sets = [prepare(table, horizon=5, years=2, seed=1) for table in stocks.values()]
    return [training_set.symbol for training_set in training_stocks(training_sets, most, seed)]


def test_up_to_the_bound_stocks_are_trained_as_if_there_were_none(
    stocks: dict[str, PriceTable], trained: dict[str, TrainedStock]
) -> None:
    just = by_symbol(train(stocks, replace(QUICK, pool=replace(QUICK.pool, most_teachers=len(stocks)))))
    assert {symbol: result.files for symbol, result in just.items()} == {
        symbol: result.files for symbol, result in trained.items()
    }


def test_training_stocks_follow_from_names_and_seed_alone() -> None:
    many = tables(*(f"{letter}.NS" for letter in "ABCDEFGH"))
    drawn = drawn_of(many, most=4)
    assert len(drawn) == 4 and drawn == sorted(drawn)
    assert drawn_of({s: with_other_days_from(table, date(2025, 1, 1)) for s, table in many.items()}, most=4) == drawn
    assert any(drawn_of(many, seed=seed, most=4) != drawn for seed in (2, 3))
    for stock in "XYZ":
        assert len({*drawn} - {*drawn_of(many | tables(f"{stock}.NS"), most=4)}) <= 1


def test_the_largest_task_grows_with_the_training_stocks_and_not_with_all() -> None:
    def largest(count: int) -> int:
        training_sets = [
            prepare(table, horizon=5, years=2, seed=1)
            for table in tables(*(f"{letter}.NS" for letter in "ABCDEFGH"[:count])).values()
        ]
        sizes = []

        def run(function, tasks):
            for number, task in enumerate(tasks):
                sizes.append(len(pickle.dumps(task)))
                yield number, function(task)

        [(days, _)] = divide({training_set.symbol: training_set for training_set in training_sets})
        steps = global_model_steps(days, training_sets, Learning(AT_MOST_TWO.pool, seed=1), lambda _network: None)
        run_alone(steps, Workers(run))
        return max(sizes)

    assert largest(8) == pytest.approx(largest(2), rel=0.01)
