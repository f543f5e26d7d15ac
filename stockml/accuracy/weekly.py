"""Verified predictions -> accuracy, error and confidence week by week.

Each week stands beside naive, since a calm week flatters every forecast.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from stockml.accuracy.scores import Score
from stockml.core.outcomes import VERIFIED
from stockml.core.records import Prediction

BINS = 10  # of equal count


@dataclass(frozen=True, slots=True)
class Week:
    """Predictions made in one week and verified since; `calibration_error` is of all predictions up to its end."""

    monday: str
    predictions: int
    accuracy: float
    mean_error_pct: float
    error_over_no_change: float | None  # None in a week in which nothing moved
    mean_confidence: float
    calibration_error: float
    mean_crps_pct: float | None = None  # None where no prediction carries a distribution
    mean_naive_crps_pct: float | None = None
    mean_interval_score_pct: float | None = None
    mean_naive_interval_score_pct: float | None = None

    @classmethod
    def of(cls, monday: str, score: Score, calibration: float) -> Week:
        ratio = score.ratio_to_naive
        return cls(
            monday=monday,
            predictions=score.total,
            accuracy=round(score.accuracy, 4),
            mean_error_pct=round(score.mean_error_pct, 4),
            error_over_no_change=None if ratio is None else round(ratio, 4),
            mean_confidence=round(score.mean_confidence, 4),
            calibration_error=round(calibration, 4),
            **score.distribution_means(),
        )

    def to_record(self) -> dict[str, Any]:
        return asdict(self)


def calibration_error(confidences: ArrayLike, hits: ArrayLike) -> float:
    """Mean distance between confidence and share of hits over ten bins of equal count; 0 without predictions.

    Parameters
    ----------
    confidences, hits : array_like, shape (n_predictions,)
        Probabilities, and whether each came true.

    Returns
    -------
    float
        A difference of probabilities, 0..1.
    """
    stated, came_true = np.asarray(confidences, dtype=float), np.asarray(hits, dtype=float)
    if not len(stated):
        return 0.0
    order = np.argsort(stated, kind="stable")
    gaps = [
        (len(part), abs(stated[part].mean() - came_true[part].mean()))
        for part in np.array_split(order, BINS)
        if len(part)
    ]
    return float(sum(count * gap for count, gap in gaps) / len(stated))


def learning_curve(lines: Iterable[Prediction]) -> list[Week]:
    """One entry for each week in which predictions were made that have been verified since, oldest first."""
    weeks: dict[str, list[Prediction]] = {}
    for line in lines:
        if line.status == VERIFIED:
            weeks.setdefault(_monday(line.data_through), []).append(line)
    curve, so_far = [], list[Prediction]()
    for monday, made in sorted(weeks.items()):
        so_far += made
        curve.append(Week.of(monday, Score.of(made), _calibration(so_far)))
    return curve


def overall(lines: Sequence[Prediction]) -> Week | None:
    """All verified predictions as if they were of one week, the first; None without any."""
    verified = [line for line in lines if line.status == VERIFIED]
    if not verified:
        return None
    return Week.of(_monday(min(line.data_through for line in lines)), Score.of(verified), _calibration(verified))


def _calibration(verified: Sequence[Prediction]) -> float:
    hits = [line.outcome is not None and bool(line.outcome.was_accurate) for line in verified]
    return calibration_error([line.confidence for line in verified], hits)


def _monday(day: str) -> str:
    found = date.fromisoformat(day)
    return (found - timedelta(days=found.weekday())).isoformat()
