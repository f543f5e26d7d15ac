"""What sees the future is found out, and what does not is left in peace; success too good to be true is told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from conftest import made_up_prices
from log_helpers import outcome, prediction
from made_up_models import made_up_bundle
from moving_average import ema
from scripts import PROJECT, predict

from stockml.accuracy.scores import Score, leakage_warning
from stockml.core.outcomes import Outcome
from stockml.data.price_table import PriceTable
from stockml.indicators import features
from stockml.indicators import technical as indicators
from stockml.models import lstm
from stockml.models.bundle import Forecasts, ModelBundle
from stockml.models.lstm import Scaler
from stockml.replay import lookahead_check as self_check

SIM = ("--source", "sample")


def closes(prices: PriceTable) -> np.ndarray:
    return prices.frame["adj_close"].to_numpy()


LEAKS = {
    "centred mean": lambda prices: prices.frame["close"].rolling(5, center=True, min_periods=1).mean().to_numpy(),
    "scaled by the whole table": lambda prices: closes(prices) / closes(prices).mean(),
    "tomorrow's close": lambda prices: np.append(closes(prices)[1:], np.nan),
    "filled from behind": lambda prices: (
        prices.frame["close"].where(prices.frame["close"].diff() > 0).bfill().to_numpy()
    ),
    "smoothed both ways": lambda prices: ema(ema(closes(prices), 9)[::-1], 9)[::-1],
}


@pytest.mark.parametrize("name", LEAKS)
def test_a_value_that_sees_the_future_is_found_out(name: str) -> None:
    tables = [made_up_prices(700, seed=seed, symbol=f"MADE{seed}.NS") for seed in (1, 2)]
    (check,) = self_check.check_figures(tables, seed=1, figures={name: LEAKS[name]})
    assert check.compared == 2 * self_check.DAYS_A_STOCK and check.differing > 0
    assert re.match(r"MADE1.NS on \d{4}-\d\d-\d\d: .* with later days, .* without", str(check.example))


def test_ours_do_not_see_it() -> None:
    tables = [made_up_prices(700), made_up_prices(330, symbol="NEW.NS")]
    checks = [*self_check.check_figures(tables, seed=3), self_check.check_analyses(tables, seed=3)]
    assert {check.name for check in checks} == {*self_check.FIGURES, "analyses"}
    for check in checks:
        assert check.compared == 2 * self_check.DAYS_A_STOCK
        assert check.is_clean, check.example


def test_days_are_drawn_by_seed_and_leave_a_future() -> None:
    table = made_up_prices(700)
    days = self_check.random_days(table, 1)
    assert days == self_check.random_days(table, 1) != self_check.random_days(table, 2)
    assert len(set(days)) == self_check.DAYS_A_STOCK and max(days) < 699
    assert self_check.random_days(made_up_prices(1), 1) == []


def test_the_log_s_lines_know_no_later_model_and_no_early_outcome() -> None:
    line = replace(prediction(), model_trained_at="2026-01-01T15:30:00", prediction_date="2026-02-01T15:30:00")
    late = replace(line, model_trained_at="2026-02-02T15:30:00")
    early = Outcome("verified", "2000-01-01T15:30:00", 100.0, 1.0, True, 1.0)
    assert self_check.check_log([line]).is_clean
    for wrong in (late, replace(line, outcome=early)):
        check = self_check.check_log([line, wrong])
        assert (check.compared, check.differing) == (2, 1) and str(check.example).startswith(line.id)


def test_the_command_says_that_nothing_sees_the_future(trained_home: Path) -> None:
    ran = predict("--self-check", *SIM, "--home", trained_home, "--as-of", "2026-03-02")
    assert (ran.code, ran.err) == (0, "") and "No look-ahead bias found." in ran.out
    told = predict("--self-check", *SIM, "--home", trained_home, "--as-of", "2026-03-02", "--json").json
    schema = json.loads((PROJECT / "docs/json-schema.json").read_text())
    jsonschema.validate(told, schema, cls=jsonschema.Draft202012Validator)
    compared = {check["name"]: check["compared"] for check in told["checks"]}
    assert compared["model forecasts"] == compared["features"] == 3 * self_check.DAYS_A_STOCK
    assert (told["sees_the_future"], told["warning"]) == ([], None)


def test_the_command_names_what_sees_the_future(
    trained_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from realtime_predictor import main

    monkeypatch.setitem(self_check.FIGURES, "features", LEAKS["tomorrow's close"])
    options = ("--self-check", *SIM, "--symbols", "SIM-ALPHA", "--home", str(trained_home), "--as-of", "2026-03-02")
    assert main(options) == 1
    assert "Look-ahead bias: features changed when later days were cut off." in capsys.readouterr().err


# ---- a planted look-ahead ----


def tomorrow(values: np.ndarray) -> np.ndarray:
    """Each row's next one; the last row's own, since there is no other."""
    return np.concatenate([values[1:], values[-1:]])


def a_day_early(original: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    return lambda values, *rest, **named: original(tomorrow(values), *rest, **named)


def scaled_by_all_days(self: Scaler, values: np.ndarray) -> np.ndarray:
    """A scaler fitted on whatever table it is given, so on the days to come as well."""
    return ((values - np.nanmean(values, axis=0)) / np.nanstd(values, axis=0)).astype(np.float32)


def windows_a_day_late(scaled: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return WINDOWS(scaled, np.minimum(rows + 1, len(scaled) - 1))


def with_a_grain_of_tomorrow(self: ModelBundle, table: PriceTable, rows: np.ndarray, days: Any) -> Forecasts:
    """Forecasts that know a ten-thousandth of the next day's change: far less than would be of any use."""
    seen = FORECAST_ROWS(self, table, rows, days)
    change = np.append(np.diff(closes(table)) / closes(table)[:-1], 0.0)[rows] * 100
    return replace(seen, xgb_pct=seen.xgb_pct + change / 10_000)


