"""The derived copy of a stock's models: one file of plain arrays that loads in a fraction of a millisecond.

The format is a line of JSON with each array's name, type and shape, then the arrays, each on an aligned boundary.
"""

from __future__ import annotations

import json
import math
from dataclasses import fields
from typing import Any

import numpy as np

from stockml.indicators.patterns import PatternConfig, PatternModel
from stockml.models import lstm
from stockml.models.forest import Forest
from stockml.models.lstm import Network, Scaler

ALIGNED = 16  # bytes, the alignment that allocators give


def to_fast(network: Network, scaler: Scaler, forest: Forest, patterns: PatternModel) -> bytes:
    """Serialise what forecasts need; the same models give the same bytes."""
    arrays: dict[str, Any] = {f"lstm_{number}": weights for number, weights in enumerate(network.weights)}
    arrays |= {f"scaler_{name}": np.asarray(getattr(scaler, name)) for name in ("mean", "spread")}
    arrays |= {f"forest_{field.name}": np.asarray(getattr(forest, field.name)) for field in fields(Forest)}
    arrays |= {f"pattern_{name}": getattr(patterns, name) for name in ("centres", "outcome_pct", "distances")}
    arrays |= {f"config_{f.name}": np.asarray(getattr(patterns.config, f.name)) for f in fields(PatternConfig)}
    head = json.dumps({name: [array.dtype.str, array.shape] for name, array in arrays.items()}).encode() + b"\n"
    return b"".join(part.ljust(_padded(len(part))) for part in (head, *(array.tobytes() for array in arrays.values())))


def from_fast(content: bytes) -> tuple[Network, Scaler, Forest, PatternModel]:
    """Restore the models that `to_fast` wrote; their arrays are read-only views of `content`.

    Raises
    ------
    ValueError
        For any other content.
    """
    try:
        arrays = _arrays(content)
        weights = tuple(arrays[f"lstm_{number}"] for number in range(3 * lstm.LAYERS + 2))
        forest = {field.name: arrays[f"forest_{field.name}"] for field in fields(Forest)}
        config = PatternConfig(**{f.name: arrays[f"config_{f.name}"].item() for f in fields(PatternConfig)})
        scaler = Scaler(*(tuple(arrays[f"scaler_{name}"].tolist()) for name in ("mean", "spread")))
        parts = {name: arrays[f"pattern_{name}"] for name in ("centres", "outcome_pct", "distances")}
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ValueError("not a derived copy of models") from None
    lstm.check_shapes(weights)
    forest["base"] = float(forest["base"])
    return Network(weights), scaler, Forest(**forest), PatternModel(config=config, **parts)


def _arrays(content: bytes) -> dict[str, Any]:
    """The arrays of a derived copy as views; nothing is copied."""
    at = content.index(b"\n") + 1
    arrays = {}
    for name, (kind, shape) in json.loads(content[:at]).items():
        at = _padded(at)
        arrays[name] = np.frombuffer(content, kind, math.prod(shape), at).reshape(shape)
        at += arrays[name].nbytes
    return arrays


def _padded(length: int) -> int:
    """The offset of the next array."""
    return -(-length // ALIGNED) * ALIGNED
