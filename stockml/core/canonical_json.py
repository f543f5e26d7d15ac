"""Canonical JSON: one text for the same values, whoever wrote them and however, to be hashed.

Names sorted by code point at every depth, no blanks, UTF-8 unescaped, each number as the shortest text of its double as
Python's repr writes it (5 is 5.0, as is 5.00). Standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_DECODER = json.JSONDecoder(parse_int=float)
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def read_canonical(text: str) -> Any:
    """The value of a JSON text, with every number a float; ValueError for what is no JSON."""
    return _DECODER.decode(text)


def canonical_json(fields: Mapping[str, Any]) -> bytes:
    """The canonical JSON of an object that was read by `read_canonical`."""
    return _ENCODER.encode(fields).encode()
