"""Learning: starts as the rule says, learns each outcome once, and forgets nothing in storage."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from stockml.core.outcomes import Outcome
from stockml.core.records import Evidence, Prediction, Signal
from stockml.signals.calibration import StockPrior
from stockml.signals.experts import MONTH, MOST_SIGNALS
from stockml.signals.learner import BELOW_MEDIAN, Learner
from stockml.signals.priors import Priors

RULES = {"overbought": -1.5, "oversold": 1.5, "macd_positive": 1.0, "golden_cross": 2.0, "death_cross": -2.0}
SYMBOLS = ("AAA", "BBB", "CCC")
INPUTS = {"volatility_1": 1.0, "volatility_5": 1.5, "volatility_20": 1.6, "market_volatility_20": 1.2}


def verified(
    opinions, actual_pct, *, symbol="AAA", weight=1.0, magnitude=1.0, day=1, accurate=None, horizon=5, inputs=None
):
    """A verified line whose predicted change follows from its opinions at one learned weight."""
    signals = tuple(Signal(name, round(weight * opinion / 5, 4)) for name, opinion in opinions.items())
    change = round(5 * magnitude * sum(s.weight for s in signals), 2)
    actual = 100 * (1 + actual_pct / 100)
    error = abs(actual - 100 - change) / actual * 100
    return Prediction(
        symbol=symbol,
        prediction_date="2024-01-01T16:00:00",
        current_price=100.0,
        predicted_price=100 + change,
        predicted_change_pct=change,
        confidence=0.8,
        prediction_horizon_days=horizon,
        target_date="2024-01-08",
        market_regime="sideways",
        signals=signals,
        data_through=f"2024-01-{day:02d}",
        magnitude=magnitude,
        low=95.0,
        high=105.0,
        path=(100 + change,),
        evidence=Evidence(opinions, INPUTS if inputs is None else inputs),
        source="csv",
        currency="INR",
        model_trained_at=None,
        outcome=Outcome(
            "verified",
            "2024-01-08T16:00:00",
            actual,
            error,
            error < 5 if accurate is None else accurate,
            abs(actual_pct) / actual * 100,
        ),
    )


def folded(lines, learner=None):
    learner = learner or Learner()
    for line in lines:
        learner.learn(line)
    return learner


names = st.sampled_from([*RULES, "drift", "lstm", "pattern_3"])
outcomes = st.builds(
    verified,
    st.dictionaries(names, st.floats(-6, 6), max_size=4),
    st.floats(-60, 150),
    symbol=st.sampled_from(SYMBOLS),
    weight=st.floats(-1, 1),
    magnitude=st.floats(0, 1),
    day=st.integers(1, 28),
)
histories = st.lists(outcomes, max_size=25)


def test_with_nothing_known_the_fixed_rule_speaks():
    opinions = {"macd_positive": 1.0, "golden_cross": 2.0, "regime_bullish": 1.5, "lstm": 3.0}
    weighing = Learner().weigh("AAA", 5, opinions, Priors())
    assert weighing.weights == {"macd_positive": 0.2, "golden_cross": 0.4, "regime_bullish": 0.3}
    assert weighing.magnitude == 1.0
    assert weighing.change_pct == pytest.approx(4.5)


@pytest.mark.parametrize(("horizon", "magnitude"), [(1, 0.4472), (5, 1.0), (10, 1.4142), (20, 2.0)])
def test_another_horizon_starts_with_the_root_of_time(horizon, magnitude):
    assert Learner().weigh("AAA", horizon, RULES, Priors()).magnitude == magnitude


def test_priors_give_forecasters_a_voice_and_shrink():
    weighing = Learner().weigh("AAA", 5, {"lstm": 2.0, "macd_positive": 1.0}, Priors({"lstm": 0.5}, 0.4))
    assert weighing.weights == {"lstm": 0.2, "macd_positive": 0.2}
    assert weighing.magnitude == 0.4


def test_outcomes_move_priors_from_training_less_than_unmeasured_ones():
    lines = [verified({"macd_positive": 1.0}, 1.0, day=day) for day in range(1, 25)]
    heard, learner = {"macd_positive": 1.0}, folded(lines)
    untrained = learner.weigh("AAA", 5, heard, Priors()).weights["macd_positive"] - 0.2
    priors = Priors({"macd_positive": 1.0})
    trained = learner.weigh("AAA", 5, heard, priors).weights["macd_positive"] - 0.2
    assert abs(trained) < abs(untrained)


@pytest.mark.parametrize("symbols", [("AAA",), SYMBOLS])
@pytest.mark.parametrize("actual_pct", [-4.0, 0.5, 4.0])
@pytest.mark.parametrize("rule", ["macd_positive", "golden_cross", "death_cross"])
def test_a_rule_that_begins_at_zero_beside_models_stays_there_for_a_month(rule, actual_pct, symbols):
    """A month of moves in one direction is a handful of independent outcomes."""
    priors = Priors({"lstm": 0.5, "xgb": 0.5, **dict.fromkeys(RULES, 0.0)})
    heard, learner = {rule: RULES[rule], "drift": 1.0, "lstm": 0.1, "xgb": 0.1}, Learner()
    for day in range(1, MONTH):
        for symbol in symbols:
            line = verified(heard, actual_pct, symbol=symbol, weight=0.1, day=day)
            learner.learn(replace(line, model_trained_at="2024-01-01T16:00:00"))
        weighing = learner.weigh("AAA", 5, heard, priors)
        assert abs(5 * weighing.magnitude * weighing.weights.get(rule, 0.0)) < 0.1
    assert learner.weigh("AAA", 5, heard, Priors()).weights[rule] != 0  # without models it begins as documented


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("council", "pulls", 0, 0), 1e60),
        (("council", "pulls", 0, 0), math.nan),
        (("council", "pulls", 0), [0.0]),
        (("council", "products", 0, 0, 0), math.inf),
        (("council", "beliefs", 0, 0), -1.0),
        (("council", "history"), []),
        (("council", "horizon"), 10**9),
        (("families",), ["drift"]),
        (("accuracy", "accurate"), 10**9),
        (("stocks", "AAA", "own", "lstm"), [-1e6, 1.0]),
        (("calibration", "pool"), [1, 1e308, 0.0]),
        (("calibration", "stocks", "AAA", 2), 1e3),
    ],
)
def test_a_state_that_no_learning_leaves_is_refused(place, value):
    learner = Learner()
    for day in range(3):
        learner.learn(verified({"lstm": 1.0, "drift": 0.06}, 2.0, symbol="AAA", weight=0.1, day=day))
    state = json.loads(json.dumps(learner.to_state()))
    assert Learner.from_state(state).to_state() == learner.to_state()
    *way, last = ("horizons", "5", *place)
    holder = state
    for step in way:
        holder = holder[step]
    holder[last] = value
    with pytest.raises(ValueError, match=r"\w"):
        Learner.from_state(state)


@pytest.mark.parametrize("magnitude", [1.0, 10.0])
def test_no_priors_predict_a_price_below_0(magnitude):
    opinions = {"lstm": -10.0, "xgb": -10.0, "drift": 0.06, "macd_positive": 1.0}
    priors = Priors({"lstm": 10.0, "xgb": 10.0}, magnitude)
    assert -91 <= Learner().weigh("AAA", 5, opinions, priors).change_pct < -80


def test_priors_survive_their_file():
    priors = Priors({"lstm": 0.123456789, "drift": -1.0}, None, StockPrior(-0.1, 480.0))
    assert Priors.from_dict(json.loads(json.dumps(priors.to_dict()))) == priors
    assert Priors.from_dict({"trusts": {}, "magnitude": 0.5, "habit": {}}) == Priors({}, 0.5)
    with pytest.raises(ValueError, match=r"nan for trusts\.lstm.*train again"):
        Priors.from_dict({"trusts": {"lstm": math.nan}, "magnitude": None, "habit": {}})


def test_what_is_aimed_at_misses_least_where_errors_are_shares_of_the_price_that_came():
    scale = 3.0
    share = (np.arange(200_000) + 0.5) / 200_000
    actual = stats.t.ppf(share, 5) * scale  # changes in % whose median is 0
    guesses = np.linspace(-0.3, 0.1, 81)
    errors = [np.mean(np.abs(actual - guess)[actual > -90] / (1 + actual[actual > -90] / 100)) for guess in guesses]
    assert guesses[int(np.argmin(errors))] == pytest.approx(-BELOW_MEDIAN * scale**2 / 100, abs=0.01)


def test_a_signal_that_was_wrong_loses_weight_and_one_that_was_right_gains():
    lines = [verified({"macd_positive": 1.0}, 2.0), verified({"golden_cross": 2.0}, -3.0)] * 60
    weights = folded(lines).weigh("AAA", 5, RULES, Priors()).weights
    assert weights["macd_positive"] > 0.2
    assert weights["golden_cross"] < 0.4


def test_below_half_accurate_the_magnitude_falls():
    learner, before = Learner(), 1.0
    for _ in range(15):
        learner.learn(verified({"golden_cross": 2.0}, 14.0))
        magnitude = learner.weigh("AAA", 5, RULES, Priors()).magnitude
        before, fell = magnitude, magnitude <= before
        assert fell
    assert before < 0.9


@settings(max_examples=60)
@given(histories, st.integers(0, 25))
def test_folding_in_chunks_equals_folding_at_once(lines, cut):
    whole = folded(lines)
    first = folded(lines[:cut])
    first.weigh("BBB", 5, RULES | {"pattern_9": 1.0}, Priors())  # asking changes nothing
    resumed = folded(lines[cut:], Learner.from_state(json.loads(json.dumps(first.to_state()))))
    assert json.dumps(resumed.to_state()) == json.dumps(whole.to_state())


@settings(max_examples=60)
@given(histories, st.integers(0, 24), st.sampled_from(SYMBOLS), st.floats(-8, 8))
def test_an_accurate_outcome_never_lowers_a_later_confidence(lines, flipped, symbol, change):
    def later(accurate, price_factor):
        history = [
            replace(line, outcome=ended(line, accurate, price_factor)) if number == flipped else line
            for number, line in enumerate(lines)
        ]
        return folded(history).confidence(symbol, 5, INPUTS, change).probability

    assert later(True, 1.0) >= later(False, 1.3)


def ended(line, accurate, price_factor):
    """The line's outcome, had the actual price been so far from the predicted one."""
    actual = line.predicted_price * price_factor
    error = abs(actual - line.predicted_price) / actual * 100
    return replace(line.outcome, actual_price=actual, error_pct=error, was_accurate=accurate)


