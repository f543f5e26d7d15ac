"""Settled predictions -> scores that can be added: the one record behind every table, file and page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from stockml.core.outcomes import EXPIRED
from stockml.core.records import ACCURATE_BELOW_PCT, Prediction
from stockml.core.wording import count

ENOUGH_OUTCOMES = 500  # for a share of 58 % to be no luck, though they overlap
GREATEST_DIRECTION, GREATEST_R2 = 0.58, 0.05  # no honest method forecasts prices so well

J = TypeVar("J", bound=Hashable)
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Score:
    """Counts and sums over verified predictions; the score of two groups together is the sum of theirs.

    Every mean and share is an attribute in the units of its name; ZeroDivisionError where nothing was verified.
    `expired` counts beside them the predictions that could not be settled, by reason: a score without them would
    look better than the record is.
    """

    total: int = 0
    accurate: int = 0
    direction_hits: int = 0  # predicted and actual change of the same sign
    error_pct_sum: float = 0.0
    naive_error_pct_sum: float = 0.0
    error_squares: float = 0.0
    naive_error_squares: float = 0.0
    naive_accurate: int = 0
    inside: int = 0  # of the 80 % interval
    confidence_sum: float = 0.0
    expired: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: Score) -> Score:
        sums = (mine + theirs for mine, theirs in zip(self._sums(), other._sums(), strict=True))
        return Score(*sums, expired=dict(Counter(self.expired) + Counter(other.expired)))  # type: ignore[arg-type, misc]

    @classmethod
    def of(cls, lines: Iterable[Prediction]) -> Score:
        """The score of settled predictions, added in their order."""
        return by(lambda line: None, lines).get(None, cls())

    @property
    def accuracy(self) -> float:
        return self.accurate / self.total

    @property
    def direction(self) -> float:
        return self.direction_hits / self.total

    @property
    def mean_error_pct(self) -> float:
        return self.error_pct_sum / self.total

    @property
    def mean_naive_error_pct(self) -> float:
        return self.naive_error_pct_sum / self.total

    @property
    def ratio_to_naive(self) -> float | None:
        """Mean error over naive's; None where nothing moved."""
        return self.error_pct_sum / self.naive_error_pct_sum if self.naive_error_pct_sum else None

    @property
    def mean_confidence(self) -> float:
        return self.confidence_sum / self.total

    def to_record(self) -> dict[str, Any]:
        """SPEC's three keys, the mean errors of the predictions and of naive, and what could not be settled.

        A mean over nothing is None.
        """
        means = ("accuracy", "mean_error_pct", "mean_naive_error_pct")
        found = {name: round(getattr(self, name), 4) if self.total else None for name in means}
        return {
            "total_predictions": self.total,
            "accurate_predictions": self.accurate,
            **found,
            "direction_hits": self.direction_hits,
            "expired_predictions": sum(self.expired.values()),
            "expired_reasons": dict(sorted(self.expired.items())),
        }

    def expired_text(self) -> str:
        """A sentence on the predictions that could not be settled, and why; empty where all could."""
        if not self.expired:
            return ""
        reasons = "; ".join(f"{reason} ({number:,})" for reason, number in sorted(self.expired.items()))
        return f"{count(sum(self.expired.values()), 'prediction')} could not be settled: {reasons}."

    def _sums(self) -> tuple[float, ...]:
        return tuple(getattr(self, name) for name in _SUMS)


_SUMS = tuple(part.name for part in fields(Score) if part.name != "expired")


def by(key: Callable[[Prediction], K], lines: Iterable[Prediction]) -> dict[K, Score]:
    """The score of each group of settled predictions, groups in the order in which they were met."""
    sums: dict[K, list[float]] = {}
    expired: dict[K, Counter[str]] = {}
    for line in lines:
        group = key(line)
        values = sums.setdefault(group, [0] * len(_SUMS))
        if line.status == EXPIRED:
            expired.setdefault(group, Counter())[str(line.outcome and line.outcome.reason)] += 1
            continue
        for number, value in enumerate(_sums_of(line)):
            values[number] += value
    return {
        group: Score(*values, expired=dict(expired.get(group, {})))  # type: ignore[arg-type, misc]
        for group, values in sums.items()
    }


def added(scores: Mapping[J, Score], key: Callable[[J], K]) -> dict[K, Score]:
    """The scores of groups as those of larger groups."""
    sums: dict[K, Score] = {}
    for group, score in scores.items():
        sums[key(group)] = sums.get(key(group), Score()) + score
    return sums


def _sums_of(line: Prediction) -> tuple[float, ...]:
    """One prediction's part in each of Score's sums."""
    outcome = line.outcome
    assert outcome is not None and outcome.actual_price is not None
    assert outcome.error_pct is not None and outcome.naive_error_pct is not None
    return (
        1,
        bool(outcome.was_accurate),
        line.predicted_change_pct * line.actual_change_pct > 0,
        outcome.error_pct,
        outcome.naive_error_pct,
        outcome.error_pct**2,
        outcome.naive_error_pct**2,
        outcome.naive_error_pct < ACCURATE_BELOW_PCT,
        line.low <= outcome.actual_price <= line.high,
        line.confidence,
    )


def leakage_warning(scores: Iterable[Score]) -> str | None:
    """One sentence on a record too good to be true; None where it is not, or too short to tell."""
    total = sum(scores, Score())
    if total.total < ENOUGH_OUTCOMES:
        return None
    r2 = 1 - total.error_squares / total.naive_error_squares if total.naive_error_squares else 0.0
    if total.direction <= GREATEST_DIRECTION and r2 <= GREATEST_R2:
        return None
    return (
        f"Of {total.total} predictions {total.direction:.1%} had the right direction and {r2:.1%} of the squared "
        f"change was explained (over {GREATEST_DIRECTION:.0%} or {GREATEST_R2:.0%} is too good to be true): a value "
        "may have seen the future; run --self-check"
    )
