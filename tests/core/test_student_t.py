"""The forecast distribution: its probabilities, quantiles and scores agree with SciPy and with their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stockml.core.student_t import StudentT

stats = pytest.importorskip("scipy.stats")
SHARES = [0.001, 0.1, 0.5, 0.75, 0.9, 0.975, 0.999]


@pytest.mark.parametrize("degrees", [2, 3, 4, 5, 6, 7, 30, 99, 100])
def test_probabilities_and_quantiles_agree_with_scipy(degrees):
    law, z = StudentT(0.0, 1.0, degrees), np.linspace(-9, 9, 61)
    assert [law.below(value) for value in z] == pytest.approx(list(stats.t.cdf(z, degrees)), abs=1e-12)
    assert [law.quantile_pct(share) for share in SHARES] == pytest.approx(list(stats.t.ppf(SHARES, degrees)), abs=1e-9)


@pytest.mark.parametrize("degrees", [3, 4, 5, 30])
@pytest.mark.parametrize("actual", [-7.0, 0.3, 4.0])
def test_crps_is_the_squared_distance_to_the_outcome_s_step(degrees, actual):
    integrate = pytest.importorskip("scipy.integrate")
    law = StudentT(0.3, 2.0, degrees)
    left, _ = integrate.quad(lambda x: law.below(x) ** 2, -3000, actual, limit=500)
    right, _ = integrate.quad(lambda x: (law.below(x) - 1) ** 2, actual, 3000, limit=500)
    assert law.crps_pct(actual) == pytest.approx(left + right, rel=1e-4)


def test_the_interval_score_is_the_width_and_what_was_missed():
    law = StudentT(1.0, 2.0, 5)
    low, high = law.interval_pct(0.8)
    assert law.interval_score_pct(1.0, 0.8) == pytest.approx(high - low)
    assert law.interval_score_pct(high + 3, 0.8) == pytest.approx(high - low + 10 * 3)
    assert law.interval_score_pct(low - 3, 0.8) == pytest.approx(high - low + 10 * 3)


@given(st.floats(-50, 50), st.floats(0.01, 50), st.integers(2, 100), st.floats(0.001, 0.999))
def test_a_quantile_holds_its_share_and_comes_back_from_the_log(location, scale, degrees, share):
    law = StudentT(location, scale, degrees)
    assert law.below(law.quantile_pct(share)) == pytest.approx(share, abs=1e-9)
    assert StudentT.from_record(law.to_record()) == law


@pytest.mark.parametrize(
    ("key", "value"),
    [("law", "normal"), ("degrees", 1), ("degrees", 101), ("degrees", 5.5), ("scale_pct", 0), ("scale_pct", -1.0)],
)
def test_a_senseless_distribution_is_refused_by_name(key, value):
    record = StudentT(0.0, 1.0, 5).to_record() | {key: value}
    with pytest.raises(ValueError, match=key):
        StudentT.from_record(record)