@settings(max_examples=60)
@given(
    st.lists(
        st.builds(
            verified,
            st.dictionaries(names, st.floats(-1e300, 1e300), max_size=4),
            st.floats(-99.99, 1e12),
            inputs=st.dictionaries(st.sampled_from(list(INPUTS)), st.floats(0, 1e300)),
        ),
        max_size=8,
    ),
    st.dictionaries(names, st.floats(-1e300, 1e300)),
    st.floats(-1e300, 1e300),
)
def test_wild_lines_leave_finite_weights(lines, opinions, change):
    learner = folded(lines)
    weighing = learner.weigh("AAA", 5, opinions, Priors({"lstm": 1.0}))
    assert math.isfinite(weighing.change_pct)
    confidence = learner.confidence("AAA", 5, {"volatility_1": 1e300}, change)
    assert 0 <= confidence.probability <= 1
    low, high = confidence.distribution.interval_pct(0.8)
    assert low <= high


def test_each_stock_learns_its_own_beside_all_stocks():
    lines = []
    for day in range(1, 26):
        lines += [verified({"golden_cross": 2.0}, 4.0, symbol="AAA", day=day)]
        lines += [verified({"golden_cross": 2.0}, -4.0, symbol="BBB", day=day)]
        lines += [verified({"golden_cross": 2.0}, 0.0, symbol="CCC", day=day)]
    learner = folded(lines)
    right, wrong, neither = (
        learner.weigh(symbol, 5, RULES, Priors()).weights["golden_cross"] for symbol in ("AAA", "BBB", "CCC")
    )
    assert wrong < neither < right


