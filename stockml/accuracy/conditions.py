"""Conditions under which predictions were made, as their lines tell them -> scores by condition, beside all together.

A headline average hides where a forecast fails; each family of conditions divides all predictions anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from stockml.accuracy.scores import Score, ScoreSums, added, part_of
from stockml.core.records import Prediction

Condition = tuple[str, str]  # a family and a value

RESULTS, VOLATILITY, MARKET, REGIME, YEAR, AGE = "results", "volatility", "market", "regime", "year", "age"
MONTH_AND_REGIME = "month and regime"  # what lines are added by: year, month and regime are each put together from it
EXPECTED, NONE_EXPECTED = "expected", "none"
YOUNG, OLD = "young", "old"
A_YEAR_KNOWN = "volatility_250"  # among a line's inputs once the stock has a year of prices
RESULTS_AHEAD = "results_days_ahead"  # calendar days; among a line's inputs where results are expected at all
THIRDS = ("calm", "middle", "wild")
STEPS_OF_VOLATILITY = 20  # in a factor of e: thirds are cut to 5 %
LEAST_TOLD = 100  # outcomes below which a share says little
A_MONTH = 7  # characters of YYYY-MM
LONGEST_REGIME = 60  # characters

FAMILIES = {
    RESULTS: "results",
    VOLATILITY: "predicted volatility",
    MARKET: "market",
    REGIME: "regime",
    YEAR: "year",
    AGE: "prices known",
}
NAMES = {
    (RESULTS, EXPECTED): "expected before the target",
    (RESULTS, NONE_EXPECTED): "none expected",
    (VOLATILITY, "calm"): "calm third",
    (VOLATILITY, "middle"): "middle third",
    (VOLATILITY, "wild"): "wild third",
    (AGE, YOUNG): "less than a year",
    (AGE, OLD): "a year or more",
}
PHRASES = {
    (RESULTS, EXPECTED): "with results expected",
    (RESULTS, NONE_EXPECTED): "with no results expected",
    (VOLATILITY, "calm"): "in the calm third of volatility",
    (VOLATILITY, "middle"): "in the middle third of volatility",
    (VOLATILITY, "wild"): "in the wild third of volatility",
    (AGE, YOUNG): "with less than a year of prices",
    (AGE, OLD): "with a year of prices or more",
}


@dataclass(frozen=True, slots=True)
class ConditionScore:
    """The score of the predictions made under one condition."""

    family: str
    value: str
    score: Score

    @property
    def name(self) -> str:
        """Its name in a table, below the family's."""
        return NAMES.get((self.family, self.value), self.value)

    @property
    def phrase(self) -> str:
        """Its name in a sentence."""
        other = {YEAR: f"in {self.value}", REGIME: f"in the {self.value} regime"}.get(self.family, f"on {self.value}")
        return PHRASES.get((self.family, self.value), other)

    def to_record(self) -> dict[str, Any]:
        """Its JSON object: coverage, calibration, skill and CRPS under the condition."""
        score, means = self.score, self.score.distribution_means()
        return {
            "family": self.family,
            "value": self.value,
            "predictions": score.total,
            "coverage": round(score.coverage, 4),
            "mean_confidence": round(score.mean_confidence, 4),
            "accuracy": round(score.accuracy, 4),
            "brier_skill": None if score.brier_skill is None else round(score.brier_skill, 4),
            "mean_crps_pct": means["mean_crps_pct"],
            "mean_naive_crps_pct": means["mean_naive_crps_pct"],
        }


def conditions_of(line: Prediction) -> Iterator[Condition]:
    """The conditions that a line tells: all but the market, which is its symbol's.

    Of the volatility it is a narrow band, since a third is a matter of all predictions.
    """
    yield RESULTS, EXPECTED if _are_results_expected(line) else NONE_EXPECTED
    yield MONTH_AND_REGIME, f"{line.data_through[:A_MONTH]} {line.market_regime[:LONGEST_REGIME]}"
    yield AGE, OLD if A_YEAR_KNOWN in line.evidence.confidence_inputs else YOUNG
    if line.distribution is not None:
        a_session = line.distribution.scale_pct / math.sqrt(line.prediction_horizon_days)
        yield VOLATILITY, str(round(STEPS_OF_VOLATILITY * math.log(a_session)))


