"""A stock's models as one bundle: files of ml_training_data/models in, forecasts of any day out; and back.

A bundle forecasts from `fast.bin`, a derived copy of the LSTM, the trees and the patterns that loads in milliseconds
and needs no machine-learning library. How models come to be is left to `training`.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import date
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stockml.core.paths import Home, folder_name
from stockml.data.price_table import PriceTable
from stockml.indicators.features import HISTORY_SESSIONS, feature_table
from stockml.indicators.patterns import PatternConfig, PatternModel, normalised_windows
from stockml.models import lstm
from stockml.models.forest import Forest
from stockml.models.lstm import Network, Scaler
from stockml.storage.file_lock import exclusive
from stockml.storage.files import write_whole
from stockml.storage.folders import moved_folders, recover_folder, replace_folder, write_folder

LSTM_FILE, XGB_FILE, FAST_FILE, METRICS_FILE = "lstm_model.h5", "xgb_model.pkl", "fast.bin", "metrics.json"
MODEL_FILES = (LSTM_FILE, XGB_FILE, FAST_FILE)

# What the newest day's forecast looks at: each day of the LSTM's window, and what that day's features look at.
SESSIONS_NEEDED = HISTORY_SESSIONS + lstm.WINDOW_SESSIONS - 1

PATTERN_FEATURES = ("pattern_outcome_pct", "pattern_unusual")
ALIGNED = 16  # bytes, as memory is given out

MISSING, UNREADABLE, MISMATCH, UNTRUSTED, WRONG_FEATURES = (
    "missing",
    "unreadable",
    "mismatch",
    "untrusted",
    "wrong_features",
)
_RETRAIN = "train it again with train_models.py --symbols"


class ModelError(Exception):
    """A bundle that cannot be used, in one plain sentence; `kind` says which way."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Forecasts:
    """What the models say of n_days days; NaN (pattern -1) where the history is too short.

    Attributes
    ----------
    days : DatetimeIndex, shape (n_days,)
    lstm_path_pct : array, shape (n_days, horizon)
        Changes 1..horizon sessions ahead.
    xgb_pct : array, shape (n_days,)
        The change at the horizon.
    pattern, pattern_unusual, pattern_pct : arrays, shape (n_days,)
        The pattern's number, the share of training windows that were closer to theirs, and what followed it.
    """

    days: pd.DatetimeIndex
    lstm_path_pct: NDArray[np.float64]
    xgb_pct: NDArray[np.float64]
    pattern: NDArray[np.int64]
    pattern_unusual: NDArray[np.float64]
    pattern_pct: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ModelBundle:
    """One stock's fitted models, and all that is known of how they were made."""

    metrics: Mapping[str, Any]
    network: Network
    scaler: Scaler
    forest: Forest
    patterns: PatternModel

    @property
    def symbol(self) -> str:
        return str(self.metrics["symbol"])

    @property
    def trained_at(self) -> str:
        return str(self.metrics["trained_at"])

    @property
    def data_through(self) -> date:
        """The last day the models have seen."""
        return date.fromisoformat(self.metrics["data_through"])

    @property
    def horizon(self) -> int:
        return self.network.horizon

    def forecast(self, prices: PriceTable, days: Sequence[date] | None = None) -> Forecasts:
        """The models' opinions on the evenings of `days` (None: the newest), each the same bits alone or among others.

        Raises
        ------
        ValueError
            For a day without a bar.
        """
        index = prices.frame.index
        wanted = pd.DatetimeIndex(index[-1:] if days is None else list(days))
        rows = np.array([len(index) - 1]) if days is None else index.get_indexer(wanted)
        if (rows < 0).any():
            raise ValueError(f"{prices.symbol}: no bar on {wanted[rows < 0][0].date()}; ask for a session of the table")
        first = max(0, int(rows.min(initial=len(prices.frame))) + 1 - SESSIONS_NEEDED)
        end = int(rows.max(initial=first)) + 1
        return self._forecast_rows(replace(prices, frame=prices.frame.iloc[first:end]), rows - first, wanted)

    def _forecast_rows(self, table: PriceTable, rows: NDArray[np.int64], days: pd.DatetimeIndex) -> Forecasts:
        features = feature_table(table)
        self._check_features(features)
        reading = self.patterns.read(normalised_windows(table, self.patterns.config)[rows])
        inputs = self.scaler.apply(np.column_stack([features[name].to_numpy() for name in lstm.INPUTS]))
        complete = lstm.complete_windows(inputs)[rows]
        path, change = np.full((len(rows), self.horizon), np.nan), np.full(len(rows), np.nan)
        places = lstm.places_of(days[complete].to_numpy())
        path[complete] = self.network.predict(lstm.windows(inputs, rows[complete]), places)
        seen = np.column_stack([features.to_numpy()[rows], reading.outcome_pct, reading.unusual])
        change[complete] = self.forest.predict(seen[complete])
        return Forecasts(days, path, change, reading.number, reading.unusual, reading.outcome_pct)

    def _check_features(self, features: pd.DataFrame) -> None:
        known = (self.metrics["features"], self.metrics["inputs"], self.metrics["window_sessions"])
        if known != (feature_names(features), list(lstm.INPUTS), lstm.WINDOW_SESSIONS):
            text = f"{self.symbol}: its models were made for other features than today's; {_RETRAIN} {self.symbol}"
            raise ModelError(WRONG_FEATURES, text)


