"""The log as a table: each line as one flat row, its columns and what kind of value each holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from stockml.core.records import Prediction

TEXT, NUMBER, WHOLE, FLAG, DAY, TIME, NUMBERS = "text", "number", "whole", "flag", "day", "time", "numbers"

# The keys of a line in its order; those of an object within it follow its name.
COLUMNS = {
    "symbol": TEXT,
    "prediction_date": TIME,
    "current_price": NUMBER,
    "predicted_price": NUMBER,
    "predicted_change_pct": NUMBER,
    "confidence": NUMBER,
    "prediction_horizon_days": WHOLE,
    "target_date": DAY,
    "market_regime": TEXT,
    "status": TEXT,
    "actual_price": NUMBER,
    "error_pct": NUMBER,
    "was_accurate": FLAG,
    "verified_at": TIME,
    "reason": TEXT,
    "expired_at": TIME,
    "format": WHOLE,
    "id": TEXT,
    "data_through": DAY,
    "magnitude": NUMBER,
    "low": NUMBER,
    "high": NUMBER,
    "path": NUMBERS,
    "source": TEXT,
    "currency": TEXT,
    "model_trained_at": TIME,
    "distribution_law": TEXT,
    "distribution_degrees": WHOLE,
    "distribution_location_pct": NUMBER,
    "distribution_scale_pct": NUMBER,
    "distribution_model_scale_pct": NUMBER,
    "seal": TEXT,
    "reopened_times": WHOLE,
    "reopened_at": TIME,
    "reopened_status": TEXT,
    "reopened_ended_at": TIME,
    "reopened_actual_price": NUMBER,
    "naive_error_pct": NUMBER,
    "units_factor": NUMBER,
    "current_price_corrected": NUMBER,
    "settled_from": DAY,
    "settled_at": TIME,
    "outcome_checksum": TEXT,
}
APART = ("signals", "evidence")  # keys of which each name has columns of its own, or a row of a second table

Value = str | float | int | bool | date | datetime | list[float] | None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the log.

    Attributes
    ----------
    values : dict
        By column; those that the line does not have are missing or None.
    weights, opinions : dict
        By signal: its weight, where it counted, and its own forecast in % at the target.
    inputs : dict
        What the confidence was computed from.
    """

    values: dict[str, Value]
    weights: dict[str, float]
    opinions: Mapping[str, float]
    inputs: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Choice:
    """The lines that are wanted; None chooses all."""

    symbols: frozenset[str] | None = None
    since: str | None = None  # the earliest data_through, YYYY-MM-DD
    horizons: frozenset[int] | None = None
    as_of: str | None = None  # lines and outcomes after the end of that day are as if not there

    def of(self, lines: Iterable[Prediction]) -> Iterator[Prediction]:
        """Those of the lines that are wanted, as they were."""
        for line in lines:
            if (
                (self.symbols is None or line.symbol in self.symbols)
                and (self.since is None or line.data_through >= self.since)
                and (self.horizons is None or line.prediction_horizon_days in self.horizons)
                and (self.as_of is None or line.data_through <= self.as_of)
            ):
                yield self._as_it_was(line)

    def _as_it_was(self, line: Prediction) -> Prediction:
        is_later = self.as_of and line.outcome and line.outcome.ended_at[:10] > self.as_of
        return replace(line, outcome=None) if is_later else line


@dataclass(slots=True)
class Contents:
    """Facts about all rows that the first cannot be written without."""

    rows: int = 0
    first: str = ""  # data_through of the earliest line, YYYY-MM-DD
    last: str = ""
    weights: set[str] = field(default_factory=set)  # names of signals
    opinions: set[str] = field(default_factory=set)
    inputs: set[str] = field(default_factory=set)
    without_time: int = 0  # lines whose model_trained_at is a text that is no time

    @property
    def names(self) -> int:
        """The number of columns that signals and evidence take."""
        return len(self.weights) + len(self.opinions) + len(self.inputs)

    def columns(self) -> dict[str, str]:
        """The kind of each column of a single table, signals and evidence last and by name."""
        signals = [
            key
            for name in sorted(self.weights | self.opinions)
            for key, known in ((weight_column(name), self.weights), (opinion_column(name), self.opinions))
            if name in known
        ]
        return COLUMNS | dict.fromkeys([*signals, *map(input_column, sorted(self.inputs))], NUMBER)


def weight_column(signal: str) -> str:
    """The column of a signal's weights."""
    return f"signal_{signal}_weight"


def opinion_column(signal: str) -> str:
    """The column of a signal's own forecasts."""
    return f"signal_{signal}_opinion_pct"


def input_column(name: str) -> str:
    """The column of a figure that confidence was computed from."""
    return f"confidence_{name}"


def contents_of(lines: Iterable[Prediction], *, most_names: int) -> Contents:
    """The contents of the rows that the lines make; names beyond so many are no longer taken in."""
    found = Contents()
    for line in lines:
        found.rows += 1
        found.first = min(found.first or line.data_through, line.data_through)
        found.last = max(found.last, line.data_through)
        found.without_time += line.model_trained_at is not None and _time(line.model_trained_at) is None
        if found.names <= most_names:
            found.weights.update(signal.name for signal in line.signals)
            found.opinions.update(line.evidence.opinions)
            found.inputs.update(line.evidence.confidence_inputs)
    return found


def row_of(line: Prediction) -> Row:
    """The row of a line."""
    values: dict[str, Value] = {}
    for key, value in line.to_record().items():
        if isinstance(value, dict):
            values.update((f"{key}_{name}", inner) for name, inner in value.items() if key not in APART)
        elif key not in APART:
            values[key] = value
    for name, read in _READERS.items():
        if name in values:
            values[name] = read(values[name])
    weights: dict[str, float] = {}
    for signal in line.signals:  # one that was written twice counts twice
        weights[signal.name] = weights.get(signal.name, 0.0) + signal.weight
    return Row(values, weights, line.evidence.opinions, line.evidence.confidence_inputs)


def wide(row: Row, columns: Sequence[str]) -> list[Value]:
    """The row's values in the order of the columns of a single table."""
    values = dict(row.values)
    values.update((weight_column(name), value) for name, value in row.weights.items())
    values.update((opinion_column(name), value) for name, value in row.opinions.items())
    values.update((input_column(name), value) for name, value in row.inputs.items())
    return [values.get(name) for name in columns]


def _time(text: Any) -> datetime | None:
    """A time of an exchange, which has no offset; None where a text is none."""
    try:
        found = None if text is None else datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found is None or found.tzinfo is None else None


def _day(text: Any) -> date | None:
    return None if text is None else date.fromisoformat(text)


_READERS = {name: {TIME: _time, DAY: _day}[kind] for name, kind in COLUMNS.items() if kind in (TIME, DAY)}
