"""A line of the log decoded and checked in one pass by msgspec, four times as fast as key by key.

It takes only lines that hold what we write and nothing else. Of any other line it says nothing: whether that one is a
prediction, and if not why, is for `line` to say, which checks key by key. So reading is as strict with it as without.
Importing msgspec takes as long as reading a thousand lines without it.
"""

from __future__ import annotations

from functools import lru_cache
from operator import attrgetter
from typing import Annotated, Any, TypeVar

from msgspec import UNSET, Meta, MsgspecError, Struct, UnsetType, defstruct
from msgspec.json import Decoder, Encoder

from stockml.core import record_fields as field
from stockml.core.outcomes import EXPIRED, PENDING, VERIFIED, Outcome, Reopened
from stockml.core.paths import is_symbol
from stockml.core.records import FORMAT, Evidence, Prediction, Signal
from stockml.core.results_expected import ResultsExpected
from stockml.core.seals import UNSEALED
from stockml.core.student_t import GREATEST_DEGREES, LAW, StudentT
from stockml.prediction_log.typed_checks import adds_up, is_outcome_as_written

T = TypeVar("T")

Text = Annotated[str, Meta(min_length=1)]
Number = Annotated[float, Meta(ge=-field.GREATEST, le=field.GREATEST)]
Above0 = Annotated[float, Meta(ge=field.SMALLEST_PRICE, le=field.GREATEST)]
Whole = int | float  # a float is refused below; where an int alone is asked for, msgspec takes 5.0


