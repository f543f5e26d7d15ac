"""The band of a share of recent outcomes: as wide as chance, and crossed by what is truly out of it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from stockml.accuracy.bands import CALIBRATION, COVERAGE, TAIL, band, independent_outcomes, recent_shares
from stockml.accuracy.scores import Score

LAST = date(2026, 3, 23)  # a Monday


def weeks(number: int, *, inside: float = 0.8, accurate: float = 0.9, stated: float = 0.9, total: int = 50) -> dict:
    """So many weeks of outcomes, the newest last."""
    score = Score(total, round(accurate * total), inside=round(inside * total), confidence_sum=stated * total)
    return {(LAST - timedelta(weeks=back)).isoformat(): score for back in range(number)}


def outside(known: dict, horizon: int = 5) -> list[str]:
    return [share.kind for share in recent_shares(known, horizon) if share.is_outside]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({}, []),
        ({"inside": 0.7}, []),
        ({"inside": 0.5}, [COVERAGE]),
        ({"inside": 1.0}, [COVERAGE]),
        ({"stated": 0.98, "accurate": 0.8}, [CALIBRATION]),
        ({"stated": 0.4, "accurate": 0.9}, [CALIBRATION]),
        ({"inside": 0.4, "accurate": 0.4}, [COVERAGE, CALIBRATION]),
    ],
    ids=str,
)
def test_what_chance_does_not_explain_is_outside(wrong: dict, told: list[str]) -> None:
    assert outside(weeks(12, **wrong)) == told


def test_few_outcomes_tell_nothing() -> None:
    assert outside({}) == []
    assert outside(weeks(1, total=1, inside=0, accurate=0, stated=0.98)) == []
    assert outside(weeks(2, total=3, inside=0)) == []
    assert outside(weeks(12, total=5, inside=0.6), horizon=20) == []


def test_only_the_last_sixty_sessions_count() -> None:
    long_ago = {(date(2025, 1, 6) + timedelta(weeks=week)).isoformat(): Score(50, inside=0) for week in range(20)}
    (coverage, _) = recent_shares({**long_ago, **weeks(12)}, 5)
    assert (coverage.outcomes, coverage.found) == (600, pytest.approx(0.8))
    assert outside({**long_ago, **weeks(1)}) == []


@pytest.mark.parametrize(("promised", "independent"), [(0.8, 70), (0.95, 12), (0.5, 1), (1.0, 5), (0.0, 5)])
def test_a_share_within_the_band_is_no_rarer_than_the_tail(promised: float, independent: int) -> None:
    from scipy.stats import binom

    low, high = (round(edge * independent) for edge in band(promised, independent))
    law = binom(independent, promised)
    assert law.cdf(low) > TAIL and law.sf(high - 1) > TAIL
    assert low == 0 or law.cdf(low - 1) <= TAIL + 1e-9
    assert high == independent or law.sf(high) <= TAIL + 1e-9


def test_more_stocks_and_shorter_horizons_make_more_independent_outcomes_within_bounds() -> None:
    one, ten, many = (independent_outcomes(60 * stocks, 60, 5) for stocks in (1, 10, 1000))
    assert one < ten < many <= 12 / 0.15 and one == 12
    assert independent_outcomes(600, 60, 20) < ten == independent_outcomes(600, 60, 1)
    assert independent_outcomes(1, 60, 20) == 1


def test_the_sentence_names_share_band_and_remedy() -> None:
    texts = [share.to_text() for share in recent_shares(weeks(12, inside=0.5, stated=0.98, accurate=0.8), 5)]
    assert "intervals 5 sessions ahead held 50.0 % of the 600 outcomes of the last 60 sessions" in texts[0]
    assert "80.0 % were accurate, and 98.0 % promised; chance alone would leave" in texts[1]
    assert all("train_models.py" in text for text in texts)
