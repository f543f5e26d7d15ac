"""Seals of log lines: a hash chain over all that verification never changes, which any program can compute again.

A line's seal is the SHA-256 of the seal before it (its 64 hexadecimal digits) and of the line's prediction as canonical
JSON: every field but those of UNSEALED, names sorted by code point at every depth, no blanks, UTF-8 unescaped, each
number as the shortest text of its double as Python's repr writes it (5 is 5.0, as is 5.00). So a seal outlives the
completion of its line, and a tool that writes the same values in another way. Standard library only, as all of `core`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from stockml.core.outcomes import OUTCOME_KEYS

FIRST = "0" * 64  # stands before the first sealed line
SEAL, SEALED_AFTER = "seal", "sealed_after"
UNSEALED = OUTCOME_KEYS | {SEAL, SEALED_AFTER}
SHOWN = 16  # hexadecimal digits of a seal that are printed: no two heads will ever share them by accident

_DECODER = json.JSONDecoder(parse_int=float)
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical(line: bytes) -> bytes:
    """The canonical JSON of a line's prediction; ValueError for what is no JSON object."""
    record = _DECODER.decode(line.decode())
    if not isinstance(record, dict):
        raise ValueError("it is not a JSON object")
    return _ENCODER.encode(sealed_fields(record)).encode()


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