def _are_results_expected(line: Prediction) -> bool:
    """True where the company is expected to publish results up to the close that is predicted."""
    ahead = line.evidence.confidence_inputs.get(RESULTS_AHEAD)
    if ahead is None:
        return False
    return ahead <= (date.fromisoformat(line.target_date) - date.fromisoformat(line.data_through)).days


def by_condition_of(lines: Iterable[Prediction]) -> dict[Condition, Score]:
    """The score of settled predictions by the conditions that their lines tell."""
    sums = ScoreSums[Condition]()
    for line in lines:
        part = part_of(line)
        for condition in conditions_of(line):
            sums.add(condition, part)
    return sums.scores()


def by_condition(
    told: Mapping[Condition, Score], by_symbol: Mapping[str, Score], market: Callable[[str], str]
) -> list[ConditionScore]:
    """The scores of each family that divides the predictions, family by family; those without any outcome left out.

    Parameters
    ----------
    told : mapping
        The scores by the conditions that lines tell.
    by_symbol : mapping
        The scores of the same predictions by symbol.
    market : callable
        The market of a symbol.
    """
    groups: dict[str, dict[str, Score]] = {family: {} for family in (*FAMILIES, MONTH_AND_REGIME)}
    for (family, value), score in told.items():
        groups[family][value] = score
    pairs = groups.pop(MONTH_AND_REGIME)
    groups[REGIME] = added(pairs, _regime)
    groups[YEAR] = added(pairs, lambda pair: pair[:4])
    groups[VOLATILITY] = _thirds(groups[VOLATILITY])
    groups[MARKET] = added(by_symbol, market)
    found = []
    for family, values in groups.items():
        known = {value: score for value, score in values.items() if score.total}
        order = sorted(known, key=lambda value: THIRDS.index(value) if value in THIRDS else value != EXPECTED)
        order = sorted(known) if family in (REGIME, YEAR, MARKET, AGE) else order
        found += [ConditionScore(family, value, known[value]) for value in order if len(known) > 1]
    return found


def by_month(told: Mapping[Condition, Score]) -> dict[str, Score]:
    """The scores by the month that predictions were made from, YYYY-MM, oldest first; those without any left out."""
    return _with_outcomes(told, lambda pair: pair[:A_MONTH])


def by_regime(told: Mapping[Condition, Score]) -> dict[str, Score]:
    """The scores by market regime, in the order of the alphabet; those without any outcome left out."""
    return _with_outcomes(told, _regime)


def _with_outcomes(told: Mapping[Condition, Score], part: Callable[[str], str]) -> dict[str, Score]:
    """The scores by a part of month and regime, in its order; those without any outcome left out."""
    pairs = {value: score for (family, value), score in told.items() if family == MONTH_AND_REGIME}
    return {value: score for value, score in sorted(added(pairs, part).items()) if score.total}


def _regime(pair: str) -> str:
    return pair[A_MONTH + 1 :]


def least_covered(rows: Iterable[ConditionScore]) -> ConditionScore | None:
    """The condition in which the 80 % intervals hold least; None where none has outcomes enough to tell."""
    told = [row for row in rows if row.score.total >= LEAST_TOLD]
    return min(told, key=lambda row: row.score.coverage, default=None)


def coverage_text(total: Score, rows: Iterable[ConditionScore]) -> str:
    """The share that the 80 % intervals hold, and the condition in which they hold least; empty without outcomes."""
    if not total.total:
        return ""
    told = f"80 % intervals hold {total.coverage * 100:.1f} %"
    least = least_covered(rows)
    if least is None:
        return told
    return f"{told}, least {least.phrase}: {least.score.coverage * 100:.1f} % of {least.score.total:,}"


def _thirds(bands: Mapping[str, Score]) -> dict[str, Score]:
    """The bands of volatility put together to thirds of all predictions, each band whole."""
    thirds: dict[str, Score] = {}
    total, before = sum(score.total for score in bands.values()), 0
    for band in sorted(bands, key=int):
        number = bands[band].total
        third = THIRDS[min(2, int(3 * (before + number / 2) / total))] if total else THIRDS[0]
        thirds[third] = thirds.get(third, Score()) + bands[band]
        before += number
    return thirds
