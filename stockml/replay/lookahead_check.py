"""Look-ahead bias check: past values are computed again on tables that end there, and compared.

A day's value must not change when the later days are cut off. The other sign of look-ahead bias, an accuracy too good
to be true, is left to the accuracy tracker.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stockml.core.records import Prediction
from stockml.data.price_table import PriceTable
from stockml.indicators.confidence_inputs import confidence_table
from stockml.indicators.features import feature_table, indicator_table
from stockml.indicators.patterns import PatternConfig, normalised_windows
from stockml.models.bundle import SESSIONS_NEEDED, ModelBundle
from stockml.signals import engine
from stockml.signals import rules as signals

DAYS_A_STOCK = 8
SESSIONS_WANTED = SESSIONS_NEEDED + 252  # a year of days to draw from

# As a fraction of a value's usual size: two orders of the same sums differ by less on any processor. Look-ahead bias is
# larger by orders of magnitude: one later day of 700 moves even the mean of all by 1e-5 and more.
TOLERANCE = 1e-6

Values = NDArray[Any]  # (n_days, ...) a row a day of the table
Figures = Mapping[str, Callable[[PriceTable], Values]]


def opinion_values(prices: PriceTable) -> Values:
    """The rules' opinions of each day.

    Parameters
    ----------
    prices : PriceTable, shape (n_days, 6)

    Returns
    -------
    array, shape (n_days, n_rules)
        In the order of SPEC's rules; 0 where a rule has no opinion.
    """
    days = indicator_table(prices).to_dict("records")
    found = [signals.rule_opinions({str(name): value for name, value in day.items()}) for day in days]
    return np.array([[opinions.get(name, 0.0) for name in signals.RULE_WEIGHTS] for opinions in found])


FIGURES: Figures = {
    "indicators": lambda prices: indicator_table(prices).to_numpy(),
    "features": lambda prices: feature_table(prices).to_numpy(),
    "pattern windows": lambda prices: normalised_windows(prices, PatternConfig()),
    "rules": opinion_values,
    "confidence inputs": lambda prices: confidence_table(prices).to_numpy(),
}


@dataclass(frozen=True, slots=True)
class Check:
    """Comparisons of one kind of value: their number, the number of differences, and the first difference."""

    name: str
    compared: int
    differing: int
    example: str | None = None

    @property
    def is_clean(self) -> bool:
        """True if no value differed."""
        return self.differing == 0

    def to_record(self) -> dict[str, Any]:
        """The check as a JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Recomputed:
    """One stock's values of some days, (n_days, n_values): of the whole table, and of the tables that end there."""

    table: PriceTable
    rows: Sequence[int]
    whole: Values
    cut: Values


def check_figures(tables: Sequence[PriceTable], *, seed: int, figures: Figures = FIGURES) -> list[Check]:
    """Compare figures on random days with those of the tables that end on these days.

    Parameters
    ----------
    tables : sequence of PriceTable
        Each of shape (n_days, 6).
    seed : int
        Of the random days.
    figures : mapping of str to callable
        Functions of a table with a row a day, shape (n_days, ...).

    Returns
    -------
    list of Check
        One for each figure.
    """
    checks = []
    for name, figure in figures.items():
        stocks = []
        for table in tables:
            rows = random_days(table, seed)
            cut = [figure(_until(table, row))[-1] for row in rows]
            stocks.append(_recomputed(table, rows, list(figure(table)[rows]), cut))
        checks.append(_check(name, stocks))
    return checks


def check_analyses(tables: Sequence[PriceTable], *, seed: int) -> Check:
    """Compare the analyses of tables that end on random days with the values of the whole tables.

    Parameters
    ----------
    tables : sequence of PriceTable
        Each of shape (n_days, 6).
    seed : int
        Of the random days.

    Returns
    -------
    Check
    """
    stocks = []
    for table in tables:
        rows, whole, cut = random_days(table, seed), [], []
        indicators, inputs = indicator_table(table), confidence_table(table)
        for row in rows:
            analysis = engine.analyze(_until(table, row), None)
            of_analysis = [analysis.confidence_inputs.get(str(name), np.nan) for name in inputs]
            cut.append(np.array([*analysis.indicators.values(), *of_analysis]))
            whole.append(np.array([*indicators.iloc[row], *inputs.iloc[row]]))
        stocks.append(_recomputed(table, rows, whole, cut))
    return _check("analyses", stocks)