FORECAST_ROWS, WINDOWS = ModelBundle._forecast_rows, lstm.windows
PLANTED = {
    "in an indicator": (indicators, "rsi", a_day_early(indicators.rsi), "indicators, features, rules, analyses"),
    "in a feature": (
        features,
        "relative_volume",
        lambda p: tomorrow(features.technical.sma(closes(p), 2)),
        "features",
    ),
    "in a scaler": (Scaler, "apply", scaled_by_all_days, "model forecasts"),
    "in a model's windows": (lstm, "windows", windows_a_day_late, "model forecasts"),
    "in a model": (ModelBundle, "_forecast_rows", with_a_grain_of_tomorrow, "model forecasts"),
}


@pytest.mark.parametrize("place", PLANTED)
def test_a_planted_look_ahead_is_named(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, leaking, found_in = PLANTED[place]
    table = made_up_prices(700)
    bundle = made_up_bundle(table)
    monkeypatch.setattr(owner, name, leaking)
    checks = [
        *self_check.check_figures([table], seed=1),
        self_check.check_analyses([table], seed=1),
        self_check.check_models([table], {table.symbol: bundle}, seed=1),
    ]
    assert set(found_in.split(", ")) <= {check.name for check in checks if not check.is_clean}


def test_rounding_is_no_look_ahead_and_numbers_are_told_as_numbers() -> None:
    table = made_up_prices(700)

    def rounded_by_length(size: float) -> self_check.Figures:
        return {"figure": lambda prices: closes(prices) * (1 + size * (len(prices.frame) % 7))}

    (check,) = self_check.check_figures([table], seed=1, figures=rounded_by_length(1e-8))
    assert check.is_clean
    (check,) = self_check.check_figures([table], seed=1, figures=rounded_by_length(1e-5))
    assert 0 < check.differing < check.compared
    assert re.fullmatch(r"MADE.NS on \S+: [\d.]+ with later days, [\d.]+ without", str(check.example))


def record(total: int, hits: int, error: float, naive: float) -> Score:
    return Score(total, 0, hits, 0.0, 0.0, error, naive)


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        ([record(400, 240, 1, 1), record(200, 120, 1, 1)], "60.0% had the right direction"),
        ([record(600, 300, 90, 100)], "10.0% of the squared change"),
        ([record(600, 348, 96, 100)], None),
        ([record(499, 499, 1, 100)], None),
        ([record(600, 300, 0, 0)], None),
        ([], None),
    ],
)
def test_success_too_good_to_be_true_is_told(scores: list[Score], told: str | None) -> None:
    warning = leakage_warning(scores)
    assert warning is None if told is None else told in str(warning)


def test_the_record_holds_what_the_warning_needs() -> None:
    line = replace(prediction(), outcome=outcome(prediction()))
    score = Score.of([line])
    assert line.outcome
    assert score.error_squares == pytest.approx(line.outcome.error_pct**2)
    assert score.naive_error_squares == pytest.approx(line.outcome.naive_error_pct**2)
