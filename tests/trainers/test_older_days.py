"""The scale model is fitted to all days at hand, each as it was known, and to none that its training may not see."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from conftest import made_up_prices

from stockml.data.announcements import Announcement
from stockml.data.price_table import PriceTable
from stockml.indicators.confidence_inputs import SPAN, confidence_table
from stockml.indicators.volatility import MARKET_WINDOWS, WINDOWS, market_input, market_inputs, stock_input
from stockml.signals.scale_model import TERMS, terms_of
from stockml.trainers.dataset import HISTORY_BARS, TrainingSet, history_bars, join_market, prepare
from stockml.trainers.older_days import NO_OLDER_DAYS, OlderRule, older_days, with_market
from stockml.trainers.scale_fit import fit_scale_model, stock_prior
from stockml.trainers.scale_terms import terms_table

OF_TRAINING = 520  # sessions of the table that the models are trained on


def with_past(symbol: str, seed: int, n_days: int = 1500) -> PriceTable:
    whole = made_up_prices(n_days, seed=seed, symbol=symbol)
    return replace(whole.last(OF_TRAINING), history=whole)


def trained_on(*tables: PriceTable) -> list[TrainingSet]:
    sets = {table.symbol: prepare(table, horizon=5, years=1, seed=1) for table in tables}
    return list(join_market(sets).values())


RANGES = {
    **{stock_input(window): (0.01, 8.0) for window in WINDOWS},
    **{market_input(window): (0.3, 4.0) for window in MARKET_WINDOWS},
    **{"volume_1": (0.05, 30.0), "volume_5": (0.2, 3.0), "event_20": (1.0, 5.0), "recurrence": (1.0, 3.0)},
    **{SPAN: (4.0, 20.0), "results_days_ahead": (-6.0, 21.0), "results_reaction": (1.0, 12.0)},
    **{"results_foretold": (0.0, 1.0), "limit_run": (1.5, 6.0), "disruption": (0.0, 1.2)},
}


@pytest.mark.parametrize("horizon", [1, 5, 20])
@pytest.mark.parametrize("share_known", [0.0, 0.3, 0.7, 1.0])
def test_terms_in_arrays_are_those_of_each_day(horizon: int, share_known: float) -> None:
    rng = np.random.default_rng(horizon)
    inputs = pd.DataFrame({name: rng.uniform(*limits, 60) for name, limits in RANGES.items()})
    inputs["results_foretold"] = inputs["results_foretold"].round()
    inputs = inputs.where(rng.uniform(size=inputs.shape) < share_known).dropna(axis=1, how="all")
    expected = [
        terms_of({str(k): v for k, v in day.items() if np.isfinite(v)}, horizon) for day in inputs.to_dict("records")
    ]
    found = terms_table(inputs, horizon)
    np.testing.assert_allclose(found, [[day[name] for name in TERMS] for day in expected], atol=1e-12)


@pytest.mark.parametrize("horizon", [1, 5, 20])
@pytest.mark.parametrize("most", [37, 400, 10_000])
def test_older_days_end_before_the_days_to_train_on(horizon: int, most: int) -> None:
    whole = made_up_prices(1200)
    first = whole.frame.index[900].to_numpy().astype("datetime64[D]")
    found = older_days(whole, first, horizon, OlderRule(most))
    usable = 900 - horizon - 249  # a year of volatility is known of each
    assert found.known_on.max() < first
    assert len(found.rows) <= most and abs(len(found.rows) * found.every - usable) <= found.every
    row = int(found.rows[-1])
    close = whole.frame["adj_close"].to_numpy()
    assert found.changes_pct[-1] == pytest.approx((close[row + horizon] / close[row] - 1) * 100)
    kept = found.known_before(found.known_on[5])
    assert len(kept.rows) == len(kept.inputs) == len(kept.changes_pct) == 5


@pytest.mark.parametrize("later", [1, 60, 300])
def test_later_days_alter_no_older_one(later: int) -> None:
    dates = tuple(Announcement(date(2023 + n // 4, 3 * (n % 4) + 1, 20)) for n in range(12))
    whole = replace(made_up_prices(1200), announcements=dates)
    seen = whole.through(whole.frame.index[-1 - later].date())
    first = whole.frame.index[800].to_numpy().astype("datetime64[D]")
    now, then = (older_days(table, first, 5, OlderRule(10_000)) for table in (whole, seen))
    pd.testing.assert_frame_equal(now.inputs, then.inputs)
    assert np.array_equal(now.changes_pct, then.changes_pct)
    assert now.inputs["results_days_ahead"].notna().any()


def test_an_older_day_s_market_is_the_average_of_the_stocks_that_were_there() -> None:
    tables = [made_up_prices(n, seed=n, symbol=f"S{n}.NS") for n in (1200, 1000, 700)]
    first = tables[0].frame.index[1000].to_numpy().astype("datetime64[D]")
    members = [older_days(table, first, 5, OlderRule(10_000)) for table in tables]
    for member in with_market(members):
        day = member.inputs.index[-1]
        there = [confidence_table(table).loc[day].to_dict() for table in tables if day in table.frame.index]
        there = [{name: value for name, value in inputs.items() if np.isfinite(value)} for inputs in there]
        expected = market_inputs(there)
        assert {name: member.inputs.loc[day, name] for name in expected} == pytest.approx(expected, abs=2e-4)
    assert with_market([NO_OLDER_DAYS] * 3) == [NO_OLDER_DAYS] * 3


def test_older_days_tell_the_scale_model_and_the_stock_prior_alone() -> None:
    tables = [with_past(symbol, seed) for seed, symbol in enumerate(("A.NS", "B.NS", "C.NS"))]
    long, short = trained_on(*tables), trained_on(*(replace(table, history=None) for table in tables))
    before = long[0].dates[long[0].split.validation[0]]
    models = fit_scale_model(long, before), fit_scale_model(short, before)
    assert models[0] != models[1]
    for one, other in zip(long, short, strict=True):
        assert stock_prior(models[0], one).outcomes > stock_prior(models[0], other).outcomes
        assert np.array_equal(one.features, other.features, equal_nan=True)
        assert np.array_equal(one.dates, other.dates)
        pd.testing.assert_frame_equal(one.confidence_inputs, other.confidence_inputs)
        assert one.older.known_on.max() < one.dates[one.split.fit[0]]


def test_no_older_change_counts_that_was_not_known_in_time() -> None:
    members = trained_on(*(with_past(symbol, seed) for seed, symbol in enumerate(("A.NS", "B.NS"))))
    before = members[0].older.known_on[300]
    found = fit_scale_model(members, before)
    for member in members:
        member.older.changes_pct[member.older.known_on >= before] += 50.0
    assert fit_scale_model(members, before) == found
    members[0].older.changes_pct[0] += 50.0
    assert fit_scale_model(members, before) != found


@pytest.mark.parametrize("stocks", [1, 50, 256, 500, 2000, 10_000])
def test_the_histories_of_any_number_of_stocks_stay_within_bounds(stocks: int) -> None:
    assert history_bars(stocks) * stocks <= HISTORY_BARS
    assert stocks > 256 or history_bars(stocks) > 30 * 252
