"""Bounds of fitted models: what no training leaves is refused when a bundle is loaded, before anything is computed.

Forecasts of models within them are finite, and so is whatever is computed from those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stockml.core.record_fields import FARTHEST_SESSIONS
from stockml.indicators.patterns import PatternModel
from stockml.models import lstm

GREATEST_WEIGHT = 1e4
GREATEST_PCT = 1e4  # of a change
GREATEST_INPUT = 1e9  # mean or spread of an input
SMALLEST_SPREAD = 1e-9  # a smaller one is taken as 1 when the scaler is fitted
GREATEST_THRESHOLD = 1e30  # far beyond any input
GREATEST_DISTANCE = 1e4
MOST_TREES, MOST_NODES, MOST_FEATURES = 10_000, 1 << 12, 1000
WINDOWS = range(2, 1001)  # sessions
PATTERNS = range(1, 1001)


def check_weights(weights: Sequence[Any]) -> None:
    """ValueError unless these are an LSTM's weights."""
    lstm.check_shapes(weights)
    for number, array in enumerate(weights):
        _within(f"lstm_{number}", array, "<f4", GREATEST_WEIGHT)


def check_offsets(offsets: Any) -> None:
    """ValueError unless these are a constant forecast of changes in %."""
    if offsets.ndim != 1 or not 1 <= offsets.size <= FARTHEST_SESSIONS:
        raise ValueError(f"offsets of shape {offsets.shape}, not one for each of 1 to {FARTHEST_SESSIONS} sessions")
    _within("offsets", offsets, "<f4", GREATEST_PCT)


def check_scaler(mean: Any, spread: Any, inputs: int) -> None:
    """ValueError unless these are the means and spreads of so many inputs."""
    if mean.shape != spread.shape or mean.shape != (inputs,):
        raise ValueError(f"scaler of shapes {mean.shape} and {spread.shape} does not go with its LSTM")
    _within("scaler_mean", mean, "<f8", GREATEST_INPUT)
    _within("scaler_spread", spread, "<f8", GREATEST_INPUT, least=SMALLEST_SPREAD)


def check_forest(parts: Mapping[str, Any]) -> None:
    """ValueError unless these are the fields of a Forest, each index within it."""
    shape = parts["feature"].shape
    if len(shape) != 2 or not 1 <= shape[0] <= MOST_TREES or not 1 <= shape[1] <= MOST_NODES:
        raise ValueError(f"trees of shape {shape}, not 1 to {MOST_TREES:,} trees of 1 to {MOST_NODES:,} nodes each")
    for name in ("threshold", "left", "right", "missing_left", "value"):
        if parts[name].shape != shape:
            raise ValueError(f"forest_{name} of shape {parts[name].shape} beside trees of {shape}")
    _within("forest_feature", parts["feature"], "<i4", MOST_FEATURES - 1, least=0)
    for name in ("left", "right"):
        _within(f"forest_{name}", parts[name], "<i4", shape[1] - 1, least=0)
    _within("forest_missing_left", parts["missing_left"].view(np.uint8), "|u1", 1, least=0)
    _within("forest_threshold", parts["threshold"], "<f4", GREATEST_THRESHOLD)
    _within("forest_value", parts["value"], "<f8", GREATEST_PCT)
    _within("forest_base", np.float64(parts["base"]), "<f8", GREATEST_PCT)


def check_patterns(patterns: PatternModel) -> None:
    """ValueError unless the patterns go with their settings."""
    config = patterns.config
    if config.window_sessions not in WINDOWS or config.patterns not in PATTERNS:
        raise ValueError(
            f"{config.patterns} patterns of {config.window_sessions} sessions, not 1 to {PATTERNS[-1]:,} of "
            f"{WINDOWS[0]} to {WINDOWS[-1]:,}"
        )
    for name in ("shrink_windows", "volume_weight"):
        _within(f"config_{name}", np.asarray(getattr(config, name)), "<f8", GREATEST_WEIGHT, least=0)
    for name, shape, greatest, least in (
        ("centres", (config.patterns, 2 * config.window_sessions), GREATEST_DISTANCE, None),
        ("outcome_pct", (config.patterns,), GREATEST_PCT, None),
        ("distances", patterns.distances.shape[:1], GREATEST_DISTANCE, 0),
    ):
        array = getattr(patterns, name)
        if array.shape != shape or not array.size:
            raise ValueError(f"pattern_{name} of shape {array.shape}, not {shape}")
        _within(f"pattern_{name}", array, "<f8", greatest, least=least)
    if (np.diff(patterns.distances) < 0).any():
        raise ValueError("pattern_distances that fall, where percentiles rise")


def _within(
    name: str, array: NDArray[Any] | np.float64, kind: str, greatest: float, least: float | None = None
) -> None:
    least = -greatest if least is None else least
    if array.dtype.str != kind:
        raise ValueError(f"{name} holds numbers of the kind {array.dtype.str}, not {kind}")
    low, high = float(array.min()), float(array.max())
    if not (low >= least and high <= greatest):  # so also with NaN
        bad = high if not high <= greatest else low
        raise ValueError(f"{name} holds {bad:g}, which is not within {least:g} and {greatest:g}")
