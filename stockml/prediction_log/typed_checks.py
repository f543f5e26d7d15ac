"""Checks of a line of `typed_line` as a whole: figures that follow from each other, an outcome as it was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET
from msgspec.json import encode

from stockml.core.canonical_json import canonical_json, read_canonical
from stockml.core.line_arithmetic import dates_fault, outcome_fault, prediction_fault
from stockml.core.outcome_checksum import CHECKED_KEYS, FIRST_CHECKED_FORMAT, checksum_of
from stockml.core.outcomes import PENDING, VERIFIED

if TYPE_CHECKING:
    from stockml.prediction_log.typed_line import TypedLine


def adds_up(line: TypedLine) -> bool:
    """True if its figures follow from each other."""
    if dates_fault(line.data_through, line.target_date):
        return False
    if prediction_fault(line.current_price, line.predicted_price, line.predicted_change_pct):
        return False
    if line.status != VERIFIED:
        return True
    prices = (line.current_price, line.predicted_price, line.actual_price)
    errors = (line.error_pct, line.naive_error_pct)
    return not outcome_fault(prices, errors, is_accurate=line.was_accurate)  # type: ignore[arg-type]  # are there


def is_outcome_as_written(line: TypedLine) -> bool:
    """True if its outcome is as its checksum says, or needs none."""
    if line.outcome_checksum is UNSET:
        return line.status == PENDING or line.format is UNSET or line.format < FIRST_CHECKED_FORMAT
    return line.status == PENDING or line.outcome_checksum == checksum_of(line.seal, _outcome_text(line))


def _outcome_text(line: TypedLine) -> bytes:
    """The outcome as canonical JSON."""
    if line.status == VERIFIED and not _has_more(line):
        # the same in a fraction of the time; no text of these holds what JSON would have to escape
        at = "" if line.settled_at is UNSET else f'"settled_at":"{line.settled_at}",'
        from_ = "" if line.settled_from is UNSET else f'"settled_from":"{line.settled_from}",'
        return (
            f'{{"actual_price":{line.actual_price!r},"error_pct":{line.error_pct!r},'
            f'"naive_error_pct":{line.naive_error_pct!r},{at}{from_}"status":"verified",'
            f'"verified_at":"{line.verified_at}","was_accurate":{"true" if line.was_accurate else "false"}}}'
        ).encode()
    fields = {key: getattr(line, key) for key in CHECKED_KEYS}
    text = encode({key: value for key, value in fields.items() if value is not UNSET}).decode()
    return canonical_json(read_canonical(text))


def _has_more(line: TypedLine) -> bool:
    """True where a verified line has other fields of its outcome than nearly all."""
    return (
        line.units_factor is not UNSET
        or line.current_price_corrected is not UNSET
        or line.reopened is not UNSET
        or line.reason is not UNSET
        or line.expired_at is not UNSET
    )
