"""Scores of verified predictions -> the record a page shows: by week, stock, range and condition; its confidence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stockml.accuracy.conditions import FAMILIES, ConditionScore, by_condition, by_month, by_regime
from stockml.accuracy.record import HorizonRecord, Record, Stated
from stockml.accuracy.scores import EIGHTY, Score
from stockml.core.exchanges import BY_SYMBOL, Exchanges
from stockml.reporting.page_values import day_number, rounded, short

BINS, LEAST_IN_BIN = 10, 30  # of the reliability diagram
NORMAL_90 = 1.645  # standard deviations that hold nine tenths


@dataclass(frozen=True, slots=True)
class PageRecord:
    """The sums of one horizon as a page tells them."""

    sums: HorizonRecord
    overlap: float  # the horizon in sessions

    @classmethod
    def by_horizon(cls, record: Record) -> dict[int, PageRecord]:
        """That of each horizon with a verified prediction."""
        return {horizon: cls(sums, horizon) for horizon, sums in sorted(record.horizons.items()) if sums.stated}

    def to_page(self, exchanges: Exchanges = BY_SYMBOL) -> dict[str, Any]:
        sums, total = self.sums, self.sums.total
        weeks = {monday: score for monday, score in sorted(sums.weeks.items()) if score.total}
        stocks = {symbol: score for symbol, score in sorted(sums.stocks.items()) if score.total}
        conditions = by_condition(sums.conditions, stocks, exchanges.market)
        return {
            "total": rounded(score_on_page(total) | _crps(total)) if sums.stated else None,
            "weeks": [{"day": day_number(monday), **rounded(score_on_page(score))} for monday, score in weeks.items()],
            "months": _named_scores(by_month(sums.conditions)),
            "regimes": _named_scores(by_regime(sums.conditions)),
            "bins": reliability(sums.stated, self.overlap),
            "stocks": _named_scores(stocks),
            "ranges": ranges_held(total),
            "conditions": [condition_on_page("", "all", total), *map(_named, conditions)] if conditions else [],
        }


def _named_scores(scores: Mapping[str, Score]) -> dict[str, dict[str, float]]:
    return {name: rounded(score_on_page(score)) for name, score in scores.items()}


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
        "rose": score.rose,
        "inside": score.inside / score.total,
        "confidence": score.mean_confidence,
    }


# ---- how good the confidence has been ----


def reliability(stated: Stated, overlap: float) -> list[dict[str, float]]:
    """Reliability bins, one a tenth of the confidences: mean confidence, share accurate and its interval.

    Predictions made on neighbouring days share most of their outcome, so `overlap` of them (the sessions ahead) count
    as one where the uncertainty of a share is told (Wilson, 90 %).
    """
    total = sum(number for number, _ in stated.values())
    count = max(1, min(BINS, total // LEAST_IN_BIN))
    bins = []
    for part in _parts(stated, [round((number + 1) * total / count) for number in range(count)]):
        size = sum(number for _, _, number in part)
        if size:
            share = sum(number for _, hit, number in part if hit) / size
            low, high = wilson(share, size / max(overlap, 1.0))
            mean = sum(confidence * number for confidence, _, number in part) / size
            bins.append(rounded({"n": size, "confidence": mean, "share": share, "low": low, "high": high}))
    return bins


def _parts(stated: Stated, ends: Sequence[int]) -> Iterator[list[tuple[float, bool, int]]]:
    """The predictions in the order of their confidence, misses first, cut after so many; equal ones are counted."""
    runs = []
    for confidence, (number, hits) in sorted(stated.items(), reverse=True):
        runs += [(confidence, True, hits), (confidence, False, number - hits)]
    at = 0
    for end in ends:
        part = []
        while at < end:
            confidence, hit, number = runs.pop()
            taken = min(number, end - at)
            part.append((confidence, hit, taken))
            at += taken
            if taken < number:
                runs.append((confidence, hit, number - taken))
        yield part


def wilson(share: float, n: float) -> tuple[float, float]:
    """The interval that holds the true share with 90 %, by Wilson's score."""
    z2 = NORMAL_90**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = NORMAL_90 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, centre - half), min(1.0, centre + half)