class _Signal(Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    name: Text
    weight: Number


class _Results(Struct, forbid_unknown_fields=True, gc=False):
    date: Text
    known: bool
    moves_times: Annotated[float, Meta(gt=0, le=field.GREATEST)]


class _Evidence(Struct, forbid_unknown_fields=True, gc=False):
    confidence_inputs: dict[str, Number]  # the fields of an object that is sealed are in the order of their names
    opinions: dict[str, Number]
    results_expected: _Results | UnsetType = UNSET

    def is_right(self) -> bool:
        return self.results_expected is UNSET or _is_day(self.results_expected.date)

    def to_evidence(self) -> Evidence:
        found = self.results_expected
        results = None if found is UNSET else ResultsExpected(found.date, found.known, found.moves_times)
        return Evidence(self.opinions, self.confidence_inputs, results)


class _Distribution(Struct, forbid_unknown_fields=True, gc=False):
    law: str
    degrees: Whole
    location_pct: Number
    scale_pct: Above0
    model_scale_pct: Above0

    def is_right(self) -> bool:
        return self.law == LAW and type(self.degrees) is int and 2 <= self.degrees <= GREATEST_DEGREES

    def sealed_form(self) -> dict[str, object]:
        return {
            "degrees": float(self.degrees),
            "law": self.law,
            "location_pct": self.location_pct,
            "model_scale_pct": self.model_scale_pct,
            "scale_pct": self.scale_pct,
        }


class _Reopened(Struct, forbid_unknown_fields=True, gc=False):
    times: Whole
    at: Text
    status: str
    ended_at: Text
    actual_price: Above0 | UnsetType = UNSET

    def is_right(self) -> bool:
        is_ended = self.status in (VERIFIED, EXPIRED)
        return is_ended and _is_count(self.times) and _is_time(self.at) and _is_time(self.ended_at)


class TypedLine(Struct, forbid_unknown_fields=True, gc=False):
    """A line of the log, each key by its name in the log."""

    symbol: Text
    prediction_date: Text
    current_price: Above0
    predicted_price: Above0
    predicted_change_pct: Number
    confidence: Number
    prediction_horizon_days: Whole
    target_date: Text
    market_regime: Text
    signals: list[_Signal]
    status: str
    id: str
    data_through: Text
    magnitude: Number
    low: Number
    high: Number
    path: tuple[Number, ...]
    evidence: _Evidence
    source: Text
    currency: Text | None
    model_trained_at: Text | None
    format: Whole | UnsetType = UNSET
    actual_price: Above0 | UnsetType = UNSET
    error_pct: Number | UnsetType = UNSET
    was_accurate: bool | UnsetType = UNSET
    verified_at: Text | UnsetType = UNSET
    naive_error_pct: Number | UnsetType = UNSET
    units_factor: Number | UnsetType = UNSET
    current_price_corrected: Above0 | UnsetType = UNSET
    settled_from: Text | UnsetType = UNSET
    settled_at: Text | UnsetType = UNSET
    reason: Text | UnsetType = UNSET
    expired_at: Text | UnsetType = UNSET
    distribution: _Distribution | UnsetType = UNSET
    seal: str | UnsetType = UNSET
    sealed_after: str | UnsetType = UNSET
    reopened: _Reopened | UnsetType = UNSET
    outcome_checksum: str | UnsetType = UNSET

    @property
    def ended_at(self) -> str | None:
        """The time when it was verified or expired; None where it is pending."""
        found = self.verified_at if self.status == VERIFIED else self.expired_at
        return found if found is not UNSET and self.status != PENDING else None

    def is_right(self) -> bool:
        """True if the values are those of a prediction, beyond each being of its kind."""
        return (
            _is_count(self.prediction_horizon_days)
            and self.id == f"{self.symbol}:{self.data_through}:{self.prediction_horizon_days}"
            and (self.format is UNSET or (type(self.format) is int and 1 <= self.format <= FORMAT))
            and _is_time(self.prediction_date)
            and _is_day(self.target_date)
            and _is_day(self.data_through)
            and _is_symbol(self.symbol)
            and self._is_ended_right()
            and adds_up(self)
            and is_outcome_as_written(self)
            and self.evidence.is_right()
            and (self.distribution is UNSET or self.distribution.is_right())
            and (self.reopened is UNSET or self.reopened.is_right())
        )

    def _is_ended_right(self) -> bool:
        if self.status == VERIFIED:
            return (
                self.verified_at is not UNSET
                and self.actual_price is not UNSET
                and self.error_pct is not UNSET
                and self.was_accurate is not UNSET
                and self.naive_error_pct is not UNSET
                and _is_time(self.verified_at)
                and (self.settled_from is UNSET or _is_day(self.settled_from))
                and (self.settled_at is UNSET or _is_time(self.settled_at))
            )
        if self.status == EXPIRED:
            return self.reason is not UNSET and self.expired_at is not UNSET and _is_time(self.expired_at)
        return self.status == PENDING

    def to_prediction(self) -> Prediction:
        """The prediction of a line that is right."""
        evidence, spread = self.evidence, _given(self.distribution)
        return Prediction(  # by place: twenty-five names would take as long as the decoding
            self.symbol,
            self.prediction_date,
            self.current_price,
            self.predicted_price,
            self.predicted_change_pct,
            self.confidence,
            int(self.prediction_horizon_days),
            self.target_date,
            self.market_regime,
            tuple([Signal(signal.name, signal.weight) for signal in self.signals]),
            self.data_through,
            self.magnitude,
            self.low,
            self.high,
            self.path,
            evidence.to_evidence(),
            self.source,
            self.currency,
            self.model_trained_at,
            self._outcome(),
            None if self.reopened is UNSET else _noted(self.reopened),
            None if spread is None else StudentT(spread.location_pct, spread.scale_pct, int(spread.degrees)),
            None if spread is None else spread.model_scale_pct,
            _given(self.seal),
        )

    def sealed_form(self) -> bytes:
        """Its canonical JSON as `core.seals` has it, in a fifth of the time: the same but for numbers far from 1.

        Where a seal agrees with it the seal is right; where it does not, `core.seals.canonical` has to say.
        """
        form = _SEALED(*_SEALED_VALUES(self))
        form.prediction_horizon_days = float(self.prediction_horizon_days)
        if self.format is not UNSET:
            form.format = float(self.format)
        if self.distribution is not UNSET:
            form.distribution = self.distribution.sealed_form()
        return _ENCODE(form)

    def _outcome(self) -> Outcome | None:
        if self.status == PENDING:
            return None
        if self.status == EXPIRED:
            return Outcome(EXPIRED, str(self.expired_at), reason=_given(self.reason))
        factor, corrected, from_, at = (
            self.units_factor,
            self.current_price_corrected,
            self.settled_from,
            self.settled_at,
        )
        return Outcome(
            VERIFIED,
            self.verified_at,  # type: ignore[arg-type]  # these five are there where it is right
            self.actual_price,  # type: ignore[arg-type]
            self.error_pct,  # type: ignore[arg-type]
            self.was_accurate,  # type: ignore[arg-type]
            self.naive_error_pct,  # type: ignore[arg-type]
            None if factor is UNSET else factor,
            None if corrected is UNSET else corrected,
            None if from_ is UNSET else from_,
            None if at is UNSET else at,
        )


_DECODER = Decoder(TypedLine)

_SEALED_NAMES = sorted(set(TypedLine.__struct_fields__) - UNSEALED)
_SEALED: Any = defstruct("_Sealed", [(name, object) for name in _SEALED_NAMES], gc=False)
_SEALED_VALUES = attrgetter(*_SEALED_NAMES)
_ENCODE = Encoder(order="deterministic").encode


def typed_line(raw: bytes) -> TypedLine | None:
    """The line, if it is wholly one that we wrote; None where it has to be looked at key by key."""
    if b"\\u" in raw:  # perhaps half a surrogate, which msgspec and json take differently
        return None
    try:
        line = _DECODER.decode(raw)
    except (MsgspecError, UnicodeError, RecursionError):
        return None
    return line if line.is_right() else None


def sealed_form(raw: bytes) -> bytes | None:
    """The canonical JSON of a line as `core.seals` has it, where its seal may be tried with it; None where not."""
    try:
        return _DECODER.decode(raw).sealed_form()
    except (MsgspecError, UnicodeError, RecursionError):
        return None


def _noted(note: _Reopened) -> Reopened:
    return Reopened(int(note.times), note.at, note.status, note.ended_at, _given(note.actual_price))


def _given(value: T | UnsetType) -> T | None:
    return None if value is UNSET else value


def _is_count(value: float) -> bool:
    return type(value) is int and 1 <= value <= field.FARTHEST_SESSIONS


@lru_cache(maxsize=1 << 14)
def _is_day(text: str) -> bool:
    try:
        field.day_text("", text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1 << 14)
def _is_time(text: str) -> bool:
    try:
        field.time_text("", text)
    except ValueError:
        return False
    return True


_is_symbol = lru_cache(maxsize=1 << 14)(is_symbol)
