"""Scale model: how widely a change spreads, from volatilities and from what is known of coming events."""

import math
from dataclasses import replace

import numpy as np
import pytest
from conftest import made_up_prices

from stockml.indicators.confidence_inputs import confidence_inputs
from stockml.signals.learner import Learner
from stockml.signals.priors import Priors
from stockml.signals.scale_model import DEFAULT, DEFAULT_COEFFICIENTS, TERMS, UNKNOWN_PCT, ScaleModel, terms_of

WINDOWS = (1, 5, 20, 60, 250)
CALM = {f"volatility_{window}": 1.0 for window in WINDOWS}
WILD = dict.fromkeys(CALM, 4.0)
RESULTS = {"results_days_ahead": 3.5, "results_reaction": 3.0, "results_foretold": 0.0, "span_days": 7.0}


def scale(**inputs: float) -> float:
    return DEFAULT.scale_pct(CALM | inputs, 5)


def test_scale_grows_with_volatility_and_time() -> None:
    assert 2.5 < DEFAULT.scale_pct(WILD, 5) / scale() < 4  # volatility reverts to its mean
    assert DEFAULT.scale_pct(CALM, 20) == pytest.approx(2 * scale())


def test_a_window_not_known_yet_is_stood_in_for() -> None:
    assert DEFAULT.scale_pct({"volatility_1": 1.0}, 5) == scale()
    assert DEFAULT.scale_pct({}, 5) == DEFAULT.scale_pct(dict.fromkeys(CALM, UNKNOWN_PCT), 5)


def test_a_market_window_that_a_line_lacks_is_as_far_from_the_stock_s_as_the_nearest() -> None:
    """Lines from before the market's windows were five hold those of 5 and 20 sessions."""
    old = CALM | {"market_volatility_5": 2.0, "market_volatility_20": 2.0}
    whole = CALM | {f"market_volatility_{window}": 2.0 for window in WINDOWS}
    assert DEFAULT.scale_pct(old, 5) == pytest.approx(DEFAULT.scale_pct(whole, 5))


def test_every_term_has_a_coefficient_and_a_value_for_any_inputs() -> None:
    assert tuple(DEFAULT_COEFFICIENTS) == TERMS
    for inputs in ({}, CALM, CALM | RESULTS, dict.fromkeys((*CALM, *RESULTS), 1e300), dict.fromkeys(RESULTS, -1e9)):
        assert set(terms_of(inputs, 5)) == set(TERMS)
        assert all(math.isfinite(value) for value in terms_of(inputs, 5).values())
        assert 0 < DEFAULT.scale_pct(inputs, 5) < 1e7


@pytest.mark.parametrize(
    ("days_ahead", "share"),
    [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0), (3.5, 1.0), (7.0, 1.0), (7.5, 0.5), (8.0, 0.0), (15.5, 0.0), (-3.0, 0.0)],
)
def test_known_results_widen_by_the_variance_of_their_session(days_ahead: float, share: float) -> None:
    """One of five sessions moves three times as much; of a time of day unknown, half falls on either side."""
    terms = terms_of(CALM | RESULTS | {"results_days_ahead": days_ahead}, 5)
    assert terms["results_known"] == pytest.approx(0.5 * math.log(1 + share * 8 / 5))
    assert terms["results_foretold"] == 0


def test_foretold_results_count_by_the_chance_that_they_fall_into_the_span() -> None:
    found = [
        terms_of(CALM | RESULTS | {"results_foretold": 1.0, "results_days_ahead": ahead}, 5)["results_foretold"]
        for ahead in (3.5, 7.5, 8.5, 20.5)
    ]
    known = terms_of(CALM | RESULTS, 5)["results_known"]
    assert known > found[0] > found[1] > found[2] > found[3] > 0
    assert found[0] > 0.6 * known
    assert found[3] < 0.1 * known


def test_results_widen_a_short_horizon_more() -> None:
    ahead = CALM | RESULTS | {"results_days_ahead": 1.0}
    ratios = [DEFAULT.scale_pct(ahead, h) / DEFAULT.scale_pct(ahead | {"results_reaction": 1.0}, h) for h in (1, 5, 20)]
    assert ratios[0] > ratios[1] > ratios[2] > 1


def test_a_run_of_price_limits_widens_within_days() -> None:
    found = [scale(limit_run=run) for run in (0.0, 1.0, 2.0, 3.0, 5.0)]
    assert found[0] == found[1] == scale()
    assert found == sorted(found)
    assert found[-1] > 3 * scale()


@pytest.mark.parametrize(("limit", "is_locked"), [(5.0, False), (5.0, True), (-2.0, True), (10.0, False)])
def test_price_limits_triple_the_scale_within_a_week(limit: float, is_locked: bool) -> None:
    prices = made_up_prices(400)
    frame = prices.frame.copy()
    before = frame["close"].to_numpy()[-6]
    close = before * (1 + limit / 100) ** np.arange(1, 6)
    opened = close if is_locked else np.concatenate([[before], close[:-1]])
    for name, values in {"high": np.maximum(close, opened), "low": np.minimum(close, opened), "close": close}.items():
        frame.loc[frame.index[-5:], name] = values
    frame["adj_close"] = frame["close"]
    prices = replace(prices, frame=frame)
    scales = [DEFAULT.scale_pct(confidence_inputs(prices, frame.index[row].date()), 5) for row in (-6, -3, -1)]
    assert scales[1] > 1.5 * scales[0]
    assert scales[2] > 3 * scales[0]


def test_a_disruption_and_a_recurring_event_widen() -> None:
    assert scale(disruption=1.0) > scale(disruption=0.2) > scale()
    assert scale(recurrence=3.0) > scale(recurrence=1.5) > scale(recurrence=1.0)


def test_a_model_is_restored_as_it_was() -> None:
    model = ScaleModel({name: round(0.01 * number, 6) for number, name in enumerate(TERMS)})
    assert ScaleModel.from_dict(model.to_dict()) == model
    assert Priors.from_dict(Priors(scale_model=model).to_dict()).scale_model == model
    assert Priors.from_dict({"trusts": {}, "magnitude": None, "habit": {}}).scale_model == DEFAULT


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"moon": 1.0}, "moon"),
        ({"volatility_1": None}, "volatility_1"),
        ({"volatility_1": math.nan}, "volatility_1"),
        ({"constant": math.inf}, "constant"),
        ({"constant": 99.0}, "constant"),
        ({"constant": True}, "constant"),
        ({"recurrence": "0.3"}, "recurrence"),
    ],
)
def test_a_damaged_model_is_refused_by_name(change: dict, word: str) -> None:
    record = Priors().to_dict()
    with pytest.raises(ValueError, match=f"{word}.*train again"):
        Priors.from_dict(record | {"scale_model": record["scale_model"] | change})


def test_a_coefficient_that_is_missing_is_named() -> None:
    record = DEFAULT.to_dict()
    del record["span_days"]
    with pytest.raises(ValueError, match="span_days"):
        ScaleModel.from_dict(record)


def test_a_confidence_follows_the_scale_model_of_its_training() -> None:
    wide = ScaleModel(DEFAULT_COEFFICIENTS | {"constant": DEFAULT_COEFFICIENTS["constant"] + math.log(2)})
    usual = Learner().confidence("AAA", 5, WILD, 0.0)
    found = Learner().confidence("AAA", 5, WILD, 0.0, Priors(scale_model=wide))
    assert found.model_scale_pct == pytest.approx(2 * usual.model_scale_pct, rel=1e-5)
    assert found.probability < usual.probability