def check_models(tables: Sequence[PriceTable], bundles: Mapping[str, ModelBundle], *, seed: int) -> Check:
    """Compare forecasts of random days, all at once on the whole table, with those on the tables that end there.

    Parameters
    ----------
    tables : sequence of PriceTable
        Each of shape (n_days, 6).
    bundles : mapping of str to ModelBundle
        By symbol; tables without one are left out.
    seed : int
        Of the random days.

    Returns
    -------
    Check
    """
    stocks = []
    for table in (table for table in tables if table.symbol in bundles):
        bundle, rows = bundles[table.symbol], random_days(table, seed)
        days = [table.frame.index[row].date() for row in rows]
        cut = [_forecast_values(bundle, table.through(day), [day])[0] for day in days]
        stocks.append(_recomputed(table, rows, list(_forecast_values(bundle, table, days)), cut))
    return _check("model forecasts", stocks)


def check_log(lines: Iterable[Prediction]) -> Check:
    """Check that no line was made by a model of a later day, and none was settled before its target."""
    compared, examples = 0, []
    for line in lines:
        compared += 1
        if line.model_trained_at is not None and line.model_trained_at[:10] > line.prediction_date[:10]:
            examples.append(f"{line.id}: made on {line.prediction_date} by models of {line.model_trained_at}")
        elif line.outcome is not None and line.outcome.ended_at[:10] < line.target_date:
            examples.append(f"{line.id}: settled on {line.outcome.ended_at}, before its target")
    return Check("the log", compared, len(examples), examples[0] if examples else None)


def random_days(table: PriceTable, seed: int) -> list[int]:
    """Random rows with a whole window before them and a day after; the same for the same seed and symbol."""
    rows = range(min(SESSIONS_NEEDED, max(len(table.frame) - 2, 0)), len(table.frame) - 1)
    return sorted(random.Random(f"{seed}/{table.symbol}").sample(rows, min(DAYS_A_STOCK, len(rows))))


def _until(table: PriceTable, row: int) -> PriceTable:
    day: date = table.frame.index[row].date()
    return table.through(day)


def _forecast_values(bundle: ModelBundle, table: PriceTable, days: Sequence[date]) -> Values:
    found = bundle.forecast(table, days)
    parts = (found.lstm_path_pct, found.xgb_pct, found.pattern, found.pattern_unusual, found.pattern_pct)
    return np.column_stack(parts)


def _recomputed(table: PriceTable, rows: Sequence[int], whole: Sequence[Values], cut: Sequence[Values]) -> _Recomputed:
    return _Recomputed(table, rows, *(np.array([np.atleast_1d(day) for day in days]) for days in (whole, cut)))


def _check(name: str, stocks: Sequence[_Recomputed]) -> Check:
    """Compare each day's values with and without the days after it; NaN equals NaN."""
    differing, example = 0, None
    for stock in (stock for stock in stocks if stock.rows):
        tolerance = TOLERANCE * _usual_size(stock.whole)
        differs = ~np.isclose(stock.cut, stock.whole, rtol=0, atol=tolerance, equal_nan=True)
        found = np.argwhere(differs)
        differing += int(differs.any(axis=1).sum())
        if len(found) and example is None:
            at = tuple(found[0])
            day = stock.table.frame.index[stock.rows[at[0]]].date()
            values = f"{float(stock.whole[at])!r} with later days, {float(stock.cut[at])!r} without"
            example = f"{stock.table.symbol} on {day}: {values}"
    return Check(name, sum(len(stock.rows) for stock in stocks), differing, example)


def _usual_size(values: Values) -> Values:
    """The median size of each column's values that are known and not 0, shape (n_values,); 0 where there are none."""
    sizes = np.where(np.isfinite(values) & (values != 0), np.abs(values), np.nan)
    known = np.isfinite(sizes).any(axis=0)
    usual = np.zeros(sizes.shape[1])
    usual[known] = np.nanmedian(sizes[:, known], axis=0)
    return usual
