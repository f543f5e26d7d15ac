"""Settled predictions -> scores that can be added: the one record behind every table, file and page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from operator import add
from typing import Any, Generic, TypeVar

from stockml.core.line_arithmetic import ACCURATE_BELOW_PCT
from stockml.core.outcomes import EXPIRED
from stockml.core.records import Prediction
from stockml.core.student_t import StudentT
from stockml.core.wording import count

ENOUGH_OUTCOMES = 500  # for a share of 58 % to be no luck, though they overlap
GREATEST_DIRECTION, GREATEST_R2 = 0.58, 0.05  # no honest method forecasts prices so well

EIGHTY = 0.8  # the share of outcomes that the interval of a line holds

J = TypeVar("J", bound=Hashable)
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Score:
    """Counts and sums over verified predictions; the score of two groups together is the sum of theirs.

    Every mean and share is an attribute in the units of its name; ZeroDivisionError where nothing was verified.
    `distributed` counts the predictions that carry a distribution; the sums after it are of these alone. `expired`
    counts beside them those that could not be settled, by reason: a score without them would look better than the
    record is.
    """

    total: int = 0
    accurate: int = 0
    direction_hits: int = 0  # predicted and actual change of the same sign
    error_pct_sum: float = 0.0
    naive_error_pct_sum: float = 0.0
    error_squares: float = 0.0
    naive_error_squares: float = 0.0
    naive_accurate: int = 0
    rises: int = 0  # actual changes above 0
    inside: int = 0  # of the 80 % interval
    confidence_sum: float = 0.0
    brier_sum: float = 0.0  # squared distances of confidence and hit
    distributed: int = 0
    inside_50: int = 0
    inside_95: int = 0
    crps_pct_sum: float = 0.0
    naive_crps_pct_sum: float = 0.0  # naive's distribution has the same scale, and no change as its location
    interval_score_pct_sum: float = 0.0  # of the 80 % interval
    naive_interval_score_pct_sum: float = 0.0
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
    def rose(self) -> float:
        """The share of outcomes that rose, which a direction is to be held against."""
        return self.rises / self.total

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

    @property
    def coverage(self) -> float:
        """The share of outcomes inside the 80 % interval."""
        return self.inside / self.total

    @property
    def brier_skill(self) -> float | None:
        """Of the confidence, against always stating the share that was accurate; None where all were, or none."""
        spread = self.accuracy * (1 - self.accuracy)
        return 1 - self.brier_sum / self.total / spread if spread else None

    def distribution_means(self) -> dict[str, float | None]:
        """CRPS and interval score in %, and naive's, by their keys in files; None where no prediction has any."""
        sums = (
            self.crps_pct_sum,
            self.naive_crps_pct_sum,
            self.interval_score_pct_sum,
            self.naive_interval_score_pct_sum,
        )
        return {
            name: round(found / self.distributed, 4) if self.distributed else None
            for name, found in zip(_SCORED, sums, strict=True)
        }

    def to_record(self) -> dict[str, Any]:
        """SPEC's three keys, the mean errors and scores of the predictions and of naive, and what is not in them.

        A mean over nothing is None.
        """
        means = ("accuracy", "mean_error_pct", "mean_naive_error_pct")
        found = {name: round(getattr(self, name), 4) if self.total else None for name in means}
        return {
            "total_predictions": self.total,
            "accurate_predictions": self.accurate,
            **found,
            "direction_hits": self.direction_hits,
            "rises": self.rises,
            **self.distribution_means(),
            "without_distribution": self.total - self.distributed,
            "expired_predictions": sum(self.expired.values()),
            "expired_reasons": dict(sorted(self.expired.items())),
        }

    def distribution_text(self) -> str:
        """CRPS and interval score beside naive's, in one clause; empty where no prediction carries a distribution."""
        if not self.distributed:
            return ""
        crps, naive_crps, interval, naive_interval = self.distribution_means().values()
        without = self.total - self.distributed
        left_out = f"; {count(without, 'prediction')} without a distribution left out" if without else ""
        return (
            f"CRPS {crps:.3f} % (naive: {naive_crps:.3f} %), interval score {interval:.2f} % "
            f"(naive: {naive_interval:.2f} %){left_out}"
        )

    def expired_text(self) -> str:
        """A sentence on the predictions that could not be settled, and why; empty where all could."""
        if not self.expired:
            return ""
        reasons = "; ".join(f"{reason} ({number:,})" for reason, number in sorted(self.expired.items()))
        return f"{count(sum(self.expired.values()), 'prediction')} could not be settled: {reasons}."

    def to_state(self) -> list[Any]:
        """A value for JSON that `from_state` turns back without any loss."""
        return [*self._sums(), dict(self.expired)]

    @classmethod
    def from_state(cls, values: list[Any]) -> Score:
        """Restore a score from `to_state`."""
        *sums, expired = values
        return cls(*sums, expired=expired)  # type: ignore[misc]

    def _sums(self) -> tuple[float, ...]:
        return tuple(getattr(self, name) for name in SUMS)


