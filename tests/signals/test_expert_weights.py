"""The expert ensemble: agrees with a slow second implementation, scores experts honestly, follows the evidence."""

import numpy as np
import pytest

from stockml.signals import experts
from stockml.signals.day_outcomes import MOST_ROWS, DayOutcomes
from stockml.signals.expert_weights import ExpertEnsemble
from stockml.signals.experts import ANCHORED, EXPERTS, MONTH, SHORT, START, UNTRAINED

SIGNALS = 3  # the drift and two more
STARTS = np.array([0.0, 1.0, 0.0])


def day(number):
    return f"2024-{1 + number // 28:02d}-{1 + number % 28:02d}"


def learned_from(ensemble, sessions, *, seed=1, stocks=12, truth=(0.0, 0.0, 0.0), first=0, delay=5):
    """The ensemble after sessions of outcomes that follow a truth, each known five days later."""
    rng = np.random.default_rng(seed)
    kept = []
    for number in range(first, first + sessions):
        session = ensemble.open(day(number), day(number + delay))
        rows = []
        for _ in range(stocks):
            opinions = np.array([1.0, rng.choice([0.0, 2.0]), rng.normal()])
            actual = float(opinions @ np.array(truth) / 4 + rng.standard_t(5))
            session.add(opinions, 4.0, actual)
            rows.append((opinions, actual))
        ensemble.close(session)
        kept.append((session.trusts, rows))
    return kept


def fresh(horizon=5):
    ensemble = ExpertEnsemble(horizon)
    ensemble.widen(STARTS)
    return ensemble


def blank():
    begins = np.zeros((len(EXPERTS), SIGNALS))
    begins[START] = STARTS
    return begins


def covariance_of(stocks):
    """Outcomes of one session: equal variances, one correlation."""
    matrix = np.full((stocks, stocks), experts.CORRELATION)
    np.fill_diagonal(matrix, 1.0)
    return matrix * experts.VARIANCE * 5


@pytest.mark.parametrize("number", [START, ANCHORED, SHORT])
def test_learned_weights_are_those_of_generalised_least_squares_with_a_prior(number):
    ensemble = fresh()
    kept = learned_from(ensemble, 12)
    expert = EXPERTS[number]
    system, right = np.zeros((SIGNALS, SIGNALS)), np.zeros(SIGNALS)
    for weights, rows in kept:
        fade = 0.5 ** (1 / expert.half_life)
        inputs = np.array([opinions / 4.0 for opinions, _ in rows])
        forecasts = inputs @ weights[number]
        errors = np.clip([actual for _, actual in rows] - forecasts, -experts.HUBER, experts.HUBER)
        inverse = np.linalg.inv(covariance_of(len(rows)))
        system = fade * system + experts.CURVATURE**2 * inputs.T @ inverse @ inputs
        right = fade * right + experts.CURVATURE * inputs.T @ inverse @ (experts.CURVATURE * forecasts + errors)
    usual = np.mean([np.mean([opinions for opinions, _ in rows], axis=0) for _, rows in kept], axis=0)
    prior = np.diag([expert.drift_spread**-2, expert.weight_spread**-2, expert.weight_spread**-2])
    prior += np.outer(usual, usual) / expert.mean_spread**2
    expected = np.linalg.solve(system + prior, right + prior @ blank()[number])
    np.testing.assert_allclose(ensemble.weights_now().learned_weights(blank())[number], expected, rtol=1e-9)


def test_experts_are_scored_on_weights_from_before_any_outcome_was_known():
    ensemble = fresh()
    kept = learned_from(ensemble, 15)
    for number, (weights, _) in enumerate(kept):
        again = fresh()
        learned_from(again, max(0, number - 4))  # sessions whose outcomes were known at that session
        np.testing.assert_allclose(weights, again.weights_now().learned_weights(blank()), rtol=1e-12)


def test_weights_of_long_ago_are_not_evidence():
    ensemble = fresh()
    learned_from(ensemble, 60)
    assert len(ensemble.history) <= experts.REMEMBERED + 6
    assert ensemble.open(day(58), day(63)).is_evidence
    assert not ensemble.open(day(2), day(90)).is_evidence


def test_a_late_outcome_of_an_old_session_does_not_make_time_pass():
    ensemble = fresh()
    learned_from(ensemble, 30)
    before, latest = ensemble.products[1].copy(), ensemble.latest
    session = ensemble.open(day(10), day(40))
    session.add(np.array([1.0, 0.0, 0.0]), 4.0, 0.5)
    ensemble.close(session)
    assert ensemble.latest == latest
    assert ensemble.products[1, 1, 1] == before[1, 1]  # the other signals' sums did not fade


