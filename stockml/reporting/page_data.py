"""The lines of the log -> the figures a page shows: each stock's predictions in columns, and the record of all.

Values in, plain values out; how a page looks, and where it lies, is left to `report`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from stockml.accuracy.record import Record
from stockml.core.exchanges import BY_SYMBOL, Exchanges
from stockml.core.records import STRONG_SIGNAL_PCT, Prediction
from stockml.reporting.page_record import PageRecord
from stockml.reporting.page_values import day_number, short
from stockml.reporting.ranges import price_ranges

SESSIONS_SHOWN = 250  # of a stock: about a year; the record counts every line
SESSIONS_BEFORE = 60  # of prices before a stock's first prediction, so that its chart does not begin empty
MOST_BEFORE = 100  # stocks with which prices are looked at for that: their reading takes 5 ms each
LINES_SHOWN = 25_000  # of all stocks together: with more than a hundred, each shows fewer sessions
LEAST_SHOWN = 20  # sessions of a stock, however many there are
LEAST_WEIGHT = 0.001  # below it the fourth decimal alone would tell the learned weight


@dataclass(frozen=True, slots=True)
class LogSummary:
    """The log sorted for a page: by stock and horizon, and as a record."""

    series: Mapping[tuple[str, int], Sequence[Prediction]]  # the newest lines of each, oldest first
    records: Mapping[int, PageRecord]  # by horizon, of those with an outcome
    most: int = SESSIONS_SHOWN  # lines of a series

    def cut(self, most: int) -> LogSummary:
        """The same with fewer lines of each series."""
        return replace(self, series={key: lines[-most:] for key, lines in self.series.items()}, most=most)

    @property
    def newest_day(self) -> str | None:
        """The newest day that any prediction was made from."""
        return max((lines[-1].data_through for lines in self.series.values()), default=None)


def sessions_shown(number: int) -> int:
    """The sessions that a page shows of each of so many series."""
    return min(SESSIONS_SHOWN, max(LEAST_SHOWN, LINES_SHOWN // max(number, 1)))


def collect(lines: Iterable[Prediction], record: Record, most: int = SESSIONS_SHOWN) -> LogSummary:
    """Sort lines of the log, keeping the newest of each stock and horizon, up to `most`; the record is of all lines."""
    recent: dict[tuple[str, int], deque[Prediction]] = {}
    for line in lines:
        key = (line.symbol, line.prediction_horizon_days)
        recent.setdefault(key, deque(maxlen=2 * most)).append(line)
    series = {key: sorted(recent[key], key=lambda line: line.data_through)[-most:] for key in sorted(recent)}
    return LogSummary(series, PageRecord.by_horizon(record), most)


# ---- one stock ----


def stock_page(
    lines: Sequence[Prediction], exchanges: Exchanges = BY_SYMBOL, closes: Mapping[date, float] | None = None
) -> dict[str, Any]:
    """One stock's predictions at one horizon in columns, oldest first, prices in the newest one's units.

    `closes` are those known before the first of them, by day.
    """
    newest = lines[-1]
    units = units_of(lines)
    actual = [line.outcome.actual_price if line.outcome else None for line in lines]
    return {
        "symbol": newest.symbol,
        "horizon": newest.prediction_horizon_days,
        "currency": newest.currency or "",
        "regimes": [line.market_regime for line in lines],
        "made": [day_number(line.data_through) for line in lines],
        "target": [day_number(line.target_date) for line in lines],
        "close": _in_units([line.current_price for line in lines], units),
        "predicted": _in_units([line.predicted_price for line in lines], units),
        "low": _in_units([line.low for line in lines], units),
        "high": _in_units([line.high for line in lines], units),
        "actual": _in_units(actual, units),
        "confidence": [short(line.confidence) for line in lines],
        "change": [short(line.predicted_change_pct) for line in lines],
        "error": [short(line.outcome.error_pct) if line.outcome else None for line in lines],
        "naive_error": [short(line.outcome.naive_error_pct) if line.outcome else None for line in lines],
        "signals": signal_columns(lines),
        "ranges": [list(found) for found in price_ranges(newest)],
        "ahead": {"day": [day_number(day) for day in path_days(newest, exchanges)], "price": list(newest.path)},
        "before": closes_before(lines[0], units[0], closes or {}),
        "why": why(newest),
        "magnitude": newest.magnitude,
        "moves": short(newest.evidence.confidence_inputs.get("volatility_20"), 3),
        "results": newest.results_text,
    }


def closes_before(first: Prediction, units: float, closes: Mapping[date, float]) -> dict[str, list[Any]]:
    """The last closes before a first prediction, in units in which the close that it was made from is its own.

    Empty where that day has no close: nothing would tell the units.
    """
    made = date.fromisoformat(first.data_through)
    days = [day for day in sorted(closes) if day < made][-SESSIONS_BEFORE:] if closes.get(made, 0) > 0 else []
    factor = first.current_price / units / closes[made] if days else 1.0
    return {"day": [day_number(day) for day in days], "close": [short(closes[day] * factor, 6) for day in days]}


def days_before(summary: LogSummary) -> dict[str, tuple[date, date]]:
    """The days, by symbol, of which closes are wanted: those of stocks whose first prediction is on the page."""
    wanted: dict[str, tuple[date, date]] = {}
    for (symbol, _), lines in summary.series.items():
        if len(lines) < summary.most:
            made, last = (date.fromisoformat(line.data_through) for line in (lines[0], lines[-1]))
            first, through = wanted.get(symbol, (made, last))
            wanted[symbol] = (min(first, made), max(through, last))
    reach = timedelta(days=2 * SESSIONS_BEFORE)  # with room for holidays
    is_small = len({symbol for symbol, _ in summary.series}) <= MOST_BEFORE
    return {symbol: (first - reach, last) for symbol, (first, last) in wanted.items()} if is_small else {}


def units_of(lines: Sequence[Prediction]) -> list[float]:
    """Divisors that bring each line's prices into the newest line's units: the splits since, multiplied.

    A line settled across a split says by how much (`units_factor`); earlier lines follow from it.
    """
    units = [1.0] * len(lines)
    for at in reversed(range(len(lines))):
        outcome = lines[at].outcome
        if outcome is not None:
            settled = outcome.ended_at[:10]
            then = next(
                (u for line, u in zip(lines[at + 1 :], units[at + 1 :], strict=True) if line.data_through >= settled),
                1.0,
            )
            units[at] = then * (outcome.units_factor or 1.0)
    return units


def _in_units(prices: Sequence[float | None], units: Sequence[float]) -> list[float | None]:
    pairs = zip(prices, units, strict=True)
    return [None if price is None else price if unit == 1 else short(price / unit, 7) for price, unit in pairs]


def path_days(line: Prediction, exchanges: Exchanges = BY_SYMBOL) -> list[date]:
    """The session of each price of the path; the last is the target, whatever the calendar learned since."""
    ahead = exchanges.calendar(line.symbol).sessions_after(date.fromisoformat(line.data_through), len(line.path) - 1)
    target = date.fromisoformat(line.target_date)
    return [day for day in ahead if day < target] + [target]


def signal_columns(lines: Sequence[Prediction]) -> dict[str, dict[str, list[float]]]:
    """Each signal's weight on each day (0: it did not count), and its learned weight (0: not to be told)."""
    columns: dict[str, dict[str, list[float]]] = {}
    for at, line in enumerate(lines):
        for signal in line.signals:
            column = columns.setdefault(signal.name, {"weight": [0] * len(lines), "learned": [0] * len(lines)})
            column["weight"][at] = signal.weight
            column["learned"][at] = short(
                _learned_weight(signal.weight, line.evidence.opinions.get(signal.name, 0.0)), 3
            )
    return dict(sorted(columns.items(), key=lambda item: -sum(map(abs, item[1]["weight"]))))


def _learned_weight(weight: float, opinion_pct: float) -> float:
    return weight * STRONG_SIGNAL_PCT / opinion_pct if opinion_pct and abs(weight) >= LEAST_WEIGHT else 0.0


def why(line: Prediction) -> list[list[Any]]:
    """Every signal, the strongest first: name, forecast in %, learned weight, contribution to the change in %."""
    weights = {signal.name: signal.weight for signal in line.signals}
    heard = dict.fromkeys([*line.evidence.opinions, *weights])
    rows: list[list[Any]] = []
    for name in heard:
        opinion, weight = line.evidence.opinions.get(name, 0.0), weights.get(name, 0.0)
        learned = weight * STRONG_SIGNAL_PCT / opinion if opinion else 0.0
        rows.append([name, short(opinion), short(learned, 3), short(weight * STRONG_SIGNAL_PCT * line.magnitude)])
    return sorted(rows, key=lambda row: (-abs(row[3]), row[0]))
