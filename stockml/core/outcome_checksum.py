"""Checksum of a settled line's outcome: what its seal, which is as old as the prediction, cannot be over.

It is the first 16 hexadecimal digits of the SHA-256 of the line's seal (nothing where it has none) and of its outcome
as canonical JSON: all of CHECKED_KEYS that it has. It tells damage by accident, and no forgery.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from stockml.core.canonical_json import canonical_json, read_canonical
from stockml.core.line_arithmetic import ANEW

OUTCOME_CHECKSUM = "outcome_checksum"
VERIFIED_KEYS = ("actual_price", "error_pct", "was_accurate", "verified_at")
EXPIRED_KEYS = ("reason", "expired_at")
LAST_KEYS = ("naive_error_pct", "units_factor", "current_price_corrected", "settled_from", "settled_at")
CHECKED_KEYS = frozenset({"status", *VERIFIED_KEYS, *EXPIRED_KEYS, *LAST_KEYS, "reopened"})
OUTCOME_KEYS = CHECKED_KEYS | {OUTCOME_CHECKSUM}  # all that may change after the prediction was made

FIRST_CHECKED_FORMAT = 2  # a settled line of this format or a later one has its checksum
_DIGITS = 16


def outcome_checksum(record: Mapping[str, Any]) -> str:
    """The checksum that a settled line's object should have."""
    fields = {key: value for key, value in record.items() if key in CHECKED_KEYS}
    return checksum_of(record.get("seal"), canonical_json(read_canonical(json.dumps(fields))))


def checksum_of(seal: object, outcome: bytes) -> str:
    """The checksum behind a seal, of an outcome as canonical JSON."""
    before = seal.encode() if isinstance(seal, str) else b""
    return hashlib.sha256(before + outcome, usedforsecurity=False).hexdigest()[:_DIGITS]


def check_outcome(record: Mapping[str, Any]) -> None:
    """ValueError for a settled line's object whose outcome is not as it was written.

    One of an earlier format may lack the checksum; its format was read before.
    """
    found = record.get(OUTCOME_CHECKSUM)
    if found is None and record.get("format", 1) < FIRST_CHECKED_FORMAT and OUTCOME_CHECKSUM not in record:
        return
    if found is None:
        raise ValueError(f"the key {OUTCOME_CHECKSUM!r} is missing")
    if found != (right := outcome_checksum(record)):
        raise ValueError(
            f"its outcome is not as it was written: {OUTCOME_CHECKSUM} is {found!r}, and it makes {right!r}{ANEW}"
        )
