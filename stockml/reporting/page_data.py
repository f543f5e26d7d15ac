"""The lines of the log -> the figures a page shows: each stock's predictions in columns, and how good they have been.

Values in, plain values out; how a page looks, and where it lies, is left to `report`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from stockml.accuracy.scores import Score, added, by
from stockml.core.exchanges import BY_SYMBOL, Exchanges
from stockml.core.records import STRONG_SIGNAL_PCT, Prediction

SESSIONS_SHOWN = 250  # of a stock: about a year; the record counts every line
BINS, LEAST_IN_BIN = 10, 30  # of the reliability diagram
NORMAL_90 = 1.645  # standard deviations that hold nine tenths
LEAST_WEIGHT = 0.001  # below it the fourth decimal alone would tell the learned weight

_EPOCH = date(1970, 1, 1)


class _Group(NamedTuple):
    """Predictions that are scored together: of one horizon and stock, their targets in one week."""

    horizon: int
    symbol: str
    monday: date

    @classmethod
    def of(cls, line: Prediction) -> _Group:
        target = date.fromisoformat(line.target_date)
        return cls(line.prediction_horizon_days, line.symbol, target - timedelta(days=target.weekday()))


@dataclass(frozen=True, slots=True)
class Record:
    """All verified predictions of one horizon, or of all: their score by week and by stock, and their confidence."""

    total: Score
    weeks: Mapping[date, Score]  # by the Monday of the target's week
    stocks: Mapping[str, Score]
    confidences: Sequence[tuple[float, bool]]  # and whether it was accurate
    overlap: float  # mean horizon in sessions

    @classmethod
    def of(cls, groups: Mapping[_Group, Score], confidences: Sequence[tuple[float, bool]]) -> Record:
        return cls(
            total=sum(groups.values(), Score()),
            weeks=added(groups, lambda group: group.monday),
            stocks=added(groups, lambda group: group.symbol),
            confidences=confidences,
            overlap=sum(group.horizon * score.total for group, score in groups.items()) / max(len(confidences), 1),
        )

    def to_page(self) -> dict[str, Any]:
        weeks = [
            {"day": day_number(monday), **rounded(score_on_page(score))} for monday, score in sorted(self.weeks.items())
        ]
        return {
            "total": rounded(score_on_page(self.total)) if self.confidences else None,
            "weeks": weeks,
            "bins": reliability(self.confidences, self.overlap),
            "stocks": {symbol: rounded(score_on_page(score)) for symbol, score in sorted(self.stocks.items())},
        }


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
        "inside": score.inside / score.total,
        "confidence": score.mean_confidence,
    }


@dataclass(frozen=True, slots=True)
class LogSummary:
    """The log sorted for a page: by stock and horizon, and as a record."""

    series: Mapping[tuple[str, int], Sequence[Prediction]]  # the newest lines of each, oldest first
    records: Mapping[int, Record]  # by horizon
    everything: Record


def collect(pending: Iterable[Prediction], verified: Iterable[Prediction]) -> LogSummary:
    """Sort the log's lines, walking once through the verified ones and keeping none but the newest."""
    recent: dict[tuple[str, int], deque[Prediction]] = {}
    confidences: dict[int, list[tuple[float, bool]]] = {}

    def noted(lines: Iterable[Prediction]) -> Iterator[Prediction]:
        for line in lines:
            _keep(recent, line)
            hit = line.outcome is not None and bool(line.outcome.was_accurate)
            confidences.setdefault(line.prediction_horizon_days, []).append((line.confidence, hit))
            yield line

    groups = by(_Group.of, noted(verified))
    for line in pending:
        _keep(recent, line)
    series = {key: sorted(recent[key], key=lambda line: line.data_through)[-SESSIONS_SHOWN:] for key in sorted(recent)}
    records = {
        horizon: Record.of({group: score for group, score in groups.items() if group.horizon == horizon}, stated)
        for horizon, stated in confidences.items()
    }
    return LogSummary(series, records, Record.of(groups, [pair for stated in confidences.values() for pair in stated]))


def _keep(recent: dict[tuple[str, int], deque[Prediction]], line: Prediction) -> None:
    key = (line.symbol, line.prediction_horizon_days)
    recent.setdefault(key, deque(maxlen=2 * SESSIONS_SHOWN)).append(line)


# ---- one stock ----


def stock_page(lines: Sequence[Prediction], exchanges: Exchanges = BY_SYMBOL) -> dict[str, Any]:
    """One stock's predictions at one horizon in columns, oldest first, prices in the newest one's units."""
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
        "ahead": {"day": [day_number(day) for day in path_days(newest, exchanges)], "price": list(newest.path)},
        "why": why(newest),
        "magnitude": newest.magnitude,
        "moves": short(newest.evidence.confidence_inputs.get("volatility_20"), 3),
        "results": newest.results_text,
    }


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


# ---- how good the confidence has been ----


def reliability(forecasts: Iterable[tuple[float, bool]], overlap: float) -> list[dict[str, float]]:
    """Reliability bins, one a tenth of the confidences: mean confidence, share accurate and its interval.

    Predictions made on neighbouring days share most of their outcome, so `overlap` of them (the sessions ahead) count
    as one where the uncertainty of a share is told (Wilson, 90 %).
    """
    ordered = sorted(forecasts)
    count = max(1, min(BINS, len(ordered) // LEAST_IN_BIN))
    edges = [round(number * len(ordered) / count) for number in range(count + 1)]
    bins = []
    for start, end in pairwise(edges):
        chosen = ordered[start:end]
        if chosen:
            share = sum(hit for _, hit in chosen) / len(chosen)
            low, high = wilson(share, len(chosen) / max(overlap, 1.0))
            mean = sum(confidence for confidence, _ in chosen) / len(chosen)
            bins.append(rounded({"n": len(chosen), "confidence": mean, "share": share, "low": low, "high": high}))
    return bins


def wilson(share: float, n: float) -> tuple[float, float]:
    """The interval that holds the true share with 90 %, by Wilson's score."""
    z2 = NORMAL_90**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = NORMAL_90 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, centre - half), min(1.0, centre + half)


# ---- plain values ----


def day_number(day: date | str) -> int:
    """Days since 1970: a date in five characters."""
    return ((date.fromisoformat(day) if isinstance(day, str) else day) - _EPOCH).days


def short(value: float | None, digits: int = 5) -> Any:
    """The number to so many significant digits, without a needless `.0`; None stays None."""
    if value is None:
        return None
    near = float(f"{value:.{digits}g}")
    return int(near) if near.is_integer() else near


def rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: short(value) for name, value in values.items()}
