"""Seals of log lines: a hash chain over all that verification never changes, which any program can compute again.

A line's seal is the SHA-256 of the seal before it (its 64 hexadecimal digits) and of the line's prediction as canonical
JSON: every field but those of UNSEALED. So a seal outlives the completion of its line, and a tool that writes the same
values in another way. Standard library only, as all of `core`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from stockml.core.canonical_json import canonical_json, read_canonical
from stockml.core.outcome_checksum import OUTCOME_KEYS

FIRST = "0" * 64  # stands before the first sealed line
SEAL, SEALED_AFTER = "seal", "sealed_after"
UNSEALED = OUTCOME_KEYS | {SEAL, SEALED_AFTER}
SHOWN = 16  # hexadecimal digits of a seal that are printed: no two heads will ever share them by accident


def canonical(line: bytes) -> bytes:
    """The canonical JSON of a line's prediction; ValueError for what is no JSON object."""
    record = read_canonical(line.decode())
    if not isinstance(record, dict):
        raise ValueError("it is not a JSON object")
    return canonical_json(sealed_fields(record))


def sealed_fields(record: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a line's object that its seal is over."""
    return {key: value for key, value in record.items() if key not in UNSEALED}


def seal_of(previous: str, prediction: bytes) -> str:
    """The seal of a line: 64 hexadecimal digits.

    Parameters
    ----------
    previous : str
        The seal before it; FIRST where there is none.
    prediction : bytes
        The line's canonical JSON.
    """
    return hashlib.sha256(previous.encode() + prediction).hexdigest()


def is_seal(value: object) -> bool:
    """True for 64 hexadecimal digits in lower case."""
    return isinstance(value, str) and len(value) == len(FIRST) and not value.strip("0123456789abcdef")
