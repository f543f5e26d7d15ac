"""The outcome of a prediction: verified, expired, or taken back; a frozen value, and its part in a line's JSON.

Nothing here reads a file or a clock; standard library only, as `records`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from stockml.core import record_fields as field
from stockml.core.outcome_checksum import (
    EXPIRED_KEYS,
    LAST_KEYS,
    OUTCOME_CHECKSUM,
    VERIFIED_KEYS,
    check_outcome,
    outcome_checksum,
)

T = TypeVar("T")

PENDING, VERIFIED, EXPIRED = "pending", "verified", "expired"


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


def completed(record: Mapping[str, Any], outcome: Outcome) -> dict[str, Any]:
    """A pending line's object with its outcome: SPEC's keys after `status`, ours last, keys we do not know kept.

    The very last is the checksum of the outcome.
    """
    if outcome.status == VERIFIED:
        found: dict[str, Any] = {
            "actual_price": outcome.actual_price,
            "error_pct": outcome.error_pct,
            "was_accurate": outcome.was_accurate,
            "verified_at": outcome.ended_at,
        }
    else:
        found = {"reason": outcome.reason, "expired_at": outcome.ended_at}
    last = {name: getattr(outcome, name) for name in LAST_KEYS}
    gone = {*last, OUTCOME_CHECKSUM}
    full: dict[str, Any] = {}
    for key, value in record.items():
        if key == "status":
            full |= {"status": outcome.status, **found}
        elif key not in found and key not in gone:  # left over where somebody set a line back to pending
            full[key] = value
    full |= {key: value for key, value in last.items() if value is not None}
    return full | {OUTCOME_CHECKSUM: outcome_checksum(full)}


def made_pending(record: Mapping[str, Any], note: Reopened) -> dict[str, Any]:
    """A settled line's object without its outcome, pending again, the note last."""
    gone = {*VERIFIED_KEYS, *EXPIRED_KEYS, *LAST_KEYS, "reopened", OUTCOME_CHECKSUM}
    kept = {key: PENDING if key == "status" else value for key, value in record.items() if key not in gone}
    return kept | {"reopened": note.to_record()}


def read_reopened(record: field.Fields) -> Reopened | None:
    """The note of a line's object, if it has one; ValueError names the key that is missing or wrong."""
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


def read_outcome(record: field.Fields) -> Outcome | None:
    """The outcome of a line's object, None where it is pending; ValueError names the key that is missing or wrong."""
    status = record["status"]
    if status == PENDING:
        return None
    if status == VERIFIED:
        outcome = _verified(record)
    elif status == EXPIRED:
        ended_at = field.time_text("expired_at", record["expired_at"])
        outcome = Outcome(EXPIRED, ended_at, reason=field.text("reason", record["reason"]))
    else:
        raise ValueError(f"status is {status!r}, not pending, verified or expired")
    check_outcome(record)
    return outcome


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