def test_a_pattern_s_number_does_not_matter_for_its_weight():
    learner = folded([verified({"pattern_3": 1.0}, 3.0, day=1 + day) for day in range(20)])
    heard = {name: learner.weigh("NEW", 5, {name: 1.0}, Priors()).weights for name in ("pattern_3", "pattern_7")}
    assert heard["pattern_3"]["pattern_3"] == heard["pattern_7"]["pattern_7"] > 0


def test_priors_fade_as_outcomes_speak_against_them():
    priors = Priors({"lstm": 1.0, **dict.fromkeys(RULES, 0.0)}, 1.0)
    lines = [
        verified({"lstm": 2.0 if day % 2 else -2.0}, -4.0 if day % 2 else 4.0, symbol=symbol, day=1 + day)
        for day in range(25)
        for symbol in SYMBOLS
    ]
    before = Learner().weigh("AAA", 5, {"lstm": 2.0}, priors).weights
    after = folded(lines).weigh("AAA", 5, {"lstm": 2.0}, priors).weights
    assert before == {"lstm": 0.4}
    assert after["lstm"] < 0.2


def test_horizons_learn_apart():
    learner = folded([verified({"macd_positive": 1.0}, -4.0)] * 10)
    assert learner.weigh("AAA", 5, RULES, Priors()).magnitude < 1
    assert learner.weigh("AAA", 10, RULES, Priors()).weights["macd_positive"] == 0.2


def test_a_state_of_another_version_is_refused():
    with pytest.raises(ValueError, match="version 0"):
        Learner.from_state({"version": 0, "horizons": {}})


def test_a_log_of_ever_other_plugins_is_learned_within_the_bounds_of_what_is_kept() -> None:
    learner = Learner()
    for day in range(1, 13):
        named = {f"plugin_p{day}_{number}": 1.0 for number in range(10)}
        learner.learn(verified({"drift": 1.0, **named}, 2.0, day=day))
    state = json.loads(json.dumps(learner.to_state()))
    assert len(state["horizons"]["5"]["families"]) == MOST_SIGNALS
    kept = Learner.from_state(state)
    asked = {"drift": 1.0, "plugin_p1_0": 1.0, "plugin_p12_9": 1.0}
    assert kept.weigh("NEW", 5, asked) == learner.weigh("NEW", 5, asked)
    assert "plugin_p12_9" not in kept.weigh("NEW", 5, asked).weights
