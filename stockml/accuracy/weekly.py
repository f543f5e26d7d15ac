"""Verified predictions -> how accuracy, error and confidence went, week by week.

Each week stands beside "no change", since a calm week flatters every forecast.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from stockml.core.records import VERIFIED, Prediction

BINS = 10  # of equal count


@dataclass(frozen=True, slots=True)
class Week:
    """What came of the predictions made in one week; `calibration_error` is of all predictions up to its end."""

    monday: str
    predictions: int
    accuracy: float
    mean_error_pct: float
    error_over_no_change: float | None  # None in a week in which nothing moved
    mean_confidence: float
    calibration_error: float

    def to_record(self) -> dict[str, Any]:
        return asdict(self)


def calibration_error(confidences: ArrayLike, hits: ArrayLike) -> float:
    """How far confidence and share of hits lie apart, averaged over ten bins of equal count; 0 for nothing.

    Parameters
    ----------
    confidences, hits : array_like, shape (n_predictions,)
        Probabilities, and whether each came true.
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


@dataclass(slots=True)
class _Sums:
    confidences: list[float] = field(default_factory=list)
    hits: list[bool] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    naive_errors: list[float] = field(default_factory=list)

    def add(self, line: Prediction) -> None:
        outcome = line.outcome
        assert outcome is not None and outcome.was_accurate is not None
        assert outcome.error_pct is not None and outcome.naive_error_pct is not None
        self.confidences.append(line.confidence)
        self.hits.append(outcome.was_accurate)
        self.errors.append(outcome.error_pct)
        self.naive_errors.append(outcome.naive_error_pct)

    def week(self, monday: str, calibration: float) -> Week:
        naive = float(np.sum(self.naive_errors))
        return Week(
            monday=monday,
            predictions=len(self.hits),
            accuracy=round(float(np.mean(self.hits)), 4),
            mean_error_pct=round(float(np.mean(self.errors)), 4),
            error_over_no_change=round(float(np.sum(self.errors)) / naive, 4) if naive else None,
            mean_confidence=round(float(np.mean(self.confidences)), 4),
            calibration_error=round(calibration, 4),
        )


def learning_curve(lines: Iterable[Prediction]) -> list[Week]:
    """One entry a week in which predictions were made that have been verified since, oldest first."""
    weeks: dict[str, _Sums] = {}
    for line in lines:
        if line.status == VERIFIED:
            weeks.setdefault(_monday(line.data_through), _Sums()).add(line)
    curve, confidences, hits = [], list[float](), list[bool]()
    for monday, sums in sorted(weeks.items()):
        confidences += sums.confidences
        hits += sums.hits
        curve.append(sums.week(monday, calibration_error(confidences, hits)))
    return curve


def overall(lines: Sequence[Prediction]) -> Week | None:
    """All verified predictions as if they were of one week, the first; None without any."""
    sums = _Sums()
    for line in lines:
        if line.status == VERIFIED:
            sums.add(line)
    if not sums.hits:
        return None
    first = min(line.data_through for line in lines)
    return sums.week(_monday(first), calibration_error(sums.confidences, sums.hits))


def _monday(day: str) -> str:
    found = date.fromisoformat(day)
    return (found - timedelta(days=found.weekday())).isoformat()