def test_weights_learned_after_a_late_outcome_are_not_taken_for_old_ones():
    ensemble = fresh()
    learned_from(ensemble, 12)
    session = ensemble.open(day(1), day(6))  # of a stock whose prices could not be had for a while
    session.add(np.array([1.0, 2.0, 0.3]), 4.0, 0.5)
    ensemble.close(session)
    again = fresh()
    learned_from(again, 3)  # sessions whose outcomes were known at the session below
    np.testing.assert_allclose(
        ensemble.open(day(7), day(12)).trusts, again.weights_now().learned_weights(blank()), rtol=1e-12
    )


def test_the_ensemble_starts_with_the_rules_and_leaves_them_where_they_fail():
    ensemble = fresh()
    assert ensemble.beliefs[UNTRAINED].tolist() == [0.0, 1.0, 0.0, 0.0]
    learned_from(ensemble, 10, stocks=48, truth=(0.0, -0.5, 0.0))
    weights_now = ensemble.weights_now()
    np.testing.assert_allclose(weights_now.probabilities.sum(axis=1), 1.0)
    assert (weights_now.shares() @ weights_now.learned_weights(blank()))[1] < 0.2


def test_beside_priors_the_ensemble_starts_with_the_expert_that_stays_near_them():
    ensemble = fresh()
    assert ensemble.weights_now().naive_weight(is_trained=True) == 0.0
    assert ensemble.weights_now().shares(is_trained=True)[ANCHORED] == 1.0


@pytest.mark.parametrize("stocks", [1, 12, 48])
@pytest.mark.parametrize("move", [-1.0, 0.0, 1.0])  # of the whole market in every session, in scales
def test_a_first_month_does_not_take_weights_away_from_priors(stocks, move):
    """Five sessions overlap: what a fresh log sees of its first weeks is one or two moves of the market."""
    ensemble = fresh()
    for number in range(MONTH - 1):
        learned_from(ensemble, 1, stocks=stocks, truth=(4 * move, 0.0, 0.0), first=number, seed=number)
        weights_now = ensemble.weights_now()
        together = weights_now.shares(is_trained=True) @ weights_now.learned_weights(np.zeros((len(EXPERTS), SIGNALS)))
        assert abs(together[1]) < 0.05  # the rule, whose opinion is 2 %: within 0.1 %


@pytest.mark.parametrize("sign", [1, -1])
def test_beside_priors_too_a_true_signal_is_found(sign):
    ensemble = fresh()
    learned_from(ensemble, 250, truth=(0.0, 0.0, 2.0 * sign), stocks=20)
    weights_now = ensemble.weights_now()
    together = weights_now.shares(is_trained=True) @ weights_now.learned_weights(np.zeros((len(EXPERTS), SIGNALS)))
    assert sign * together[2] > 1.0


def test_a_true_signal_is_found_and_found_again_when_it_turns():
    ensemble = fresh()
    learned_from(ensemble, 150, truth=(0.0, 0.0, 2.0), stocks=20)
    weights_now = ensemble.weights_now()
    assert weights_now.shares() @ weights_now.learned_weights(blank())[:, 2] > 1.0
    learned_from(ensemble, 60, truth=(0.0, 0.0, -2.0), stocks=20, first=150, seed=2)
    weights_now = ensemble.weights_now()
    assert weights_now.shares() @ weights_now.learned_weights(blank())[:, 2] < -0.3


def test_the_naive_forecast_wins_where_nothing_can_be_known():
    ensemble = fresh()
    learned_from(ensemble, 250, stocks=48)
    weights_now = ensemble.weights_now()
    together = weights_now.shares() @ weights_now.learned_weights(blank())
    assert np.abs(together).max() * (1 - weights_now.naive_weight()) < 0.2


def test_an_ensemble_survives_its_record_in_the_middle_of_a_session():
    ensemble = fresh()
    learned_from(ensemble, 7)
    session = ensemble.open(day(7), day(12))
    session.add(np.array([1.0, 2.0, 0.1]), 3.0, -0.7)
    copy, begun = ExpertEnsemble.from_state(ensemble.to_state()), DayOutcomes.from_state(session.to_state())
    for each, part in ((ensemble, session), (copy, begun)):
        each.widen(np.array([0.0, 1.0, 0.0, 1.0]))
        part.widen(each.starts)
        part.add(np.array([1.0, 0.0, 0.0, 2.0]), 3.0, 0.4)
        each.close(part)
    assert copy.to_state() == ensemble.to_state()


def test_the_sums_are_the_same_to_the_bit_however_many_outcomes_come_together():
    rng = np.random.default_rng(5)
    rows = [(rng.normal(size=SIGNALS) * 3, float(rng.uniform(0.5, 9)), float(rng.normal())) for _ in range(700)]
    ensemble = fresh()
    learned_from(ensemble, 7)
    together, apart = ensemble.open(day(7), day(12)), ensemble.open(day(7), day(12))
    for row in rows:
        held = together.add(*row)
        assert held == apart.add(*row)
        apart = DayOutcomes.from_state(apart.to_state())
    assert len(rows) > 2 * MOST_ROWS and together.to_state() == apart.to_state()
