"""Sections of the HTML report in tables and sentences: today's predictions, models, state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from stockml.core.clock import Clock
from stockml.core.records import Prediction
from stockml.core.wording import count
from stockml.prediction_log.log import PredictionLog
from stockml.prediction_log.view import View
from stockml.reporting.formatting import percent
from stockml.reporting.last_run import LastRun
from stockml.reporting.page_data import LogSummary
from stockml.reporting.page_values import short
from stockml.reporting.page_yesterday import Sessions
from stockml.reporting.ranges import price_ranges
from stockml.reporting.status import MODEL_STALE_AFTER_DAYS, Status
from stockml.reporting.stock_states import KnownModel

RECENT = 5  # outcomes shown beside a stock's prediction
LINES_LISTED = 50  # of what waits or expired; the rest is counted


def today_rows(summary: LogSummary, sessions: Sessions) -> list[dict[str, Any]]:
    """The newest prediction of each stock at each horizon, as the table shows it."""
    newest = {key: lines[-1] for key, lines in summary.series.items()}
    names = names_on_page(summary)
    reach = max((_reach(line) for line in newest.values()), default=1.0)
    return [
        {
            "key": names[key],
            "symbol": line.symbol,
            "horizon": line.prediction_horizon_days,
            "currency": line.currency or "",
            "made": line.data_through,
            "is_old": not sessions.is_newest(line.symbol, line.data_through),
            "close": line.current_price,
            "predicted": line.predicted_price,
            "change": line.predicted_change_pct,
            "low": line.low,
            "high": line.high,
            "low_at": _place(line, line.low, reach),
            "high_at": _place(line, line.high, reach),
            "predicted_at": _place(line, line.predicted_price, reach),
            "confidence": line.confidence,
            "regime": line.market_regime,
            "target": line.target_date,
            "ranges": {round(found.share * 100): found for found in price_ranges(line)},
            "has_model": line.model_trained_at is not None,
            "recent": recent_outcomes(summary.series[key]),
        }
        for key, line in newest.items()
    ]


def first_target(summary: LogSummary) -> str | None:
    """The day on which the first outcome will be known."""
    waiting = (line for lines in summary.series.values() for line in lines if line.outcome is None)
    return min((line.target_date for line in waiting), default=None)


def recent_outcomes(lines: Sequence[Prediction]) -> list[bool]:
    """Hits and misses of the last few verified predictions, oldest first."""
    return [line.outcome.was_accurate for line in lines if line.outcome and line.outcome.was_accurate is not None][
        -RECENT:
    ]


def _reach(line: Prediction) -> float:
    return max(abs(line.low / line.current_price - 1), abs(line.high / line.current_price - 1), 1e-6)


def _place(line: Prediction, price: float, reach: float) -> float:
    """Position of a price from -48 to 48, today's close at 0, on the same scale for all stocks."""
    return round((price / line.current_price - 1) / reach * 48, 2)


def names_on_page(summary: LogSummary) -> dict[tuple[str, int], str]:
    """Each series' name on the page: its symbol, and the horizon where there are several."""
    has_one = len({horizon for _, horizon in summary.series}) == 1
    return {(symbol, horizon): symbol if has_one else f"{symbol}@{horizon}" for symbol, horizon in summary.series}


# ---- models ----


def models(known: Mapping[str, KnownModel], clock: Clock) -> dict[str, Any]:
    """Each trained model's validation scores, and what they say together."""
    rows = model_rows(known, clock)
    return {"models": rows, "models_story": models_story(rows)}


def model_rows(known: Mapping[str, KnownModel], clock: Clock) -> list[dict[str, Any]]:
    """The scores of each model, those left out that have seen days after the clock's."""
    seen = "9999" if clock.as_of is None else clock.as_of.isoformat()
    return [_model_row(symbol, model) for symbol, model in known.items() if model.data_through <= seen]


def _model_row(symbol: str, model: KnownModel) -> dict[str, Any]:
    blend, naive = model.scores["ensemble_mae"], model.scores["naive_mae"]
    return {
        **model.scores,
        "symbol": symbol,
        "data_through": model.data_through,
        "age": model.age_days,
        "is_stale": model.age_days > MODEL_STALE_AFTER_DAYS,
        "edge": short((blend / naive - 1) * 100) if blend is not None and naive else None,
    }


def models_story(rows: Sequence[dict[str, Any]]) -> str:
    """Sentence on the models' validation."""
    edges = [row["edge"] for row in rows if row["edge"] is not None]
    if not edges:
        return ""
    better, middle = sum(edge < 0 for edge in edges), median(edges)
    word = "smaller" if middle < 0 else "larger"
    return (
        f"The ensemble of both models was closer than naive for {better} of {count(len(edges), 'stock')}; in the "
        f"median its error was {percent(abs(middle))} {word} than naive's."
    )


# ---- the state ----


def facts(state: Status) -> list[tuple[str, str]]:
    """The state as names and values: the lines of the status, without its notes and alarms."""
    lines = [line for line in state.to_text().splitlines() if not line.startswith(("NOTE", "ALARM"))]
    return [(line[:14].strip(), line[14:]) for line in lines]


def lists(log: PredictionLog, view: View, clock: Clock, run: LastRun | None) -> list[tuple[str, list[str]]]:
    """Lists of failures, waiting, expired and damaged lines by title; most are empty on a good day."""
    problems = [f"predictions.jsonl, {problem}" for problem in view.problems]
    return [
        ("Failures of the last run", [failure.message for failure in run.failures] if run else []),
        ("Told by the last run", list(run.notices) if run else []),
        ("Waiting for a price", _listed([f"{id_}: {reason}" for id_, reason in run.waiting.items()] if run else [])),
        ("Expired without a price", _listed(_expired(log, clock))),
        ("Damaged lines of the log", _listed(problems)),
    ]


def _expired(log: PredictionLog, clock: Clock) -> list[str]:
    keys = log.expired(clock.as_of)
    lines = [line for line in log.lines_at(keys[:LINES_LISTED]) if line.outcome]
    return [f"{line.id}: {line.outcome.reason}" for line in lines if line.outcome] + [""] * (len(keys) - len(lines))


def _listed(items: list[str]) -> list[str]:
    more = len(items) - LINES_LISTED
    return items if more <= 0 else [*items[:LINES_LISTED], f"and {more:,} more"]
