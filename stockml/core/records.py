"""Signal, Prediction and Outcome as frozen values, and their form as JSON.

Nothing here reads a file or a clock; standard library only, so that every script may import it at once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from stockml.core import record_fields as field
from stockml.core.student_t import StudentT

ACCURATE_BELOW_PCT = 5.0  # SPEC: a prediction is accurate when its error is below 5 %
STRONG_SIGNAL_PCT = 5.0  # SPEC: the change that a summed weight of 1 stands for
FORMAT = 1  # of a line's object; a line that does not say is of format 1

T = TypeVar("T")

PENDING, VERIFIED, EXPIRED = "pending", "verified", "expired"


@dataclass(frozen=True, slots=True)
class Signal:
    """One input of a prediction and its weight (of either sign, 4 decimals)."""

    name: str
    weight: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """The inputs of a prediction that learning will need.

    `opinions` maps each signal to its own forecast in % at the target, before weighting, also where its weight
    is 0. `confidence_inputs` maps each figure the confidence was computed from to its value.
    """

    opinions: Mapping[str, float]
    confidence_inputs: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a prediction: `verified` with its prices and errors in %, or `expired` with a reason."""

    status: str
    ended_at: str  # when the line was verified or expired: exchange-local time, YYYY-MM-DDTHH:MM:SS
    actual_price: float | None = None
    error_pct: float | None = None
    was_accurate: bool | None = None
    naive_error_pct: float | None = None  # the error of the naive forecast, an unchanged price
    units_factor: float | None = None  # only where a split or another currency since rescaled the table
    current_price_corrected: float | None = None  # only where the source corrected the close it was made from
    settled_from: str | None = None  # the day of the bar that settled it
    settled_at: str | None = None  # when that bar was fetched, exchange-local time
    reason: str | None = None  # only where expired


@dataclass(frozen=True, slots=True)
class Reopened:
    """Note of a settled line that was made pending again: how often, when last, and the outcome that it had then."""

    times: int
    at: str  # exchange-local time, YYYY-MM-DDTHH:MM:SS, as ended_at
    status: str
    ended_at: str
    actual_price: float | None = None  # only where it was verified

    def to_record(self) -> dict[str, Any]:
        """The JSON object of the note."""
        record: dict[str, Any] = {"times": self.times, "at": self.at, "status": self.status, "ended_at": self.ended_at}
        return record if self.actual_price is None else record | {"actual_price": self.actual_price}


