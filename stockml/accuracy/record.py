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
from stockml.accuracy.scores import Score, ScoreSums, leakage_warning, part_of
from stockml.core.outcomes import VERIFIED
from stockml.core.records import DEFAULT_HORIZON, Prediction

DECIMALS = 4  # of a confidence, as it is logged

Stated = dict[float, tuple[int, int]]  # predictions by their confidence, and how many of those were accurate


@dataclass(frozen=True, slots=True)
class HorizonRecord:
    """The settled predictions of one horizon."""

    stocks: dict[str, Score] = field(default_factory=dict)
    weeks: dict[str, Score] = field(default_factory=dict)  # by the Monday of the target's week
    conditions: dict[Condition, Score] = field(default_factory=dict)
    stated: Stated = field(default_factory=dict)

    @property
    def total(self) -> Score:
        """The score of all together."""
        return sum((score for _, score in sorted(self.weeks.items())), Score())

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

    def main_horizon(self, named: int | None = None) -> int:
        """The horizon that stands for the home: the one named, else the default, else the shortest with an outcome."""
        if named is not None or DEFAULT_HORIZON in self.horizons:
            return named or DEFAULT_HORIZON
        return min(self.horizons, default=DEFAULT_HORIZON)

    def of(self, horizon: int) -> HorizonRecord:
        """The sums of a horizon; empty ones where it has no outcome."""
        return self.horizons.get(horizon, HorizonRecord())

    def score(self, symbol: str, horizon: int) -> Score:
        """A stock's score at a horizon."""
        return self.of(horizon).stocks.get(symbol, Score())

    def to_scores(self, main_horizon: int | None = None) -> dict[str, dict[str, Any]]:
        """By symbol the object of accuracy_scores.json: the score at the main horizon, and below that at each one."""
        main = self.main_horizon(main_horizon)
        found = {}
        for symbol in sorted({symbol for known in self.horizons.values() for symbol in known.stocks}):
            each = {
                str(horizon): known.stocks[symbol].to_record()
                for horizon, known in sorted(self.horizons.items())
                if symbol in known.stocks
            }
            found[symbol] = {**self.score(symbol, main).to_record(), "by_horizon": each}
        return found

    def leakage_warning(self) -> str | None:
        """One sentence on the first horizon whose record is too good to be true; None where none is."""
        told = (leakage_warning(known.stocks.values()) for _, known in sorted(self.horizons.items()))
        return next(filter(None, told), None)

    def fold(self, lines: Iterable[Prediction]) -> Iterator[Prediction]:
        """Add settled lines to the sums, and hand each on; the sums are complete once all were taken."""
        growing = GrowingRecord(self)
        for line in lines:
            growing.add(line)
            yield line
        growing.close()

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


class GrowingRecord:
    """A record while lines are added one by one; it has them once this is closed, which may be many days later."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._sums: dict[int, _Sums] = {}

    def add(self, line: Prediction) -> None:
        """Add a settled line."""
        horizon = line.prediction_horizon_days
        known = self._sums.get(horizon)
        if known is None:
            known = self._sums[horizon] = _Sums(self._record.of(horizon))
        known.add(line)

    def close(self) -> None:
        """Give the record the sums."""
        self._record.horizons.update({horizon: known.record() for horizon, known in self._sums.items()})


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


@lru_cache(maxsize=1 << 12)
def _monday(day: str) -> str:
    found = date.fromisoformat(day)
    return (found - timedelta(days=found.weekday())).isoformat()