SUMS = tuple(part.name for part in fields(Score) if part.name != "expired")
_SCORED = ("mean_crps_pct", "mean_naive_crps_pct", "mean_interval_score_pct", "mean_naive_interval_score_pct")

Part = tuple[float, ...] | str  # one settled prediction's part in each of Score's sums, or the reason why it expired


class ScoreSums(Generic[K]):
    """Scores of groups while predictions are added one by one: added in the same order, they are the same to the bit.

    Parameters
    ----------
    scores : mapping
        What it goes on from; it is left as it is.
    """

    def __init__(self, scores: Mapping[K, Score] | None = None) -> None:
        known = scores or {}
        self._sums = {group: list(score._sums()) for group, score in known.items()}
        self._expired = {group: Counter(score.expired) for group, score in known.items()}

    def add(self, group: K, part: Part) -> None:
        """Add a prediction's part to a group."""
        values = self._sums.get(group)
        if values is None:
            values = self._sums[group] = [0] * len(SUMS)
            self._expired[group] = Counter()
        if isinstance(part, str):
            self._expired[group][part] += 1
        else:
            values[:] = map(add, values, part)

    def scores(self) -> dict[K, Score]:
        """The score of each group, groups in the order in which they were met."""
        return {
            group: Score(*values, expired=dict(self._expired[group]))  # type: ignore[arg-type, misc]
            for group, values in self._sums.items()
        }


def by(key: Callable[[Prediction], K], lines: Iterable[Prediction]) -> dict[K, Score]:
    """The score of each group of settled predictions, groups in the order in which they were met."""
    sums = ScoreSums[K]()
    for line in lines:
        sums.add(key(line), part_of(line))
    return sums.scores()


def added(scores: Mapping[J, Score], key: Callable[[J], K]) -> dict[K, Score]:
    """The scores of groups as those of larger groups."""
    sums: dict[K, Score] = {}
    for group, score in scores.items():
        sums[key(group)] = sums.get(key(group), Score()) + score
    return sums


def part_of(line: Prediction) -> Part:
    """A settled prediction's part in a score."""
    outcome = line.outcome
    if line.status == EXPIRED:
        return str(outcome and outcome.reason)
    assert outcome is not None and outcome.actual_price is not None
    assert outcome.error_pct is not None and outcome.naive_error_pct is not None
    hit, actual_pct = bool(outcome.was_accurate), line.actual_change_pct
    return (
        1,
        hit,
        line.predicted_change_pct * actual_pct > 0,
        outcome.error_pct,
        outcome.naive_error_pct,
        outcome.error_pct**2,
        outcome.naive_error_pct**2,
        outcome.naive_error_pct < ACCURATE_BELOW_PCT,
        actual_pct > 0,
        line.low <= outcome.actual_price <= line.high,
        line.confidence,
        (line.confidence - hit) ** 2,
        *_part_of_distribution(line.distribution, actual_pct),
    )


def _part_of_distribution(law: StudentT | None, actual_pct: float) -> tuple[float, ...]:
    if law is None:
        return (0, 0, 0, 0.0, 0.0, 0.0, 0.0)
    naive = StudentT(0.0, law.scale_pct, law.degrees)
    inside = (low <= actual_pct <= high for low, high in (law.interval_pct(0.5), law.interval_pct(0.95)))
    return (
        1,
        *inside,
        law.crps_pct(actual_pct),
        naive.crps_pct(actual_pct),
        law.interval_score_pct(actual_pct, EIGHTY),
        naive.interval_score_pct(actual_pct, EIGHTY),
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
        f"Of {total.total} predictions {total.direction:.1%} had the right direction ({total.rose:.1%} rose) and "
        f"{r2:.1%} of the squared change was explained (over {GREATEST_DIRECTION:.0%} or {GREATEST_R2:.0%} is "
        "too good to be true): a value may have seen the future; run --self-check"
    )
