"""Signal, Evidence and Prediction as frozen values, and their form as JSON: a line of the log.

Nothing here reads a file or a clock; standard library only, so that every script may import it at once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stockml.core import record_fields as field
from stockml.core.line_arithmetic import dates_fault, outcome_fault, prediction_fault
from stockml.core.outcomes import PENDING, Outcome, Reopened, completed, read_outcome, read_reopened
from stockml.core.results_expected import ResultsExpected, read_results, results_record
from stockml.core.student_t import StudentT

STRONG_SIGNAL_PCT = 5.0  # SPEC: the change that a summed weight of 1 stands for
DEFAULT_HORIZON = 5  # sessions
FARTHEST_HORIZON = 1_000  # sessions, some four years; much farther a rule's change would leave nothing of a price
FORMAT = 2  # of a line's object: 2 since outcomes have a checksum; a line that does not say is of format 1


@dataclass(frozen=True, slots=True)
class Signal:
    """One input of a prediction and its weight (of either sign, 4 decimals)."""

    name: str
    weight: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """The inputs of a prediction that learning will need.

    `opinions` maps each signal to its own forecast in % at the target, before weighting, also where its weight
    is 0. `confidence_inputs` maps each figure the confidence was computed from to its value. `results` are those that
    the company was expected to publish.
    """

    opinions: Mapping[str, float]
    confidence_inputs: Mapping[str, float]
    results: ResultsExpected | None = None


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
    seal: str | None = None  # as `core.seals` says; given when the line is logged

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

    @property
    def fault(self) -> str | None:
        """The first thing that does not follow from the rest of the line, in words; None where all does."""
        current, predicted = self.current_price, self.predicted_price
        fault = dates_fault(self.data_through, self.target_date)
        fault = fault or prediction_fault(current, predicted, self.predicted_change_pct)
        if fault or self.outcome is None or self.outcome.actual_price is None:
            return fault
        assert self.outcome.error_pct is not None and self.outcome.naive_error_pct is not None
        prices = (current, predicted, self.outcome.actual_price)
        errors = (self.outcome.error_pct, self.outcome.naive_error_pct)
        return outcome_fault(prices, errors, is_accurate=bool(self.outcome.was_accurate))

    @property
    def results_text(self) -> str | None:
        """The results that the company was expected to publish, in words; None where there were none."""
        expected = self.evidence.results
        return None if expected is None else expected.text(self.data_through, self.target_date)

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
                **results_record(self.evidence.results),
            },
            "source": self.source,
            "currency": self.currency,
            "model_trained_at": self.model_trained_at,
        }
        if self.distribution is not None:
            record["distribution"] = self.distribution.to_record() | {"model_scale_pct": self.model_scale_pct}
        if self.seal is not None:
            record["seal"] = self.seal
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
                read_results(evidence),
            ),
            source=field.text("source", record["source"]),
            currency=field.optional_text("currency", record["currency"]),
            model_trained_at=field.optional_text("model_trained_at", record["model_trained_at"]),
            outcome=read_outcome(record),
            reopened=read_reopened(record),
            seal=_seal(record),
            **_distribution(record),
        )
        if record["id"] != prediction.id:
            raise ValueError(f"its id is {record['id']!r}, but its fields make {prediction.id!r}")
        if fault := prediction.fault:
            raise ValueError(fault)
        return prediction


def record_line(record: Mapping[str, Any]) -> str:
    """A JSON object as one line, without its line feed; ValueError for a NaN."""
    return json.dumps(record, allow_nan=False, ensure_ascii=False)


def _refuse_newer(record: field.Fields) -> None:
    found = field.positive_int("format", record.get("format", 1))
    if found > FORMAT:
        raise ValueError(f"its format is {found}, which a newer version wrote (this one reads up to {FORMAT}); update")


def _distribution(record: field.Fields) -> dict[str, Any]:
    if "distribution" not in record:
        return {}
    values = field.fields("distribution", record["distribution"])
    scale = field.positive("model_scale_pct", values["model_scale_pct"])
    return {"distribution": StudentT.from_record(values), "model_scale_pct": scale}


def _seal(record: field.Fields) -> str | None:
    """The seal as it stands there: whether it is right is no question of reading, and costs no prediction."""
    seal = record.get("seal")
    return seal if isinstance(seal, str) else None


def round_price(price: float) -> float:
    """The price to six significant digits, never fewer than two decimals."""
    decimals = 2 if price <= 0 else max(2, 5 - math.floor(math.log10(price)))
    return round(price, decimals)
