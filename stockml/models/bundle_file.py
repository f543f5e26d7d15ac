"""The derived copy of a stock's models: one file of plain arrays that loads in a millisecond.

The format is a line of JSON with each array's name, type and shape, then the arrays, each on an aligned boundary. Of an
LSTM of which nothing is believed the offsets alone are kept. What is read is believed only within `bundle_bounds`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import fields
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from stockml.indicators.patterns import PatternConfig, PatternModel
from stockml.models import lstm
from stockml.models.bundle_bounds import check_forest, check_offsets, check_patterns, check_scaler, check_weights
from stockml.models.forest import Forest
from stockml.models.lstm import Network, Scaler
from stockml.storage.decoding import Name, decoded

ALIGNED = 16  # bytes, the alignment that allocators give
MOST_BYTES = 1 << 26  # ours have 2 MB
LONGEST_HEAD = 1 << 16
LSTM = tuple(f"lstm_{number}" for number in range(3 * lstm.LAYERS + 2))  # its weights, in Keras's order
OFFSETS = LSTM[-1]

_Size = Annotated[int, Meta(ge=0, le=MOST_BYTES)]
_Head = dict[Name, tuple[Literal["<f4", "<f8", "<i4", "<i8", "|b1"], Annotated[list[_Size], Meta(max_length=2)]]]


def to_fast(network: Network, scaler: Scaler, forest: Forest, patterns: PatternModel) -> bytes:
    """Serialise what forecasts need; the same models give the same bytes."""
    arrays: dict[str, Any] = dict(zip(LSTM, network.weights, strict=True))
    if network.is_constant:
        arrays = {OFFSETS: arrays[OFFSETS]}
    arrays |= {f"scaler_{name}": np.asarray(getattr(scaler, name)) for name in ("mean", "spread")}
    arrays |= {f"forest_{field.name}": np.asarray(getattr(forest, field.name)) for field in fields(Forest)}
    arrays |= {f"pattern_{name}": getattr(patterns, name) for name in ("centres", "outcome_pct", "distances")}
    arrays |= {f"config_{f.name}": np.asarray(getattr(patterns.config, f.name)) for f in fields(PatternConfig)}
    head = json.dumps({name: [array.dtype.str, array.shape] for name, array in arrays.items()}).encode() + b"\n"
    return b"".join(part.ljust(_padded(len(part))) for part in (head, *(array.tobytes() for array in arrays.values())))


def from_fast(content: bytes | NDArray[np.uint8]) -> tuple[Network, Scaler, Forest, PatternModel]:
    """Restore the models that `to_fast` wrote; their arrays are views of `content`.

    Parameters
    ----------
    content : bytes, or array of uint8 of shape (n_bytes,)

    Raises
    ------
    ValueError
        For any other content, and for models that no training can have left; the text goes after the file's name.
    """
    arrays = _arrays(content)
    try:
        kept = (OFFSETS,) if arrays.keys().isdisjoint(LSTM[:-1]) else LSTM
        weights = [arrays[name] for name in kept]
        forest = {field.name: arrays[f"forest_{field.name}"] for field in fields(Forest)}
        config = PatternConfig(**{f.name: arrays[f"config_{f.name}"].item() for f in fields(PatternConfig)})
        mean, spread = arrays["scaler_mean"], arrays["scaler_spread"]
        parts = {name: arrays[f"pattern_{name}"] for name in ("centres", "outcome_pct", "distances")}
        forest["base"] = forest["base"].item()
    except (KeyError, ValueError):  # an array that is missing, or one of several values where one is kept
        raise ValueError("not a derived copy of models") from None
    patterns = PatternModel(config=config, **parts)
    network = _network(weights)
    check_scaler(mean, spread, network.inputs)
    check_forest(forest)
    check_patterns(patterns)
    scaler = Scaler(tuple(mean.tolist()), tuple(spread.tolist()))
    return network, scaler, Forest(**forest), patterns


def _network(weights: Sequence[Any]) -> Network:
    """The LSTM of these weights, or the constant one of offsets alone."""
    if len(weights) == 1:
        check_offsets(weights[0])
        return Network.constant(weights[0])
    check_weights(weights)
    return Network(tuple(weights))


def _arrays(content: bytes | NDArray[np.uint8]) -> dict[str, Any]:
    """The arrays of a derived copy as views; nothing is copied."""
    begin = bytes(content[:LONGEST_HEAD])
    at = begin.find(b"\n") + 1
    try:
        head = decoded(_Head, begin[:at], LONGEST_HEAD)
    except ValueError:
        raise ValueError("not a derived copy of models") from None
    arrays = {}
    for name, (kind, shape) in head.items():
        at, count = _padded(at), math.prod(shape)
        end = at + count * np.dtype(kind).itemsize
        if end > len(content):
            raise ValueError(f"{name} of shape {tuple(shape)} reaches beyond the file's end")
        arrays[name] = np.frombuffer(content, kind, count, at).reshape(shape) if count else np.empty(shape, kind)
        at = end
    return arrays


def _padded(length: int) -> int:
    """The offset of the next array."""
    return -(-length // ALIGNED) * ALIGNED