def feature_names(features: pd.DataFrame) -> list[str]:
    """What the trees see of a day, in order."""
    return [*map(str, features.columns), *PATTERN_FEATURES]


# ---- the derived copy ----


def to_fast(network: Network, scaler: Scaler, forest: Forest, patterns: PatternModel) -> bytes:
    """All that forecasts need in one file, the same bytes each time: a line of JSON naming arrays, then the arrays."""
    arrays: dict[str, Any] = {f"lstm_{number}": weights for number, weights in enumerate(network.weights)}
    arrays |= {f"scaler_{name}": np.asarray(getattr(scaler, name)) for name in ("mean", "spread")}
    arrays |= {f"forest_{field.name}": np.asarray(getattr(forest, field.name)) for field in fields(Forest)}
    arrays |= {f"pattern_{name}": getattr(patterns, name) for name in ("centres", "outcome_pct", "distances")}
    arrays |= {f"config_{f.name}": np.asarray(getattr(patterns.config, f.name)) for f in fields(PatternConfig)}
    head = json.dumps({name: [array.dtype.str, array.shape] for name, array in arrays.items()}).encode() + b"\n"
    return b"".join(part.ljust(_padded(len(part))) for part in (head, *(array.tobytes() for array in arrays.values())))


def from_fast(content: bytes) -> tuple[Network, Scaler, Forest, PatternModel]:
    """What `to_fast` wrote; ValueError for anything else."""
    try:
        arrays = _arrays(content)
        weights = tuple(arrays[f"lstm_{number}"] for number in range(3 * lstm.LAYERS + 2))
        forest = {field.name: arrays[f"forest_{field.name}"] for field in fields(Forest)}
        config = PatternConfig(**{f.name: arrays[f"config_{f.name}"].item() for f in fields(PatternConfig)})
        scaler = Scaler(*(tuple(arrays[f"scaler_{name}"].tolist()) for name in ("mean", "spread")))
        parts = {name: arrays[f"pattern_{name}"] for name in ("centres", "outcome_pct", "distances")}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a derived copy of models ({error})") from None
    lstm.check_shapes(weights)
    forest["base"] = float(forest["base"])
    return Network(weights), scaler, Forest(**forest), PatternModel(config=config, **parts)


def _arrays(content: bytes) -> dict[str, Any]:
    """The arrays of a derived copy, where they lie: nothing is copied."""
    at = content.index(b"\n") + 1
    arrays = {}
    for name, (kind, shape) in json.loads(content[:at]).items():
        at = _padded(at)
        arrays[name] = np.frombuffer(content, kind, math.prod(shape), at).reshape(shape)
        at += arrays[name].nbytes
    return arrays


