"""The state as metrics for Prometheus, in the text format that node_exporter's textfile collector reads.

The file is OpenMetrics too: gauges alone, HELP before TYPE, no timestamps, and `# EOF` at its end, a comment to the
collector. Owner of the file that --openmetrics names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from stockml.accuracy.scores import Score
from stockml.reporting.status import Status
from stockml.reporting.stock_states import StockState
from stockml.storage.files import storage, write_whole
from stockml.storage.plain_files import open_plain, plain_status

PREFIX = "stockml_"
BEGINNING = f"# HELP {PREFIX}".encode()
END = "# EOF"
SECONDS_A_DAY = 86_400

Labels = Mapping[str, str]


class Metric(NamedTuple):
    """One gauge: its name without the prefix, what it is, and its values by their labels."""

    name: str
    meaning: str
    values: Sequence[tuple[Labels, float]]


def openmetrics_text(state: Status, *, is_simulated: bool) -> str:
    """The metrics of a state; those without any value are left out."""
    metrics = [*_whole(state, is_simulated=is_simulated), *_last_run(state), *_by_horizon(state), *_by_stock(state)]
    lines = [line for metric in metrics if metric.values for line in _lines(metric)]
    return "\n".join([*lines, END, ""])


def write_openmetrics(path: Path, state: Status, *, is_simulated: bool) -> None:
    """Write the metrics whole, in place of the last ones: a reader meets the old or the new. StorageError."""
    write_whole(path, openmetrics_text(state, is_simulated=is_simulated))


def is_ours(path: Path) -> bool:
    """True for a file as `write_openmetrics` writes it, and an empty one; StorageError for what is no plain file."""
    if (status := plain_status(path)) is None:
        return False
    with storage(path, "read the file"), open_plain(path) as file:
        return status.st_size == 0 or file.read(len(BEGINNING)) == BEGINNING


def _lines(metric: Metric) -> Iterable[str]:
    name = PREFIX + metric.name
    yield f"# HELP {name} {metric.meaning}"
    yield f"# TYPE {name} gauge"
    for labels, value in metric.values:
        told = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{name}{{{told}}} {value!r}" if told else f"{name} {value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _one(name: str, meaning: str, value: float | None) -> Metric:
    return Metric(name, meaning, [] if value is None else [({}, value)])


def _whole(state: Status, *, is_simulated: bool) -> list[Metric]:
    return [
        _one("simulated", "1 where the prices are those of a simulated market, not real ones", int(is_simulated)),
        _one("status_timestamp_seconds", "When this state was taken", _moment(state.at)),
        _one("alarms", "Things that somebody has to do something about", len(state.alarms)),
        _one("predictions_pending", "Predictions without an outcome", state.pending),
        _one("predictions_due", "Pending predictions whose close has come", state.due),
        _one("predictions_overdue", "Due predictions for which no bar has come in time", len(state.overdue)),
        _one("predictions_verified", "Predictions with an outcome, of all horizons", state.verified),
        _one(
            "prices_through_timestamp_seconds",
            "Start in UTC of the newest session that a prediction was made from",
            _moment(state.prices_through),
        ),
        _one("stocks_with_stale_prices", "Stocks whose prices lagged when asked for", len(state.stale_prices)),
        _one("stocks_with_stale_models", "Predicted stocks with a stale model", len(state.stale_models)),
        _one("seals_broken", "1 where the chain of seals of the log is broken", int(state.broken_seals is not None)),
    ]


def _last_run(state: Status) -> list[Metric]:
    run = state.last_run
    if run is None:
        return []
    return [
        _one("last_run_start_timestamp_seconds", "When the last run of the predictor began", _moment(run.began_at)),
        _one("last_run_end_timestamp_seconds", "When it ended; missing while it has not", _moment(run.ended_at)),
        _one("last_run_exit_code", "Exit code of the last run; missing while it has not ended", run.exit_code),
        _one("last_run_predictions_logged", "Predictions that it logged", run.logged if run.ended_at else None),
        _one("last_run_predictions_settled", "Predictions that it settled", run.settled if run.ended_at else None),
        _one("last_run_failures", "Failures of the last run", len(run.failures) if run.ended_at else None),
    ]


def _by_horizon(state: Status) -> list[Metric]:
    scores = {str(horizon): score for horizon, score in state.by_horizon.items() if score.total}

    def of(name: str, meaning: str, value: Mapping[str, float]) -> Metric:
        return Metric(name, meaning, [({"horizon_sessions": horizon}, found) for horizon, found in value.items()])

    def each(of_score: str, scale: float = 1.0) -> dict[str, float]:
        return {horizon: round(getattr(score, of_score) * scale, 6) for horizon, score in scores.items()}

    return [
        of("outcomes", "Verified predictions", _totals(scores)),
        of("accuracy_ratio", "Share of them with an error below 5 %", each("accuracy")),
        of("mean_error_ratio", "Mean error, as a share of the actual price", each("mean_error_pct", 0.01)),
        of("naive_mean_error_ratio", "The same of the naive forecast, no change", each("mean_naive_error_pct", 0.01)),
        of("interval_coverage_ratio", "Share of outcomes inside the 80 % interval", each("coverage")),
        of("mean_confidence_ratio", "Mean stated confidence", each("mean_confidence")),
    ]


def _totals(scores: Mapping[str, Score]) -> dict[str, float]:
    return {horizon: score.total for horizon, score in scores.items()}


def _by_stock(state: Status) -> list[Metric]:
    stocks = state.stocks.values()

    def of(name: str, meaning: str, values: Iterable[tuple[StockState, float | None]]) -> Metric:
        told = [({"symbol": stock.symbol}, value) for stock, value in values if value is not None]
        return Metric(f"stock_{name}", meaning, told)

    days = ((stock, _moment(stock.last_forecast)) for stock in stocks)
    ages = ((s, None if s.model_age_days is None else s.model_age_days * SECONDS_A_DAY) for s in stocks)
    return [
        of("last_forecast_timestamp_seconds", "Start in UTC of the session of a stock's last forecast", days),
        of("missing_sessions", "Sessions since then, of its exchange", ((s, s.missing_sessions) for s in stocks)),
        of("failing", "1 where the last run made no forecast of it", ((s, int(bool(s.failing_since))) for s in stocks)),
        of("model_age_seconds", "Age of its model by the last day that it learned from", ages),
    ]


def _moment(text: str | None) -> int | None:
    """Seconds since 1970 of a time YYYY-MM-DDTHH:MM:SSZ, or of the start of a day in UTC; None of none."""
    if text is None:
        return None
    found = datetime.fromisoformat(text.removesuffix("Z"))
    return int(found.replace(tzinfo=UTC).timestamp())
