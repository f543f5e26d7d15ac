"""Scores of verified predictions -> the record a page shows: by week, stock, range and condition; its confidence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from stockml.accuracy.conditions import FAMILIES, Condition, ConditionScore, by_condition
from stockml.accuracy.scores import EIGHTY, Score, added
from stockml.core.exchanges import BY_SYMBOL, Exchanges
from stockml.core.records import Prediction
from stockml.reporting.page_values import day_number, rounded, short

BINS, LEAST_IN_BIN = 10, 30  # of the reliability diagram
NORMAL_90 = 1.645  # standard deviations that hold nine tenths


class Group(NamedTuple):
    """Predictions that are scored together: of one horizon and stock, their targets in one week."""

    horizon: int
    symbol: str
    monday: date

    @classmethod
    def of(cls, line: Prediction) -> Group:
        target = date.fromisoformat(line.target_date)
        return cls(line.prediction_horizon_days, line.symbol, target - timedelta(days=target.weekday()))


@dataclass(frozen=True, slots=True)
class Record:
    """All verified predictions of one horizon, or of all: their score by week, stock and condition, and confidence."""

    total: Score
    weeks: Mapping[date, Score]  # by the Monday of the target's week
    stocks: Mapping[str, Score]
    conditions: Mapping[Condition, Score]
    confidences: Sequence[tuple[float, bool]]  # and whether it was accurate
    overlap: float  # mean horizon in sessions

    @classmethod
    def of(
        cls,
        groups: Mapping[Group, Score],
        conditions: Mapping[tuple[int, Condition], Score],
        confidences: Sequence[tuple[float, bool]],
    ) -> Record:
        return cls(
            total=sum(groups.values(), Score()),
            weeks=added(groups, lambda group: group.monday),
            stocks=added(groups, lambda group: group.symbol),
            conditions=added(conditions, lambda group: group[1]),
            confidences=confidences,
            overlap=sum(group.horizon * score.total for group, score in groups.items()) / max(len(confidences), 1),
        )

    def to_page(self, exchanges: Exchanges = BY_SYMBOL) -> dict[str, Any]:
        weeks = [
            {"day": day_number(monday), **rounded(score_on_page(score))} for monday, score in sorted(self.weeks.items())
        ]
        conditions = by_condition(self.conditions, self.stocks, exchanges.market)
        return {
            "total": rounded(score_on_page(self.total) | _crps(self.total)) if self.confidences else None,
            "weeks": weeks,
            "bins": reliability(self.confidences, self.overlap),
            "stocks": {symbol: rounded(score_on_page(score)) for symbol, score in sorted(self.stocks.items())},
            "ranges": ranges_held(self.total),
            "conditions": [condition_on_page("", "all", self.total), *map(_named, conditions)] if conditions else [],
        }


def _crps(score: Score) -> dict[str, float]:
    means = score.distribution_means()
    crps, naive = means["mean_crps_pct"], means["mean_naive_crps_pct"]
    return {} if crps is None or naive is None else {"crps": crps, "naive_crps": naive}


def _named(row: ConditionScore) -> dict[str, Any]:
    return condition_on_page(FAMILIES[row.family], row.name, row.score) | {"phrase": row.phrase}


def condition_on_page(family: str, name: str, score: Score) -> dict[str, Any]:
    """A row of the table by condition; skill and CRPS are None where they cannot be told."""
    means = score.distribution_means()
    return {
        "family": family,
        "name": name,
        "n": score.total,
        "inside": short(score.coverage),
        "confidence": short(score.mean_confidence),
        "hit": short(score.accuracy),
        "skill": short(score.brier_skill),
        "crps": means["mean_crps_pct"],
        "naive_crps": means["mean_naive_crps_pct"],
    }


def ranges_held(score: Score) -> list[dict[str, float]]:
    """Each range's share as promised and as it came, and the number of outcomes; of lines that tell the range."""
    counts = (
        (0.5, score.inside_50, score.distributed),
        (EIGHTY, score.inside, score.total),
        (0.95, score.inside_95, score.distributed),
    )
    return [{"share": share, "held": short(inside / n), "n": n} for share, inside, n in counts if n]


def score_on_page(score: Score) -> dict[str, float]:
    """A score's means under the names that the page's script knows: shares as fractions, errors in %."""
    return {
        "n": score.total,
        "hits": score.accurate,
        "hit": score.accuracy,
        "naive_hit": score.naive_accurate / score.total,
        "error": score.mean_error_pct,
        "naive_error": score.mean_naive_error_pct,
        "direction": score.direction,
        "inside": score.inside / score.total,
        "confidence": score.mean_confidence,
    }


# ---- how good the confidence has been ----


def reliability(forecasts: Iterable[tuple[float, bool]], overlap: float) -> list[dict[str, float]]:
    """Reliability bins, one a tenth of the confidences: mean confidence, share accurate and its interval.

    Predictions made on neighbouring days share most of their outcome, so `overlap` of them (the sessions ahead) count
    as one where the uncertainty of a share is told (Wilson, 90 %).
    """
    ordered = sorted(forecasts)
    count = max(1, min(BINS, len(ordered) // LEAST_IN_BIN))
    edges = [round(number * len(ordered) / count) for number in range(count + 1)]
    bins = []
    for start, end in pairwise(edges):
        chosen = ordered[start:end]
        if chosen:
            share = sum(hit for _, hit in chosen) / len(chosen)
            low, high = wilson(share, len(chosen) / max(overlap, 1.0))
            mean = sum(confidence for confidence, _ in chosen) / len(chosen)
            bins.append(rounded({"n": len(chosen), "confidence": mean, "share": share, "low": low, "high": high}))
    return bins


def wilson(share: float, n: float) -> tuple[float, float]:
    """The interval that holds the true share with 90 %, by Wilson's score."""
    z2 = NORMAL_90**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = NORMAL_90 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, centre - half), min(1.0, centre + half)