def _padded(length: int) -> int:
    """Where the next array may begin."""
    return -(-length // ALIGNED) * ALIGNED


# ---- on disk ----


def bundle_folder(home: Home, symbol: str) -> Path:
    return home.models / folder_name(symbol)


def save_bundle(home: Home, metrics: Mapping[str, Any], files: Mapping[str, bytes], validation: str) -> None:
    """Write a bundle's folder complete and put it in place of the last one, then its validation forecasts.

    Two trainings at once wait for each other, one bundle long; the later one's stays.

    Parameters
    ----------
    metrics : mapping
        SPEC's keys and ours; the files' checksums are added.
    files : mapping
        The content of each of MODEL_FILES.
    validation : str
        The validation forecasts as CSV.
    """
    target = bundle_folder(home, metrics["symbol"])
    new = target.with_name(f".{target.name}.new")
    whole = {**metrics, "sha256": {name: hashlib.sha256(files[name]).hexdigest() for name in MODEL_FILES}}
    text = json.dumps(whole, allow_nan=False, ensure_ascii=False, indent=2) + "\n"
    with exclusive(home.training_lock):
        write_folder(new, {**files, METRICS_FILE: text.encode()})
        replace_folder(new, target)
        write_whole(home.validation / f"{target.name}.csv", validation)


def trained_symbols(home: Home) -> list[str]:
    """The symbols with a readable metrics.json, sorted; a damaged bundle is named when it is loaded."""
    found = set()
    for folder in [*home.models.glob("[!.]*"), *moved_folders(home.models)]:
        try:
            found.add(str(json.loads((folder / METRICS_FILE).read_bytes())["symbol"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return sorted(found)


def read_metrics(home: Home, symbol: str) -> dict[str, Any]:
    """A bundle's metrics.json alone; ModelError where there is none or it is damaged."""
    with _opened(home, symbol) as folder:
        return _metrics(folder, symbol)


def load_bundle(home: Home, symbol: str) -> ModelBundle:
    """A stock's models, whole and unharmed.

    Raises
    ------
    ModelError
        missing, unreadable, mismatch (a file is not the one that was saved), untrusted (someone else could have
        written it). A bundle made for other features than today's raises wrong_features when it forecasts.
    """
    for attempt in range(2):
        with _opened(home, symbol) as folder:
            try:
                return _load(folder, symbol)
            except ModelError as error:
                # a training run may have put a new folder in place meanwhile: what was open is then being deleted
                if attempt or error.kind != MISSING:
                    raise
    raise AssertionError("unreachable")


def _load(folder: int, symbol: str) -> ModelBundle:
    metrics = _metrics(folder, symbol)
    fast = _read(folder, FAST_FILE, symbol)
    digests = {name: _digest(folder, name, symbol) for name in MODEL_FILES if name != FAST_FILE}
    for name, digest in {**digests, FAST_FILE: hashlib.sha256(fast).hexdigest()}.items():
        if digest != metrics["sha256"].get(name):
            raise ModelError(MISMATCH, f"{symbol}: {name} is not the file that was saved; {_RETRAIN} {symbol}")
    try:
        network, scaler, forest, patterns = from_fast(fast)
    except ValueError as error:
        raise ModelError(UNREADABLE, f"{symbol}: {FAST_FILE}: {error}; {_RETRAIN} {symbol}") from None
    return ModelBundle(metrics, network, scaler, forest, patterns)


@contextmanager
def _opened(home: Home, symbol: str) -> Iterator[int]:
    """A bundle's folder, held open: all that is read through it comes from one training, whatever is swapped in."""
    path = bundle_folder(home, symbol)
    recover_folder(path)
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _unreadable(symbol, path.name, error) from None
    try:
        _refuse_untrusted(os.fstat(folder), f"{symbol}: the folder {path}")
        yield folder
    finally:
        os.close(folder)


def _read(folder: int, name: str, symbol: str) -> bytes:
    with _file(folder, name, symbol) as file:
        return file.read()


def _digest(folder: int, name: str, symbol: str) -> str:
    """The checksum of a file that no forecast reads."""
    with _file(folder, name, symbol) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _file(folder: int, name: str, symbol: str) -> Iterator[BufferedReader]:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
        with os.fdopen(descriptor, "rb") as file:
            _refuse_untrusted(os.fstat(descriptor), f"{symbol}: {name}")
            yield file
    except OSError as error:
        raise _unreadable(symbol, name, error) from None


def _refuse_untrusted(status: os.stat_result, what: str) -> None:
    """ModelError where another user could have written this: models decide what is forecast."""
    if status.st_uid not in (os.getuid(), 0) or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        text = f"{what} could have been written by another user; check it, then make it yours alone (chmod go-w)"
        raise ModelError(UNTRUSTED, text)


def _unreadable(symbol: str, name: str, error: OSError) -> ModelError:
    if isinstance(error, FileNotFoundError):
        return ModelError(MISSING, f"{symbol}: there is no {name} of a trained model; {_RETRAIN} {symbol}")
    return ModelError(UNREADABLE, f"{symbol}: {name} cannot be read ({error.strerror}); {_RETRAIN} {symbol}")


def _metrics(folder: int, symbol: str) -> dict[str, Any]:
    content = _read(folder, METRICS_FILE, symbol)
    try:
        metrics = json.loads(content)
        whole = metrics["symbol"] == symbol and set(MODEL_FILES) <= set(metrics["sha256"])
        whole = whole and {"horizon_days", "features", "inputs", "window_sessions", "priors"} <= set(metrics)
        for day in (metrics["data_through"], metrics["trained_at"][:10]):
            date.fromisoformat(day)
    except (ValueError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise ModelError(UNREADABLE, f"{symbol}: {METRICS_FILE} is damaged; {_RETRAIN} {symbol}")
    return dict(metrics)
