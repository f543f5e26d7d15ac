"""What a line says of the future is one distribution: its interval, and whatever else is asked of it later."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stockml.core.clock import Clock
from stockml.core.records import Prediction, round_price
from stockml.signals.engine import Analysis, Plan, predict
from stockml.signals.learner import Learner, Weighing

CLOCK = Clock(datetime(2026, 3, 2, 12, tzinfo=UTC), date(2026, 2, 27))
WIDE_AND_NARROW = [(0.0, 1.0), (12.5, 0.05), (-30.0, 40.0)]  # change in %, volatility in % per session


def predicted(price: float, change_pct: float, volatility_pct: float, horizon: int = 5) -> Prediction:
    analysis = Analysis(
        symbol="TCS.NS",
        data_through=date(2026, 2, 27),
        current_price=price,
        currency="INR",
        source="csv",
        indicators={},
        regime="sideways",
        confidence_inputs={f"volatility_{window}": volatility_pct for window in (1, 5, 20, 60, 250)},
        model=None,
    )
    weighing = Weighing({"drift": change_pct / 5}, 1.0)
    return predict(Plan(analysis, horizon, {"drift": change_pct}, weighing, change_pct), Learner(), CLOCK)


@given(
    price=st.floats(0.01, 1e6),
    change=st.floats(-60, 60).map(lambda value: round(value, 4)),
    volatility=st.floats(0.05, 60),
    horizon=st.sampled_from([1, 5, 20]),
)
def test_low_and_high_are_the_80_percent_interval_of_the_distribution(
    price: float, change: float, volatility: float, horizon: int
) -> None:
    line = predicted(price, change, volatility, horizon)
    assert line.distribution is not None and line.distribution.location_pct == line.predicted_change_pct
    low, high = line.distribution.interval_pct(0.8)
    assert line.low == round_price(line.current_price * (1 + max(low, -99.0) / 100))
    assert line.high == round_price(line.current_price * (1 + high / 100))


@pytest.mark.parametrize(("change", "volatility"), WIDE_AND_NARROW)
def test_any_quantile_can_be_had_from_the_line_of_the_log_alone(change: float, volatility: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    told = json.loads(predicted(250.0, change, volatility).to_json())["distribution"]
    law = stats.t(told["degrees"], told["location_pct"], told["scale_pct"])
    read = Prediction.from_record(json.loads(predicted(250.0, change, volatility).to_json())).distribution
    assert read is not None
    for share in (0.01, 0.25, 0.5, 0.9, 0.975):
        assert read.quantile_pct(share) == pytest.approx(law.ppf(share), rel=1e-9)


@pytest.mark.parametrize(("change", "volatility"), WIDE_AND_NARROW)
def test_with_nothing_learned_the_scale_is_the_model_s(change: float, volatility: float) -> None:
    line = predicted(250.0, change, volatility)
    assert line.distribution is not None and line.distribution.scale_pct == line.model_scale_pct