@dataclass(frozen=True, slots=True)
class Prediction:
    """One line of the log: a price some sessions ahead, how it was formed, and, once known, its outcome."""

    symbol: str
    prediction_date: str  # exchange-local time the line was made
    current_price: float  # real close of `data_through`, in `currency`
    predicted_price: float
    predicted_change_pct: float
    confidence: float  # probability that the error stays below 5 %
    prediction_horizon_days: int  # exchange sessions from data_through to target_date
    target_date: str  # the session whose close is predicted
    market_regime: str
    signals: tuple[Signal, ...]
    data_through: str  # the last completed session used
    magnitude: float
    low: float  # 80 % interval around the predicted price
    high: float
    path: tuple[float, ...]  # predicted close of each session up to the target
    evidence: Evidence
    source: str  # yahoo, csv or sample
    currency: str | None
    model_trained_at: str | None
    outcome: Outcome | None = None
    reopened: Reopened | None = None
    distribution: StudentT | None = None  # of the change in %; a line that does not say has none
    model_scale_pct: float | None = None  # the distribution's scale before outcomes corrected it

    @property
    def id(self) -> str:
        """SYMBOL:data_through:horizon, unique in a log."""
        return f"{self.symbol}:{self.data_through}:{self.prediction_horizon_days}"

    @property
    def status(self) -> str:
        """PENDING, or that of the outcome."""
        return PENDING if self.outcome is None else self.outcome.status

    @property
    def actual_change_pct(self) -> float:
        """The change from current_price to actual_price in %; ValueError unless verified."""
        if self.outcome is None or self.outcome.actual_price is None:
            raise ValueError(f"{self.id}: has no actual price, its status is {self.status}")
        return (self.outcome.actual_price / self.current_price - 1) * 100

    def to_record(self) -> dict[str, Any]:
        """The line's JSON object: SPEC's keys first in SPEC's order, then ours; keys without a value are left out."""
        record: dict[str, Any] = {
            "symbol": self.symbol,
            "prediction_date": self.prediction_date,
            "current_price": self.current_price,
            "predicted_price": self.predicted_price,
            "predicted_change_pct": self.predicted_change_pct,
            "confidence": self.confidence,
            "prediction_horizon_days": self.prediction_horizon_days,
            "target_date": self.target_date,
            "market_regime": self.market_regime,
            "signals": [[signal.name, signal.weight] for signal in self.signals],
            "status": PENDING,
            "format": FORMAT,
            "id": self.id,
            "data_through": self.data_through,
            "magnitude": self.magnitude,
            "low": self.low,
            "high": self.high,
            "path": list(self.path),
            "evidence": {
                "opinions": dict(self.evidence.opinions),
                "confidence_inputs": dict(self.evidence.confidence_inputs),
            },
            "source": self.source,
            "currency": self.currency,
            "model_trained_at": self.model_trained_at,
        }
        if self.distribution is not None:
            record["distribution"] = self.distribution.to_record() | {"model_scale_pct": self.model_scale_pct}
        if self.reopened is not None:
            record["reopened"] = self.reopened.to_record()
        return record if self.outcome is None else completed(record, self.outcome)

    def to_json(self) -> str:
        """The record as one line of strict JSON (no NaN), without its line feed."""
        return record_line(self.to_record())

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Prediction:
        """The prediction a JSON object stands for; ValueError names the key that is missing or wrong, nothing else."""
        record = field.Fields(record)
        _refuse_newer(record)
        evidence = field.fields("evidence", record["evidence"])
        prediction = cls(
            symbol=field.text("symbol", record["symbol"]),
            prediction_date=field.time_text("prediction_date", record["prediction_date"]),
            current_price=field.price("current_price", record["current_price"]),
            predicted_price=field.price("predicted_price", record["predicted_price"]),
            predicted_change_pct=field.number("predicted_change_pct", record["predicted_change_pct"]),
            confidence=field.number("confidence", record["confidence"]),
            prediction_horizon_days=field.positive_int("prediction_horizon_days", record["prediction_horizon_days"]),
            target_date=field.day_text("target_date", record["target_date"]),
            market_regime=field.text("market_regime", record["market_regime"]),
            signals=tuple(Signal(*field.weight("signals", pair)) for pair in field.items("signals", record["signals"])),
            data_through=field.day_text("data_through", record["data_through"]),
            magnitude=field.number("magnitude", record["magnitude"]),
            low=field.number("low", record["low"]),
            high=field.number("high", record["high"]),
            path=tuple(field.number("path", price) for price in field.items("path", record["path"])),
            evidence=Evidence(
                field.numbers("opinions", evidence["opinions"]),
                field.numbers("confidence_inputs", evidence["confidence_inputs"]),
            ),
            source=field.text("source", record["source"]),
            currency=field.optional_text("currency", record["currency"]),
            model_trained_at=field.optional_text("model_trained_at", record["model_trained_at"]),
            outcome=_outcome(record),
            reopened=_reopened(record),
            **_distribution(record),
        )
        if record["id"] != prediction.id:
            raise ValueError(f"its id is {record['id']!r}, but its fields make {prediction.id!r}")
        return prediction


def completed(record: Mapping[str, Any], outcome: Outcome) -> dict[str, Any]:
    """A pending line's object with its outcome: SPEC's keys after `status`, ours last, keys we do not know kept."""
    if outcome.status == VERIFIED:
        found: dict[str, Any] = {
            "actual_price": outcome.actual_price,
            "error_pct": outcome.error_pct,
            "was_accurate": outcome.was_accurate,
            "verified_at": outcome.ended_at,
        }
    else:
        found = {"reason": outcome.reason, "expired_at": outcome.ended_at}
    last = {name: getattr(outcome, name) for name in _LAST_KEYS}
    full: dict[str, Any] = {}
    for key, value in record.items():
        if key == "status":
            full |= {"status": outcome.status, **found}
        elif key not in found and key not in last:  # left over where somebody set a line back to pending
            full[key] = value
    return full | {key: value for key, value in last.items() if value is not None}


