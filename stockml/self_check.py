"""Does anything see the future? Past values are worked out again on tables that end there, and compared.

What is computed for a day must not change by a bit when the later days are cut off. The other sign, success too good to
be true, is for feedback to notice.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np

from stockml import cycle, signals
from stockml.features import HISTORY_SESSIONS, feature_table, indicator_table
from stockml.models import SESSIONS_NEEDED, ModelBundle
from stockml.patterns import PatternConfig, normalised_windows
from stockml.prices import PriceTable
from stockml.records import Prediction
from stockml.volatility import confidence_inputs, confidence_table

DAYS_A_STOCK = 8
SESSIONS_WANTED = SESSIONS_NEEDED + 252  # a year of days to draw from

Values = np.ndarray  # (n_days, ...) a row a day of the table
Figures = Mapping[str, Callable[[PriceTable], Values]]


def opinion_values(prices: PriceTable) -> Values:
    """The rules' opinions of each day, in the order of SPEC's rules."""
    days = indicator_table(prices).to_dict("records")
    heard = [signals.rule_opinions({str(name): value for name, value in day.items()}) for day in days]
    return np.array([[opinions.get(name, 0.0) for name in signals.RULE_WEIGHTS] for opinions in heard])


FIGURES: Figures = {
    "indicators": lambda prices: indicator_table(prices).to_numpy(),
    "features": lambda prices: feature_table(prices).to_numpy(),
    "pattern windows": lambda prices: normalised_windows(prices, PatternConfig()),
    "rules": opinion_values,
    "confidence inputs": lambda prices: confidence_table(prices).to_numpy(),
}


@dataclass(frozen=True, slots=True)
class Check:
    """How often one kind of value was compared, how often it differed, and the first case of it."""

    name: str
    compared: int
    differing: int
    example: str | None = None

    @property
    def is_clean(self) -> bool:
        return self.differing == 0

    def to_record(self) -> dict[str, Any]:
        return asdict(self)


def check_figures(tables: Sequence[PriceTable], *, seed: int, figures: Figures = FIGURES) -> list[Check]:
    """Each figure on random days of each table, against the same figure of the table that ends on that day."""
    days = {table.symbol: random_days(table, seed) for table in tables}
    checks = []
    for name, figure in figures.items():
        cases = ((table, figure(table), row) for table in tables for row in days[table.symbol])
        checks.append(
            _check(name, ((table, whole[row], figure(_until(table, row))[-1], row) for table, whole, row in cases))
        )
    return checks


def check_analyses(tables: Sequence[PriceTable], *, seed: int) -> Check:
    """What a run of the day makes of a table that ends on it, against the values of the whole table."""
    cases = []
    for table in tables:
        whole = indicator_table(table)
        for row in random_days(table, seed):
            day = table.frame.index[row].date()
            analysis = cycle.analyze(_until(table, row), None)
            seen = [*analysis.indicators.values(), *analysis.volatilities.values()]
            known = [*whole.iloc[row], *confidence_inputs(table, day).values()]
            cases.append((table, np.array(known), np.array(seen), row))
    return _check("analyses", cases)


def check_models(tables: Sequence[PriceTable], bundles: Mapping[str, ModelBundle], *, seed: int) -> Check:
    """The models' forecasts of random days, all at once on the whole table and alone on the table that ends there."""
    cases = []
    for table in (table for table in tables if table.symbol in bundles):
        bundle, rows = bundles[table.symbol], random_days(table, seed)
        together = _forecast_values(bundle, table, [table.frame.index[row].date() for row in rows])
        for row, known in zip(rows, together, strict=True):
            alone = _forecast_values(bundle, _until(table, row), [table.frame.index[row].date()])[0]
            cases.append((table, known, alone, row))
    return _check("model forecasts", cases)


def check_log(lines: Iterable[Prediction]) -> Check:
    """That no line was made by a model of a later day, and none was settled before its target."""
    compared, examples = 0, []
    for line in lines:
        compared += 1
        if line.model_trained_at is not None and line.model_trained_at[:10] > line.prediction_date[:10]:
            examples.append(f"{line.id}: made on {line.prediction_date} by models of {line.model_trained_at}")
        elif line.outcome is not None and line.outcome.settled_at[:10] < line.target_date:
            examples.append(f"{line.id}: settled on {line.outcome.settled_at}, before its target")
    return Check("the log", compared, len(examples), examples[0] if examples else None)


def random_days(table: PriceTable, seed: int) -> list[int]:
    """Row numbers of a table, the same for the same seed and symbol: where a window fits, and a future is left."""
    rows = range(min(SESSIONS_NEEDED, max(len(table.frame) - 2, 0)), len(table.frame) - 1)
    return sorted(random.Random(f"{seed}/{table.symbol}").sample(rows, min(DAYS_A_STOCK, len(rows))))


def _until(table: PriceTable, row: int) -> PriceTable:
    day: date = table.frame.index[row].date()
    return table.through(day)


def _forecast_values(bundle: ModelBundle, table: PriceTable, days: Sequence[date]) -> Values:
    found = bundle.forecast(table, days)
    parts = (found.lstm_path_pct, found.xgb_pct, found.pattern, found.pattern_unusual, found.pattern_pct)
    return np.column_stack(parts)


def _check(name: str, cases: Iterable[tuple[PriceTable, Values, Values, int]]) -> Check:
    """Compares (of the whole table, of the table cut off) row by row."""
    compared, examples = 0, []
    for table, known, alone, row in cases:
        compared += 1
        exact = row >= HISTORY_SESSIONS  # where the window is whole there is nothing that could round differently
        if not (np.array_equal(known, alone, equal_nan=True) if exact else _close(known, alone)):
            at = int(np.flatnonzero(~np.isclose(known, alone, rtol=0, atol=0, equal_nan=True))[0])
            day = table.frame.index[row].date()
            examples.append(f"{table.symbol} on {day}: {known.flat[at]!r} with later days, {alone.flat[at]!r} without")
    return Check(name, compared, len(examples), examples[0] if examples else None)


def _close(known: Values, alone: Values) -> bool:
    return np.allclose(known, alone, rtol=1e-9, atol=1e-9, equal_nan=True)
