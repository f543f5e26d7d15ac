"""The record of settled predictions: for each horizon sums by stock, week, condition and stated confidence.

They say all that a page or a file tells of a log of any length, and can be added to without reading it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from stockml.accuracy.conditions import Condition, conditions_of
from stockml.accuracy.scores import Score, ScoreSums, part_of
from stockml.core.outcomes import VERIFIED
from stockml.core.records import Prediction

DECIMALS = 4  # of a confidence, as it is logged

Stated = dict[float, tuple[int, int]]  # predictions by their confidence, and how many of those were accurate


@dataclass(frozen=True, slots=True)
class HorizonRecord:
    """The settled predictions of one horizon, or of several together."""

    stocks: dict[str, Score] = field(default_factory=dict)
    weeks: dict[str, Score] = field(default_factory=dict)  # by the Monday of the target's week
    conditions: dict[Condition, Score] = field(default_factory=dict)
    stated: Stated = field(default_factory=dict)

    @property
    def total(self) -> Score:
        """The score of all together."""
        return sum((score for _, score in sorted(self.weeks.items())), Score())

    def __add__(self, other: HorizonRecord) -> HorizonRecord:
        stated = dict(self.stated)
        for confidence, (number, hits) in other.stated.items():
            before = stated.get(confidence, (0, 0))
            stated[confidence] = (before[0] + number, before[1] + hits)
        return HorizonRecord(
            _together(self.stocks, other.stocks),
            _together(self.weeks, other.weeks),
            _together(self.conditions, other.conditions),
            stated,
        )

    def to_state(self) -> dict[str, Any]:
        """A value for JSON that `from_state` turns back without any loss."""
        conditions: dict[str, dict[str, Any]] = {}
        for (family, value), score in self.conditions.items():
            conditions.setdefault(family, {})[value] = score.to_state()
        return {
            "stocks": {symbol: score.to_state() for symbol, score in self.stocks.items()},
            "weeks": {monday: score.to_state() for monday, score in self.weeks.items()},
            "conditions": conditions,
            "stated": {str(confidence): counts for confidence, counts in self.stated.items()},
        }

    @classmethod
    def from_state(cls, values: Mapping[str, Any]) -> HorizonRecord:
        """Restore the sums from `to_state`."""
        return cls(
            {symbol: Score.from_state(sums) for symbol, sums in values["stocks"].items()},
            {monday: Score.from_state(sums) for monday, sums in values["weeks"].items()},
            {
                (family, value): Score.from_state(sums)
                for family, groups in values["conditions"].items()
                for value, sums in groups.items()
            },
            {float(confidence): (number, hits) for confidence, (number, hits) in values["stated"].items()},
        )


@dataclass(frozen=True, slots=True)
class Record:
    """Scores of settled predictions by horizon."""

    horizons: dict[int, HorizonRecord] = field(default_factory=dict)

    @property
    def everything(self) -> HorizonRecord:
        """The sums of all horizons together."""
        return sum((known for _, known in sorted(self.horizons.items())), HorizonRecord())

    @property
    def scores(self) -> dict[str, Score]:
        """The score by symbol."""
        return self.everything.stocks

    @property
    def conditions(self) -> dict[Condition, Score]:
        """The score by the conditions that lines tell."""
        return self.everything.conditions

    def fold(self, lines: Iterable[Prediction]) -> Iterator[Prediction]:
        """Add settled lines to the sums, and hand each on; the sums are complete once all were taken."""
        sums: dict[int, _Sums] = {}
        for line in lines:
            horizon = line.prediction_horizon_days
            known = sums.get(horizon)
            if known is None:
                known = sums[horizon] = _Sums(self.horizons.get(horizon, HorizonRecord()))
            known.add(line)
            yield line
        self.horizons.update({horizon: known.record() for horizon, known in sums.items()})

    def to_state(self) -> dict[str, Any]:
        """A value for JSON that `from_state` turns back without any loss."""
        return {str(horizon): known.to_state() for horizon, known in self.horizons.items()}

    @classmethod
    def from_state(cls, values: Mapping[str, Any]) -> Record:
        """Restore the sums from `to_state`; ValueError for anything else."""
        from stockml.accuracy.kept_record import KeptRecord
        from stockml.storage.decoding import converted

        converted(KeptRecord, values)
        return cls({int(horizon): HorizonRecord.from_state(known) for horizon, known in values.items()})


class _Sums:
    """A horizon's record while predictions are added one by one."""

    def __init__(self, record: HorizonRecord) -> None:
        self._stocks, self._weeks = ScoreSums(record.stocks), ScoreSums(record.weeks)
        self._conditions, self._stated = ScoreSums(record.conditions), dict(record.stated)

    def add(self, line: Prediction) -> None:
        part = part_of(line)
        self._stocks.add(line.symbol, part)
        self._weeks.add(_monday(line.target_date), part)
        for condition in conditions_of(line):
            self._conditions.add(condition, part)
        if line.status == VERIFIED:
            confidence = round(min(max(line.confidence, 0.0), 1.0), DECIMALS)
            number, hits = self._stated.get(confidence, (0, 0))
            self._stated[confidence] = (number + 1, hits + bool(line.outcome and line.outcome.was_accurate))

    def record(self) -> HorizonRecord:
        return HorizonRecord(self._stocks.scores(), self._weeks.scores(), self._conditions.scores(), dict(self._stated))


def _together(one: dict[Any, Score], other: dict[Any, Score]) -> dict[Any, Score]:
    """The scores of two records' groups; those of groups that one has alone stay as they are, to the bit."""
    return one | {key: one[key] + score if key in one else score for key, score in other.items()}


@lru_cache(maxsize=1 << 12)
def _monday(day: str) -> str:
    found = date.fromisoformat(day)
    return (found - timedelta(days=found.weekday())).isoformat()