def made_pending(record: Mapping[str, Any], note: Reopened) -> dict[str, Any]:
    """A settled line's object without its outcome, pending again, the note last."""
    gone = {*_VERIFIED_KEYS, *_EXPIRED_KEYS, *_LAST_KEYS, "reopened"}
    kept = {key: PENDING if key == "status" else value for key, value in record.items() if key not in gone}
    return kept | {"reopened": note.to_record()}


_VERIFIED_KEYS = ("actual_price", "error_pct", "was_accurate", "verified_at")
_EXPIRED_KEYS = ("reason", "expired_at")
_LAST_KEYS = ("naive_error_pct", "units_factor", "current_price_corrected", "settled_from", "settled_at")


def record_line(record: Mapping[str, Any]) -> str:
    """A JSON object as one line, without its line feed; ValueError for a NaN."""
    return json.dumps(record, allow_nan=False, ensure_ascii=False)


def _refuse_newer(record: field.Fields) -> None:
    found = field.positive_int("format", record.get("format", FORMAT))
    if found > FORMAT:
        raise ValueError(f"its format is {found}, which a newer version wrote (this one reads up to {FORMAT}); update")


def _distribution(record: field.Fields) -> dict[str, Any]:
    if "distribution" not in record:
        return {}
    values = field.fields("distribution", record["distribution"])
    scale = field.price("model_scale_pct", values["model_scale_pct"])
    return {"distribution": StudentT.from_record(values), "model_scale_pct": scale}


def _reopened(record: field.Fields) -> Reopened | None:
    if "reopened" not in record:
        return None
    note = field.fields("reopened", record["reopened"])
    if note["status"] not in (VERIFIED, EXPIRED):
        raise ValueError(f"reopened: status is {note['status']!r}, not verified or expired")
    return Reopened(
        times=field.positive_int("times", note["times"]),
        at=field.time_text("at", note["at"]),
        status=note["status"],
        ended_at=field.time_text("ended_at", note["ended_at"]),
        actual_price=_given(note, "actual_price", field.price),
    )


def _outcome(record: field.Fields) -> Outcome | None:
    status = record["status"]
    if status == PENDING:
        return None
    if status == VERIFIED:
        return _verified(record)
    if status == EXPIRED:
        ended_at = field.time_text("expired_at", record["expired_at"])
        return Outcome(EXPIRED, ended_at, reason=field.text("reason", record["reason"]))
    raise ValueError(f"status is {status!r}, not pending, verified or expired")


def _verified(record: field.Fields) -> Outcome:
    return Outcome(
        status=VERIFIED,
        ended_at=field.time_text("verified_at", record["verified_at"]),
        actual_price=field.price("actual_price", record["actual_price"]),
        error_pct=field.number("error_pct", record["error_pct"]),
        was_accurate=field.flag("was_accurate", record["was_accurate"]),
        naive_error_pct=field.number("naive_error_pct", record["naive_error_pct"]),
        units_factor=_given(record, "units_factor", field.number),
        current_price_corrected=_given(record, "current_price_corrected", field.price),
        settled_from=_given(record, "settled_from", field.day_text),
        settled_at=_given(record, "settled_at", field.time_text),
    )


def _given(record: field.Fields, name: str, read: Callable[[str, Any], T]) -> T | None:
    """A value that a line holds only where there is something to say."""
    return read(name, record[name]) if name in record else None


def round_price(price: float) -> float:
    """The price to six significant digits, never fewer than two decimals."""
    decimals = 2 if price <= 0 else max(2, 5 - math.floor(math.log10(price)))
    return round(price, decimals)
