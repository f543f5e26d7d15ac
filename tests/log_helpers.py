"""Made-up predictions and outcomes, and a learner small enough to check by hand, for the tests of the log."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from stockml.accuracy.tracker import Feedback
from stockml.core.outcomes import VERIFIED, Outcome
from stockml.core.paths import Home
from stockml.core.records import Evidence, Prediction, Signal
from stockml.core.student_t import StudentT
from stockml.prediction_log.log import PredictionLog

NAMES = ("overbought", "macd_positive", "golden_cross", "regime_bullish", "lstm", "xgb", "pattern_3", "drift")
START = date(2026, 1, 5)
AT = "2026-03-01T10:00:00"  # after all days of these tests


def prediction(symbol: str = "TCS.NS", day: int = 0, *, horizon: int = 5, current: float = 3845.5) -> Prediction:
    """The prediction that the run of a day, counted from START, makes."""
    made = START + timedelta(days=day)
    change = round(((day * 7 + len(symbol)) % 11 - 5) * 0.4, 2)
    predicted = round(current * (1 + change / 100), 2)
    return Prediction(
        symbol=symbol,
        prediction_date=f"{made}T16:00:00",
        current_price=current,
        predicted_price=predicted,
        predicted_change_pct=change,
        confidence=0.75,
        prediction_horizon_days=horizon,
        target_date=str(made + timedelta(days=horizon)),
        market_regime="bullish",
        signals=(Signal("macd_positive", 0.2), Signal("golden_cross", 0.4), Signal("lstm", -0.0123)),
        data_through=str(made),
        magnitude=0.756,
        low=round(predicted * 0.97, 2),
        high=round(predicted * 1.03, 2),
        path=tuple(round(current + (predicted - current) * step / horizon, 2) for step in range(1, horizon + 1)),
        evidence=Evidence(
            {name: round(0.37 * number - 1, 4) for number, name in enumerate(NAMES)},
            {"daily_volatility_pct": 1.3127, "horizon_volatility_pct": 2.8113, "ticks": 250.0},
        ),
        source="csv",
        currency="INR",
        model_trained_at="2026-01-01T12:30:45",
        distribution=StudentT(change, 2.0, 5),
        model_scale_pct=1.9,
    )


def outcome(made: Prediction, *, at: str | None = None) -> Outcome:
    """What came true of a prediction: a function of it alone, known at 16:00 of its target date unless said."""
    day = date.fromisoformat(made.target_date)
    actual = round(made.current_price * (1 + (day.toordinal() * 13 % 23 - 11) / 100), 2)
    error = round(abs(actual - made.predicted_price) / actual * 100, 2)
    naive = round(abs(actual - made.current_price) / actual * 100, 2)
    return Outcome(VERIFIED, at or f"{day}T16:00:00", actual, error, error < 5, naive)


class Tally:
    """A learner whose state shows which lines it was given, in which order."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def learn(self, prediction: Prediction) -> None:
        self.seen.append(prediction.id)

    def to_state(self) -> dict[str, Any]:
        return {"seen": self.seen}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Tally:
        tally = cls()
        tally.seen = list(state["seen"])
        return tally


def records(path: Path) -> list[dict[str, Any]]:
    """Every line of a log as strict JSON; blank ones left out."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} in the log")

    lines = path.read_bytes().split(b"\n") if path.exists() else []
    return [json.loads(line, parse_constant=refuse) for line in lines if line.strip()]


def settled_ids(home: Home) -> list[str]:
    """The ids of the settled lines, in the file's order."""
    return [record["id"] for record in records(home.log) if record["status"] != "pending"]


def run_day(
    home: Home, day: int, symbols: Sequence[str] = ("TCS.NS", "INFY.NS"), *, lock_timeout: float = 60
) -> list[str]:
    """What the predictor does on a day, with the log and the feedback: settle what is due, then predict."""
    log = PredictionLog(home.log)
    today = str(START + timedelta(days=day))
    if log.kinds() - {"csv"}:
        raise AssertionError("the log is not from these tests")
    log.pending()  # the glance that tells the predictor what to fetch
    with log.locked(lock_timeout):
        view = log.read()
        due = {line.id: outcome(line) for line in view.pending if line.target_date <= today}
        Feedback(home.feedback, Tally).update(log, view, log.settle(due))
        return [line.id for line in log.append(prediction(symbol, day) for symbol in symbols)]


CHECKPOINT = ".predictions.checkpoint.json"
INDEX = ".predictions.index.sqlite"


def feedback_bytes(home: Home) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(home.feedback.iterdir())}
